//! In the buckets of object stores.

use crate::exchange::Pair;
use crate::killed::rest;
use std::time::Duration;
use tempfile::TempDir;
use tresor_testkit::certificates;
use tresor_testkit::servers::{self, AZURE_ACCOUNT, AZURE_HOST, S3_KEY, Server};

const S3: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", S3_KEY[0]), ("AWS_SECRET_ACCESS_KEY", S3_KEY[1])];

#[test]
fn programs_take_turns_in_a_bucket_of_rclone() {
    let folder = TempDir::new().unwrap();
    let server = servers::rclone_s3(folder.path());
    let location = format!("s3:http://{}/bucket/some/prefix", server.address);
    Pair::new(&location, &[], &S3).exchanges();
}

#[test]
fn an_rclone_killed_in_the_middle_of_a_backup_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let mut server = servers::rclone_s3(folder.path());
    let pair = Pair::new(&format!("s3:http://{}/bucket", server.address), &[], &S3);
    pair.outlive(&mut server, folder.path());
}

#[test]
fn programs_take_turns_in_a_bucket_of_moto() {
    let server = servers::moto();
    let options = ["s3.bucket-lookup=path", "s3.storage-class=STANDARD_IA", "s3.list-objects-v1=true"];
    let variables = [&S3[..], &[("AWS_DEFAULT_REGION", "eu-central-1")]].concat();
    Pair::new(&format!("s3:http://{}/bucket", server.address), &options, &variables).exchanges();
}

#[test]
fn programs_take_turns_in_a_bucket_of_google() {
    google(&servers::fake_gcs()).exchanges();
}

/// Both programs on a bucket there.
fn google(server: &Server) -> Pair {
    let emulator = server.address.to_string();
    let variables = [
        ("STORAGE_EMULATOR_HOST", emulator.as_str()),
        ("GOOGLE_ACCESS_TOKEN", "a-token"),
        ("GOOGLE_PROJECT_ID", "project"),
    ];
    Pair::new("gs:bucket:/some/prefix", &[], &variables)
}

#[test]
fn a_fake_gcs_server_killed_in_the_middle_of_a_backup_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let mut server = servers::fake_gcs_on(folder.path());
    google(&server).outlive(&mut server, folder.path());
}

#[test]
fn an_azurite_killed_in_the_middle_of_a_backup_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let storage = folder.path().join("storage");
    std::fs::create_dir(&storage).unwrap();
    let [authority, certificate] = ["authority", "certificate"].map(|name| folder.path().join(name));
    let issuer = certificates::authority();
    std::fs::write(&authority, issuer.pem()).unwrap();
    std::fs::write(&certificate, certificates::certificate(&issuer, AZURE_HOST, |_| {})).unwrap();
    let mut server = servers::azurite_with(&storage, Some(&certificate));
    let proxy = servers::proxy_to(server.address);
    let [account, key] = AZURE_ACCOUNT;
    let variables =
        [("AZURE_ACCOUNT_NAME", account), ("AZURE_ACCOUNT_KEY", key), ("HTTPS_PROXY", proxy.as_str())];
    let pair = Pair::new("azure:container:/some/prefix", &[], &variables);
    // It writes down every five seconds which blobs there are.
    let rest = || rest(&storage.join("__blobstorage__"), Duration::from_secs(6));
    pair.flag("--cacert", authority.to_str().unwrap()).tresor_outlives(&mut server, &storage, &rest);
}
