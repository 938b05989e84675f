//! A set of blobs that an index knows: a bit for each entry, set from several threads.

use crate::bits::Bits;
use crate::blob::{BlobHandle, BlobKind};
use crate::error::Result;
use crate::id::BlobId;
use crate::index::merged::{Blob, Blobs};
use crate::index::{Index, Spot};

/// A set of blobs that an index knows; 1/8 byte for each entry, whatever it holds.
///
/// Every answer is an error where the index cannot answer.
pub struct Marks<'a> {
    index: &'a Index,
    /// Of copies, the first row stands for all.
    rows: Bits,
}

impl Index {
    /// An empty set of this index's blobs.
    pub fn marks(&self) -> Marks<'_> {
        Marks { index: self, rows: Bits::new(self.rows) }
    }
}

impl<'a> Marks<'a> {
    /// Adds a blob; says whether it was new, or nothing if the index does not know it.
    pub fn mark(&self, kind: BlobKind, id: &BlobId) -> Result<Option<bool>> {
        Ok(self.index.first_row(kind, id)?.map(|row| self.rows.insert(row)))
    }

    /// Takes a blob out; says whether it was in.
    pub fn take(&self, kind: BlobKind, id: &BlobId) -> Result<bool> {
        Ok(self.index.first_row(kind, id)?.is_some_and(|row| self.rows.remove(row)))
    }

    /// Whether the blob is in.
    pub fn contains(&self, kind: BlobKind, id: &BlobId) -> Result<bool> {
        Ok(self.index.first_row(kind, id)?.is_some_and(|row| self.rows.contains(row)))
    }

    /// How many blobs are in.
    pub fn len(&self) -> u64 {
        self.rows.count()
    }

    /// Whether no blob is in.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes all blobs out.
    pub fn clear(&mut self) {
        self.rows = Bits::new(self.index.rows);
    }

    /// The numbers of the rows that stand for the blobs.
    pub(super) fn rows(&self) -> &Bits {
        &self.rows
    }

    /// The index whose blobs these are.
    pub fn index(&self) -> &'a Index {
        self.index
    }

    /// Every blob of the index with all of its copies, sorted by kind and id.
    pub(crate) fn blobs(&self) -> Result<MarkedBlobs<'a, '_>> {
        Ok(MarkedBlobs { rows: &self.rows, blobs: Blobs::new(self.index)? })
    }
}

/// Goes through the blobs of an index.
pub(crate) struct MarkedBlobs<'a, 'm> {
    rows: &'m Bits,
    blobs: Blobs<'a>,
}

/// What the index says of one blob: all of its copies.
pub(crate) struct Copies<'b> {
    pub(crate) blob: BlobHandle,
    /// Whether it is in the set.
    pub(crate) is_marked: bool,
    /// Where each copy lies in the pack of which slot, in the order of the packs' ids. The spots' own packs mean nothing.
    pub(crate) places: &'b [(u64, Spot)],
    row: u64,
    rows: &'b Bits,
}

impl MarkedBlobs<'_, '_> {
    /// The next blob.
    ///
    /// # Errors
    /// As those of every answer of the index.
    pub(crate) fn next(&mut self) -> Result<Option<Copies<'_>>> {
        let rows = self.rows;
        Ok(self.blobs.next()?.map(|Blob { blob, row, spots }| Copies {
            blob,
            is_marked: rows.contains(row),
            places: spots,
            row,
            rows,
        }))
    }
}

impl Copies<'_> {
    /// Takes the blob out of the set.
    pub(crate) fn unmark(&self) {
        self.rows.remove(self.row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PackId;
    use crate::pack::Entry;
    use crate::testing::index_of;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn blob(number: u8) -> BlobHandle {
        BlobHandle { kind: BlobKind::ALL[usize::from(number % 2)], id: BlobId::from_bytes([number; 32]) }
    }

    fn index(packs: &[Vec<u8>]) -> Index {
        let entries = |blobs: &Vec<u8>| {
            let at = blobs.iter().zip(0..);
            at.map(|(number, at)| Entry {
                blob: blob(*number),
                offset: at * 40,
                length: 40,
                uncompressed_length: 0,
            })
            .collect()
        };
        let packs: Vec<_> =
            packs.iter().zip(0..).map(|(blobs, n)| (PackId::from_bytes([n; 32]), entries(blobs))).collect();
        index_of(&packs)
    }

    proptest! {
        #[test]
        fn behaves_as_a_set(
            packs in proptest::collection::vec(proptest::collection::vec(0u8..200, 0..60), 0..5),
            marked in proptest::collection::vec(0u8..220, 0..80),
        ) {
            let mut copies: BTreeMap<BlobHandle, usize> = BTreeMap::new();
            packs.iter().flatten().for_each(|number| *copies.entry(blob(*number)).or_default() += 1);
            let index = index(&packs);
            let marks = index.marks();
            prop_assert!(marks.is_empty());
            let mut expect = BTreeSet::new();
            for blob in marked.iter().map(|number| blob(*number)) {
                let is_known = copies.contains_key(&blob);
                let is_new = is_known && expect.insert(blob);
                prop_assert_eq!(marks.mark(blob.kind, &blob.id).unwrap(), is_known.then_some(is_new));
            }
            let (mut listed, mut blobs) = (BTreeMap::new(), marks.blobs().unwrap());
            while let Some(copies) = blobs.next().unwrap() {
                listed.insert(copies.blob, copies.places.len());
                prop_assert_eq!(copies.is_marked, expect.contains(&copies.blob));
            }
            prop_assert_eq!(listed, copies);
            prop_assert_eq!(marks.len(), expect.len() as u64);
            for blob in (0..=255).map(blob) {
                prop_assert_eq!(marks.contains(blob.kind, &blob.id).unwrap(), expect.contains(&blob));
                prop_assert_eq!(marks.take(blob.kind, &blob.id).unwrap(), expect.contains(&blob));
                prop_assert!(!marks.contains(blob.kind, &blob.id).unwrap());
            }
        }
    }
}
