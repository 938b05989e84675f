//! Keeping a lock: a thread that refreshes it, and notices when that was not done in time.

use super::file::now;
use super::{LockFiles, LockOptions, Mode};
use crate::error::{Error, Result};
use crate::id::LockId;
use crate::monitor::{Monitor, Note};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tresor_backend::Cancel;
use tresor_backend::cancel::Reason;

/// A lock that is ours, and the thread that keeps it so.
pub(super) struct Kept {
    keeper: Arc<Keeper>,
    stop: Cancel,
    thread: Option<JoinHandle<()>>,
}

struct Keeper {
    files: LockFiles,
    current: Mutex<LockId>,
    mode: Mode,
    options: LockOptions,
    monitor: Arc<dyn Monitor>,
}

impl Kept {
    pub(super) fn new(
        files: LockFiles,
        id: LockId,
        mode: Mode,
        options: LockOptions,
        monitor: Arc<dyn Monitor>,
    ) -> Result<Self> {
        let keeper = Arc::new(Keeper { files, current: Mutex::new(id), mode, options, monitor });
        let stop = Cancel::new();
        let mut kept = Kept { keeper: Arc::clone(&keeper), stop: stop.clone(), thread: None };
        let thread = std::thread::Builder::new().name("lock".into()).spawn(move || keeper.keep(&stop));
        // Dropping `kept` on failure gives the lock back.
        kept.thread = Some(thread.map_err(|source| Error::Local {
            doing: "start a thread for",
            path: "the lock".into(),
            source,
        })?);
        Ok(kept)
    }

    pub(super) fn release(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        self.stop.set(Reason::Failed);
        match self.thread.take() {
            Some(thread) => drop(thread.join()), // it does not panic; if it did, the lock is removed all the same
            None if self.keeper.is_given_back() => return Ok(()),
            None => {}
        }
        self.keeper.give_back()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.end(); // `release` reports it; here somebody else's error is on its way already
    }
}

/// Stands for a lock that was given back.
const GIVEN_BACK: LockId = LockId::from_bytes([0; 32]);

impl Keeper {
    fn is_given_back(&self) -> bool {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) == GIVEN_BACK
    }

    fn give_back(&self) -> Result<()> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *current, GIVEN_BACK) {
            GIVEN_BACK => Ok(()),
            id => self.files.remove(&id),
        }
    }

    /// Refreshes the lock in time, until told to stop or the lock is lost.
    ///
    /// The wall clock decides, looked at every second: timers pause while a machine sleeps.
    fn keep(&self, stop: &Cancel) {
        let pace = &self.options.pace;
        let mut refreshed = now();
        let mut tried = refreshed;
        while !stop.sleep(pace.look) {
            let now = now();
            if now.since(&refreshed) >= pace.expires {
                match self.rescue() {
                    Ok(()) => (refreshed, tried) = (now, now),
                    Err(_) => return self.options.cancel.set(Reason::LockLost),
                }
            } else if now.since(&tried) >= pace.refresh || now < tried {
                tried = now;
                match self.refresh() {
                    Ok(()) => refreshed = now,
                    Err(error) => self.note(&error),
                }
            }
        }
    }

    /// Writes a new lock file, then removes the previous one.
    fn refresh(&self) -> Result<()> {
        let new = self.save()?;
        let old = self.replace(new);
        self.files.remove(&old)
    }

    /// Refreshes a lock that others may have taken for stale, only if it is still there before and after.
    fn rescue(&self) -> Result<()> {
        let _closed = self.options.gate.close();
        let old = *self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.files.exists(&old)? {
            return Err(Error::LockLost);
        }
        let new = self.save()?;
        self.options.cancel.sleep(self.options.pace.double_check);
        if !self.files.exists(&old).unwrap_or(false) {
            let _ = self.files.remove(&new); // we stop; what stays is stale soon
            return Err(Error::LockLost);
        }
        self.replace(new);
        self.files.remove(&old)
    }

    fn save(&self) -> Result<LockId> {
        self.files.save(&self.options.owner, self.mode, &self.options.zone)
    }

    fn replace(&self, new: LockId) -> LockId {
        std::mem::replace(&mut *self.current.lock().unwrap_or_else(PoisonError::into_inner), new)
    }

    fn note(&self, error: &Error) {
        let cause = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
        let cause = cause.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        self.monitor.note(&Note::LockNotRefreshed { cause });
    }
}
