//! The local cache: copies of index files, snapshots and tree packs (format: "Local cache").
//!
//! [`Cache`] is the folder, [`Cached`] the backend decorator that uses it. Nothing in it is ever trusted: it
//! holds sealed files as the repository has them, and whoever opens one verifies it and calls
//! [`Cache::distrust`] when it is wrong. Nothing in it is ever needed: a failure of the cache is a miss.

mod folder;
pub mod stock;

pub use folder::{Cache, OpenedCache};

use crate::id::PackId;
use std::collections::HashSet;
use std::sync::Arc;
use tresor_backend::{
    Availability, Backend, ByteRange, Capabilities, ErrorKind, FileKind, FileName, Id, Listed, Payload,
    Result,
};

/// A pack of at most so many bytes is copied into the cache by one request.
const AT_ONCE: u64 = 20 << 20;
/// How much of a larger one is fetched at once, in bytes.
const PIECE: u64 = 4 << 20;

/// A backend that asks the cache first.
pub struct Cached {
    inner: Arc<dyn Backend>,
    cache: Arc<Cache>,
}

impl Cached {
    /// `inner`, with copies in `cache`.
    pub fn new(inner: Arc<dyn Backend>, cache: Arc<Cache>) -> Self {
        Cached { inner, cache }
    }

    /// Whether every file of this kind is kept; packs are kept when they are known to hold trees.
    fn keeps(&self, file: FileName) -> bool {
        match file.kind() {
            FileKind::Snapshot => true,
            FileKind::Pack => self.cache.is_tree_pack(&PackId::from_id(file.id())),
            // Index files are merged into runs, which are kept; copies there are used, until then.
            FileKind::Index | FileKind::Config | FileKind::Key | FileKind::Lock => false,
        }
    }

    /// Copies a file into the cache; a failure of either side is a miss.
    fn fetch(&self, file: FileName) {
        let mut piece = Vec::new();
        match self.inner.load_whole(file, AT_ONCE, &mut piece) {
            Ok(()) => self.cache.save_with(file, |sink| sink(&piece)),
            Err(error) if error.kind() == ErrorKind::WrongSize => self.fetch_in_pieces(file, piece),
            Err(_) => {}
        }
    }

    fn fetch_in_pieces(&self, file: FileName, mut piece: Vec<u8>) {
        let Ok(size) = self.inner.stat(file) else { return };
        let mut offset = 0;
        self.cache.save_with(file, |sink| {
            while offset < size {
                let length = PIECE.min(size - offset);
                self.inner
                    .load(file, ByteRange { offset, length }, &mut piece)
                    .map_err(std::io::Error::other)?;
                sink(&piece)?;
                offset += length;
            }
            Ok(())
        });
    }
}

impl Backend for Cached {
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
        self.inner.save(file, payload)?;
        // What we have said ourselves need not be fetched to be merged.
        if self.keeps(file) || file.kind() == FileKind::Index {
            self.cache.save_with(file, |sink| payload.for_each_piece(sink));
        }
        Ok(())
    }

    fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> Result<()> {
        if self.cache.may_hold(file) && self.cache.load(file, range, into) {
            return Ok(());
        }
        if self.keeps(file)
            && self.cache.fetch_once(file, || self.fetch(file))
            && self.cache.load(file, range, into)
        {
            return Ok(());
        }
        self.inner.load(file, range, into)
    }

    fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Result<()> {
        if self.cache.may_hold(file) && self.cache.load_whole(file, at_most, into) {
            return Ok(());
        }
        self.inner.load_whole(file, at_most, into)?;
        if self.keeps(file) {
            self.cache.save_with(file, |sink| sink(into));
        }
        Ok(())
    }

    fn stat(&self, file: FileName) -> Result<u64> {
        self.inner.stat(file)
    }

    fn list(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        if !self.cache.has_kind(kind) {
            return self.inner.list(kind, each);
        }
        let mut gone: HashSet<Id> = self.cache.copies(kind).collect();
        self.inner.list(kind, &mut |file| {
            gone.remove(&file.id);
            each(file)
        })?;
        self.cache.retain(kind, |id| !gone.contains(id)); // only after a complete listing
        Ok(())
    }

    fn remove(&self, file: FileName) -> Result<()> {
        let removed = self.inner.remove(file);
        self.cache.remove(file);
        removed
    }

    fn bring_back(&self, file: FileName) -> Result<Availability> {
        let first = ByteRange { offset: 0, length: 1 };
        match self.cache.may_hold(file) && self.cache.load(file, first, &mut Vec::new()) {
            true => Ok(Availability::Now),
            false => self.inner.bring_back(file),
        }
    }
}

#[cfg(test)]
mod tests;
