//! What the index keeps of one copy of a blob: 48 bytes that sort by id, then place.

use crate::blob::{BlobHandle, BlobKind};
use crate::id::BlobId;

/// A place, its pack given by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Spot {
    pub(crate) pack: u32,
    pub(crate) offset: u32,
    pub(crate) length: u32,
    pub(crate) uncompressed_length: u32,
}

/// An id and one of its places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Row {
    pub(super) id: [u8; 32],
    pub(super) spot: Spot,
}

/// The length of a row's bytes.
pub(super) const ROW: usize = 48;

impl Row {
    /// Its bytes, numbers with the highest byte first, so that bytes sort as rows do.
    pub(super) fn to_bytes(self) -> [u8; ROW] {
        let Spot { pack, offset, length, uncompressed_length } = self.spot;
        let mut bytes = [0; ROW];
        bytes[..32].copy_from_slice(&self.id);
        for (at, number) in bytes[32..].chunks_exact_mut(4).zip([pack, offset, length, uncompressed_length]) {
            at.copy_from_slice(&number.to_be_bytes());
        }
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Panics
    /// From fewer bytes than [`ROW`].
    pub(super) fn from_bytes(bytes: &[u8]) -> Row {
        let (id, rest) = bytes.split_first_chunk().expect("a row has 48 bytes");
        let number = |at: usize| number_at(rest, at * 4);
        let spot =
            Spot { pack: number(0), offset: number(1), length: number(2), uncompressed_length: number(3) };
        Row { id: *id, spot }
    }

    /// The blob of this row, if that is of this kind.
    pub(super) fn blob(&self, kind: BlobKind) -> BlobHandle {
        BlobHandle { kind, id: BlobId::from_bytes(self.id) }
    }
}

/// The number whose highest byte is at `at`.
///
/// # Panics
/// If there are not four bytes.
pub(super) fn number_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}
