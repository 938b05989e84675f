//! The suite that every backend and every decorator passes.
//!
//! [`run`] makes a fresh, empty backend for each check, so that checks are independent. A check that fails
//! panics, saying what was expected; [`CHECKS`] has them one by one.

use crate::random::Random;
use crate::{Backend, ByteRange, Error, ErrorKind, FileKind, FileName, Id, Listed, Part, Payload, Result};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One check: its name, and what it does with a fresh backend.
pub type Check = (&'static str, fn(&dyn Backend));

/// Every check.
pub const CHECKS: &[Check] = &[
    ("what is saved can be loaded", saved_is_loaded),
    ("ranges are exact", ranges_are_exact),
    ("a range past the end is of the wrong size", past_the_end),
    ("an empty file is a file", empty_file),
    ("a whole file is loaded up to the limit", whole_up_to_the_limit),
    ("stat tells the length", stat_tells_the_length),
    ("the config has a life of its own", config),
    ("kinds are apart", kinds_are_apart),
    ("a listing is complete and tells each file once", list_is_complete),
    ("a listing of nothing is empty", list_of_nothing),
    ("an error of the listener ends the listing", listener_fails),
    ("saving again is as the capabilities say", save_again),
    ("a failed save leaves no file", failed_save),
    ("what is removed is gone", removed_is_gone),
    ("what is missing is not found", missing_is_not_found),
    ("creating is refused only where a config is", create_again),
    ("many may save and load at once", many_at_once),
    ("a big file of several parts is saved in order", big_file_of_parts),
];

/// Runs every check, each on a backend of its own from `make`, on which `create` has been called.
///
/// # Panics
/// If a check fails; the text names the check.
pub fn run(make: &dyn Fn() -> Arc<dyn Backend>) {
    for (name, check) in CHECKS {
        let backend = make();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            backend.create().expect("a fresh place can be made ready");
            check(&*backend);
        }));
        assert!(outcome.is_ok(), "{} does not keep this: {name}", backend.location());
    }
}

/// The name of a file with this content: some servers look.
fn name(kind: FileKind, content: &[u8]) -> FileName {
    FileName::new(kind, Id::from_bytes(Sha256::digest(content).into()))
}

/// Bytes without a pattern, the same for the same seed.
fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut random = Random::from_seed(seed);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[track_caller]
fn save(backend: &dyn Backend, kind: FileKind, content: &[u8]) -> FileName {
    let file = name(kind, content);
    save_as(backend, file, content);
    file
}

#[track_caller]
fn save_as(backend: &dyn Backend, file: FileName, content: &[u8]) {
    backend.save(file, &Payload::from(content)).expect("a file can be saved");
}

fn load(backend: &dyn Backend, file: FileName, offset: u64, length: u64) -> Result<Vec<u8>> {
    let mut into = b"left over".to_vec();
    backend.load(file, ByteRange { offset, length }, &mut into)?;
    Ok(into)
}

fn whole(backend: &dyn Backend, file: FileName, at_most: u64) -> Result<Vec<u8>> {
    let mut into = b"left over".to_vec();
    backend.load_whole(file, at_most, &mut into)?;
    Ok(into)
}

#[track_caller]
fn listed(backend: &dyn Backend, kind: FileKind) -> Vec<Listed> {
    let mut all = Vec::new();
    let listing = backend.list(kind, &mut |listed| {
        all.push(listed);
        Ok(())
    });
    listing.expect("a kind can be listed");
    all.sort_by_key(|listed| listed.id);
    all
}

#[track_caller]
fn fails_with<T: std::fmt::Debug>(kind: ErrorKind, result: Result<T>) {
    assert_eq!(result.expect_err("this must fail").kind(), kind);
}

fn saved_is_loaded(backend: &dyn Backend) {
    for kind in FileKind::WITH_ID {
        for (seed, length) in [(1, 1), (2, 4096), (3, 100_001)] {
            let content = bytes(seed, length);
            let file = save(backend, kind, &content);
            assert!(whole(backend, file, u64::MAX).expect("it was saved") == content, "{file}");
            assert!(load(backend, file, 0, length as u64).expect("it was saved") == content, "{file}");
        }
    }
}

fn ranges_are_exact(backend: &dyn Backend) {
    let content = bytes(1, 70_000);
    let file = save(backend, FileKind::Pack, &content);
    for (offset, length) in [(0, 1), (0, 69_999), (1, 69_999), (69_999, 1), (65_535, 2), (5, 0), (70_000, 0)]
    {
        let expected = &content[offset..offset + length];
        let range = load(backend, file, offset as u64, length as u64).expect("the range is in the file");
        assert!(range == expected, "{length} bytes from {offset}");
    }
}

fn past_the_end(backend: &dyn Backend) {
    let file = save(backend, FileKind::Pack, &bytes(1, 1000));
    for (offset, length) in [(0, 1001), (999, 2), (1000, 1), (1001, 0), (1 << 40, 5), (7, u64::MAX)] {
        fails_with(ErrorKind::WrongSize, load(backend, file, offset, length));
    }
}

fn empty_file(backend: &dyn Backend) {
    let file = save(backend, FileKind::Index, b"");
    assert_eq!(backend.stat(file).expect("it was saved"), 0);
    assert_eq!(whole(backend, file, 0).expect("it was saved"), b"");
    assert_eq!(load(backend, file, 0, 0).expect("it was saved"), b"");
    assert_eq!(listed(backend, FileKind::Index), [Listed { id: file.id(), size: 0 }]);
}

fn whole_up_to_the_limit(backend: &dyn Backend) {
    let content = bytes(1, 5000);
    let file = save(backend, FileKind::Snapshot, &content);
    assert!(whole(backend, file, 5000).expect("it is within the limit") == content);
    fails_with(ErrorKind::WrongSize, whole(backend, file, 4999));
    fails_with(ErrorKind::WrongSize, whole(backend, file, 0));
}

fn stat_tells_the_length(backend: &dyn Backend) {
    for length in [0u8, 1, 200] {
        let file = save(backend, FileKind::Lock, &bytes(1, length.into()));
        assert_eq!(backend.stat(file).expect("it was saved"), u64::from(length));
    }
}

fn config(backend: &dyn Backend) {
    fails_with(ErrorKind::NotFound, backend.stat(FileName::CONFIG));
    save_as(backend, FileName::CONFIG, b"the config");
    assert_eq!(whole(backend, FileName::CONFIG, 100).expect("it was saved"), b"the config");
    assert_eq!(listed(backend, FileKind::Config), [], "the config has no id to list");
    backend.remove(FileName::CONFIG).expect("it was saved");
    fails_with(ErrorKind::NotFound, whole(backend, FileName::CONFIG, 100));
}

fn kinds_are_apart(backend: &dyn Backend) {
    for kind in FileKind::WITH_ID {
        save(backend, kind, b"the same in every kind");
    }
    let of = |kind| name(kind, b"the same in every kind");
    backend.remove(of(FileKind::Key)).expect("it was saved");
    for kind in FileKind::WITH_ID.into_iter().filter(|kind| *kind != FileKind::Key) {
        assert_eq!(whole(backend, of(kind), 100).expect("it was saved"), b"the same in every kind");
    }
    assert_eq!(listed(backend, FileKind::Key), []);
    assert_eq!(listed(backend, FileKind::Lock).len(), 1);
}

fn list_is_complete(backend: &dyn Backend) {
    // Spread over the first bytes, with some that share one.
    let alike = (0..)
        .map(|seed| bytes(seed, 40))
        .filter(|content| name(FileKind::Pack, content).id().as_bytes()[0] == 0x3c);
    let contents: Vec<Vec<u8>> =
        (0..24).map(|seed| bytes(seed, 1 + seed as usize)).chain(alike.take(3)).collect();
    for kind in FileKind::WITH_ID {
        let mut expected: Vec<Listed> = contents
            .iter()
            .map(|content| Listed { id: save(backend, kind, content).id(), size: content.len() as u64 })
            .collect();
        expected.sort_by_key(|listed| listed.id);
        assert_eq!(listed(backend, kind), expected);
    }
}

fn list_of_nothing(backend: &dyn Backend) {
    for kind in FileKind::WITH_ID {
        assert_eq!(listed(backend, kind), []);
    }
}

fn listener_fails(backend: &dyn Backend) {
    for first in 0..5 {
        save(backend, FileKind::Key, &[first]);
    }
    let mut told = 0;
    let listing = backend.list(FileKind::Key, &mut |_| {
        told += 1;
        match told {
            3 => Err(Error::about(ErrorKind::Cancelled, "list", "enough")),
            _ => Ok(()),
        }
    });
    fails_with(ErrorKind::Cancelled, listing);
    assert_eq!(told, 3, "nothing more is told after an error");
}

fn save_again(backend: &dyn Backend) {
    // The config is the one file whose content its name does not tell.
    let file = FileName::CONFIG;
    save_as(backend, file, &bytes(1, 2000));
    let again = backend.save(file, &Payload::from(&bytes(2, 1000)[..]));
    if backend.capabilities().atomic_replace {
        again.expect("this backend replaces");
        assert!(whole(backend, file, 2000).expect("it was saved") == bytes(2, 1000));
    } else {
        // Some refuse, some replace without being atomic; a mixture of both files is never right.
        let content = whole(backend, file, 2000).expect("it was saved");
        assert!(content == bytes(if again.is_ok() { 2 } else { 1 }, content.len()));
    }
}

fn failed_save(backend: &dyn Backend) {
    let (content, empty) = (bytes(1, 10_000), temporary_file(b""));
    let file = name(FileKind::Pack, &content);
    let mut payload = Payload::from(&content[..]);
    payload.push(Part::File { file: &empty, len: 5 }); // it has no 5 bytes, so reading it fails
    backend.save(file, &payload).expect_err("the content cannot be had");
    // A server may still be clearing away what it had got when the connection ended. It is asked for its list and
    // not for the file, because rclone's remembers a file that it was once asked for until it lists it again.
    let until = Instant::now() + Duration::from_secs(10);
    while !listed(backend, FileKind::Pack).is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(listed(backend, FileKind::Pack), []);
    fails_with(ErrorKind::NotFound, backend.stat(file));
}

fn removed_is_gone(backend: &dyn Backend) {
    for kind in FileKind::WITH_ID {
        let (goes, stays) = (save(backend, kind, b"goes"), save(backend, kind, b"stays"));
        backend.remove(goes).expect("it was saved");
        fails_with(ErrorKind::NotFound, whole(backend, goes, 100));
        assert_eq!(listed(backend, kind), [Listed { id: stays.id(), size: 5 }]);
    }
}

fn missing_is_not_found(backend: &dyn Backend) {
    for file in FileKind::WITH_ID.map(|kind| name(kind, b"missing")).into_iter().chain([FileName::CONFIG]) {
        fails_with(ErrorKind::NotFound, backend.stat(file));
        fails_with(ErrorKind::NotFound, load(backend, file, 0, 1));
        fails_with(ErrorKind::NotFound, whole(backend, file, 1));
        // Not every storage can tell that there was nothing to remove.
        if let Err(error) = backend.remove(file) {
            assert_eq!(error.kind(), ErrorKind::NotFound);
        }
    }
}

fn create_again(backend: &dyn Backend) {
    let key = save(backend, FileKind::Key, b"key");
    backend.create().expect("there is no config yet");
    save_as(backend, FileName::CONFIG, b"config");
    fails_with(ErrorKind::AlreadyExists, backend.create());
    assert_eq!(whole(backend, key, 100).expect("it was saved"), b"key");
}

fn many_at_once(backend: &dyn Backend) {
    let threads = backend.capabilities().connections.clamp(2, 8) as u8 * 2;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for round in 0..8u8 {
                    let content = bytes(u64::from(thread) * 8 + u64::from(round), 3000);
                    let file = save(backend, FileKind::Pack, &content);
                    assert!(whole(backend, file, 3000).expect("it was saved") == content);
                    if round % 4 == 0 {
                        backend.remove(file).expect("it was saved");
                    }
                }
            });
        }
    });
    let names: BTreeSet<Id> = listed(backend, FileKind::Pack).into_iter().map(|listed| listed.id).collect();
    assert_eq!(names.len(), usize::from(threads) * 6);
}

fn big_file_of_parts(backend: &dyn Backend) {
    let on_disk = bytes(1, 5 * 1024 * 1024 + 1);
    let (header, temporary) = (bytes(2, 777), temporary_file(&on_disk));
    let mut payload = Payload::from(&header[..]);
    payload.push(Part::File { file: &temporary, len: on_disk.len() as u64 });
    payload.push(Part::Memory(&header));
    let expected = [&header[..], &on_disk, &header].concat();
    let file = name(FileKind::Pack, &expected);
    backend.save(file, &payload).expect("a big file can be saved");
    assert_eq!(backend.stat(file).expect("it was saved"), expected.len() as u64);
    assert!(whole(backend, file, u64::MAX).expect("it was saved") == expected);
    let middle = load(backend, file, 3_000_000, 100_000).expect("the range is in the file");
    assert!(middle == expected[3_000_000..3_100_000]);
}

/// A file in memory with this content: no path is needed, and nothing stays.
fn temporary_file(content: &[u8]) -> File {
    let memory = rustix::fs::memfd_create("conformance", rustix::fs::MemfdFlags::CLOEXEC);
    let mut file = File::from(memory.expect("the system gives files in memory"));
    file.write_all(content).expect("a file in memory takes bytes");
    file
}
