//! The REST backend against real servers.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tresor_backend::net::Login;
use tresor_backend::rest::{self, Rest};
use tresor_backend::{Backend, ErrorKind, FileName, Payload, conformance, net};
use tresor_testkit::servers::{self, Server};

fn open(url: &str, login: &Login) -> Rest {
    Rest::open(url, url.to_owned(), login, rest::CONNECTIONS, &net::Options::default()).unwrap()
}

/// Each check gets a path of its own behind one server.
fn conforms(start: impl Fn(&Path) -> Server) {
    let folder = TempDir::new().unwrap();
    let server = start(folder.path());
    let count = std::cell::Cell::new(0);
    conformance::run(&|| {
        count.set(count.get() + 1);
        let url = format!("http://{}/r{}/", server.address, count.get());
        Arc::new(open(&url, &Login::default()))
    });
}

#[test]
fn rest_server_conforms() {
    conforms(servers::rest_server);
}

#[test]
fn rclone_conforms() {
    conforms(servers::rclone_rest);
}

#[test]
fn a_login_is_shown_to_the_server_and_a_wrong_one_is_denied() {
    let folder = TempDir::new().unwrap();
    // "user" with the password "secret", as htpasswd writes it with SHA-1.
    std::fs::write(folder.path().join(".htpasswd"), "user:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n").unwrap();
    let server = servers::rest_server_with(folder.path(), &[]);
    let in_url = open(&format!("http://user:secret@{}/", server.address), &Login::default());
    in_url.create().unwrap();
    in_url.save(FileName::CONFIG, &Payload::from(&b"x"[..])).unwrap();
    let plain = format!("http://{}/", server.address);
    let login = |password: &str| Login { user: "user".into(), password: password.into() };
    assert_eq!(open(&plain, &login("secret")).stat(FileName::CONFIG).unwrap(), 1);
    for wrong in [login("wrong"), Login::default()] {
        assert_eq!(open(&plain, &wrong).stat(FileName::CONFIG).unwrap_err().kind(), ErrorKind::Denied);
    }
}

#[test]
fn a_server_that_is_not_there_may_come_back() {
    let nobody = format!("http://{}/", servers::free_address());
    let error = open(&nobody, &Login::default()).stat(FileName::CONFIG).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Temporary);
    assert!(NonZeroUsize::MIN <= rest::CONNECTIONS);
}
