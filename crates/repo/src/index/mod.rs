//! The index: which blob is in which pack, where, and how long.
//!
//! [`Index`] answers; it is merged by `merge` from what `file` reads out of index files, and lies in the
//! sorted `columns`. [`ByPack`] is the same, grouped by pack. `pending` collects the packs of an upload for
//! the next index file. Nothing outside of this folder knows how entries are kept.

mod by_pack;
mod columns;
mod marks;
pub(crate) mod file;
pub(crate) mod merge;
pub(crate) mod pending;

pub use by_pack::{ByPack, PackTotals};
pub use marks::Marks;

use crate::blob::{BlobHandle, BlobKind};
use crate::id::{BlobId, IndexId, PackId};
use crate::pack::Entry;
use columns::{Columns, Spot};

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

    /// The same as an entry of the pack's header.
    pub fn entry(&self, blob: BlobHandle) -> Entry {
        let Place { offset, length, uncompressed_length, .. } = *self;
        Entry { blob, offset, length, uncompressed_length }
    }
}

impl Entry {
    /// Where the entry's blob lies, if it is one of this pack's header.
    pub(crate) fn place_in(&self, pack: PackId) -> Place {
        let Entry { offset, length, uncompressed_length, .. } = *self;
        Place { pack, offset, length, uncompressed_length }
    }
}

/// Every blob of the repository and where its copies lie; built from all index files, then unchanging.
///
/// Sorted columns: 48 bytes a blob and 32 a pack; the first bits of an id lead to the few ids beside it.
/// Index files are believed: a place may be wrong, and who loads from it verifies what comes.
#[derive(Default)]
pub struct Index {
    /// One for each kind, in the order of [`BlobKind::ALL`].
    columns: [Columns; 2],
    /// Sorted; places refer to positions.
    packs: Vec<PackId>,
    /// Sorted.
    files: Vec<IndexId>,
}

impl Index {
    /// The index files that were merged, sorted.
    pub fn files(&self) -> &[IndexId] {
        &self.files
    }

    /// Whether the repository has the blob.
    pub fn contains(&self, kind: BlobKind, id: &BlobId) -> bool {
        !self.of(kind).find(id.as_bytes()).is_empty()
    }

    /// The first copy of a blob.
    pub fn find(&self, kind: BlobKind, id: &BlobId) -> Option<Place> {
        self.copies(kind, id).next()
    }

    /// All copies of a blob.
    pub fn copies(&self, kind: BlobKind, id: &BlobId) -> impl Iterator<Item = Place> + '_ {
        let columns = self.of(kind);
        columns.spots(columns.find(id.as_bytes())).iter().map(|spot| self.place(spot))
    }

    /// Plaintext length of a blob, without loading it.
    pub fn plain_length(&self, kind: BlobKind, id: &BlobId) -> Option<u32> {
        self.find(kind, id).map(|place| place.plain_length())
    }

    /// Number of entries (copies count each).
    pub fn len(&self) -> usize {
        self.columns.iter().map(Columns::len).sum()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every entry, sorted by kind and id.
    pub fn iter(&self) -> impl Iterator<Item = (BlobHandle, Place)> + '_ {
        BlobKind::ALL.into_iter().flat_map(move |kind| {
            let of_kind = self.of(kind).iter();
            of_kind
                .map(move |(id, spot)| (BlobHandle { kind, id: BlobId::from_bytes(*id) }, self.place(spot)))
        })
    }

    /// Every pack named by an index file, sorted.
    pub fn packs(&self) -> impl ExactSizeIterator<Item = PackId> + '_ {
        self.packs.iter().copied()
    }

    /// Whether an index file names the pack.
    pub fn contains_pack(&self, pack: &PackId) -> bool {
        self.pack_number(pack).is_some()
    }

    /// Every pack that holds a tree blob, sorted.
    pub fn tree_packs(&self) -> impl Iterator<Item = PackId> + '_ {
        let mut holds_trees = vec![false; self.packs.len()];
        for (_, spot) in self.of(BlobKind::Tree).iter() {
            holds_trees[spot.pack as usize] = true;
        }
        self.packs().zip(holds_trees).filter_map(|(pack, holds)| holds.then_some(pack))
    }

    fn pack_number(&self, pack: &PackId) -> Option<usize> {
        self.packs.binary_search(pack).ok()
    }

    fn of(&self, kind: BlobKind) -> &Columns {
        &self.columns[kind as usize]
    }

    fn place(&self, spot: &Spot) -> Place {
        let Spot { pack, offset, length, uncompressed_length } = *spot;
        Place { pack: self.packs[pack as usize], offset, length, uncompressed_length }
    }
}
