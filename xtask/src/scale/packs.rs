//! Writes blobs to real packs, and tells index files of them.

use super::sealed::{Entry, IndexText, Sealer, hex, name_of};
use super::shape::{Id, Stream};
use crate::Result;
use std::fs;
use std::path::{Path, PathBuf};

/// A pack that has so many bytes is full.
const FULL: usize = 16 << 20;
/// An index file that has so many blobs is full.
const IN_AN_INDEX: usize = 50_000;

/// A pack that gets blobs of one kind.
struct Open {
    kind: Kind,
    body: Vec<u8>,
    blobs: Vec<Entry>,
}

/// What restic compresses worse than it was, here is stored as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Data = 0,
    CompressedTree = 3,
}

impl Open {
    fn new(kind: Kind) -> Self {
        Open { kind, body: Vec::with_capacity(FULL + FULL / 4), blobs: Vec::new() }
    }

    /// Adds a blob; whether it is full then.
    fn add(&mut self, sealed: &[u8], entry: Entry) -> bool {
        self.body.extend_from_slice(sealed);
        self.blobs.push(entry);
        self.body.len() >= FULL
    }

    /// What the header says of the blobs.
    fn header(&self) -> Result<Vec<u8>> {
        let mut header = Vec::new();
        for blob in &self.blobs {
            header.push(self.kind as u8);
            header.extend_from_slice(&u32::try_from(blob.length)?.to_le_bytes());
            if let Some(plain) = blob.plain {
                header.extend_from_slice(&u32::try_from(plain)?.to_le_bytes());
            }
            header.extend_from_slice(&blob.id);
        }
        Ok(header)
    }
}

/// Stores files in a repository's folder.
pub(super) struct Writer {
    folder: PathBuf,
    sealer: Sealer,
    /// How often something was sealed.
    sealed: u64,
    data: Open,
    trees: Open,
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
            data: Open::new(Kind::Data),
            trees: Open::new(Kind::CompressedTree),
            index: IndexText::default(),
        })
    }

    /// Stores a tree that is not stored yet.
    pub(super) fn tree(&mut self, json: &[u8]) -> Result<Id> {
        let id = name_of(json);
        let frame = self.sealer.compressed(json)?;
        let sealed = self.seal(&frame);
        let entry = Entry { id, length: sealed.len() as u64, plain: Some(json.len() as u64) };
        if self.trees.add(&sealed, entry) {
            let full = std::mem::replace(&mut self.trees, Open::new(Kind::CompressedTree));
            self.finish_pack(full)?;
        }
        Ok(id)
    }

    /// Stores data that are not stored yet.
    pub(super) fn data(&mut self, plain: &[u8]) -> Result<Id> {
        let id = name_of(plain);
        let sealed = self.seal(plain);
        let entry = Entry { id, length: sealed.len() as u64, plain: None };
        if self.data.add(&sealed, entry) {
            let full = std::mem::replace(&mut self.data, Open::new(Kind::Data));
            self.finish_pack(full)?;
        }
        Ok(id)
    }

    /// Stores a snapshot; its id.
    pub(super) fn snapshot(&mut self, json: &str) -> Result<String> {
        self.file("snapshots", json.as_bytes())
    }

    /// Stores what is left.
    pub(super) fn finish(mut self) -> Result<()> {
        let rest = [
            std::mem::replace(&mut self.data, Open::new(Kind::Data)),
            std::mem::replace(&mut self.trees, Open::new(Kind::CompressedTree)),
        ];
        for pack in rest.into_iter().filter(|pack| !pack.blobs.is_empty()) {
            self.finish_pack(pack)?;
        }
        if self.index.blobs > 0 { self.finish_index() } else { Ok(()) }
    }

    fn finish_pack(&mut self, pack: Open) -> Result<()> {
        let header = self.seal(&pack.header()?);
        let mut body = pack.body;
        body.extend_from_slice(&header);
        body.extend_from_slice(&u32::try_from(header.len())?.to_le_bytes());
        let name = name_of(&body);
        fs::write(self.folder.join("data").join(hex(&name)), &body)?;
        let kind = if pack.kind == Kind::Data { "data" } else { "tree" };
        self.index.pack(&name, kind, pack.blobs.into_iter())?;
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
