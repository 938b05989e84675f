//! Locks: shared to add, exclusive to remove (format: "Locks").
//!
//! A lock is a file that says who uses the repository. It is taken by writing ours between two looks at the
//! others ([`acquire`]), kept by writing a new one every five minutes, given back by removing it. Work under a shared
//! lock begins before the second look ([`Early`]). The types [`SharedLock`] and [`ExclusiveLock`] are tokens: what
//! removes data asks for the second.

mod sightings;
mod file;
mod gate;
mod keep;

pub use crate::holder::Holder;
pub use gate::{Gate, Gated};

pub(crate) use file::{Envelope, LockFiles};
pub(crate) use sightings::{Notebook, Sightings};
#[cfg(feature = "fuzzing")]
pub(crate) use {file::fuzz, sightings::fuzz as fuzz_sightings};

use crate::clock;
use crate::error::{Error, Result};
use crate::id::LockId;
use crate::monitor::{Monitor, Note, Problem};
use crate::time::Zone;
use file::Others;
use keep::{Early, Kept};
use std::sync::Arc;
use std::time::Duration;
use tresor_backend::Cancel;

/// Who takes a lock.
#[derive(Debug, Clone)]
pub struct Owner {
    /// This machine's name.
    pub hostname: String,
    /// This user's name.
    pub username: String,
    /// This process.
    pub pid: u32,
    /// This user's id.
    pub uid: u32,
    /// This user's group.
    pub gid: u32,
}

/// How long everything takes; the defaults are restic's, tests shrink them.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Between writing our lock and looking again.
    pub double_check: Duration,
    /// Between the looks at a lock that cannot be read.
    pub unreadable: Vec<Duration>,
    /// The first wait for a lock in the way; it doubles.
    pub first_wait: Duration,
    /// The longest wait for a lock in the way.
    pub longest_wait: Duration,
    /// Between two refreshes.
    pub refresh: Duration,
    /// After so long without a refresh others may take our lock for stale.
    pub expires: Duration,
    /// How often the clock is looked at (timers pause while a machine sleeps, the clock does not).
    pub look: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Pace {
            double_check: Duration::from_millis(200),
            unreadable: vec![seconds(5), seconds(10), seconds(20)],
            first_wait: seconds(5),
            longest_wait: seconds(60),
            refresh: seconds(5 * 60),
            expires: seconds(30 * 60 - 5 * 60 * 3 / 2),
            look: seconds(1),
        }
    }
}

/// How a lock is taken and kept.
#[derive(Clone)]
pub struct LockOptions {
    /// Who takes it.
    pub owner: Owner,
    /// The zone of the times written into it.
    pub zone: Zone,
    /// How long to go on trying when somebody else's is in the way.
    pub retry: Duration,
    /// How long everything takes.
    pub pace: Pace,
    /// Closed while an overdue lock is refreshed, and for changes until a shared lock was looked at again.
    pub gate: Gate,
    /// Set when the lock is lost; when it is set, waiting ends.
    pub cancel: Cancel,
}

/// What a lock allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Adding, beside others that add.
    Shared,
    /// Removing, alone.
    Exclusive,
}

/// What a lock is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Reading; no lock that cannot be read is in its way.
    Read,
    /// Reading while nobody changes anything.
    Check,
    /// Adding; a lock that cannot be read is in its way until it was listed for half an hour.
    Add,
    /// Removing; every lock that cannot be read is in its way.
    Remove,
}

impl Purpose {
    fn mode(self) -> Mode {
        match self {
            Purpose::Read | Purpose::Add => Mode::Shared,
            Purpose::Check | Purpose::Remove => Mode::Exclusive,
        }
    }
}

/// A shared lock, refreshed until it is released or dropped.
#[must_use = "dropping a lock gives it back"]
pub struct SharedLock(Kept);

/// An exclusive lock, refreshed until it is released or dropped: the right to remove.
#[must_use = "dropping a lock gives it back"]
pub struct ExclusiveLock(Kept);

impl SharedLock {
    /// Takes a shared lock.
    ///
    /// # Errors
    /// [`Error::Locked`] with an exclusive lock in the way after the time for retries;
    /// [`Error::UnreadableLock`], [`Error::Cancelled`], those of the backend.
    pub(crate) fn acquire(
        files: LockFiles,
        purpose: Purpose,
        options: &LockOptions,
        monitor: &Arc<dyn Monitor>,
    ) -> Result<Self> {
        debug_assert_eq!(purpose.mode(), Mode::Shared);
        acquire(files, purpose, options, monitor).map(SharedLock)
    }

    /// Gives the lock back.
    ///
    /// # Errors
    /// The backend's, if its file cannot be removed; it is stale from then on.
    pub fn release(self) -> Result<()> {
        self.0.release()
    }
}

impl ExclusiveLock {
    /// Takes an exclusive lock.
    ///
    /// # Errors
    /// [`Error::Locked`] with any lock in the way after the time for retries; else as [`SharedLock`].
    pub(crate) fn acquire(
        files: LockFiles,
        purpose: Purpose,
        options: &LockOptions,
        monitor: &Arc<dyn Monitor>,
    ) -> Result<Self> {
        debug_assert_eq!(purpose.mode(), Mode::Exclusive);
        acquire(files, purpose, options, monitor).map(ExclusiveLock)
    }

    /// Gives the lock back.
    ///
    /// # Errors
    /// As [`SharedLock::release`].
    pub fn release(self) -> Result<()> {
        self.0.release()
    }
}

/// Takes a lock, trying again while somebody else's is in the way and time is left.
fn acquire(
    files: LockFiles,
    purpose: Purpose,
    options: &LockOptions,
    monitor: &Arc<dyn Monitor>,
) -> Result<Kept> {
    let mut left = options.retry;
    let mut wait = options.pace.first_wait.min(left);
    let mut waiting = false;
    loop {
        let refused = match try_acquire(&files, purpose, options, &**monitor) {
            Ok(taken) => return Kept::new(files, taken, purpose, options.clone(), Arc::clone(monitor)),
            Err(refused @ Error::Locked { .. }) => refused,
            Err(refused @ Error::UnreadableLock { .. }) if !left.is_zero() => refused,
            Err(error) => return Err(error),
        };
        if !std::mem::replace(&mut waiting, true) {
            monitor.note(&Note::WaitingForLock { at_most: options.retry });
        }
        if left.is_zero() {
            return Err(refused);
        }
        let now = wait.min(left);
        if options.cancel.sleep(now) {
            return Err(Error::Cancelled);
        }
        left -= now;
        wait = (wait * 2).min(options.pace.longest_wait);
    }
}

/// Looks, writes our lock, waits, looks again: of two that start at once at least one sees the other.
///
/// An exclusive holder does nothing until the double check after its own lock is written, and looks then. So if a shared
/// lock is there within that time after a first look that found no exclusive one, the exclusive holder will find it:
/// reading may begin, and the second look comes later ([`Early`]; the argument in full is in ADR 17).
fn try_acquire(
    files: &LockFiles,
    purpose: Purpose,
    options: &LockOptions,
    monitor: &dyn Monitor,
) -> Result<(LockId, Option<Early>)> {
    let (began, double_check) = (clock::since_start(), options.pace.double_check);
    let mode = purpose.mode();
    look(files, purpose, None, options, monitor)?;
    let id = files.save(&options.owner, mode, &options.zone)?;
    let (now, free) = (clock::since_start(), began + double_check);
    // Who would wait for a lock is told so before the command begins.
    if mode == Mode::Shared && options.retry.is_zero() && now < free {
        return Ok((id, Some(Early { due: now + double_check, free, doubt: options.gate.doubt() })));
    }
    let checked = match options.cancel.sleep(double_check) {
        true => Err(Error::Cancelled),
        false => look(files, purpose, Some(id), options, monitor),
    };
    match checked {
        Ok(()) => Ok((id, None)),
        Err(error) => {
            let _ = files.remove(&id); // the reason for not taking it is what counts; what stays is stale soon
            Err(error)
        }
    }
}

/// Fails if a lock of somebody else is in the way; one that cannot be read is looked at again, a few times.
fn look(
    files: &LockFiles,
    purpose: Purpose,
    ours: Option<LockId>,
    options: &LockOptions,
    monitor: &dyn Monitor,
) -> Result<()> {
    let mut waits = options.pace.unreadable.iter();
    loop {
        let Others { conflict, unreadable } = files.others(purpose.mode(), ours)?;
        if let Some(holder) = conflict {
            return Err(Error::Locked { holder: Box::new(holder) });
        }
        let Some(error) = in_the_way(files, purpose, unreadable, monitor) else { return Ok(()) };
        match waits.next() {
            None => return Err(error),
            Some(&wait) if options.cancel.sleep(wait) => return Err(Error::Cancelled),
            Some(_) => {}
        }
    }
}

/// The first of the locks that nobody can read which is in the way; those that are not are told.
fn in_the_way(
    files: &LockFiles,
    purpose: Purpose,
    unreadable: Vec<(LockId, Error)>,
    monitor: &dyn Monitor,
) -> Option<Error> {
    if unreadable.is_empty() || purpose == Purpose::Remove {
        return unreadable.into_iter().next().map(|(_, error)| error);
    }
    let listed: Vec<LockId> = unreadable.iter().map(|(id, _)| *id).collect();
    let stayed = files.sightings().hear(&listed, clock::now().0);
    let is_passed = |id: &LockId| purpose != Purpose::Add || stayed.contains(id);
    let (passed, mut waiting): (Vec<_>, Vec<_>) = unreadable.into_iter().partition(|(id, _)| is_passed(id));
    for (id, error) in passed {
        if files.sightings().is_news(id) {
            let item = id.file().to_string();
            monitor.problem(&Problem { item, doing: "read", cause: error.into() });
        }
    }
    (!waiting.is_empty()).then(|| waiting.swap_remove(0).1)
}

/// Which locks `unlock` removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those of programs that are no longer running, or older than half an hour.
    Stale,
    /// Every one, unread.
    All,
}

/// Removes locks left behind and returns how many; one that cannot be read is no stale lock.
pub(crate) fn unlock(files: &LockFiles, which: Which, owner: &Owner) -> Result<u64> {
    let mut removed = 0;
    for id in files.list()?.into_iter().map(|listed| LockId::from_id(listed.id)) {
        let remove = match which {
            Which::All => true,
            Which::Stale => files
                .load(&id)
                .is_ok_and(|holder| holder.is_some_and(|holder| file::is_stale(&holder, owner))),
        };
        if remove {
            files.remove(&id)?;
            removed += 1;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests;
