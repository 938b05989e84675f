//! Locks over a memory backend, at a pace of milliseconds.

use super::file::Envelope;
use super::*;
use crate::error::Cause;
use crate::monitor::Problem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tresor_backend::memory::Memory;
use tresor_backend::{FileKind, FileName, Handle, Id};

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
struct Notes(AtomicUsize);

impl Monitor for Notes {
    fn problem(&self, _problem: &Problem) {}
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
    let files = LockFiles::new(Handle::new(Arc::clone(&backend) as _).locks(), Arc::new(Plain));
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
        SharedLock::acquire(self.files.clone(), &self.options, &self.monitor)
    }
    fn exclusive(&self) -> Result<ExclusiveLock> {
        ExclusiveLock::acquire(self.files.clone(), &self.options, &self.monitor)
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
