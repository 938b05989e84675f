//! Tries again what failed for a while: a decorator with restic's patience.
//!
//! Waits double from one second, each with jitter, until a quarter of an hour has passed. What is permanent
//! fails at once. A save whose outcome is unknown is settled first: perhaps only the answer was lost.

use crate::backend::TOLD_ONCE;
use crate::clock::{Clock, SystemClock};
use crate::operation::Call;
use crate::random::Random;
use crate::{
    Availability, Backend, ByteRange, Cancel, Capabilities, Error, ErrorKind, FileKind, FileName, Id, Listed,
    Payload, Result,
};
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The first wait, before jitter.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// No wait is longer, before jitter.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// No try begins later than this after the first, except that there is always a second one.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// A file that could not be loaded with all patience fails at once for this long.
const REFUSAL: Duration = Duration::from_secs(60 * 60);
/// How often a listing may repeat itself before it is taken for endless.
const DUPLICATES: usize = 1000;
/// How much of a file is compared at once when a save is settled.
const COMPARED: usize = 1024 * 1024;

/// A backend that retries what another one could not do for the moment.
///
/// A call is always tried once, also when the operation has been told to stop: locks can still be removed.
pub struct Retry<B> {
    inner: B,
    cancel: Cancel,
    clock: Arc<dyn Clock>,
    observer: Box<dyn Fn(&Event<'_>) + Send + Sync>,
    random: Mutex<Random>,
    /// Files whose loading was given up, and until when they are refused.
    given_up: Mutex<HashMap<FileName, Duration>>,
}

/// What an observer is told; its text is the line that restic prints.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A call failed and will be made again.
    Retrying {
        /// The call.
        call: Call,
        /// How long we wait before.
        wait: Duration,
        /// Why it failed.
        cause: &'a Error,
    },
    /// A call succeeded after having failed.
    Recovered {
        /// The call.
        call: Call,
        /// How often it was made again.
        retries: u32,
    },
    /// A call that might have worked another time was given up.
    GaveUp {
        /// The call.
        call: Call,
        /// Why it failed the last time.
        cause: &'a Error,
    },
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Retrying { call, wait, cause } => {
                write!(f, "{call} returned error, retrying after {wait:?}: {}", Chain(cause))
            }
            Event::Recovered { call, retries } => {
                write!(f, "{call} operation successful after {retries} retries")
            }
            Event::GaveUp { call, cause } => write!(f, "{call} failed: {}", Chain(cause)),
        }
    }
}

/// An error and its causes in one line.
struct Chain<'a>(&'a Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut error: &dyn std::error::Error = self.0;
        write!(f, "{error}")?;
        while let Some(source) = error.source() {
            write!(f, ": {source}")?;
            error = source;
        }
        Ok(())
    }
}

/// This file was given up not long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it could not be loaded with all patience a while ago")]
pub struct GivenUp;

/// A listing that tells the same names over and over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the listing repeats itself without end")]
pub struct Endless;

impl<B: Backend> Retry<B> {
    /// Retries what `inner` cannot do, until `cancel` is set; nobody is told.
    pub fn new(inner: B, cancel: Cancel) -> Self {
        Retry {
            inner,
            cancel,
            clock: Arc::new(SystemClock::default()),
            observer: Box::new(|_| {}),
            random: Mutex::new(Random::fresh()),
            given_up: Mutex::default(),
        }
    }

    /// Tells `observer` of every retry, from the thread that makes it.
    #[must_use]
    pub fn observed_by(self, observer: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        Retry { observer: Box::new(observer), ..self }
    }

    /// Waits by another clock, with jitter from `seed`.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>, seed: u64) -> Self {
        Retry { clock, random: Mutex::new(Random::from_seed(seed)), ..self }
    }

    /// Makes a call until it works, cannot work, or patience or the operation ends.
    fn persist<T>(&self, call: Call, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
        let begin = self.clock.now();
        let mut wait = FIRST_WAIT;
        let mut retries = 0;
        loop {
            let error = match attempt() {
                Ok(value) => {
                    if retries > 0 {
                        (self.observer)(&Event::Recovered { call, retries });
                    }
                    return Ok(value);
                }
                Err(error) if error.kind().is_temporary() => error,
                Err(error) => return Err(error),
            };
            if self.cancel.is_set() {
                return Err(cancelled(call, error));
            }
            let jittered = self.jittered(wait);
            let late = self.clock.now().saturating_sub(begin) + jittered > PATIENCE;
            if late && retries > 0 {
                (self.observer)(&Event::GaveUp { call, cause: &error });
                return Err(error);
            }
            (self.observer)(&Event::Retrying { call, wait: jittered, cause: &error });
            if self.clock.sleep(jittered, &self.cancel) {
                return Err(cancelled(call, error));
            }
            retries += 1;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Half to one and a half of `wait`, so that many clients do not come back together.
    fn jittered(&self, wait: Duration) -> Duration {
        wait.mul_f64(0.5 + locked(&self.random).fraction())
    }

    /// Finds out whether a save that failed has been done all the same.
    ///
    /// What is there in part is removed where a new save would not replace it; a config only if it can be
    /// told from that of another one who was faster. Where we cannot find out, it has not been done.
    fn is_saved(&self, file: FileName, payload: &Payload<'_>) -> Result<bool> {
        if !self.inner.capabilities().lists_all && file.kind() != FileKind::Config {
            return Ok(false); // it may be there, and no listing tells of it until it is saved again
        }
        match self.holds(file, payload) {
            Ok(Some(true)) => return Ok(true),
            Ok(None) => return Ok(false),
            Ok(Some(false)) => {}
            Err(error) if error.kind().is_temporary() => return Err(error),
            Err(_) => return Ok(false), // a place where one may save and not look, say
        }
        if self.inner.capabilities().atomic_replace {
            return Ok(false);
        }
        if file.kind() == FileKind::Config && !self.is_our_beginning(file, payload)? {
            return Err(Error::new(ErrorKind::AlreadyExists, "save", file));
        }
        match self.inner.remove(file) {
            Err(error) if error.kind().is_temporary() => Err(error),
            _ => Ok(false), // if it could not be removed, the next save tells
        }
    }

    /// Whether the file holds the first bytes of this content: nobody else's sealed file begins like ours.
    fn is_our_beginning(&self, file: FileName, payload: &Payload<'_>) -> Result<bool> {
        let mut theirs = Vec::new();
        self.inner.load_whole(file, payload.len(), &mut theirs)?;
        let ours = payload.to_vec();
        let ours = ours.map_err(|cause| Error::new(ErrorKind::of(&cause), "save", file).caused_by(cause))?;
        Ok(!theirs.is_empty() && ours.starts_with(&theirs))
    }

    /// Whether the file is there with exactly this content; `None` if there is no file.
    fn holds(&self, file: FileName, payload: &Payload<'_>) -> Result<Option<bool>> {
        match self.inner.stat(file) {
            Ok(size) if size == payload.len() => {}
            Ok(_) => return Ok(Some(false)),
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        }
        // Our own content is at hand, so it is compared byte by byte; that its hash is the name follows.
        let mut expected = payload.reader();
        let (mut ours, mut theirs) = (vec![0; COMPARED], Vec::new());
        let mut offset = 0;
        while offset < payload.len() {
            let length = (payload.len() - offset).min(COMPARED as u64);
            let ours = &mut ours[..length as usize]; // at most COMPARED
            let read = expected.read_exact(ours);
            read.map_err(|cause| Error::new(ErrorKind::of(&cause), "save", file).caused_by(cause))?;
            self.inner.load(file, ByteRange { offset, length }, &mut theirs)?;
            if *ours != theirs[..] {
                return Ok(Some(false));
            }
            offset += length;
        }
        Ok(Some(true))
    }

    fn persist_load(&self, call: Call, file: FileName, attempt: impl FnMut() -> Result<()>) -> Result<()> {
        let now = self.clock.now();
        if locked(&self.given_up).get(&file).is_some_and(|until| now < *until) {
            return Err(Error::new(ErrorKind::Unusable, "load", file).caused_by(GivenUp));
        }
        let outcome = self.persist(call, attempt);
        if let Err(error) = &outcome
            && error.kind().is_temporary()
        {
            locked(&self.given_up).insert(file, self.clock.now() + REFUSAL);
        }
        outcome
    }
}

impl<B: Backend> Backend for Retry<B> {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn location(&self) -> String {
        self.inner.location()
    }

    fn create(&self) -> Result<()> {
        self.persist(Call::Create, || self.inner.create())
    }

    fn save(&self, file: FileName, payload: &Payload<'_>) -> Result<()> {
        // Whether a try may have left something, whole or in part.
        let unsettled = Cell::new(false);
        let outcome = self.persist(Call::Save(file), || {
            if unsettled.get() && self.is_saved(file, payload)? {
                return Ok(());
            }
            self.inner.save(file, payload).inspect_err(|error| {
                let known = !matches!(error.kind(), ErrorKind::Temporary | ErrorKind::NoSpace);
                unsettled.set(unsettled.get() || !known);
            })
        });
        match outcome {
            Err(error) if unsettled.get() && error.kind() != ErrorKind::Cancelled => {
                match self.is_saved(file, payload) {
                    Ok(true) => Ok(()),
                    _ => Err(error),
                }
            }
            outcome => outcome,
        }
    }

    fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> Result<()> {
        self.persist_load(Call::Load(file, range), file, || self.inner.load(file, range, into))
    }

    fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Result<()> {
        self.persist_load(Call::LoadWhole(file), file, || self.inner.load_whole(file, at_most, into))
    }

    fn stat(&self, file: FileName) -> Result<u64> {
        self.persist(Call::Stat(file), || self.inner.stat(file))
    }

    /// Remembers the ids it has told (40 bytes each), so that a listing begun again tells each once; but no more than
    /// [`TOLD_ONCE`], after which none.
    fn list(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        let (mut told, mut forgotten): (HashSet<Id>, bool) = (HashSet::new(), false);
        let mut stopped = None;
        let outcome = self.persist(Call::List(kind), || {
            let mut known = 0;
            let listing = self.inner.list(kind, &mut |listed| {
                if told.contains(&listed.id) {
                    known += 1;
                    return match known > told.len() + DUPLICATES {
                        true => {
                            Err(Error::about(ErrorKind::Temporary, "list", kind.word()).caused_by(Endless))
                        }
                        false => Ok(()),
                    };
                }
                each(listed).map_err(|error| {
                    stopped = Some(error); // the listener's error is not ours to retry
                    Error::about(ErrorKind::Cancelled, "list", kind.word())
                })?;
                match told.len() < TOLD_ONCE && !forgotten {
                    true => drop(told.insert(listed.id)),
                    false => (told, forgotten) = (HashSet::new(), true),
                }
                Ok(())
            });
            if stopped.is_some() { Ok(()) } else { listing }
        });
        match stopped {
            Some(error) => Err(error),
            None => outcome,
        }
    }

    fn remove(&self, file: FileName) -> Result<()> {
        let again = Cell::new(false);
        self.persist(Call::Remove(file), || match self.inner.remove(file) {
            // An earlier try removed it, and only its answer was lost.
            Err(error) if error.is_not_found() && again.get() => Ok(()),
            outcome => {
                again.set(true);
                outcome
            }
        })
    }

    fn bring_back(&self, file: FileName) -> Result<Availability> {
        self.persist(Call::BringBack(file), || self.inner.bring_back(file))
    }
}

fn cancelled(call: Call, cause: Error) -> Error {
    Error::about(ErrorKind::Cancelled, "finish", call.to_string()).caused_by(cause)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
