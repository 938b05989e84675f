//! The two kinds of blobs, and a blob's handle.

use crate::id::BlobId;
use std::fmt;

/// What a blob holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BlobKind {
    /// A piece of a file.
    Data,
    /// A tree: one directory's nodes.
    Tree,
}

impl BlobKind {
    /// Both kinds.
    pub const ALL: [BlobKind; 2] = [BlobKind::Data, BlobKind::Tree];

    /// The word in index files and messages.
    pub const fn word(self) -> &'static str {
        match self {
            BlobKind::Data => "data",
            BlobKind::Tree => "tree",
        }
    }
}

/// A blob's full name: the same bytes as data and as tree are two blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobHandle {
    /// What it holds.
    pub kind: BlobKind,
    /// SHA-256 of its plaintext.
    pub id: BlobId,
}

impl fmt::Display for BlobHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} blob {:.8}", self.kind.word(), self.id)
    }
}
