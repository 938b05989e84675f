//! The object stores against real servers.

use std::cell::Cell;
use std::ffi::OsStr;
use std::sync::Arc;
use tempfile::TempDir;
use tresor_backend::object::s3;
use tresor_backend::retry::Retry;
use tresor_backend::{
    Backend, Cancel, ErrorKind, FileKind, FileName, Location, ManualClock, Options, Payload, conformance,
    open,
};
use tresor_testkit::servers::{self, AZURE_ACCOUNT, S3_KEY, Server};

fn s3_options([id, secret]: [&str; 2]) -> Options {
    let mut options = Options::default();
    for (name, value) in [("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)] {
        options.s3.surroundings.variables.insert(name.into(), value.into());
    }
    options
}

pub(super) fn at(location: &str, options: &Options) -> Arc<dyn Backend> {
    open(&Location::parse(OsStr::new(location)).unwrap(), options).unwrap()
}

/// Each check gets a bucket of its own, or a prefix of one.
pub(super) fn conforms_at(scheme: &str, parted_by: &str, options: &Options) {
    let count = Cell::new(0);
    conformance::run(&|| {
        count.set(count.get() + 1);
        let place = match count.get() {
            number if number % 4 == 0 => format!("own-bucket-{number}{parted_by}"),
            number => format!("bucket{parted_by}deep/er {number}"),
        };
        // rclone removes a folder that is empty for a moment from under who saves there.
        let clock = Arc::new(ManualClock::default());
        Arc::new(Retry::new(at(&format!("{scheme}{place}"), options), Cancel::new()).with_clock(clock, 1))
    });
}

fn conforms(server: &Server, options: &Options) {
    conforms_at(&format!("s3:http://{}/", server.address), "/", options);
}

pub(super) fn azure_options(server: &Server) -> Options {
    let [account, key] = AZURE_ACCOUNT;
    let mut options = Options::default();
    options.azure.account = account.to_owned();
    options.azure.key = Some(key.to_owned());
    options.azure.service_url = Some(format!("http://{}/{account}", server.address));
    options
}

#[test]
fn azure_by_azurite_conforms() {
    let folder = TempDir::new().unwrap();
    let server = servers::azurite(folder.path());
    let mut options = azure_options(&server);
    conforms_at("azure:", ":/", &options);

    let backend = at("azure:somewhere:/", &options);
    is_no_missing_repository(&*backend);
    options.azure.access_tier = Some("Cool".into());
    at("azure:somewhere:/", &options).save(FileName::CONFIG, &Payload::from(&b"config"[..])).unwrap();
    options.azure.key = Some("AAAA".into());
    let error = at("azure:somewhere:/", &options).stat(FileName::CONFIG).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
}

#[test]
fn google_by_fake_gcs_server_conforms() {
    let server = servers::fake_gcs();
    let mut options = Options::default();
    options.gs.token = Some("a-token".into());
    options.gs.project = Some("project".into());
    options.gs.service_url = Some(server.address.to_string());
    conforms_at("gs:", ":/", &options);
}

#[test]
fn s3_by_rclone_conforms() {
    let folder = TempDir::new().unwrap();
    conforms(&servers::rclone_s3(folder.path()), &s3_options(S3_KEY));
}

#[test]
fn s3_by_moto_conforms_with_listings_of_both_versions() {
    let server = servers::moto();
    conforms(&server, &s3_options(S3_KEY));
    let mut options = s3_options(S3_KEY);
    options.s3.list_v1 = true;
    let first = at(&format!("s3:http://{}/first", server.address), &options);
    first.create().unwrap();
    let count = list_many(&*first);
    assert_eq!(count, 1001, "more than a page");
}

/// Saves more files than a page of a listing has, and counts what is listed.
fn list_many(backend: &dyn Backend) -> usize {
    for number in 0..1001u32 {
        let content = number.to_be_bytes();
        let id = tresor_backend::Id::from_bytes(sha2_of(&content));
        backend.save(FileName::new(FileKind::Pack, id), &Payload::from(&content[..])).unwrap();
    }
    let mut ids = std::collections::HashSet::new();
    backend
        .list(FileKind::Pack, &mut |listed| {
            ids.insert(listed.id);
            Ok(())
        })
        .unwrap();
    ids.len()
}

fn sha2_of(content: &[u8]) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(content).into()
}

#[test]
fn whoever_has_the_wrong_key_is_denied_and_hears_no_secret() {
    let folder = TempDir::new().unwrap();
    let server = servers::rclone_s3(folder.path());
    let location = format!("s3:http://{}/bucket", server.address);
    at(&location, &s3_options(S3_KEY)).create().unwrap();
    for wrong in [[S3_KEY[0], "another"], ["nobody", S3_KEY[1]]] {
        let error = at(&location, &s3_options(wrong)).stat(FileName::CONFIG).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        assert!(!format!("{error:?}").contains(wrong[1]));
    }
    let mut anonymous = Options::default();
    anonymous.s3.anonymous = true;
    assert!(at(&location, &anonymous).stat(FileName::CONFIG).is_err());
}

#[test]
fn a_bucket_that_is_missing_is_no_missing_repository() {
    let server = servers::moto();
    let backend = at(&format!("s3:http://{}/nowhere", server.address), &s3_options(S3_KEY));
    is_no_missing_repository(&*backend);
}

/// The bucket is missing, and then it is there and empty.
fn is_no_missing_repository(backend: &dyn Backend) {
    let config = || backend.load_whole(FileName::CONFIG, 100, &mut Vec::new()).unwrap_err().kind();
    assert_eq!(config(), ErrorKind::Unusable);
    backend.create().unwrap();
    assert_eq!(config(), ErrorKind::NotFound);
}

#[test]
fn half_a_key_is_refused_at_once() {
    let mut options = s3_options(S3_KEY);
    options.s3.surroundings.variables.remove("AWS_SECRET_ACCESS_KEY");
    let location = Location::parse(OsStr::new("s3:http://127.0.0.1:1/bucket")).unwrap();
    let error = open(&location, &options).err().unwrap();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "no credentials found. $AWS_ACCESS_KEY_ID is set but $AWS_SECRET_ACCESS_KEY is empty");
    assert!(s3::Lookup::default() == s3::Lookup::Auto);
}

#[test]
fn a_role_is_taken_on_where_it_is_given_out() {
    let server = servers::moto();
    let mut options = s3_options(S3_KEY);
    options.s3.role = Some(s3::Role {
        arn: "arn:aws:iam::123456789012:role/backup".into(),
        endpoint: Some(format!("http://{}", server.address)),
        ..s3::Role::default()
    });
    let location = format!("s3:http://{}/bucket", server.address);
    at(&location, &options).create().unwrap();
    options.s3.role = Some(s3::Role {
        endpoint: Some(format!("http://{}/nowhere", server.address)),
        ..s3::Role::default()
    });
    let error = at(&location, &options).stat(FileName::CONFIG).unwrap_err();
    assert!(!error.kind().is_temporary(), "{error:?}");
}

/// What is put into such a bucket has to say which checksum it carries, and stays for a while.
#[test]
fn a_bucket_with_object_lock_takes_our_files() {
    let server = servers::moto();
    tell(&server, "PUT /locked", "x-amz-bucket-object-lock-enabled: true\r\n", "");
    let rule = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
                <Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
    tell(&server, "PUT /locked?object-lock", "", rule);
    let backend = at(&format!("s3:http://{}/locked", server.address), &s3_options(S3_KEY));
    backend.create().unwrap();
    backend.save(FileName::CONFIG, &Payload::from(&b"config"[..])).unwrap();
    assert_eq!(backend.stat(FileName::CONFIG).unwrap(), 6);
}

/// Tells a server something without any signature.
fn tell(server: &Server, what: &str, headers: &str, body: &str) {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(server.address).unwrap();
    let host = format!("Host: {}\r\nConnection: close\r\nContent-Length: {}", server.address, body.len());
    write!(stream, "{what} HTTP/1.1\r\n{host}\r\n{headers}\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
