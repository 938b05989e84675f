//! Keeping a lock: one thread refreshes it, another notices when that was not done in time.
//!
//! The first also takes the second look, where a lock was granted before it.
//!
//! Two threads, because a refresh may hang for as long as its backend is patient; the watch must not.

use super::file::now;
use super::gate::Doubt;
use super::{LockFiles, LockOptions, Purpose, look};
use crate::clock;
use crate::error::{Error, Result};
use crate::id::LockId;
use crate::monitor::{Monitor, Note};
use crate::time::Time;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tresor_backend::Cancel;
use tresor_backend::cancel::Reason;

/// A lock that is ours, and the threads that keep it so.
pub(super) struct Kept {
    keeper: Arc<Keeper>,
    stop: Cancel,
    threads: Vec<JoinHandle<()>>,
}

/// A lock that was granted before the second look: changes wait for it.
pub(super) struct Early {
    /// When the second look is due, as [`clock::since_start`].
    pub(super) due: Duration,
    /// Who gives the lock back until then needs no second look.
    pub(super) free: Duration,
    /// What keeps changes waiting.
    pub(super) doubt: Doubt,
}

struct Keeper {
    files: LockFiles,
    state: Mutex<State>,
    early: Mutex<Option<Early>>,
    purpose: Purpose,
    options: LockOptions,
    monitor: Arc<dyn Monitor>,
}

struct State {
    /// Our lock file; `None` once it was given back.
    current: Option<LockId>,
    /// When it was written.
    refreshed: Time,
}

impl Kept {
    pub(super) fn new(
        files: LockFiles,
        (id, early): (LockId, Option<Early>),
        purpose: Purpose,
        options: LockOptions,
        monitor: Arc<dyn Monitor>,
    ) -> Result<Self> {
        let state = Mutex::new(State { current: Some(id), refreshed: now() });
        let keeper = Arc::new(Keeper { files, state, early: Mutex::new(early), purpose, options, monitor });
        // Dropping it gives the lock back, also when a thread cannot be started.
        let mut kept = Kept { keeper, stop: Cancel::new(), threads: Vec::new() };
        kept.start("lock refresh", Keeper::keep)?;
        kept.start("lock watch", Keeper::watch)?;
        Ok(kept)
    }

    fn start(&mut self, name: &str, work: fn(&Keeper, &Cancel)) -> Result<()> {
        let (keeper, stop) = (Arc::clone(&self.keeper), self.stop.clone());
        let started = thread::Builder::new().name(name.into()).spawn(move || work(&keeper, &stop));
        let failed = |source| Error::Local { doing: "start a thread for", path: "the lock".into(), source };
        self.threads.push(started.map_err(failed)?);
        Ok(())
    }

    pub(super) fn release(mut self) -> Result<()> {
        self.stop();
        self.keeper.conclude();
        self.keeper.give_back()
    }

    fn stop(&mut self) {
        self.stop.set(Reason::Failed);
        for thread in self.threads.drain(..) {
            drop(thread.join()); // it does not panic; if it did, the lock is removed all the same
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.stop();
        let _ = self.keeper.give_back(); // `release` reports it; here somebody else's error is on its way already
    }
}

impl Keeper {
    fn give_back(&self) -> Result<()> {
        let current = self.state().current.take();
        current.map_or(Ok(()), |id| self.files.remove(&id))
    }

    /// Looks again if the lock was granted before that; fails everything if another is in the way.
    fn look_again(&self) {
        let Some(Early { doubt, .. }) = self.early().take() else { return };
        let ours = self.state().current;
        if let Err(refused) = look(&self.files, self.purpose, ours, &self.options, &*self.monitor) {
            doubt.refuse(refused);
            self.options.cancel.set(Reason::LockLost);
        }
    }

    /// Looks again before the lock is given back, unless that comes soon enough after the first look.
    fn conclude(&self) {
        if self.early().as_ref().is_some_and(|early| clock::since_start() >= early.free) {
            self.look_again();
        }
    }

    /// Refreshes the lock every few minutes, until told to stop.
    fn keep(&self, stop: &Cancel) {
        let due = self.early().as_ref().map(|early| early.due.saturating_sub(clock::since_start()));
        match due {
            Some(due) if stop.sleep(due) => return,
            Some(_) => self.look_again(),
            None => {}
        }
        let mut tried = now();
        while !stop.sleep(self.options.pace.look) {
            let now = now();
            let due = now.since(&tried) >= self.options.pace.refresh || now < tried;
            if due && !self.is_overdue() {
                tried = now;
                if let Err(error) = self.refresh() {
                    self.note(&error);
                }
            }
        }
    }

    /// Rescues a lock that was not refreshed in time, until told to stop or it is lost.
    ///
    /// The wall clock decides, looked at every second: timers pause while a machine sleeps.
    fn watch(&self, stop: &Cancel) {
        while !stop.sleep(self.options.pace.look) {
            if self.is_overdue() && self.rescue().is_err() {
                return self.options.cancel.set(Reason::LockLost);
            }
        }
    }

    /// Whether others may take our lock for stale.
    fn is_overdue(&self) -> bool {
        now().since(&self.state().refreshed) >= self.options.pace.expires
    }

    /// Writes a new lock file, then removes the previous one.
    fn refresh(&self) -> Result<()> {
        let new = self.save()?;
        // That may have taken long: an overdue lock is only good if it is found to be there still.
        if self.is_overdue() {
            return self.files.remove(&new);
        }
        self.replace(new)
    }

    /// Refreshes an overdue lock, only if it is still there before and after; nothing else happens meanwhile.
    fn rescue(&self) -> Result<()> {
        let _closed = self.options.gate.close();
        let Some(old) = self.state().current else { return Ok(()) };
        if !self.files.exists(&old)? {
            return Err(Error::LockLost);
        }
        let new = self.save()?;
        self.options.cancel.sleep(self.options.pace.double_check);
        if !self.files.exists(&old).unwrap_or(false) {
            let _ = self.files.remove(&new); // we stop; what stays is stale soon
            return Err(Error::LockLost);
        }
        self.replace(new)
    }

    fn save(&self) -> Result<LockId> {
        self.files.save(&self.options.owner, self.purpose.mode(), &self.options.zone)
    }

    fn replace(&self, new: LockId) -> Result<()> {
        let old = std::mem::replace(&mut *self.state(), State { current: Some(new), refreshed: now() });
        old.current.map_or(Ok(()), |old| self.files.remove(&old))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn early(&self) -> MutexGuard<'_, Option<Early>> {
        self.early.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, error: &Error) {
        let cause = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
        let cause = cause.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        self.monitor.note(&Note::LockNotRefreshed { cause });
    }
}
