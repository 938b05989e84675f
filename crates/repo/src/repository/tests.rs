//! Making, opening and changing repositories in memory.

use super::*;
use crate::keyfile::KeyCost;
use crate::lock::{Gate, LockOptions, Owner, Pace, Which};
use crate::monitor::{Problem, Silent};
use crate::sealed::id_of;
use crate::time::{Time, Zone};
use std::fs;
use std::sync::Mutex;
use std::time::Duration;
use tresor_backend::memory::Memory;
use tresor_backend::{Backend, Reason};

fn options() -> Options {
    Options {
        compression: Compression::Auto,
        pack_size: 16 << 20,
        verify_before_upload: true,
        memory: 48 << 20,
        temporary_folder: std::env::temp_dir(),
        cancel: Cancel::new(),
    }
}

fn new_key(username: &str) -> NewKey {
    NewKey {
        username: username.into(),
        hostname: "vm".into(),
        created: Time::utc(1_700_000_000, 0),
        cost: KeyCost::Exact { n: 2, r: 1, p: 1 },
    }
}

fn password(text: &str) -> Password {
    Password::new(text.into())
}

fn init(backend: &Arc<Memory>, version: u32) -> Result<Repository<Full>> {
    let new = InitOptions { version, polynomial: None, key: new_key("first") };
    Repository::init(handle(backend), &password("one"), &new, options())
}

fn handle(backend: &Arc<Memory>) -> Handle<Full> {
    Handle::new(Arc::clone(backend) as Arc<dyn Backend>)
}

fn open_with(backend: &Arc<Memory>, with: &str, hint: Option<&str>) -> Result<Repository<Full>> {
    Repository::open(handle(backend), &password(with), hint, options(), &Silent)
}

fn fresh() -> (Arc<Memory>, Repository<Full>) {
    let backend = Arc::new(Memory::new());
    let repository = init(&backend, 2).unwrap();
    (backend, repository)
}

/// Collects what a monitor is told.
#[derive(Default)]
struct Recorder {
    problems: Mutex<Vec<String>>,
    notes: Mutex<Vec<String>>,
}

impl Monitor for Recorder {
    fn problem(&self, problem: &Problem) {
        self.problems.lock().unwrap().push(format!("{problem}: {}", problem.cause));
    }
    fn note(&self, note: &Note) {
        self.notes.lock().unwrap().push(format!("{note:?}"));
    }
}

fn plant_key(backend: &Arc<Memory>, stored: &[u8]) -> KeyId {
    let id = KeyId::from_id(id_of(stored));
    backend.plant(id.file(), stored);
    id
}

#[test]
fn what_was_made_opens_again() {
    for version in [1, 2] {
        let backend = Arc::new(Memory::new());
        let made = init(&backend, version).unwrap();
        let opened = open_with(&backend, "one", None).unwrap();
        assert_eq!(opened.config(), made.config());
        assert_eq!(opened.config().version, version);
        assert_eq!(opened.key_id(), made.key_id());
        assert_eq!(opened.key.secret(), made.key.secret());
        let id = made.append().save_snapshot(b"{\"a\":1}").unwrap();
        assert_eq!(opened.read().load_file(FileKind::Snapshot, id.id()).unwrap(), b"{\"a\":1}");
        assert_eq!(opened.list(FileKind::Snapshot).unwrap().len(), 1);
    }
}

#[test]
fn nothing_is_made_where_something_is() {
    let (backend, repository) = fresh();
    let refused = |backend: &Arc<Memory>| match init(backend, 2).err() {
        Some(Error::RepositoryExists { found, .. }) => found.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&backend), "config file already exists");
    backend.remove(FileName::CONFIG).unwrap();
    assert_eq!(refused(&backend), "repository already contains keys");
    backend.remove(repository.key_id().file()).unwrap();
    backend.plant(FileName::new(FileKind::Snapshot, id_of(b"x")), *b"x");
    assert_eq!(refused(&backend), "repository already contains snapshots");
    assert!(matches!(init(&Arc::new(Memory::new()), 3), Err(Error::BadConfig { .. })));
}

#[test]
fn each_way_of_not_opening_has_its_error() {
    let (backend, _) = fresh();
    assert!(matches!(open_with(&backend, "two", None), Err(Error::WrongPassword)));
    assert!(matches!(open_with(&Arc::new(Memory::new()), "one", None), Err(Error::NoRepository { .. })));
    backend.plant(FileName::CONFIG, *b"");
    let text = open_with(&backend, "one", None).err().unwrap().to_string();
    assert_eq!(text, "config file is not usable: config file has zero size, invalid repository?");
    for config in [&b"short"[..], &[7; 200]] {
        backend.plant(FileName::CONFIG, config);
        assert!(matches!(open_with(&backend, "one", None), Err(Error::BadConfig { .. })));
    }
    backend.plant(FileName::CONFIG, vec![0; 100_000]);
    assert!(matches!(open_with(&backend, "one", None), Err(Error::Backend(_))));
}

#[test]
fn no_keys_at_all_is_a_wrong_password() {
    let (backend, repository) = fresh();
    backend.remove(repository.key_id().file()).unwrap();
    assert!(matches!(open_with(&backend, "one", None), Err(Error::WrongPassword)));
}

#[test]
fn junk_among_the_keys_is_noted_and_passed_over() {
    let (backend, repository) = fresh();
    for junk in [&b""[..], b"junk", b"{}", br#"{"kdf":"argon2","N":2,"r":1,"p":1}"#, &[b'x'; 70_000]] {
        plant_key(&backend, junk);
    }
    backend.plant(FileName::new(FileKind::Key, id_of(b"another")), *b"not what the name says");
    let recorder = Recorder::default();
    let opened = Repository::open(handle(&backend), &password("one"), None, options(), &recorder).unwrap();
    assert_eq!(opened.key_id(), repository.key_id());
    let problems = recorder.problems.into_inner().unwrap();
    assert_eq!(problems.len(), 6, "{problems:#?}");
    let recorder = Recorder::default();
    assert_eq!(opened.keys(&recorder).unwrap().len(), 3, "those that can be read, of an unknown kind or not");
}

#[test]
fn more_than_twenty_keys_are_tried_and_a_hint_leads_to_the_right_one() {
    let (backend, repository) = fresh();
    while repository.list(FileKind::Key).unwrap().len() < 31 {
        repository.add_key(&password("other"), &new_key("other")).unwrap();
    }
    assert_eq!(open_with(&backend, "one", None).unwrap().key_id(), repository.key_id());
    assert!(matches!(open_with(&backend, "none", None), Err(Error::WrongPassword)));
    let hint = repository.key_id().hex();
    assert_eq!(open_with(&backend, "one", Some(&hint[..8])).unwrap().key_id(), repository.key_id());
    for useless in ["", "zz", "0123456789"] {
        assert!(matches!(open_with(&backend, "none", Some(useless)), Err(Error::WrongPassword)));
    }
}

#[test]
fn a_dear_key_waits_until_the_cheap_ones_were_tried() {
    let (backend, repository) = fresh();
    let (_, file) = backend_file(&backend, repository.key_id().file());
    let dear =
        String::from_utf8(file).unwrap().replace("\"N\":2,\"r\":1,\"p\":1", "\"N\":1048576,\"r\":8,\"p\":8");
    for i in 0..5 {
        plant_key(&backend, format!("{dear}{}", " ".repeat(i)).as_bytes());
    }
    assert_eq!(open_with(&backend, "one", None).unwrap().key_id(), repository.key_id());
}

fn backend_file(backend: &Arc<Memory>, file: FileName) -> (FileName, Vec<u8>) {
    let mut bytes = Vec::new();
    backend.load_whole(file, 1 << 20, &mut bytes).unwrap();
    (file, bytes)
}

#[test]
fn opening_can_be_stopped() {
    let (backend, _) = fresh();
    let stopped = options();
    stopped.cancel.set(Reason::Interrupted);
    let opened = Repository::open(handle(&backend), &password("one"), None, stopped, &Silent);
    assert!(matches!(opened, Err(Error::Cancelled)));
}

fn lock_options(repository: &Repository<Full>) -> LockOptions {
    LockOptions {
        owner: Owner {
            hostname: "vm".into(),
            username: "me".into(),
            pid: std::process::id(),
            uid: 0,
            gid: 0,
        },
        zone: Zone::utc(),
        retry: Duration::ZERO,
        pace: Pace { double_check: Duration::ZERO, ..Pace::default() },
        gate: Gate::default(),
        cancel: repository.cancel().clone(),
    }
}

fn silent() -> Arc<dyn Monitor> {
    Arc::new(Silent)
}

#[test]
fn keys_are_added_listed_changed_and_removed() {
    let (backend, mut repository) = fresh();
    let lock = repository.lock_exclusive(&lock_options(&repository), &silent()).unwrap();
    let first = repository.key_id();
    let second = repository.add_key(&password("two"), &new_key("second")).unwrap();
    assert_eq!(open_with(&backend, "two", None).unwrap().key.secret(), repository.key.secret());
    let mut keys = repository.keys(&Silent).unwrap();
    keys.sort_by(|one, two| one.username.cmp(&two.username));
    let seen: Vec<_> = keys.iter().map(|key| (key.id, key.is_current, key.username.as_str())).collect();
    assert_eq!(seen, [(first, true, "first"), (second, false, "second")]);
    assert!(matches!(repository.remove_key(first, &lock), Err(Error::Refused(_))));
    let third = repository.change_password(&password("three"), &new_key("third"), &lock).unwrap();
    assert_eq!(repository.key_id(), third);
    assert!(matches!(open_with(&backend, "one", None), Err(Error::WrongPassword)));
    assert_eq!(repository.find_key(&second.hex()[..10]).unwrap(), second);
    assert!(repository.find_key("zz").is_err() && repository.find_key("").is_err());
    repository.remove_key(second, &lock).unwrap();
    assert!(matches!(open_with(&backend, "two", None), Err(Error::WrongPassword)));
    open_with(&backend, "three", None).unwrap();
    lock.release().unwrap();
}

#[test]
fn locks_are_sealed_files_of_the_repository() {
    let (backend, repository) = fresh();
    let lock = repository.lock_exclusive(&lock_options(&repository), &silent()).unwrap();
    let other = open_with(&backend, "one", None).unwrap();
    assert!(matches!(other.lock_shared(&lock_options(&other), &silent()), Err(Error::Locked { .. })));
    let listed = other.list(FileKind::Lock).unwrap();
    let json = String::from_utf8(other.load_file(FileKind::Lock, listed[0].id).unwrap()).unwrap();
    assert!(json.contains(r#""exclusive":true,"hostname":"vm","username":"me","pid":"#), "{json}");
    let owner = lock_options(&other).owner;
    assert_eq!(other.unlock(Which::Stale, &owner).unwrap(), 0);
    assert_eq!(other.unlock(Which::All, &owner).unwrap(), 1);
    assert!(lock.release().is_err(), "it is gone");
}

#[test]
fn a_cached_copy_that_is_wrong_is_loaded_again() {
    let base = tempfile::TempDir::new().unwrap();
    let (backend, repository) = fresh();
    let id = repository.save_snapshot(b"{}").unwrap();
    let recorder = Recorder::default();
    let cached = open_with(&backend, "one", None).unwrap().with_cache(base.path(), &recorder);
    assert_eq!(recorder.notes.lock().unwrap().len(), 1);
    assert_eq!(cached.load_file(FileKind::Snapshot, id.id()).unwrap(), b"{}");
    let hex = id.hex();
    let copy = cached.cache_folder().unwrap().join("snapshots").join(&hex[..2]).join(&hex);
    fs::write(&copy, vec![1; 100]).unwrap();
    assert_eq!(cached.load_file(FileKind::Snapshot, id.id()).unwrap(), b"{}");
}

#[test]
fn a_cache_that_cannot_be_used_is_noted() {
    let base = tempfile::NamedTempFile::new().unwrap();
    let (_, repository) = fresh();
    let recorder = Recorder::default();
    let repository = repository.with_cache(base.path(), &recorder);
    assert!(recorder.notes.lock().unwrap()[0].starts_with("NoCache"));
    assert_eq!(repository.cache_folder(), None);
    repository.save_snapshot(b"{}").unwrap();
}

#[test]
fn the_master_key_is_shown_on_demand() {
    let (_, repository) = fresh();
    let json = String::from_utf8(repository.master_key_json().to_vec()).unwrap();
    assert!(json.starts_with(r#"{"mac":{"k":""#) && json.len() < 200);
}
