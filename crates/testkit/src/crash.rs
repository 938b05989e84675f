//! A backend that stops for good at its n-th write, as a machine does that loses power.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tresor_backend::{
    Availability, Backend, ByteRange, Capabilities, Error, ErrorKind, FileName, Listed, Payload, Result,
};

/// What becomes of the write at which the backend stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastWrite {
    /// It never happened.
    Lost,
    /// It happened; only its answer was lost.
    Unanswered,
}

/// Lets `writes` saves and removals through, then stops: the next one fails as [`LastWrite`] says, and every
/// call after it fails too, loads and listings included.
///
/// There is no half-written file: [`Backend::save`] promises that none is ever seen.
#[derive(Debug)]
pub struct CrashBackend<B> {
    inner: B,
    allowed: u64,
    last: LastWrite,
    writes: AtomicU64,
    crashed: AtomicBool,
}

impl<B: Backend> CrashBackend<B> {
    /// A backend over `inner` that dies at the write after `allowed` writes.
    pub fn new(inner: B, allowed: u64, last: LastWrite) -> Self {
        CrashBackend { inner, allowed, last, writes: AtomicU64::new(0), crashed: AtomicBool::new(false) }
    }

    /// A backend over `inner` that never stops, to count the writes of a whole run.
    pub fn counting(inner: B) -> Self {
        Self::new(inner, u64::MAX, LastWrite::Lost)
    }

    /// How many writes were tried, the one that stopped it included.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    /// Whether it has stopped.
    pub fn has_crashed(&self) -> bool {
        self.crashed.load(Ordering::SeqCst)
    }

    fn alive(&self, doing: &'static str, what: impl ToString) -> Result<()> {
        match self.has_crashed() {
            true => Err(Error::about(ErrorKind::Unusable, doing, what.to_string())
                .caused_by("the backend has crashed")),
            false => Ok(()),
        }
    }

    fn write(&self, doing: &'static str, file: FileName, write: impl FnOnce() -> Result<()>) -> Result<()> {
        self.alive(doing, file)?;
        if self.writes.fetch_add(1, Ordering::SeqCst) < self.allowed {
            return write();
        }
        let first = !self.crashed.swap(true, Ordering::SeqCst);
        if first && self.last == LastWrite::Unanswered {
            write()?;
        }
        self.alive(doing, file)
    }
}

impl<B: Backend> Backend for CrashBackend<B> {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn location(&self) -> String {
        self.inner.location()
    }

    fn create(&self) -> Result<()> {
        self.alive("create", self.location())?;
        self.inner.create()
    }

    fn save(&self, file: FileName, payload: &Payload<'_>) -> Result<()> {
        self.write("save", file, || self.inner.save(file, payload))
    }

    fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> Result<()> {
        self.alive("load", file)?;
        self.inner.load(file, range, into)
    }

    fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Result<()> {
        self.alive("load", file)?;
        self.inner.load_whole(file, at_most, into)
    }

    fn stat(&self, file: FileName) -> Result<u64> {
        self.alive("stat", file)?;
        self.inner.stat(file)
    }

    fn list(&self, kind: tresor_backend::FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        self.alive("list", kind.word())?;
        self.inner.list(kind, each)
    }

    fn remove(&self, file: FileName) -> Result<()> {
        self.write("remove", file, || self.inner.remove(file))
    }

    fn bring_back(&self, file: FileName) -> Result<Availability> {
        self.alive("bring back", file)?;
        self.inner.bring_back(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tresor_backend::memory::Memory;
    use tresor_backend::{FileKind, Id};

    fn name(byte: u8) -> FileName {
        FileName::new(FileKind::Pack, Id::from_bytes([byte; 32]))
    }

    fn check(last: LastWrite, stored: &[u8]) {
        let memory = std::sync::Arc::new(Memory::new());
        let backend = CrashBackend::new(std::sync::Arc::clone(&memory), 2, last);
        let save = |byte| backend.save(name(byte), &Payload::from(&[byte][..]));
        assert!(save(1).is_ok() && save(2).is_ok() && backend.stat(name(1)).is_ok());
        assert!(save(3).is_err() && backend.has_crashed());
        assert!(save(4).is_err() && backend.remove(name(1)).is_err());
        assert!(backend.stat(name(1)).is_err() && backend.list(FileKind::Pack, &mut |_| Ok(())).is_err());
        assert_eq!(backend.writes(), 3);
        let found = (1..=4).filter(|byte| memory.stat(name(*byte)).is_ok()).collect::<Vec<u8>>();
        assert_eq!(found, stored);
    }

    #[test]
    fn nothing_works_after_the_last_write() {
        check(LastWrite::Lost, &[1, 2]);
        check(LastWrite::Unanswered, &[1, 2, 3]);
    }
}
