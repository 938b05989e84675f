//! Writes tree blobs to real packs, and tells index files of them.

use super::sealed::{Entry, IndexText, Sealer, hex, name_of};
use super::shape::{Id, Stream};
use crate::Result;
use std::fs;
use std::path::{Path, PathBuf};

/// A pack that has so many bytes is full.
const FULL: usize = 16 << 20;
/// An index file that has so many blobs is full.
const IN_AN_INDEX: usize = 50_000;
/// A tree that is compressed, in a pack's header.
const COMPRESSED_TREE: u8 = 3;

/// Stores files in a repository's folder.
pub(super) struct Writer {
    folder: PathBuf,
    sealer: Sealer,
    /// How often something was sealed.
    sealed: u64,
    body: Vec<u8>,
    blobs: Vec<Entry>,
    index: IndexText,
}

impl Writer {
    /// Writes below `folder`, where there is nothing of the kinds that it writes.
    pub(super) fn new(folder: &Path, sealer: Sealer) -> Result<Self> {
        for kind in ["data", "index", "snapshots"] {
            fs::create_dir_all(folder.join(kind))?;
        }
        Ok(Writer {
            folder: folder.to_owned(),
            sealer,
            sealed: 0,
            body: Vec::with_capacity(FULL + FULL / 4),
            blobs: Vec::new(),
            index: IndexText::default(),
        })
    }

    /// Stores a tree that is not stored yet.
    pub(super) fn tree(&mut self, json: &[u8]) -> Result<Id> {
        let id = name_of(json);
        let frame = self.sealer.compressed(json)?;
        let sealed = self.seal(&frame);
        self.body.extend_from_slice(&sealed);
        self.blobs.push(Entry { id, length: sealed.len() as u64, plain: json.len() as u64 });
        if self.body.len() >= FULL {
            self.finish_pack()?;
        }
        Ok(id)
    }

    /// Stores a snapshot; its id.
    pub(super) fn snapshot(&mut self, json: &str) -> Result<String> {
        self.file("snapshots", json.as_bytes())
    }

    /// Stores what is left.
    pub(super) fn finish(mut self) -> Result<()> {
        if !self.blobs.is_empty() {
            self.finish_pack()?;
        }
        if self.index.blobs > 0 { self.finish_index() } else { Ok(()) }
    }

    fn finish_pack(&mut self) -> Result<()> {
        let mut header = Vec::new();
        for blob in &self.blobs {
            header.push(COMPRESSED_TREE);
            header.extend_from_slice(&u32::try_from(blob.length)?.to_le_bytes());
            header.extend_from_slice(&u32::try_from(blob.plain)?.to_le_bytes());
            header.extend_from_slice(&blob.id);
        }
        let header = self.seal(&header);
        self.body.extend_from_slice(&header);
        self.body.extend_from_slice(&u32::try_from(header.len())?.to_le_bytes());
        let name = name_of(&self.body);
        fs::write(self.folder.join("data").join(hex(&name)), &self.body)?;
        self.body.clear();
        self.index.pack(&name, "tree", self.blobs.drain(..))?;
        if self.index.blobs >= IN_AN_INDEX { self.finish_index() } else { Ok(()) }
    }

    fn finish_index(&mut self) -> Result<()> {
        let text = self.index.take();
        self.file("index", &text).map(drop)
    }

    fn file(&mut self, kind: &str, json: &[u8]) -> Result<String> {
        self.sealed += 1;
        let file = self.sealer.file(Stream::StoredNonces, self.sealed, json)?;
        let name = hex(&name_of(&file));
        fs::write(self.folder.join(kind).join(&name), file)?;
        Ok(name)
    }

    fn seal(&mut self, plain: &[u8]) -> Vec<u8> {
        self.sealed += 1;
        self.sealer.sealed(Stream::StoredNonces, self.sealed, plain)
    }
}
