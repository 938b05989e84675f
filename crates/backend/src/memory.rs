//! A backend in memory: for tests, and the plainest model of what a backend does.

use crate::{
    Backend, ByteRange, Capabilities, Error, ErrorKind, FileKind, FileName, Listed, Payload, Result,
};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Files by name, gone when it is dropped.
pub struct Memory {
    files: RwLock<BTreeMap<FileName, Arc<[u8]>>>,
    capabilities: Capabilities,
}

impl Default for Memory {
    fn default() -> Self {
        Self::with(Capabilities {
            connections: 2,
            atomic_replace: true,
            lists_all: true,
            near: true,
            archive: None,
        })
    }
}

impl Memory {
    /// An empty backend that replaces files, with two connections.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty backend with other capabilities; without `atomic_replace` it refuses to replace a file.
    pub fn with(capabilities: Capabilities) -> Self {
        Memory { files: RwLock::default(), capabilities }
    }

    /// Puts `bytes` in place whatever was there, past all rules: to plant damage.
    pub fn plant(&self, file: FileName, bytes: impl Into<Arc<[u8]>>) {
        self.write().insert(file, bytes.into());
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<FileName, Arc<[u8]>>> {
        self.files.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<FileName, Arc<[u8]>>> {
        self.files.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, doing: &'static str, file: FileName) -> Result<Arc<[u8]>> {
        self.read().get(&file).cloned().ok_or_else(|| Error::new(ErrorKind::NotFound, doing, file))
    }
}

impl Backend for Memory {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn location(&self) -> String {
        "memory".to_owned()
    }

    fn create(&self) -> Result<()> {
        match self.read().contains_key(&FileName::CONFIG) {
            true => Err(Error::new(ErrorKind::AlreadyExists, "create", FileName::CONFIG)),
            false => Ok(()),
        }
    }

    fn save(&self, file: FileName, payload: &Payload<'_>) -> Result<()> {
        let bytes = payload
            .to_vec()
            .map_err(|cause| Error::new(ErrorKind::of(&cause), "save", file).caused_by(cause))?;
        let mut files = self.write();
        if !self.capabilities.atomic_replace && files.contains_key(&file) {
            return Err(Error::new(ErrorKind::AlreadyExists, "save", file));
        }
        files.insert(file, bytes.into());
        Ok(())
    }

    fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> Result<()> {
        into.clear();
        let bytes = self.find("load", file)?;
        let wanted = range.indices().and_then(|indices| bytes.get(indices));
        into.extend_from_slice(wanted.ok_or_else(|| Error::new(ErrorKind::WrongSize, "load", file))?);
        Ok(())
    }

    fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Result<()> {
        into.clear();
        let bytes = self.find("load", file)?;
        if bytes.len() as u64 > at_most {
            return Err(Error::new(ErrorKind::WrongSize, "load", file));
        }
        into.extend_from_slice(&bytes);
        Ok(())
    }

    fn stat(&self, file: FileName) -> Result<u64> {
        Ok(self.find("stat", file)?.len() as u64)
    }

    fn list(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        let of_kind = |(name, bytes): (&FileName, &Arc<[u8]>)| {
            let wanted = name.kind() == kind && kind != FileKind::Config;
            wanted.then_some(Listed { id: name.id(), size: bytes.len() as u64 })
        };
        // Collected first, so that `each` may call this backend.
        let listed: Vec<Listed> = self.read().iter().filter_map(of_kind).collect();
        listed.into_iter().try_for_each(each)
    }

    fn remove(&self, file: FileName) -> Result<()> {
        match self.write().remove(&file) {
            Some(_) => Ok(()),
            None => Err(Error::new(ErrorKind::NotFound, "remove", file)),
        }
    }
}
