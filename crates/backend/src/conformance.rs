//! The suite that every backend and every decorator passes.
//!
//! [`run`] makes a fresh, empty backend for each check, so that checks are independent. A check that fails
//! panics, saying what was expected; [`CHECKS`] has them one by one.

use crate::random::Random;
use crate::{Backend, ByteRange, Error, ErrorKind, FileKind, FileName, Id, Listed, Part, Payload, Result};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;

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

/// A name of `kind` that begins with `first`.
fn name(kind: FileKind, first: u8) -> FileName {
    let mut id = [0x3c; 32];
    id[0] = first;
    FileName::new(kind, Id::from_bytes(id))
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
fn save(backend: &dyn Backend, file: FileName, bytes: &[u8]) {
    backend.save(file, &Payload::from(bytes)).expect("a file can be saved");
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
            let file = name(kind, seed as u8);
            save(backend, file, &content);
            assert!(whole(backend, file, u64::MAX).expect("it was saved") == content, "{file}");
            assert!(load(backend, file, 0, length as u64).expect("it was saved") == content, "{file}");
        }
    }
}

fn ranges_are_exact(backend: &dyn Backend) {
    let (file, content) = (name(FileKind::Pack, 1), bytes(1, 70_000));
    save(backend, file, &content);
    for (offset, length) in [(0, 1), (0, 69_999), (1, 69_999), (69_999, 1), (65_535, 2), (5, 0), (70_000, 0)]
    {
        let expected = &content[offset..offset + length];
        let range = load(backend, file, offset as u64, length as u64).expect("the range is in the file");
        assert!(range == expected, "{length} bytes from {offset}");
    }
}

fn past_the_end(backend: &dyn Backend) {
    let file = name(FileKind::Pack, 1);
    save(backend, file, &bytes(1, 1000));
    for (offset, length) in [(0, 1001), (999, 2), (1000, 1), (1001, 0), (1 << 40, 5), (7, u64::MAX)] {
        fails_with(ErrorKind::WrongSize, load(backend, file, offset, length));
    }
}

fn empty_file(backend: &dyn Backend) {
    let file = name(FileKind::Index, 1);
    save(backend, file, b"");
    assert_eq!(backend.stat(file).expect("it was saved"), 0);
    assert_eq!(whole(backend, file, 0).expect("it was saved"), b"");
    assert_eq!(load(backend, file, 0, 0).expect("it was saved"), b"");
    assert_eq!(listed(backend, FileKind::Index), [Listed { id: file.id(), size: 0 }]);
}

fn whole_up_to_the_limit(backend: &dyn Backend) {
    let (file, content) = (name(FileKind::Snapshot, 1), bytes(1, 5000));
    save(backend, file, &content);
    assert!(whole(backend, file, 5000).expect("it is within the limit") == content);
    fails_with(ErrorKind::WrongSize, whole(backend, file, 4999));
    fails_with(ErrorKind::WrongSize, whole(backend, file, 0));
}

fn stat_tells_the_length(backend: &dyn Backend) {
    for length in [0u8, 1, 200] {
        let file = name(FileKind::Lock, length);
        save(backend, file, &bytes(1, length.into()));
        assert_eq!(backend.stat(file).expect("it was saved"), u64::from(length));
    }
}

fn config(backend: &dyn Backend) {
    fails_with(ErrorKind::NotFound, backend.stat(FileName::CONFIG));
    save(backend, FileName::CONFIG, b"the config");
    assert_eq!(whole(backend, FileName::CONFIG, 100).expect("it was saved"), b"the config");
    assert_eq!(listed(backend, FileKind::Config), [], "the config has no id to list");
    backend.remove(FileName::CONFIG).expect("it was saved");
    fails_with(ErrorKind::NotFound, whole(backend, FileName::CONFIG, 100));
}

fn kinds_are_apart(backend: &dyn Backend) {
    for kind in FileKind::WITH_ID {
        save(backend, name(kind, 7), kind.word().as_bytes());
    }
    for kind in FileKind::WITH_ID {
        let content = whole(backend, name(kind, 7), 100).expect("it was saved");
        assert_eq!(content, kind.word().as_bytes());
    }
    backend.remove(name(FileKind::Key, 7)).expect("it was saved");
    assert_eq!(listed(backend, FileKind::Lock).len(), 1);
}

fn list_is_complete(backend: &dyn Backend) {
    for kind in FileKind::WITH_ID {
        // Spread over the first bytes, with some that share one.
        let step = if kind == FileKind::Pack { 11 } else { 99 };
        let mut expected: Vec<Listed> =
            (0..=255).step_by(step).map(|first| listed_as(name(kind, first))).collect();
        expected.extend((0..3u8).map(|last| {
            let mut id = [0x3c; 32];
            id[31] = last;
            listed_as(FileName::new(kind, Id::from_bytes(id)))
        }));
        for one in &expected {
            save(backend, FileName::new(kind, one.id), &bytes(9, one.size as usize));
        }
        expected.sort_by_key(|listed| listed.id);
        assert_eq!(listed(backend, kind), expected);
    }
}

/// How a file appears in a listing, with a size that depends on its name.
fn listed_as(file: FileName) -> Listed {
    let id = file.id();
    Listed { id, size: u64::from(id.as_bytes()[0]) + u64::from(id.as_bytes()[31]) }
}

fn list_of_nothing(backend: &dyn Backend) {
    for kind in FileKind::WITH_ID {
        assert_eq!(listed(backend, kind), []);
    }
}

fn listener_fails(backend: &dyn Backend) {
    for first in 0..5 {
        save(backend, name(FileKind::Key, first), b"x");
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
    let file = name(FileKind::Pack, 1);
    save(backend, file, &bytes(1, 2000));
    let again = backend.save(file, &Payload::from(&bytes(2, 1000)[..]));
    if backend.capabilities().atomic_replace {
        again.expect("this backend replaces");
        assert!(whole(backend, file, 2000).expect("it was saved") == bytes(2, 1000));
    } else {
        // Some refuse, some replace without being atomic; a mixture of both files is never right.
        let content = whole(backend, file, 2000).expect("it was saved");
        assert!(content == bytes(if again.is_ok() { 2 } else { 1 }, content.len()));
    }
    assert_eq!(listed(backend, FileKind::Pack).len(), 1);
}

fn failed_save(backend: &dyn Backend) {
    let file = name(FileKind::Pack, 1);
    let (content, empty) = (bytes(1, 10_000), temporary_file(b""));
    let mut payload = Payload::from(&content[..]);
    payload.push(Part::File { file: &empty, len: 5 }); // it has no 5 bytes, so reading it fails
    backend.save(file, &payload).expect_err("the content cannot be had");
    assert_eq!(listed(backend, FileKind::Pack), []);
    fails_with(ErrorKind::NotFound, backend.stat(file));
}

fn removed_is_gone(backend: &dyn Backend) {
    for kind in FileKind::WITH_ID {
        save(backend, name(kind, 1), b"goes");
        save(backend, name(kind, 2), b"stays");
        backend.remove(name(kind, 1)).expect("it was saved");
        fails_with(ErrorKind::NotFound, whole(backend, name(kind, 1), 100));
        assert_eq!(listed(backend, kind), [Listed { id: name(kind, 2).id(), size: 5 }]);
    }
}

fn missing_is_not_found(backend: &dyn Backend) {
    for file in FileKind::WITH_ID.map(|kind| name(kind, 1)).into_iter().chain([FileName::CONFIG]) {
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
    save(backend, name(FileKind::Key, 1), b"key");
    backend.create().expect("there is no config yet");
    save(backend, FileName::CONFIG, b"config");
    fails_with(ErrorKind::AlreadyExists, backend.create());
    assert_eq!(whole(backend, name(FileKind::Key, 1), 100).expect("it was saved"), b"key");
}

fn many_at_once(backend: &dyn Backend) {
    let threads = backend.capabilities().connections.clamp(2, 8) as u8 * 2;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for round in 0..8u8 {
                    let file = name(FileKind::Pack, thread.wrapping_mul(8).wrapping_add(round));
                    let content = bytes(u64::from(file.id().as_bytes()[0]), 3000);
                    save(backend, file, &content);
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
    let (file, on_disk) = (name(FileKind::Pack, 1), bytes(1, 5 * 1024 * 1024 + 1));
    let (header, temporary) = (bytes(2, 777), temporary_file(&on_disk));
    let mut payload = Payload::from(&header[..]);
    payload.push(Part::File { file: &temporary, len: on_disk.len() as u64 });
    payload.push(Part::Memory(&header));
    backend.save(file, &payload).expect("a big file can be saved");
    let expected = [&header[..], &on_disk, &header].concat();
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
