//! Changes nothing: a decorator that takes saves and removals and lets them vanish.

use crate::{Backend, ByteRange, Capabilities, FileKind, FileName, Listed, Payload, Result};

/// A backend that can be read, and whose changes are accepted and forgotten.
///
/// What was saved is not there afterwards, what was removed still is.
pub struct DryRun<B> {
    inner: B,
}

impl<B: Backend> DryRun<B> {
    /// Keeps `inner` as it is.
    pub fn new(inner: B) -> Self {
        DryRun { inner }
    }
}

impl<B: Backend> Backend for DryRun<B> {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn location(&self) -> String {
        self.inner.location()
    }

    fn create(&self) -> Result<()> {
        Ok(())
    }

    fn save(&self, _file: FileName, _payload: &Payload<'_>) -> Result<()> {
        Ok(())
    }

    fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> Result<()> {
        self.inner.load(file, range, into)
    }

    fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Result<()> {
        self.inner.load_whole(file, at_most, into)
    }

    fn stat(&self, file: FileName) -> Result<u64> {
        self.inner.stat(file)
    }

    fn list(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        self.inner.list(kind, each)
    }

    fn remove(&self, _file: FileName) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use crate::{Handle, Id};
    use std::sync::Arc;

    #[test]
    fn changes_are_accepted_and_leave_no_trace() {
        let memory = Arc::new(Memory::new());
        let kept = FileName::new(FileKind::Pack, Id::from_bytes([1; 32]));
        let discarded = FileName::new(FileKind::Pack, Id::from_bytes([2; 32]));
        memory.plant(kept, *b"kept");
        let dry = Handle::new(Arc::new(DryRun::new(Arc::clone(&memory))));
        dry.create().unwrap();
        dry.save(discarded, &Payload::from(&b"gone"[..])).unwrap();
        dry.remove(kept).unwrap();
        for handle in [dry, Handle::new(memory)] {
            assert!(handle.stat(discarded).unwrap_err().is_not_found());
            assert_eq!(handle.list_all(FileKind::Pack).unwrap(), [Listed { id: kept.id(), size: 4 }]);
        }
    }
}
