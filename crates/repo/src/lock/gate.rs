//! A gate through which every backend call but those on locks passes.

use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use tresor_backend::{
    Availability, Backend, ByteRange, Capabilities, FileKind, FileName, Listed, Payload, Result,
};

/// Open for everybody, or closed while an overdue lock is being refreshed.
#[derive(Clone, Default)]
pub struct Gate(Arc<RwLock<()>>);

impl Gate {
    /// Waits until all calls under way have ended and keeps new ones waiting until the guard is dropped.
    pub(super) fn close(&self) -> RwLockWriteGuard<'_, ()> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass<T>(&self, file_kind: FileKind, call: impl FnOnce() -> T) -> T {
        if file_kind == FileKind::Lock {
            return call();
        }
        let _open = self.0.read().unwrap_or_else(PoisonError::into_inner);
        call()
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
        self.gate.pass(file.kind(), || self.inner.save(file, payload))
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
        self.gate.pass(file.kind(), || self.inner.remove(file))
    }
    fn bring_back(&self, file: FileName) -> Result<Availability> {
        self.gate.pass(file.kind(), || self.inner.bring_back(file))
    }
}
