//! A gate through which every backend call but those on locks passes.

use crate::error::Error;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};
use tresor_backend::{
    Availability, Backend, ByteRange, Capabilities, ErrorKind, FileKind, FileName, Listed, Payload, Result,
};

/// Open for everybody, or closed while an overdue lock is being refreshed; closed for changes while a lock is in
/// doubt.
#[derive(Clone, Default)]
pub struct Gate(Arc<Shared>);

#[derive(Default)]
struct Shared {
    closed: RwLock<()>,
    doubts: Mutex<Doubts>,
    settled: Condvar,
}

#[derive(Default)]
struct Doubts {
    /// How many locks are in doubt.
    pending: usize,
    /// Whether one was refused: nothing may be changed any more.
    refused: bool,
    /// Why, until somebody asks.
    why: Option<Error>,
}

impl Gate {
    /// Why a lock was refused after its command had begun; told once.
    pub fn refusal(&self) -> Option<Error> {
        self.doubts().why.take()
    }

    /// Waits until all calls under way have ended and keeps new ones waiting until the guard is dropped.
    pub(super) fn close(&self) -> RwLockWriteGuard<'_, ()> {
        self.0.closed.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps changes waiting until the doubt is dropped or refused.
    pub(super) fn doubt(&self) -> Doubt {
        self.doubts().pending += 1;
        Doubt(self.clone())
    }

    fn doubts(&self) -> MutexGuard<'_, Doubts> {
        self.0.doubts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass<T>(&self, file_kind: FileKind, call: impl FnOnce() -> T) -> T {
        if file_kind == FileKind::Lock {
            return call();
        }
        let _open = self.0.closed.read().unwrap_or_else(PoisonError::into_inner);
        call()
    }

    fn change(&self, doing: &'static str, file: FileName, call: impl FnOnce() -> Result<()>) -> Result<()> {
        if file.kind() != FileKind::Lock {
            let doubts = self.0.settled.wait_while(self.doubts(), |doubts| doubts.pending > 0);
            if doubts.unwrap_or_else(PoisonError::into_inner).refused {
                return Err(tresor_backend::Error::new(ErrorKind::Cancelled, doing, file));
            }
        }
        self.pass(file.kind(), call)
    }
}

/// A lock that may yet be refused; dropped, it is none any more.
pub(super) struct Doubt(Gate);

impl Doubt {
    /// From now on every change is refused.
    pub(super) fn refuse(self, why: Error) {
        let mut doubts = self.0.doubts();
        doubts.refused = true;
        doubts.why.get_or_insert(why);
    }
}

impl Drop for Doubt {
    fn drop(&mut self) {
        self.0.doubts().pending -= 1;
        self.0.0.settled.notify_all();
    }
}

/// A backend behind a gate.
pub struct Gated {
    inner: Arc<dyn Backend>,
    gate: Gate,
}

impl Gated {
    /// `inner` behind `gate`.
    pub fn new(inner: Arc<dyn Backend>, gate: Gate) -> Self {
        Gated { inner, gate }
    }
}

impl Backend for Gated {
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
        self.gate.change("save", file, || self.inner.save(file, payload))
    }
    fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> Result<()> {
        self.gate.pass(file.kind(), || self.inner.load(file, range, into))
    }
    fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Result<()> {
        self.gate.pass(file.kind(), || self.inner.load_whole(file, at_most, into))
    }
    fn stat(&self, file: FileName) -> Result<u64> {
        self.gate.pass(file.kind(), || self.inner.stat(file))
    }
    fn list(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        // `each` may call the backend again, so the gate must not be held around it.
        let mut all = Vec::new();
        self.gate.pass(kind, || {
            self.inner.list(kind, &mut |listed| {
                all.push(listed);
                Ok(())
            })
        })?;
        all.into_iter().try_for_each(each)
    }
    fn remove(&self, file: FileName) -> Result<()> {
        self.gate.change("remove", file, || self.inner.remove(file))
    }
    fn bring_back(&self, file: FileName) -> Result<Availability> {
        self.gate.pass(file.kind(), || self.inner.bring_back(file))
    }
}
