//! Where credentials for S3 are found: each source alone, against a server that checks signatures.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use tresor_backend::{Location, Options, open};
use tresor_testkit::servers::scripted::{Scripted, Seen, answer};
use tresor_testkit::servers::{self, S3_KEY, Server};

const OFF: (&str, &str) = ("AWS_EC2_METADATA_DISABLED", "true");

/// Makes a bucket with what these variables and this home say; the text of the error, if there is one.
fn create(server: &Server, variables: &[(&str, &str)], home: &Path) -> Result<(), String> {
    let mut options = Options::default();
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    options.s3.surroundings.variables = variables.collect::<HashMap<_, _>>();
    options.s3.surroundings.home = Some(home.to_owned());
    let location = format!("s3:http://{}/bucket", server.address);
    let backend = open(&Location::parse(OsStr::new(&location)).unwrap(), &options).unwrap();
    backend.create().map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        cause.unwrap_or_else(|| error.to_string())
    })
}

#[test]
fn credentials_are_found_in_variables_and_files() {
    let (folder, home) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let server = servers::rclone_s3(folder.path());
    let [id, secret] = S3_KEY;
    for [id_name, secret_name] in [
        ["AWS_ACCESS_KEY", "AWS_SECRET_KEY"],
        ["MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"],
        ["MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"],
    ] {
        create(&server, &[(id_name, id), (secret_name, secret), OFF], home.path()).unwrap();
    }

    let nothing = create(&server, &[OFF], home.path()).unwrap_err();
    assert_eq!(
        nothing,
        "no credentials found. Use `-o s3.unsafe-anonymous-auth=true` for anonymous authentication"
    );

    let profile =
        |name: &str| format!("[{name}]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
    let path = home.path().join("credentials");
    fs::write(&path, profile("backup")).unwrap();
    let file = ("AWS_SHARED_CREDENTIALS_FILE", path.to_str().unwrap());
    create(&server, &[file, ("AWS_PROFILE", "backup"), OFF], home.path()).unwrap();
    create(&server, &[file, ("AWS_PROFILE", "other"), OFF], home.path()).unwrap_err();

    let path = home.path().join("mc.json");
    let alias = format!("{{\"aliases\":{{\"mine\":{{\"accessKey\":\"{id}\",\"secretKey\":\"{secret}\"}}}}}}");
    fs::write(&path, alias).unwrap();
    let file = ("MINIO_SHARED_CREDENTIALS_FILE", path.to_str().unwrap());
    create(&server, &[file, ("MINIO_ALIAS", "mine"), OFF], home.path()).unwrap();
    create(&server, &[file, OFF], home.path()).unwrap_err();

    fs::create_dir(home.path().join(".aws")).unwrap();
    fs::write(home.path().join(".aws/credentials"), profile("default")).unwrap();
    create(&server, &[OFF], home.path()).unwrap();
}

#[test]
fn a_machine_has_a_role_of_its_own() {
    let (folder, home) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let server = servers::rclone_s3(folder.path());
    let machine = Scripted::start(|seen: &Seen| {
        let [id, secret] = S3_KEY;
        match (seen.method(), seen.path()) {
            ("PUT", "/latest/api/token") => answer("200 OK", "a-token"),
            (_, path) if path.ends_with("/security-credentials/") => answer("200 OK", "the-role"),
            (_, path) if path.ends_with("/the-role") && seen.header("x-aws-ec2-metadata-token").is_some() => {
                answer(
                    "200 OK",
                    format!(
                        "{{\"Code\":\"Success\",\"AccessKeyId\":\"{id}\",\"SecretAccessKey\":\"{secret}\",\
                     \"Token\":\"session\",\"Expiration\":\"2099-01-01T00:00:00Z\"}}"
                    ),
                )
            }
            _ => answer("404 Not Found", ""),
        }
    });
    let endpoint = format!("http://{}", machine.address);
    create(&server, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint)], home.path()).unwrap();
    assert_eq!(machine.seen().len(), 3, "they are asked for once");
}
