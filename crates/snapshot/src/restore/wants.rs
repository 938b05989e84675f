//! The blobs that files want, in the order in which they lie in packs; aside if they are many.

use crate::error::Result;
use crate::restore::aside::Room;
use crate::restore::items::ItemNumber;
use std::sync::{Mutex, PoisonError};
use tresor_repo::sort::{Sorted, Sorter};

/// Bytes of a pack that a worker takes at once: enough for few requests, little enough that all
/// workers end at about the same time.
const PORTION: u64 = 8 << 20;

/// So many wants a worker takes at once at most, even if that cuts those for one blob apart.
const WANTS: usize = 16 << 10;

/// A blob that a file wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Want {
    /// Which pack, by its place in [`RestorePlan::packs`](super::RestorePlan::packs).
    pub(crate) pack: u32,
    /// Where in the pack, and how long there.
    pub(crate) offset: u32,
    pub(crate) length: u32,
    pub(crate) uncompressed_length: u32,
    /// Which file, and where in it.
    pub(crate) item: ItemNumber,
    pub(crate) file_offset: u64,
    /// Which blob, by its place in the table.
    pub(crate) blob: u32,
}

/// A want as bytes that sort as it does: by pack and place there, then by file and place there.
type Record = [u8; 32];

impl Want {
    fn record(&self) -> Record {
        let mut record = [0; 32];
        let numbers = [self.pack, self.offset, self.length, self.uncompressed_length, self.item];
        for (field, number) in record.as_chunks_mut().0.iter_mut().zip(numbers) {
            *field = number.to_be_bytes();
        }
        record[20..28].copy_from_slice(&self.file_offset.to_be_bytes());
        record[28..].copy_from_slice(&self.blob.to_be_bytes());
        record
    }

    fn of_record(record: &Record) -> Self {
        let [pack, offset, length, uncompressed_length, item, high, low, blob] =
            std::array::from_fn(|at| u32::from_be_bytes(record.as_chunks().0[at]));
        let file_offset = u64::from(high) << 32 | u64::from(low);
        Want { pack, offset, length, uncompressed_length, item, file_offset, blob }
    }
}

/// Takes wants in any order.
pub(crate) struct Collected(Sorter<32>);

impl Collected {
    /// None yet.
    pub(crate) fn new(room: Room<'_>) -> Self {
        let memory = usize::try_from(room.longest).unwrap_or(usize::MAX);
        Collected(Sorter::new(memory, room.folder.to_owned()))
    }

    pub(crate) fn push(&mut self, want: &Want) -> Result<()> {
        Ok(self.0.push(want.record())?)
    }

    /// All of them, sorted.
    pub(crate) fn finish(self) -> Result<Wants> {
        Ok(Wants(Mutex::new(Rest { sorted: self.0.finish()?, next: None })))
    }
}

/// Sorted wants, to be taken by several workers.
pub(crate) struct Wants(Mutex<Rest>);

struct Rest {
    sorted: Sorted<32>,
    /// What was taken, and belongs to the next portion.
    next: Option<Want>,
}

impl Wants {
    /// Begins with the first portion again.
    pub(crate) fn rewind(&self) -> Result<()> {
        let mut rest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rest.next = None;
        Ok(rest.sorted.rewind()?)
    }

    /// The next wants, all in one pack, up to where it ends or the portion is full; none at the end.
    pub(crate) fn portion(&self) -> Result<Vec<Want>> {
        let mut rest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut portion: Vec<Want> = rest.next.take().into_iter().collect();
        while let Some(record) = rest.sorted.take_next()? {
            let want = Want::of_record(&record);
            if portion.first().is_some_and(|first| ends(first, &want)) || portion.len() == WANTS {
                rest.next = Some(want);
                break;
            }
            portion.push(want);
        }
        Ok(portion)
    }
}

/// Whether a portion that begins with `first` ends before `want`; not between wants for one blob.
fn ends(first: &Want, want: &Want) -> bool {
    want.pack != first.pack || u64::from(want.offset) >= u64::from(first.offset) + PORTION
}

#[cfg(test)]
mod tests {
    use super::*;

    fn want(pack: u32, offset: u32, item: ItemNumber) -> Want {
        let file_offset = (7 << 32) + u64::from(item);
        Want { pack, offset, length: 1 << 20, uncompressed_length: 5, item, file_offset, blob: item * 3 }
    }

    fn portions(wants: impl IntoIterator<Item = Want>, longest: u64) -> Vec<Vec<Want>> {
        let mut collected = Collected::new(Room { folder: &std::env::temp_dir(), longest });
        wants.into_iter().for_each(|want| collected.push(&want).unwrap());
        let wants = collected.finish().unwrap();
        let all = || (0..).map(|_| wants.portion().unwrap()).take_while(|portion| !portion.is_empty());
        let first: Vec<_> = all().collect();
        wants.rewind().unwrap();
        assert_eq!(all().collect::<Vec<_>>(), first);
        first
    }

    #[test]
    fn portions_end_with_their_pack_and_keep_one_blob_together() {
        let sorted = [
            want(0, 0, 1),
            want(0, 7 << 20, 1),
            want(0, 7 << 20, 2),
            want(0, 8 << 20, 1),
            want(0, 8 << 20, 3),
            want(1, 0, 1),
            want(1, 100, 2),
            want(256, 0, 0),
        ];
        let found = portions(sorted.into_iter().rev(), 1 << 20);
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [3, 2, 2, 1]);
        assert_eq!(found.concat(), sorted);
        assert!(portions([], 0).is_empty());
    }

    #[test]
    fn portions_are_the_same_from_a_file_and_never_without_end() {
        let all: Vec<Want> = (0..40_000).map(|item| want(item % 2, 0, item)).collect();
        let found = portions(all.iter().copied(), 0);
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [WANTS, 3616, WANTS, 3616]);
        assert_eq!(found, portions(all, 1 << 30));
    }
}
