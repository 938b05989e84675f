//! Locks over a memory backend, at a pace of milliseconds.

use super::file::Envelope;
use super::*;
use crate::error::Cause;
use crate::monitor::Problem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Instant;
use tresor_backend::memory::Memory;
use tresor_backend::{Backend, FileKind, FileName, Handle, Id, Payload};

struct Plain;

impl Envelope for Plain {
    fn wrap(&self, json: &[u8]) -> Result<Vec<u8>> {
        // Two locks written at once must differ, as sealed ones do by their nonces.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let padding = COUNT.fetch_add(1, Ordering::Relaxed);
        Ok([json, " ".repeat(padding).as_bytes()].concat())
    }
    fn unwrap(&self, stored: &[u8]) -> Result<Vec<u8>, Cause> {
        Ok(stored.to_vec())
    }
}

#[derive(Default)]
struct Notes(AtomicUsize, AtomicUsize);

impl Monitor for Notes {
    fn problem(&self, _problem: &Problem) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }
    fn note(&self, _note: &Note) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Setup {
    backend: Arc<Memory>,
    files: LockFiles,
    options: LockOptions,
    notes: Arc<Notes>,
    monitor: Arc<dyn Monitor>,
}

fn setup() -> Setup {
    let backend = Arc::new(Memory::default());
    let files =
        LockFiles::new(Handle::new(Arc::clone(&backend) as _).locks(), Arc::new(Plain), Sightings::new(None));
    let ms = Duration::from_millis;
    let pace = Pace {
        double_check: ms(5),
        unreadable: vec![ms(1), ms(1)],
        first_wait: ms(2),
        longest_wait: ms(4),
        refresh: Duration::from_secs(3600),
        expires: Duration::from_secs(3600),
        look: ms(1),
    };
    let owner =
        Owner { hostname: "here".into(), username: "me".into(), pid: std::process::id(), uid: 0, gid: 0 };
    let options = LockOptions {
        owner,
        zone: Zone::utc(),
        retry: Duration::ZERO,
        pace,
        gate: Gate::default(),
        cancel: Cancel::new(),
    };
    let notes = Arc::new(Notes::default());
    Setup { backend, files, options, monitor: Arc::clone(&notes) as _, notes }
}

impl Setup {
    fn shared(&self) -> Result<SharedLock> {
        SharedLock::acquire(self.files.clone(), Purpose::Add, &self.options, &self.monitor)
    }
    fn exclusive(&self) -> Result<ExclusiveLock> {
        ExclusiveLock::acquire(self.files.clone(), Purpose::Remove, &self.options, &self.monitor)
    }
    /// The same repository for another command.
    fn again(&self) -> Setup {
        let (backend, files) = (Arc::clone(&self.backend), self.files.clone());
        let (notes, monitor) = (Arc::clone(&self.notes), Arc::clone(&self.monitor));
        Setup { backend, files, options: self.options.clone(), notes, monitor }
    }
    fn count(&self) -> usize {
        self.files.list().unwrap().len()
    }
    fn plant(&self, bytes: &[u8]) -> LockId {
        use sha2::Digest;
        let id = Id::from_bytes(sha2::Sha256::digest(bytes).into());
        self.backend.plant(FileName::new(FileKind::Lock, id), bytes);
        LockId::from_id(id)
    }
}

#[test]
fn shared_locks_live_together_and_exclude_an_exclusive_one() {
    let setup = setup();
    let (one, two) = (setup.shared().unwrap(), setup.shared().unwrap());
    assert!(matches!(setup.exclusive(), Err(Error::Locked { .. })));
    assert_eq!(setup.count(), 2, "the one that was refused is gone");
    one.release().unwrap();
    drop(two);
    let exclusive = setup.exclusive().unwrap();
    let Err(Error::Locked { holder }) = setup.shared() else { panic!("an exclusive lock is in the way") };
    assert!(holder.to_string().contains("already locked exclusively by PID"));
    exclusive.release().unwrap();
    assert_eq!(setup.count(), 0);
}

#[test]
fn of_many_that_start_at_once_at_most_one_is_exclusive() {
    let setup = setup();
    let held = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| setup.exclusive().ok())).collect();
        all.into_iter().filter_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(held.len() <= 1, "{} hold it", held.len());
    drop(held);
    assert_eq!(setup.count(), 0);
}

#[test]
fn waiting_for_a_lock_ends_when_it_goes() {
    let mut setup = setup();
    let held = setup.exclusive().unwrap();
    setup.options.retry = Duration::from_secs(600);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| setup.shared());
        while setup.notes.0.load(Ordering::Relaxed) == 0 {
            std::thread::yield_now();
        }
        held.release().unwrap();
        waiting.join().unwrap().unwrap().release().unwrap();
    });
}

#[test]
fn waiting_for_a_lock_ends_when_told_to_stop() {
    let mut setup = setup();
    let _held = setup.exclusive().unwrap();
    setup.options.retry = Duration::from_secs(600);
    setup.options.cancel.set(tresor_backend::cancel::Reason::Interrupted);
    assert!(matches!(setup.shared(), Err(Error::Cancelled)));
    assert_eq!(setup.count(), 1);
}

#[test]
fn empty_lock_files_are_ignored_and_unreadable_ones_are_not() {
    let setup = setup();
    setup.plant(b"");
    setup.exclusive().unwrap().release().unwrap();
    let junk = setup.plant(b"junk");
    let Err(Error::UnreadableLock { lock, .. }) = setup.shared() else { panic!("junk may be a lock") };
    assert_eq!(lock, junk);
}

/// Locks that nobody can read, in each way.
fn junk() -> [&'static [u8]; 5] {
    [b"junk", b"{}", br#"{"time":7}"#, br#"{"time":"2026-01-01T00:00:00Z","pid":-1}"#, b"{\"time\":\"2026"]
}

#[test]
fn a_lock_that_cannot_be_read_stops_no_reading_and_is_told_once() {
    for bytes in junk() {
        let setup = setup();
        setup.plant(bytes);
        for purpose in [Purpose::Read, Purpose::Read] {
            let files = setup.files.clone();
            SharedLock::acquire(files, purpose, &setup.options, &setup.monitor).unwrap().release().unwrap();
        }
        let files = setup.files.clone();
        let check = ExclusiveLock::acquire(files, Purpose::Check, &setup.options, &setup.monitor);
        check.unwrap().release().unwrap();
        assert_eq!(setup.notes.1.load(Ordering::Relaxed), 1);
        assert_eq!(setup.count(), 1, "it stays");
    }
}

#[test]
fn a_lock_that_cannot_be_read_stops_adding_for_half_an_hour_and_removing_for_ever() {
    for bytes in junk() {
        let setup = setup();
        let junk = setup.plant(bytes);
        let now = clock::now().0;
        for (age, passes) in [(0, false), (20 * 60, false), (30 * 60, true)] {
            setup.files.sightings().hear(&[], now);
            setup.files.sightings().hear(&[junk], now - age);
            assert_eq!(setup.shared().is_ok(), passes, "after {age} seconds");
            assert!(matches!(setup.exclusive(), Err(Error::UnreadableLock { .. })));
        }
        assert_eq!((setup.count(), setup.notes.1.load(Ordering::Relaxed)), (1, 1));
        // A new one counts, however old the other is, and what can be read counts more.
        setup.plant(b"other junk");
        assert!(matches!(setup.shared(), Err(Error::UnreadableLock { .. })));
    }
}

#[test]
fn members_of_any_case_repeated_or_unknown_are_read_as_go_reads_them() {
    let setup = setup();
    let text = br#"{"x":[{}],"Time":"2026-01-01T00:00:00Z","EXCLUSIVE":false,"exclusive":true,"pid":null,"hostname":"a","hostname":"b"}"#;
    let id = setup.plant(text);
    let holder = setup.files.load(&id).unwrap().unwrap();
    assert_eq!((holder.exclusive, holder.hostname.as_str(), holder.pid), (true, "b", 0));
    let Err(Error::Locked { .. }) = setup.shared() else { panic!("it is exclusive") };
}

#[test]
fn a_lock_is_refreshed_by_a_new_file_before_the_old_one_goes() {
    let mut setup = setup();
    setup.options.pace.refresh = Duration::ZERO;
    let held = setup.shared().unwrap();
    let first = setup.files.list().unwrap()[0].id;
    while setup.files.list().unwrap().iter().any(|listed| listed.id == first) {
        assert!(setup.count() >= 1);
        std::thread::yield_now();
    }
    held.release().unwrap();
    assert_eq!(setup.count(), 0);
}

#[test]
fn an_overdue_lock_is_rescued_if_it_is_there_and_lost_if_it_is_not() {
    let mut setup = setup();
    setup.options.pace.expires = Duration::ZERO;
    let held = setup.shared().unwrap();
    let first = setup.files.list().unwrap()[0].id;
    while setup.files.list().unwrap().iter().any(|listed| listed.id == first) {
        std::thread::yield_now();
    }
    assert!(!setup.options.cancel.is_set());
    while !setup.options.cancel.is_set() {
        for listed in setup.files.list().unwrap() {
            let _ = setup.files.remove(&LockId::from_id(listed.id)); // it may have gone by itself
        }
    }
    assert_eq!(setup.options.cancel.reason(), Some(tresor_backend::cancel::Reason::LockLost));
    drop(held);
}

#[test]
fn unlock_removes_what_is_stale_and_nothing_else() {
    let setup = setup();
    let plant = |time: &str, host: &str, pid: u32| {
        let text = format!(
            r#"{{"time":"{time}","exclusive":true,"hostname":"{host}","username":"x","pid":{pid},"extra":1}}"#
        );
        setup.plant(text.as_bytes())
    };
    let (seconds, nanoseconds) = crate::clock::now();
    let now = crate::time::Time::utc(seconds, nanoseconds).to_string();
    let stale = [plant("2020-01-01T00:00:00Z", "there", 1), plant(&now, "here", 0x7fff_fff0)];
    let kept = [plant(&now, "there", 1), plant(&now, "here", 1), setup.plant(b"junk"), setup.plant(b"")];
    assert_eq!(unlock(&setup.files, Which::Stale, &setup.options.owner).unwrap(), 2);
    assert!(stale.iter().all(|id| !setup.files.exists(id).unwrap()));
    assert!(kept.iter().all(|id| setup.files.exists(id).unwrap()));
    assert_eq!(unlock(&setup.files, Which::All, &setup.options.owner).unwrap(), 4);
}

#[test]
fn giving_a_lock_back_does_not_wait_for_the_next_look() {
    let mut setup = setup();
    setup.options.pace.look = Duration::from_secs(3600);
    let start = Instant::now();
    setup.shared().unwrap().release().unwrap();
    assert!(start.elapsed() < Duration::from_secs(600));
}

/// An exclusive lock of somebody who is there.
const THEIRS: &str = r#"{"time":"2026-01-01T00:00:00Z","exclusive":true,"hostname":"there","pid":1}"#;

impl Setup {
    /// Saves a pack as a command does.
    fn change(&self) -> tresor_backend::Result<()> {
        let gated = Gated::new(Arc::clone(&self.backend) as _, self.options.gate.clone());
        gated.save(FileName::new(FileKind::Pack, Id::from_bytes([7; 32])), &Payload::from(&b"pack"[..]))
    }
}

#[test]
fn work_begins_before_the_second_look_and_changes_wait_for_it() {
    let mut setup = setup();
    setup.options.pace.double_check = Duration::from_secs(3600);
    let lock = setup.shared().unwrap();
    let (tell, told) = mpsc::channel();
    std::thread::scope(|scope| {
        let change = scope.spawn(|| {
            let changed = setup.change();
            tell.send(()).unwrap();
            changed
        });
        assert!(told.recv_timeout(Duration::from_millis(50)).is_err(), "it was not looked at again yet");
        lock.release().unwrap(); // in less than an hour: nothing to look for
        change.join().unwrap().unwrap();
    });
    assert!(setup.options.gate.refusal().is_none());
}

#[test]
fn an_exclusive_lock_found_by_the_second_look_refuses_every_change() {
    let mut setup = setup();
    setup.options.pace.double_check = Duration::from_millis(200);
    let lock = setup.shared().unwrap();
    setup.plant(THEIRS.as_bytes());
    assert_eq!(setup.change().unwrap_err().kind(), tresor_backend::ErrorKind::Cancelled);
    lock.release().unwrap(); // the change may have heard before the command did
    assert_eq!(setup.options.cancel.reason(), Some(tresor_backend::cancel::Reason::LockLost));
    assert!(matches!(setup.options.gate.refusal(), Some(Error::Locked { .. })));
    assert!(setup.options.gate.refusal().is_none(), "it is told once");
    assert_eq!(setup.count(), 1, "ours is gone");
}

#[test]
fn who_gives_a_lock_back_late_has_looked_again() {
    let mut setup = setup();
    setup.options.pace.double_check = Duration::from_millis(100);
    let files = setup.files.clone();
    let options = setup.options.clone();
    let (id, early) = try_acquire(&files, Purpose::Add, &options, &crate::monitor::Silent).unwrap();
    let early = early.map(|early| keep::Early { due: Duration::MAX, ..early });
    let monitor = Arc::clone(&setup.monitor);
    let lock = SharedLock(Kept::new(files, (id, early), Purpose::Add, options, monitor).unwrap());
    setup.plant(THEIRS.as_bytes());
    std::thread::sleep(Duration::from_millis(101));
    lock.release().unwrap();
    assert!(matches!(setup.options.gate.refusal(), Some(Error::Locked { .. })));
}

/// A backend on which another program takes an exclusive lock while ours is being saved.
struct Slow(Arc<Memory>);

impl Backend for Slow {
    fn capabilities(&self) -> tresor_backend::Capabilities {
        self.0.capabilities()
    }
    fn location(&self) -> String {
        self.0.location()
    }
    fn create(&self) -> tresor_backend::Result<()> {
        self.0.create()
    }
    fn save(&self, file: FileName, payload: &Payload<'_>) -> tresor_backend::Result<()> {
        use sha2::Digest;
        let theirs = FileName::new(FileKind::Lock, Id::from_bytes(sha2::Sha256::digest(THEIRS).into()));
        self.0.plant(theirs, THEIRS.as_bytes());
        std::thread::sleep(Duration::from_millis(21));
        self.0.save(file, payload)
    }
    fn load(
        &self,
        file: FileName,
        range: tresor_backend::ByteRange,
        into: &mut Vec<u8>,
    ) -> tresor_backend::Result<()> {
        self.0.load(file, range, into)
    }
    fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> tresor_backend::Result<()> {
        self.0.load_whole(file, at_most, into)
    }
    fn stat(&self, file: FileName) -> tresor_backend::Result<u64> {
        self.0.stat(file)
    }
    fn list(
        &self,
        kind: FileKind,
        each: &mut dyn FnMut(tresor_backend::Listed) -> tresor_backend::Result<()>,
    ) -> tresor_backend::Result<()> {
        self.0.list(kind, each)
    }
    fn remove(&self, file: FileName) -> tresor_backend::Result<()> {
        self.0.remove(file)
    }
}

#[test]
fn a_lock_that_took_long_to_write_is_good_after_the_second_look_only() {
    let mut setup = setup();
    setup.options.pace.double_check = Duration::from_millis(20);
    let slow = Handle::new(Arc::new(Slow(Arc::clone(&setup.backend))) as _);
    setup.files = LockFiles::new(slow.locks(), Arc::new(Plain), Sightings::new(None));
    assert!(matches!(setup.shared(), Err(Error::Locked { .. })));
    assert!(setup.change().is_ok(), "no doubt is left behind");
}

#[test]
fn readers_and_an_exclusive_holder_never_meet() {
    let mut setup = setup();
    setup.options.pace.double_check = Duration::from_millis(20);
    let (inside, met, exclusive) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let until = Instant::now() + Duration::from_secs(2);
    let read = |number: u64| {
        while Instant::now() < until {
            let mut setup = setup.again();
            (setup.options.gate, setup.options.cancel) = (Gate::default(), Cancel::new());
            if let Ok(lock) = setup.shared() {
                inside.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(number * 7));
                inside.fetch_sub(1, Ordering::SeqCst);
                drop(lock);
            }
            std::thread::sleep(Duration::from_millis(number * 11));
        }
    };
    let remove = || {
        while Instant::now() < until {
            if let Ok(lock) = setup.exclusive() {
                exclusive.fetch_add(1, Ordering::SeqCst);
                met.fetch_add(inside.load(Ordering::SeqCst), Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(5));
                met.fetch_add(inside.load(Ordering::SeqCst), Ordering::SeqCst);
                drop(lock);
            }
            std::thread::sleep(Duration::from_millis(3));
        }
    };
    std::thread::scope(|scope| {
        for number in 1..4 {
            scope.spawn(move || read(number));
        }
        scope.spawn(remove);
    });
    assert!(exclusive.load(Ordering::SeqCst) > 0, "there was a race");
    assert_eq!(met.load(Ordering::SeqCst), 0);
}
