//! Mark many blobs at once: their ids are sorted, and the index is gone through once.

use crate::blob::{BlobHandle, BlobKind};
use crate::error::Result;
use crate::id::BlobId;
use crate::index::Marks;
use crate::index::merged::Blobs;
use crate::sort::{Sorted, Sorter};
use std::sync::{Mutex, PoisonError};

/// Bytes of ids that are held in memory.
const MEMORY: usize = 16 << 20;
/// A look-up costs as much as going past so many rows.
const ROWS_A_LOOKUP: u64 = 40;

/// Blobs of one kind that are to be marked, from several threads, in any order.
pub struct MarkLater<'m> {
    marks: &'m Marks<'m>,
    kind: BlobKind,
    ids: Mutex<Sorter<32>>,
}

impl<'a> Marks<'a> {
    /// Begins to collect blobs of a kind, to be marked when it is [finished](MarkLater::finish).
    pub fn later(&'a self, kind: BlobKind) -> MarkLater<'a> {
        let sorter = Sorter::new(MEMORY, self.index().scratch.clone());
        MarkLater { marks: self, kind, ids: Mutex::new(sorter) }
    }
}

impl MarkLater<'_> {
    /// Adds blobs.
    ///
    /// # Errors
    /// Those of a temporary file.
    pub fn add(&self, ids: &[BlobId]) -> Result<()> {
        let mut sorter = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.iter().try_for_each(|id| sorter.push(*id.as_bytes()))
    }

    /// Marks all that were added; answers with those that the index does not know, sorted.
    ///
    /// Cost: a sort, and a pass over the index unless they are few.
    ///
    /// # Errors
    /// Those of the index and of a temporary file.
    pub fn finish(self) -> Result<Vec<BlobHandle>> {
        let sorter = self.ids.into_inner().unwrap_or_else(PoisonError::into_inner);
        let count = sorter.len();
        let ids = Once { ids: sorter.finish()?, before: None };
        match count.saturating_mul(ROWS_A_LOOKUP) < self.marks.index().rows {
            true => look_up(self.marks, self.kind, ids),
            false => go_through(self.marks, self.kind, ids),
        }
    }
}

fn look_up(marks: &Marks<'_>, kind: BlobKind, mut ids: Once) -> Result<Vec<BlobHandle>> {
    let mut unknown = Vec::new();
    while let Some(id) = ids.next()? {
        if marks.mark(kind, &id)?.is_none() {
            unknown.push(BlobHandle { kind, id });
        }
    }
    Ok(unknown)
}

fn go_through(marks: &Marks<'_>, kind: BlobKind, mut ids: Once) -> Result<Vec<BlobHandle>> {
    let (mut unknown, mut wanted) = (Vec::new(), ids.next()?);
    let mut blobs = Blobs::of_kinds(marks.index(), vec![kind])?;
    while let Some(known) = blobs.next()? {
        while let Some(id) = wanted.filter(|id| *id <= known.blob.id) {
            match id == known.blob.id {
                true => drop(marks.rows().insert(known.row)),
                false => unknown.push(BlobHandle { kind, id }),
            }
            wanted = ids.next()?;
        }
    }
    while let Some(id) = wanted {
        unknown.push(BlobHandle { kind, id });
        wanted = ids.next()?;
    }
    Ok(unknown)
}

/// Sorted ids, each once.
struct Once {
    ids: Sorted<32>,
    before: Option<BlobId>,
}

impl Once {
    fn next(&mut self) -> Result<Option<BlobId>> {
        while let Some(id) = self.ids.take_next()?.map(BlobId::from_bytes) {
            if self.before.replace(id) != Some(id) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PackId;
    use crate::pack::Entry;
    use crate::testing::index_of;

    #[test]
    fn marks_what_single_marks_would_and_tells_what_is_unknown() {
        let id = |number: u32| BlobId::of(&number.to_le_bytes());
        let kind = |number: u32| BlobKind::ALL[number as usize % 2];
        let entry = |number| Entry {
            blob: BlobHandle { kind: kind(number), id: id(number) },
            offset: 0,
            length: 40,
            uncompressed_length: 0,
        };
        let index = index_of(&[(PackId::from_bytes([1; 32]), (0..2000).map(entry).collect())]);
        for step in [1, 3, 999] {
            let marks = index.marks();
            let later = marks.later(BlobKind::Data);
            let wanted: Vec<BlobId> = (0..2100).rev().step_by(step).map(id).collect();
            later.add(&wanted).unwrap();
            later.add(&wanted[..1]).unwrap();
            let unknown = later.finish().unwrap();
            let mut expect: Vec<BlobHandle> = Vec::new();
            for number in (0..2100).rev().step_by(step) {
                let is_known = number < 2000 && kind(number) == BlobKind::Data;
                assert_eq!(marks.contains(BlobKind::Data, &id(number)).unwrap(), is_known);
                let blob = BlobHandle { kind: BlobKind::Data, id: id(number) };
                expect.extend((!is_known).then_some(blob));
            }
            expect.sort_unstable();
            assert_eq!(unknown, expect);
        }
    }
}
