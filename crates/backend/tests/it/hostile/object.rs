//! Misbehaving object stores.

use super::{Case, cases, network};
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::sync::Arc;
use tresor_backend::{Backend, Location, Options, open};

fn at(location: &str, change: impl FnOnce(&mut Options)) -> Arc<dyn Backend> {
    let mut options = Options { network: network(), ..Options::default() };
    change(&mut options);
    open(&Location::parse(OsStr::new(location)).unwrap(), &options).unwrap()
}

fn s3(address: SocketAddr) -> Arc<dyn Backend> {
    at(&format!("s3:http://{address}/bucket"), |options| {
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            options.s3.surroundings.variables.insert(name.into(), "s3cr3t".into());
        }
    })
}

fn azure(address: SocketAddr) -> Arc<dyn Backend> {
    at("azure:container:/", |options| {
        options.azure.account = "account".into();
        options.azure.key = Some("czNjcjN0".into());
        options.azure.service_url = Some(format!("http://{address}/account"));
    })
}

fn gs(address: SocketAddr) -> Arc<dyn Backend> {
    at("gs:bucket:/", |options| {
        options.gs.token = Some("s3cr3t".into());
        options.gs.service_url = Some(address.to_string());
    })
}

fn run_all(cases: &[Case]) {
    for open in [s3, azure, gs] {
        super::run(cases, open);
    }
}

#[test]
fn no_status_confuses_us() {
    run_all(cases::STATUS);
}

#[test]
fn no_connection_holds_us_up() {
    run_all(cases::CONNECTION);
}

#[test]
fn no_length_is_believed() {
    run_all(cases::LENGTHS);
}
