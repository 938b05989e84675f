//! Counts what goes to and comes from a backend: a decorator that changes nothing.

use crate::operation::{Call, Operation};
use crate::{
    Availability, Backend, ByteRange, Capabilities, Error, FileKind, FileName, Listed, Payload, Result,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What has happened so far; may be read at any time, from any thread.
#[derive(Debug, Default)]
pub struct Counters {
    requests: [AtomicU64; Operation::ALL.len()],
    failures: [AtomicU64; Operation::ALL.len()],
    uploaded_bytes: AtomicU64,
    downloaded_bytes: AtomicU64,
}

impl Counters {
    /// How many calls have ended, well or not.
    pub fn requests(&self, operation: Operation) -> u64 {
        self.requests[operation.index()].load(Ordering::Relaxed)
    }

    /// How many of them failed; that a file is not there counts as a failure too.
    pub fn failures(&self, operation: Operation) -> u64 {
        self.failures[operation.index()].load(Ordering::Relaxed)
    }

    /// Bytes of the saves that succeeded.
    pub fn uploaded_bytes(&self) -> u64 {
        self.uploaded_bytes.load(Ordering::Relaxed)
    }

    /// Bytes of the loads that succeeded.
    pub fn downloaded_bytes(&self) -> u64 {
        self.downloaded_bytes.load(Ordering::Relaxed)
    }

    fn add(&self, call: &Call, bytes: u64, failed: bool) {
        let operation = call.operation();
        self.requests[operation.index()].fetch_add(1, Ordering::Relaxed);
        self.failures[operation.index()].fetch_add(u64::from(failed), Ordering::Relaxed);
        match operation {
            Operation::Save => self.uploaded_bytes.fetch_add(bytes, Ordering::Relaxed),
            Operation::Load => self.downloaded_bytes.fetch_add(bytes, Ordering::Relaxed),
            _ => 0,
        };
    }
}

/// One call that has ended.
#[derive(Debug)]
pub struct Ended<'a> {
    /// The call.
    pub call: Call,
    /// How many bytes were moved.
    pub bytes: u64,
    /// Why it failed, if it did.
    pub error: Option<&'a Error>,
}

type Observer = Box<dyn Fn(&Ended<'_>) + Send + Sync>;

/// A backend whose calls are counted, and told to an observer if there is one.
pub struct Count<B> {
    inner: B,
    counters: Arc<Counters>,
    observer: Option<Observer>,
}

impl<B: Backend> Count<B> {
    /// Counts the calls to `inner`.
    pub fn new(inner: B) -> Self {
        Count { inner, counters: Arc::default(), observer: None }
    }

    /// Tells `observer` of every call that has ended, from the thread that made it: for a log.
    #[must_use]
    pub fn observed_by(self, observer: impl Fn(&Ended<'_>) + Send + Sync + 'static) -> Self {
        Count { observer: Some(Box::new(observer)), ..self }
    }

    /// The counters, to be kept and read while the backend is at work.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    fn ended<T>(&self, call: Call, bytes: u64, outcome: Result<T>) -> Result<T> {
        let bytes = if outcome.is_ok() { bytes } else { 0 };
        self.counters.add(&call, bytes, outcome.is_err());
        if let Some(observer) = &self.observer {
            observer(&Ended { call, bytes, error: outcome.as_ref().err() });
        }
        outcome
    }
}

impl<B: Backend> Backend for Count<B> {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn location(&self) -> String {
        self.inner.location()
    }

    fn create(&self) -> Result<()> {
        self.ended(Call::Create, 0, self.inner.create())
    }

    fn save(&self, file: FileName, payload: &Payload<'_>) -> Result<()> {
        self.ended(Call::Save(file), payload.len(), self.inner.save(file, payload))
    }

    fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> Result<()> {
        let outcome = self.inner.load(file, range, into);
        self.ended(Call::Load(file, range), into.len() as u64, outcome)
    }

    fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Result<()> {
        let outcome = self.inner.load_whole(file, at_most, into);
        self.ended(Call::LoadWhole(file), into.len() as u64, outcome)
    }

    fn stat(&self, file: FileName) -> Result<u64> {
        self.ended(Call::Stat(file), 0, self.inner.stat(file))
    }

    fn list(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        self.ended(Call::List(kind), 0, self.inner.list(kind, each))
    }

    fn remove(&self, file: FileName) -> Result<()> {
        self.ended(Call::Remove(file), 0, self.inner.remove(file))
    }

    fn bring_back(&self, file: FileName) -> Result<Availability> {
        self.ended(Call::BringBack(file), 0, self.inner.bring_back(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use std::sync::Mutex;

    #[test]
    fn requests_failures_and_bytes_are_counted_and_told() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&told);
        let count = Count::new(Memory::new()).observed_by(move |ended| {
            let outcome = if ended.error.is_some() { "failed" } else { "done" };
            log.lock().unwrap().push(format!("{} {} {outcome}", ended.call, ended.bytes));
        });
        let counters = count.counters();
        count.save(FileName::CONFIG, &Payload::from(&b"12345"[..])).unwrap();
        count.load_whole(FileName::CONFIG, 9, &mut Vec::new()).unwrap();
        count.load(FileName::CONFIG, ByteRange { offset: 1, length: 2 }, &mut Vec::new()).unwrap();
        count.load_whole(FileName::CONFIG, 4, &mut Vec::new()).unwrap_err();
        assert_eq!((counters.uploaded_bytes(), counters.downloaded_bytes()), (5, 7));
        assert_eq!((counters.requests(Operation::Load), counters.failures(Operation::Load)), (3, 1));
        assert_eq!((counters.requests(Operation::Save), counters.failures(Operation::Save)), (1, 0));
        assert_eq!(
            *told.lock().unwrap(),
            [
                "Save(<config/>) 5 done",
                "Load(<config/>, 0, 0) 5 done",
                "Load(<config/>, 2, 1) 2 done",
                "Load(<config/>, 0, 0) 0 failed"
            ]
        );
    }
}
