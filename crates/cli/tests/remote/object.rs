//! In the buckets of object stores.

use crate::exchange::Pair;
use tempfile::TempDir;
use tresor_testkit::servers::{self, S3_KEY};

const S3: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", S3_KEY[0]), ("AWS_SECRET_ACCESS_KEY", S3_KEY[1])];

#[test]
fn programs_take_turns_in_a_bucket_of_rclone() {
    let folder = TempDir::new().unwrap();
    let server = servers::rclone_s3(folder.path());
    let location = format!("s3:http://{}/bucket/some/prefix", server.address);
    Pair::new(&location, &[], &S3).exchanges();
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
    let server = servers::fake_gcs();
    let emulator = server.address.to_string();
    let variables = [
        ("STORAGE_EMULATOR_HOST", emulator.as_str()),
        ("GOOGLE_ACCESS_TOKEN", "a-token"),
        ("GOOGLE_PROJECT_ID", "project"),
    ];
    Pair::new("gs:bucket:/some/prefix", &[], &variables).exchanges();
}
