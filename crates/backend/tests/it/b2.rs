//! The B2 backend against a double, written from the public protocol: no server is to be had.

use super::hostile::patient;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tresor_backend::b2::{self, B2};
use tresor_backend::{Backend, ErrorKind, FileKind, FileName, Id, Payload, conformance, net};
use tresor_testkit::servers::{self, B2_KEY};

fn open(server: &servers::B2, bucket: &str, prefix: &str, key: &str) -> B2 {
    let options = b2::Options { key_id: B2_KEY[0].into(), key: key.into(), endpoint: Some(server.url()) };
    let shown = format!("b2:{bucket}:{prefix}");
    B2::open(bucket, prefix, shown, &options, b2::CONNECTIONS, &net::Options::default()).unwrap()
}

fn start(folder: &TempDir) -> (servers::B2, B2) {
    let server = servers::B2::start(folder.path());
    let backend = open(&server, "bucket", "a b/ü%", B2_KEY[1]);
    backend.create().unwrap();
    (server, backend)
}

const PACK: FileName = FileName::new(FileKind::Pack, Id::from_bytes([7; 32]));

fn save(backend: &B2, content: &str) -> Result<(), ErrorKind> {
    backend.save(PACK, &Payload::from(content.as_bytes())).map_err(|error| error.kind())
}

fn files(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.map(|entry| entry.unwrap().path()).map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

#[test]
fn it_conforms_in_pages_of_two_and_with_trouble() {
    for trouble in [0, 61] {
        let folder = TempDir::new().unwrap();
        let server = servers::B2::start(folder.path());
        server.pages_of(2);
        let count = std::cell::Cell::new(0);
        conformance::run(&|| {
            server.trouble(0);
            count.set(count.get() + 1);
            let backend = open(&server, &format!("bucket-{}", count.get()), "pre fix", B2_KEY[1]);
            backend.create().unwrap();
            server.trouble(trouble);
            Arc::new(patient(Arc::new(backend)))
        });
    }
}

#[test]
fn what_is_removed_is_gone_with_its_versions_or_hidden_where_the_key_may_not_delete() {
    let folder = TempDir::new().unwrap();
    let (server, backend) = start(&folder);
    server.pages_of(2);
    for content in ["one", "two", "three", "four", "five"] {
        save(&backend, content).unwrap();
    }
    assert_eq!(files(folder.path()), 5);
    backend.remove(PACK).unwrap();
    assert_eq!(files(folder.path()), 0);
    assert_eq!(backend.remove(PACK).unwrap_err().kind(), ErrorKind::NotFound);

    save(&backend, "one").unwrap();
    server.forbid("deleteFiles");
    let hiding = open(&server, "bucket", "a b/ü%", B2_KEY[1]);
    hiding.remove(PACK).unwrap();
    assert!(backend.stat(PACK).unwrap_err().is_not_found());
    assert_eq!(hiding.remove(PACK).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(files(folder.path()), 2, "the version and what hides it");
    save(&backend, "again").unwrap();
    backend.remove(PACK).unwrap();
    assert_eq!(files(folder.path()), 0, "what was hidden goes with the rest");
}

#[test]
fn a_token_that_is_too_old_and_an_address_that_is_busy_are_replaced() {
    let folder = TempDir::new().unwrap();
    let (server, backend) = start(&folder);
    save(&backend, "one").unwrap();
    server.forget_tokens();
    assert_eq!(backend.stat(PACK).unwrap(), 3);
    server.forget_tokens();
    save(&backend, "again").unwrap();
    server.busy_uploads(3);
    save(&backend, "three").unwrap();
    server.busy_uploads(4);
    assert_eq!(save(&backend, "four"), Err(ErrorKind::Temporary));
}

/// Each upload at a time has an address of its own, and after a day all of them are too old at once.
#[test]
fn many_addresses_that_are_too_old_do_not_end_an_upload() {
    let folder = TempDir::new().unwrap();
    let (server, backend) = start(&folder);
    std::thread::scope(|scope| {
        for number in 0..8u8 {
            let backend = &backend;
            let file = FileName::new(FileKind::Pack, Id::from_bytes([number; 32]));
            scope.spawn(move || backend.save(file, &Payload::from(&vec![number; 1 << 20][..])).unwrap());
        }
    });
    server.forget_tokens();
    for content in ["one", "two", "three"] {
        save(&backend, content).unwrap();
    }
}

#[test]
fn a_bucket_that_is_full_can_be_read_and_emptied() {
    let folder = TempDir::new().unwrap();
    let (server, backend) = start(&folder);
    save(&backend, "one").unwrap();
    server.is_full(true);
    assert_eq!(save(&backend, "two"), Err(ErrorKind::NoSpace));
    let mut into = Vec::new();
    backend.load_whole(PACK, 10, &mut into).unwrap();
    assert_eq!(into, b"one");
    backend.remove(PACK).unwrap();
    assert_eq!(files(folder.path()), 0);
}

#[test]
fn wrong_keys_and_missing_buckets_are_told() {
    let folder = TempDir::new().unwrap();
    let server = servers::B2::start(folder.path());
    let wrong = open(&server, "bucket", "", "not-the-key");
    assert_eq!(wrong.stat(FileName::CONFIG).unwrap_err().kind(), ErrorKind::Denied);
    let missing = open(&server, "nothing", "", B2_KEY[1]);
    assert_eq!(missing.stat(FileName::CONFIG).unwrap_err().kind(), ErrorKind::NotFound);
    let listed = missing.list(FileKind::Pack, &mut |_| panic!("there is no bucket"));
    assert_eq!(listed.unwrap_err().kind(), ErrorKind::NotFound, "that is no empty listing");
    assert_eq!(save(&missing, "one"), Err(ErrorKind::NotFound));
    let options = b2::Options::default();
    let network = net::Options::default();
    assert!(B2::open("bucket", "", "b2:bucket".into(), &options, b2::CONNECTIONS, &network).is_err());
}
