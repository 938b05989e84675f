//! Gather what index files say into a run.

use crate::blob::BlobKind;
use crate::crypto::Key;
use crate::error::{Error, Result};
use crate::id::IndexId;
use crate::index::blocks::{BlockCache, Home};
use crate::index::file::IndexFile;
use crate::index::row::{ROW, Row, number_at};
use crate::index::run::{PACK, Run, RunWriter};
use crate::sort::{Sorted, Sorter};
use std::sync::Arc;

/// Bytes of rows of data and of tree blobs, and of packs, that are held in memory.
const MEMORY: [usize; 3] = [20 << 20, 5 << 20, 3 << 20];
/// A pack's record, then its number in the order in which the packs came.
const NUMBERED: usize = PACK + 4;

/// Takes index files in any order.
pub(super) struct Gatherer {
    key: Arc<Key>,
    home: Home,
    /// Sorted.
    sources: Vec<IndexId>,
    rows: [Sorter<ROW>; 2],
    packs: Sorter<NUMBERED>,
    /// How many packs came.
    came: u32,
}

impl Gatherer {
    /// A gatherer for these index files, which are sorted.
    pub(super) fn new(sources: Vec<IndexId>, key: Arc<Key>, home: Home) -> Gatherer {
        let folder = || home.folder().to_owned();
        let [data, trees, packs] = MEMORY;
        let rows = [Sorter::new(data, folder()), Sorter::new(trees, folder())];
        let packs = Sorter::new(packs, folder());
        Gatherer { key, home, sources, rows, packs, came: 0 }
    }

    /// Hears what one of the index files says.
    ///
    /// # Errors
    /// Those of the temporary files; more packs than there are numbers.
    pub(super) fn add(&mut self, id: IndexId, file: &IndexFile) -> Result<()> {
        let source = self.sources.binary_search(&id).expect("the index files were named at the beginning");
        let too_many = || Error::Refused("the index names more than 4294967295 packs".into());
        let first = self.came;
        for pack in file.packs() {
            let mut record = [0; NUMBERED];
            record[..32].copy_from_slice(pack.as_bytes());
            record[32..PACK].copy_from_slice(&(source as u32).to_be_bytes());
            record[PACK..].copy_from_slice(&self.came.to_be_bytes());
            self.packs.push(record)?;
            self.came = self.came.checked_add(1).ok_or_else(too_many)?;
        }
        for kind in BlobKind::ALL {
            for row in file.rows(kind) {
                let mut row = *row;
                row.spot.pack += first;
                self.rows[kind as usize].push(row.to_bytes())?;
            }
        }
        Ok(())
    }

    /// The run of what was heard.
    ///
    /// Memory: 4 bytes for each pack beside what the gatherer holds.
    ///
    /// # Errors
    /// Those of the temporary files and of writing.
    pub(super) fn finish(self, cache: Arc<BlockCache>) -> Result<Run> {
        let Gatherer { key, home, sources, rows, packs, came } = self;
        let mut writer = RunWriter::new(key, home)?;
        let numbers = write_packs(&mut writer, packs.finish()?, came)?;
        for rows in rows {
            let count = rows.len();
            let mut rows: Sorted<ROW> = rows.finish()?;
            writer.rows(count, || {
                let row = rows.take_next()?.map(|bytes| Row::from_bytes(&bytes));
                Ok(row.map(|mut row| {
                    row.spot.pack = numbers[row.spot.pack as usize];
                    row
                }))
            })?;
        }
        writer.finish(&sources, cache)
    }
}

/// Writes the packs; answers with the number in the run of each, in the order in which they came.
fn write_packs(writer: &mut RunWriter, mut packs: Sorted<NUMBERED>, came: u32) -> Result<Vec<u32>> {
    let (mut numbers, mut written, mut before) = (vec![0; came as usize], 0u32, None);
    writer.packs(|| {
        while let Some(record) = packs.take_next()? {
            let pack: [u8; PACK] = *record.first_chunk().expect("the record begins with the pack's");
            let is_new = before != Some(pack); // a file may name a pack twice
            written += u32::from(is_new);
            numbers[number_at(&record, PACK) as usize] = written - 1;
            before = Some(pack);
            if is_new {
                return Ok(Some(pack));
            }
        }
        Ok(None)
    })?;
    Ok(numbers)
}
