//! Go through all runs at once, in order; and through blobs, each with all of its copies.

use crate::blob::{BlobHandle, BlobKind};
use crate::error::{Error, Result};
use crate::index::Index;
use crate::index::row::{Row, Spot, number_at};
use crate::index::run::Run;
use crate::index::table::Scan;
use hashbrown::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What of the runs.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    Packs,
    Rows(BlobKind),
}

/// The records of all runs that are not masked, sorted; of equal ids, those of the first run come first.
pub(super) struct Merged<'a> {
    index: &'a Index,
    what: What,
    cursors: Vec<Cursor>,
}

/// A record as far as it goes; those of packs are shorter.
type Record = [u8; 48];

struct Cursor {
    member: usize,
    run: Arc<Run>,
    scan: Scan,
    /// The next record, and its position.
    head: Option<(Record, u64)>,
}

impl<'a> Merged<'a> {
    /// Begins with the first record.
    ///
    /// # Errors
    /// As those of every answer of the index.
    pub(super) fn new(index: &'a Index, what: What) -> Result<Self> {
        let mut merged = Merged { index, what, cursors: Vec::new() };
        for (member, run) in (0..).map_while(|member| Some((member, index.run(member)?))) {
            let scan = what.of(&run, 0);
            merged.cursors.push(Cursor { member, run, scan, head: None });
            merged.advance(member)?;
        }
        Ok(merged)
    }

    /// The next record: the number of its member, its position there, and its bytes.
    ///
    /// # Errors
    /// As those of every answer of the index.
    pub(super) fn next(&mut self) -> Result<Option<(usize, u64, Record)>> {
        let heads = self.cursors.iter().filter_map(|cursor| Some((cursor.head?, cursor.member)));
        let least = heads.min_by_key(|((record, _), member)| {
            (*record.first_chunk::<32>().expect("a record begins with an id"), *member)
        });
        let Some(((record, position), member)) = least else { return Ok(None) };
        self.advance(member)?;
        Ok(Some((member, position, record)))
    }

    fn advance(&mut self, member: usize) -> Result<()> {
        let cursor = &mut self.cursors[member];
        match cursor.take(self.what) {
            Err(error @ Error::Local { .. }) => match self.index.rebuilt(member, &cursor.run)? {
                ControlFlow::Break(()) => Err(error),
                ControlFlow::Continue(run) => {
                    let next = cursor.head.map_or(0, |(_, position)| position + 1);
                    (cursor.scan, cursor.run) = (self.what.of(&run, next), run);
                    cursor.take(self.what)
                }
            },
            taken => taken,
        }
    }
}

impl What {
    fn of(self, run: &Run, position: u64) -> Scan {
        match self {
            What::Packs => run.packs().scan(position),
            What::Rows(kind) => run.rows(kind).scan(position),
        }
    }
}

impl Cursor {
    /// Replaces the head by the next record that is not masked; leaves it where that cannot be read.
    fn take(&mut self, what: What) -> Result<()> {
        loop {
            let Some((position, bytes)) = self.scan.next()? else {
                self.head = None;
                return Ok(());
            };
            let pack = match what {
                What::Packs => position as u32,
                What::Rows(_) => number_at(bytes, 32),
            };
            if !self.run.is_masked(pack) {
                let mut record = [0; 48];
                record[..bytes.len()].copy_from_slice(bytes);
                self.head = Some((record, position));
                return Ok(());
            }
        }
    }
}

/// Every blob with all of its copies, sorted by kind and id.
pub(super) struct Blobs<'a> {
    index: &'a Index,
    merged: Option<(BlobKind, Merged<'a>)>,
    later: std::vec::IntoIter<BlobKind>,
    other_slots: Arc<HashMap<u64, u64>>,
    /// The first row of the next blob.
    next: Option<(u64, u64, Row)>,
    spots: Vec<(u64, Spot)>,
}

/// A blob, the number of its first row, and its copies with the slots of their packs, sorted by the packs' ids.
pub(super) struct Blob<'b> {
    pub(super) blob: BlobHandle,
    pub(super) row: u64,
    pub(super) spots: &'b [(u64, Spot)],
}

impl<'a> Blobs<'a> {
    /// All blobs.
    ///
    /// # Errors
    /// As those of every answer of the index.
    pub(super) fn new(index: &'a Index) -> Result<Self> {
        Self::of_kinds(index, BlobKind::ALL.to_vec())
    }

    /// The blobs of these kinds.
    ///
    /// # Errors
    /// As those of every answer of the index.
    pub(super) fn of_kinds(index: &'a Index, kinds: Vec<BlobKind>) -> Result<Self> {
        let other_slots = index.other_slots()?;
        let later = kinds.into_iter();
        Ok(Blobs { index, merged: None, later, other_slots, next: None, spots: Vec::new() })
    }

    /// The next blob.
    ///
    /// # Errors
    /// As those of every answer of the index.
    pub(super) fn next(&mut self) -> Result<Option<Blob<'_>>> {
        while self.next.is_none() {
            let Some(kind) = self.later.next() else { return Ok(None) };
            self.merged = Some((kind, Merged::new(self.index, What::Rows(kind))?));
            self.next = self.next_row()?;
        }
        let (Some((row, slot, first)), Some((kind, _))) = (self.next, &self.merged) else { return Ok(None) };
        let blob = first.blob(*kind);
        self.spots.clear();
        self.spots.push((slot, first.spot));
        loop {
            self.next = self.next_row()?;
            match self.next {
                Some((_, slot, row)) if row.id == first.id => self.spots.push((slot, row.spot)),
                _ => break,
            }
        }
        if self.spots.len() > 1 {
            self.sort_spots()?;
        }
        Ok(Some(Blob { blob, row, spots: &self.spots }))
    }

    fn sort_spots(&mut self) -> Result<()> {
        // Of the same pack's several slots only one is told, so equal places are equal here.
        self.spots.iter_mut().for_each(|(_, spot)| spot.pack = 0);
        self.spots.sort_unstable();
        self.spots.dedup();
        if self.index.members.len() > 1 {
            // Only within a run are slots in the order of ids.
            let placed = self.spots.iter().map(|(slot, spot)| Ok((self.index.pack_at(*slot)?, *slot, *spot)));
            let mut placed = placed.collect::<Result<Vec<_>>>()?;
            placed.sort_unstable();
            self.spots = placed.into_iter().map(|(_, slot, spot)| (slot, spot)).collect();
        }
        Ok(())
    }

    /// The next row, its number among all rows, and the slot of its pack.
    fn next_row(&mut self) -> Result<Option<(u64, u64, Row)>> {
        let Some((kind, merged)) = &mut self.merged else { return Ok(None) };
        let Some((member, position, record)) = merged.next()? else { return Ok(None) };
        let (row, member) = (Row::from_bytes(&record), &self.index.members[member]);
        let slot = member.first_slot + u64::from(row.spot.pack);
        let slot = match self.other_slots.is_empty() {
            true => slot,
            false => *self.other_slots.get(&slot).unwrap_or(&slot),
        };
        Ok(Some((member.first_row[*kind as usize] + position, slot, row)))
    }
}
