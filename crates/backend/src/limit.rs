//! Keeps to a rate: a decorator with a token bucket for each direction.

use crate::clock::{Clock, SystemClock};
use crate::{
    Availability, Backend, ByteRange, Cancel, Capabilities, Error, ErrorKind, FileKind, FileName, Listed,
    Payload, Result,
};
use std::io;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The rates to keep to, in KiB per second; none is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// For what is saved.
    pub upload: Option<NonZeroU32>,
    /// For what is loaded.
    pub download: Option<NonZeroU32>,
}

/// A bucket that fills with tokens, one a byte, up to those of one second.
///
/// Taking more than there are is a debt: who makes it waits until it is paid, and who comes later waits
/// behind. Thus any amount can be taken, and the rate holds over time.
pub struct Bucket {
    /// Bytes per second.
    rate: f64,
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
}

struct State {
    /// Negative while there is a debt.
    tokens: f64,
    /// When `tokens` was right.
    at: Duration,
}

impl Bucket {
    /// A full bucket.
    pub fn new(kib_per_second: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        let rate = f64::from(kib_per_second.get()) * 1024.0;
        Bucket { rate, state: Mutex::new(State { tokens: rate, at: clock.now() }), clock }
    }

    /// Takes `bytes` and waits until they are paid for; returns whether `cancel` was set before.
    pub fn take(&self, bytes: u64, cancel: &Cancel) -> bool {
        let debt = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let now = self.clock.now();
            let earned = now.saturating_sub(state.at).as_secs_f64() * self.rate;
            state.tokens = (state.tokens + earned).min(self.rate) - bytes as f64;
            state.at = now;
            -state.tokens
        };
        if debt <= 0.0 {
            return cancel.is_set();
        }
        let wait = Duration::try_from_secs_f64(debt / self.rate).unwrap_or(Duration::MAX);
        self.clock.sleep(wait, cancel)
    }
}

/// A backend that saves and loads no faster than it may.
///
/// A save is slowed down piece by piece. A load is one answer, and so it is waited for before it is asked
/// for; a whole file, whose length is not known before, after it has come. All threads share the rates.
pub struct Limit<B> {
    inner: B,
    upload: Option<Bucket>,
    download: Option<Bucket>,
    cancel: Cancel,
}

impl<B: Backend> Limit<B> {
    /// Keeps `inner` to `rates`; waits end when `cancel` is set.
    pub fn new(inner: B, rates: Rates, cancel: Cancel) -> Self {
        Self::with_clock(inner, rates, cancel, Arc::new(SystemClock::default()))
    }

    /// The same by another clock.
    pub fn with_clock(inner: B, rates: Rates, cancel: Cancel, clock: Arc<dyn Clock>) -> Self {
        let bucket = |rate: Option<NonZeroU32>| rate.map(|rate| Bucket::new(rate, Arc::clone(&clock)));
        Limit { inner, upload: bucket(rates.upload), download: bucket(rates.download), cancel }
    }

    fn wait_for_load(&self, file: FileName, bytes: u64) -> Result<()> {
        match &self.download {
            Some(bucket) if bucket.take(bytes, &self.cancel) => {
                Err(Error::new(ErrorKind::Cancelled, "load", file))
            }
            _ => Ok(()),
        }
    }
}

impl<B: Backend> Backend for Limit<B> {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn location(&self) -> String {
        self.inner.location()
    }

    fn create(&self) -> Result<()> {
        self.inner.create()
    }

    fn save(&self, file: FileName, payload: &Payload<'_>) -> Result<()> {
        let Some(bucket) = &self.upload else { return self.inner.save(file, payload) };
        let pace = |bytes: usize| match bucket.take(bytes as u64, &self.cancel) {
            true => Err(io::Error::other("cancelled")),
            false => Ok(()),
        };
        self.inner.save(file, &payload.paced(&pace)).map_err(|error| match self.cancel.is_set() {
            true => Error::new(ErrorKind::Cancelled, "save", file).caused_by(error),
            false => error,
        })
    }

    fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> Result<()> {
        self.wait_for_load(file, range.length)?;
        self.inner.load(file, range, into)
    }

    fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Result<()> {
        self.inner.load_whole(file, at_most, into)?;
        self.wait_for_load(file, into.len() as u64).inspect_err(|_| into.clear())
    }

    fn stat(&self, file: FileName) -> Result<u64> {
        self.inner.stat(file)
    }

    fn list(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        self.inner.list(kind, each)
    }

    fn remove(&self, file: FileName) -> Result<()> {
        self.inner.remove(file)
    }

    fn bring_back(&self, file: FileName) -> Result<Availability> {
        self.inner.bring_back(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::Reason;
    use crate::memory::Memory;
    use crate::{Id, ManualClock};

    const KIB: u64 = 1024;

    fn limited(upload: u32, download: u32) -> (Limit<Memory>, Arc<ManualClock>, Cancel) {
        let (clock, cancel) = (Arc::new(ManualClock::default()), Cancel::new());
        let rates = Rates { upload: NonZeroU32::new(upload), download: NonZeroU32::new(download) };
        (Limit::with_clock(Memory::new(), rates, cancel.clone(), clock.clone()), clock, cancel)
    }

    fn pack() -> FileName {
        FileName::new(FileKind::Pack, Id::from_bytes([1; 32]))
    }

    #[test]
    fn a_second_is_free_and_the_rest_takes_its_time() {
        let (limit, clock, _) = limited(100, 10);
        limit.save(pack(), &Payload::from(&vec![0; 300 * 1024][..])).unwrap();
        assert_eq!(clock.now().as_millis(), 2000);
        let mut bytes = Vec::new();
        limit.load(pack(), ByteRange { offset: 0, length: 60 * KIB }, &mut bytes).unwrap();
        assert_eq!(clock.now().as_millis(), 7000, "the other direction has a bucket of its own");
        limit.load_whole(pack(), 300 * KIB, &mut bytes).unwrap();
        assert_eq!(clock.now().as_millis(), 37_000);
    }

    #[test]
    fn no_more_than_one_second_is_saved_up() {
        let clock = Arc::new(ManualClock::default());
        let bucket = Bucket::new(NonZeroU32::MIN, clock.clone());
        clock.advance(Duration::from_secs(100));
        assert!(!bucket.take(3 * KIB, &Cancel::new()));
        assert_eq!(clock.now().as_secs(), 102);
    }

    #[test]
    fn without_rates_nothing_waits() {
        let (limit, clock, _) = limited(0, 0);
        limit.save(pack(), &Payload::from(&vec![0; 1 << 20][..])).unwrap();
        limit.load_whole(pack(), 1 << 20, &mut Vec::new()).unwrap();
        assert_eq!(clock.now(), Duration::ZERO);
    }

    #[test]
    fn cancelling_ends_the_wait() {
        let (limit, _, cancel) = limited(1, 1);
        limit.inner.plant(pack(), vec![0; 1 << 20]);
        cancel.set(Reason::Interrupted);
        let save = limit.save(pack(), &Payload::from(&vec![0; 1 << 20][..]));
        assert_eq!(save.unwrap_err().kind(), ErrorKind::Cancelled);
        let mut bytes = Vec::new();
        let load = limit.load_whole(pack(), 1 << 20, &mut bytes);
        assert_eq!((load.unwrap_err().kind(), bytes.len()), (ErrorKind::Cancelled, 0));
    }
}
