//! The index grouped by pack.

use crate::blob::{BlobHandle, BlobKind};
use crate::crypto::Key;
use crate::error::Result;
use crate::id::{BlobId, PackId};
use crate::index::blocks::{self, BlocksWriter, Home};
use crate::index::merged::Blobs;
use crate::index::row::number_at;
use crate::index::table::{Table, TableWriter};
use crate::index::{Index, Place};
use crate::pack::header::{FRAME, entry_size};
use crate::sort::Sorter;
use std::sync::Arc;

/// What the index says of one pack as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackTotals {
    /// Size of the whole file, if it holds these blobs and nothing else.
    pub size: u64,
    /// Number of blobs of each kind, in the order of [`BlobKind::ALL`].
    pub blobs: [u32; 2],
}

impl PackTotals {
    /// Whether the pack holds data and tree blobs.
    pub const fn is_mixed(&self) -> bool {
        self.blobs[0] > 0 && self.blobs[1] > 0
    }
}

/// The totals of all packs: 16 bytes for each.
pub struct Totals<'a> {
    index: &'a Index,
    /// By slot.
    totals: Vec<PackTotals>,
}

impl Totals<'_> {
    /// The totals of the pack of a slot.
    pub(crate) fn of(&self, slot: u64) -> PackTotals {
        self.totals[slot as usize]
    }

    /// How many packs there are at most.
    pub fn len(&self) -> u64 {
        self.totals.len() as u64
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.totals.is_empty()
    }

    /// Every pack and its totals, sorted by id.
    pub fn iter(&self) -> impl Iterator<Item = Result<(PackId, PackTotals)>> + '_ {
        self.index.packs().map(|pack| pack.map(|(pack, slot)| (pack, self.of(slot))))
    }
}

/// The entries of each pack in order of offset, in a temporary file of 54 bytes a blob.
pub struct ByPack<'a> {
    index: &'a Index,
    /// Slot, offset, kind, id, length and uncompressed length.
    table: Option<Table>,
}

/// The length of a record of [`ByPack`].
const RECORD: usize = 8 + 4 + 1 + 32 + 4 + 4;
/// Bytes of records that are held in memory while they are sorted.
const MEMORY: usize = 24 << 20;

impl Index {
    /// Totals of every pack; costs a pass over the index.
    ///
    /// # Errors
    /// As those of every answer.
    pub fn pack_totals(&self) -> Result<Totals<'_>> {
        let mut totals = vec![PackTotals { size: FRAME as u64, blobs: [0; 2] }; self.slots as usize];
        let mut blobs = Blobs::new(self)?;
        while let Some(blob) = blobs.next()? {
            for (slot, spot) in blob.spots {
                let total = &mut totals[*slot as usize];
                total.size += u64::from(spot.length) + entry_size(spot.uncompressed_length) as u64;
                total.blobs[blob.blob.kind as usize] += 1;
            }
        }
        Ok(Totals { index: self, totals })
    }

    /// Groups the entries by pack; costs a pass over the index and a sort.
    ///
    /// # Errors
    /// As those of every answer; and those of a temporary file.
    pub fn by_pack(&self) -> Result<ByPack<'_>> {
        if self.is_empty() {
            return Ok(ByPack { index: self, table: None });
        }
        let (mut sorter, mut blobs) =
            (Sorter::<RECORD>::new(MEMORY, self.scratch.clone()), Blobs::new(self)?);
        while let Some(blob) = blobs.next()? {
            for (slot, spot) in blob.spots {
                let mut record = [0; RECORD];
                record[..8].copy_from_slice(&slot.to_be_bytes());
                record[8..12].copy_from_slice(&spot.offset.to_be_bytes());
                record[12] = blob.blob.kind as u8;
                record[13..45].copy_from_slice(blob.blob.id.as_bytes());
                record[45..49].copy_from_slice(&spot.length.to_be_bytes());
                record[49..].copy_from_slice(&spot.uncompressed_length.to_be_bytes());
                sorter.push(record)?;
            }
        }
        let mut sorted = sorter.finish()?;
        let home = Home::Unnamed(self.scratch.clone());
        let mut written = BlocksWriter::new(Arc::new(Key::random()?), home)?;
        let mut table = TableWriter::new(&mut written, RECORD);
        while let Some(record) = sorted.take_next()? {
            table.push(&record)?;
        }
        let outline = table.finish()?;
        let written = Arc::new(written.finish(blocks::cache())?);
        Ok(ByPack { index: self, table: Some(Table::open(&written, outline)?) })
    }
}

impl ByPack<'_> {
    /// The blobs of a pack in order of offset; none if no index file names it.
    ///
    /// # Errors
    /// As those of every answer of the index.
    pub fn blobs(&self, pack: &PackId) -> Result<Vec<(BlobHandle, Place)>> {
        let (Some(table), Some(slot)) = (&self.table, self.index.slot_of(pack)?) else {
            return Ok(Vec::new());
        };
        let others = self.index.other_slots()?;
        let slot = *others.get(&slot).unwrap_or(&slot);
        let (mut position, mut blobs) = (table.lower_bound(&slot.to_be_bytes())?, Vec::new());
        while position < table.len() {
            let (of, blob, place) = table.get(position, |record| read(record, *pack))?;
            if of != slot {
                break;
            }
            blobs.push((blob, place));
            position += 1;
        }
        Ok(blobs)
    }
}

/// The slot and the entry in a record.
fn read(record: &[u8], pack: PackId) -> (u64, BlobHandle, Place) {
    let slot = u64::from_be_bytes(*record.first_chunk().expect("a record begins with the slot"));
    let kind = BlobKind::ALL[usize::from(record[12] & 1)];
    let id = BlobId::from_bytes(*record[13..].first_chunk().expect("a record holds an id"));
    let (offset, length) = (number_at(record, 8), number_at(record, 45));
    (
        slot,
        BlobHandle { kind, id },
        Place { pack, offset, length, uncompressed_length: number_at(record, 49) },
    )
}
