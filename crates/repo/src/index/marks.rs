//! A set of blobs that an index knows: a bit for each entry, set from several threads.

use crate::blob::{BlobHandle, BlobKind};
use crate::id::BlobId;
use crate::index::columns::Spot;
use crate::index::{Index, Place};
use std::sync::atomic::{AtomicU64, Ordering};

/// A set of blobs that an index knows; 1/8 byte for each entry, whatever it holds.
pub struct Marks<'a> {
    index: &'a Index,
    /// For each row among all data and then all tree blobs a bit; of copies, the first stands for all.
    bits: Vec<AtomicU64>,
}

/// What the index says of one blob: all of its copies.
pub(crate) struct Copies<'a> {
    pub(crate) blob: BlobHandle,
    pub(crate) is_marked: bool,
    index: &'a Index,
    spots: &'a [Spot],
}

impl Index {
    /// An empty set of this index's blobs.
    pub fn marks(&self) -> Marks<'_> {
        let words = self.len().div_ceil(64);
        Marks { index: self, bits: std::iter::repeat_with(AtomicU64::default).take(words).collect() }
    }
}

impl<'a> Marks<'a> {
    /// Adds a blob; says whether it was new, or nothing if the index does not know it.
    pub fn mark(&self, kind: BlobKind, id: &BlobId) -> Option<bool> {
        let (word, bit) = self.position(kind, id)?;
        Some(word.fetch_or(bit, Ordering::Relaxed) & bit == 0)
    }

    /// Takes a blob out; says whether it was in.
    pub fn take(&self, kind: BlobKind, id: &BlobId) -> bool {
        match self.position(kind, id) {
            Some((word, bit)) => word.fetch_and(!bit, Ordering::Relaxed) & bit != 0,
            None => false,
        }
    }

    /// Whether the blob is in.
    pub fn contains(&self, kind: BlobKind, id: &BlobId) -> bool {
        self.position(kind, id).is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }

    /// How many blobs are in.
    pub fn len(&self) -> u64 {
        self.bits.iter().map(|word| u64::from(word.load(Ordering::Relaxed).count_ones())).sum()
    }

    /// Whether no blob is in.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The index whose blobs these are.
    pub fn index(&self) -> &'a Index {
        self.index
    }

    /// Every blob of the index with all of its copies, sorted by kind and id.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = Copies<'a>> + '_ {
        let index = self.index;
        BlobKind::ALL.into_iter().flat_map(move |kind| {
            let columns = index.of(kind);
            let mut next = 0;
            std::iter::from_fn(move || {
                let first = next;
                let (id, _) = (first < columns.len()).then(|| columns.row(first))?;
                next += 1;
                while next < columns.len() && columns.row(next).0 == id {
                    next += 1;
                }
                let (word, bit) = self.bit(kind, first);
                Some(Copies {
                    blob: BlobHandle { kind, id: BlobId::from_bytes(*id) },
                    is_marked: word.load(Ordering::Relaxed) & bit != 0,
                    index,
                    spots: columns.spots(first..next),
                })
            })
        })
    }

    fn position(&self, kind: BlobKind, id: &BlobId) -> Option<(&AtomicU64, u64)> {
        let rows = self.index.of(kind).find(id.as_bytes());
        (!rows.is_empty()).then(|| self.bit(kind, rows.start))
    }

    fn bit(&self, kind: BlobKind, row: usize) -> (&AtomicU64, u64) {
        let before = match kind {
            BlobKind::Data => 0,
            BlobKind::Tree => self.index.of(BlobKind::Data).len(),
        };
        let position = before + row;
        (&self.bits[position / 64], 1 << (position % 64))
    }
}

impl Copies<'_> {
    /// Where each copy lies, and the number of its pack in the order of [`Index::packs`].
    pub(crate) fn places(&self) -> impl ExactSizeIterator<Item = (usize, Place)> + '_ {
        self.spots.iter().map(|spot| (spot.pack as usize, self.index.place(spot)))
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
                prop_assert_eq!(marks.mark(blob.kind, &blob.id), is_known.then_some(is_new));
            }
            let listed: BTreeMap<_, _> = marks.blobs().map(|copies| (copies.blob, copies.places().len())).collect();
            prop_assert_eq!(listed, copies);
            prop_assert!(marks.blobs().all(|copies| copies.is_marked == expect.contains(&copies.blob)));
            prop_assert_eq!(marks.len(), expect.len() as u64);
            for blob in (0..=255).map(blob) {
                prop_assert_eq!(marks.contains(blob.kind, &blob.id), expect.contains(&blob));
                prop_assert_eq!(marks.take(blob.kind, &blob.id), expect.contains(&blob));
                prop_assert!(!marks.contains(blob.kind, &blob.id));
            }
        }
    }
}
