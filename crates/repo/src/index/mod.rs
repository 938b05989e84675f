//! The index: which blob is in which pack, where, and how long.

use crate::blob::{BlobHandle, BlobKind};
use crate::id::{BlobId, PackId};

/// Where a copy of a blob lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// In which pack.
    pub pack: PackId,
    /// Byte offset in the pack.
    pub offset: u32,
    /// Length in the pack, sealed.
    pub length: u32,
    /// Length of the plaintext if it is compressed, else 0.
    pub uncompressed_length: u32,
}

impl Place {
    /// Length of the plaintext in bytes.
    pub fn plain_length(&self) -> u32 {
        match self.uncompressed_length {
            0 => self.length.saturating_sub(32),
            length => length,
        }
    }
}

/// Every blob of the repository and where its copies lie; built from all index files, then unchanging.
///
/// Sorted columns: 48 bytes a blob and 32 a pack, found by interpolation.
#[derive(Default)]
pub struct Index {}

impl Index {
    /// Whether the repository has the blob.
    pub fn contains(&self, kind: BlobKind, id: &BlobId) -> bool {
        self.find(kind, id).is_some()
    }
    /// The first copy of a blob.
    pub fn find(&self, kind: BlobKind, id: &BlobId) -> Option<Place> {
        self.copies(kind, id).next()
    }
    /// All copies of a blob.
    pub fn copies(&self, kind: BlobKind, id: &BlobId) -> impl Iterator<Item = Place> + '_ {
        let _ = (kind, id);
        std::iter::empty()
    }
    /// Plaintext length of a blob, without loading it.
    pub fn plain_length(&self, kind: BlobKind, id: &BlobId) -> Option<u32> {
        self.find(kind, id).map(|place| place.plain_length())
    }
    /// Number of entries (copies count each).
    pub fn len(&self) -> usize {
        0
    }
    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Every entry, sorted by kind and id.
    pub fn iter(&self) -> impl Iterator<Item = (BlobHandle, Place)> + '_ {
        std::iter::empty()
    }
    /// Every pack named by an index file.
    pub fn packs(&self) -> impl Iterator<Item = PackId> + '_ {
        std::iter::empty()
    }
}
