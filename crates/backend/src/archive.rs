//! Brings files back from an archive before they are loaded: first all are ordered, then awaited.

use crate::handle::Right;
use crate::{Availability, Cancel, Clock, Error, ErrorKind, FileName, Handle, Result};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long until it is looked again the first time whether a file has come.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// What that time grows to: nobody comes back within a second of when he is expected.
const LATER_LOOK: Duration = Duration::from_secs(60);

/// Files that are being brought back; nobody waits for them yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coming {
    files: Vec<FileName>,
    patience: Duration,
}

/// A file did not come back in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it has not come back from the archive after {} minutes; it is still on its way: run the command again later, \
     or wait longer (-o s3.restore-timeout)",
    .0.as_secs() / 60
)]
pub struct NotBackInTime(Duration);

/// Orders those of these files that cannot be loaded now, on all connections at once.
///
/// Answers with no files, and without asking anybody, if there is no [`crate::Capabilities::archive`].
///
/// # Errors
/// The first file that could not be asked for; cancellation.
pub fn order<R: Right>(handle: &Handle<R>, files: &[FileName], cancel: &Cancel) -> Result<Coming> {
    let Some(patience) = handle.capabilities().archive else {
        return Ok(Coming { files: Vec::new(), patience: Duration::ZERO });
    };
    let (next, coming, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new(None));
    let order = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(&file) = files.get(number) else { return };
            let asked = match cancel.is_set() {
                true => Err(Error::new(ErrorKind::Cancelled, "bring back", file)),
                false => handle.bring_back(file),
            };
            match asked {
                Ok(Availability::Now) => {}
                Ok(Availability::Later) => locked(&coming).push((number, file)),
                Err(error) => {
                    next.store(files.len(), Ordering::Relaxed);
                    locked(&failed).get_or_insert(error);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let threads = handle.capabilities().connections.min(files.len());
        (1..threads).for_each(|_| drop(scope.spawn(order)));
        order();
    });
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut coming = coming.into_inner().unwrap_or_else(PoisonError::into_inner);
    coming.sort_unstable_by_key(|(number, _)| *number);
    Ok(Coming { files: coming.into_iter().map(|(_, file)| file).collect(), patience })
}

impl Coming {
    /// The files, in the order in which they were named.
    pub fn files(&self) -> &[FileName] {
        &self.files
    }

    /// Waits until all are there, telling `each` of every one that is: of one after the other, as they were
    /// ordered together, with one request for each look.
    ///
    /// # Errors
    /// [`ErrorKind::Unusable`] because of [`NotBackInTime`]; [`ErrorKind::Cancelled`]; those of asking.
    pub fn wait<R: Right>(
        &self,
        handle: &Handle<R>,
        clock: &dyn Clock,
        cancel: &Cancel,
        each: &mut dyn FnMut(FileName),
    ) -> Result<()> {
        let mut look = FIRST_LOOK;
        for &file in &self.files {
            let begin = clock.now();
            while handle.bring_back(file)? == Availability::Later {
                let left = self.patience.saturating_sub(clock.now().saturating_sub(begin));
                if left.is_zero() {
                    let late = NotBackInTime(self.patience);
                    return Err(Error::new(ErrorKind::Unusable, "load", file).caused_by(late));
                }
                if clock.sleep(look.min(left), cancel) {
                    return Err(Error::new(ErrorKind::Cancelled, "bring back", file));
                }
                look = (look * 2).min(LATER_LOOK);
            }
            each(file);
        }
        Ok(())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
