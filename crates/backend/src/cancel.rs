//! One flag that tells every stage of an operation to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// Why an operation is being stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A person or the system asked for it (a signal).
    Interrupted,
    /// Our lock could not be kept, so going on would be unsafe.
    LockLost,
    /// Another part of the same operation failed; its error is the one to report.
    Failed,
}

/// A shared flag: cheap to clone, set once, never cleared.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Shared>);

#[derive(Default)]
struct Shared {
    set: AtomicBool,
    reason: OnceLock<Reason>,
    sleepers: Mutex<()>,
    wake: Condvar,
}

impl Cancel {
    /// A flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the flag; the first reason is the one that stays.
    pub fn set(&self, reason: Reason) {
        let _ = self.0.reason.set(reason); // a later reason is a consequence of the first
        self.0.set.store(true, Ordering::Release);
        drop(self.0.sleepers.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.wake.notify_all();
    }

    /// Whether it is time to stop.
    pub fn is_set(&self) -> bool {
        self.0.set.load(Ordering::Acquire)
    }

    /// The first reason given, if any.
    pub fn reason(&self) -> Option<Reason> {
        self.0.reason.get().copied()
    }

    /// Sleeps for `time`, or until the flag is set; returns whether it is set.
    pub fn sleep(&self, time: Duration) -> bool {
        let guard = self.0.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.0.wake.wait_timeout_while(guard, time, |()| !self.is_set());
        self.is_set()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_stays_and_sleepers_wake() {
        let cancel = Cancel::new();
        let other = cancel.clone();
        let sleeper = std::thread::spawn(move || other.sleep(Duration::from_secs(3600)));
        cancel.set(Reason::LockLost);
        cancel.set(Reason::Interrupted);
        assert!(sleeper.join().expect("the sleeper does not panic"));
        assert_eq!(cancel.reason(), Some(Reason::LockLost));
    }
}
