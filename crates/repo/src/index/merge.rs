//! Merge several runs into one, without what is masked in them.

use crate::blob::BlobKind;
use crate::crypto::Key;
use crate::error::{Error, Result};
use crate::id::IndexId;
use crate::index::blocks::{BlockCache, Home};
use crate::index::row::{Row, number_at};
use crate::index::run::{PACK, Run, RunWriter};
use crate::index::table::Scan;
use std::sync::Arc;

/// The run that says what `runs` say, as far as the index files that say it are among `listed`, which is sorted.
///
/// Cost: all of them are read once. Memory: 4 bytes for each pack.
///
/// # Errors
/// Those of reading them, and of writing.
pub(super) fn merge(
    runs: &[Arc<Run>],
    listed: &[IndexId],
    key: Arc<Key>,
    home: Home,
    cache: Arc<BlockCache>,
) -> Result<Run> {
    let mut sources: Vec<IndexId> = runs.iter().flat_map(|run| run.sources()).copied().collect();
    sources.retain(|source| listed.binary_search(source).is_ok());
    sources.sort_unstable();
    sources.dedup();
    let mut writer = RunWriter::new(key, home)?;
    let numbers = merge_packs(&mut writer, runs, &sources)?;
    for kind in BlobKind::ALL {
        let mut inputs = Vec::new();
        for (run, numbers) in runs.iter().zip(&numbers) {
            inputs.push(Rows::new(run.rows(kind).scan(0), numbers)?);
        }
        let at_most = runs.iter().map(|run| run.rows(kind).len()).sum();
        writer.rows(at_most, || {
            let least = inputs.iter_mut().filter(|rows| rows.head.is_some()).min_by_key(|rows| rows.head);
            least.map_or(Ok(None), Rows::take)
        })?;
    }
    writer.finish(&sources, cache)
}

/// A masked pack has this number.
const NONE: u32 = u32::MAX;

/// Writes the packs; answers with the new number of each run's packs.
fn merge_packs(writer: &mut RunWriter, runs: &[Arc<Run>], sources: &[IndexId]) -> Result<Vec<Vec<u32>>> {
    let mut numbers: Vec<Vec<u32>> = runs.iter().map(|run| vec![NONE; run.packs().len() as usize]).collect();
    let mut inputs = Vec::new();
    for run in runs {
        inputs.push(Packs::new(run, sources)?);
    }
    let (mut written, mut before) = (0u32, None);
    writer.packs(|| {
        loop {
            let least = inputs.iter_mut().zip(&mut numbers).filter(|(packs, _)| packs.head.is_some());
            let Some((packs, numbers)) = least.min_by_key(|(packs, _)| packs.head) else { return Ok(None) };
            let Some((pack, number)) = packs.take()? else { return Ok(None) };
            let is_new = before != Some(pack);
            written = written.checked_add(u32::from(is_new)).ok_or_else(too_many)?;
            numbers[number as usize] = written - 1;
            before = Some(pack);
            if is_new {
                return Ok(Some(pack));
            }
        }
    })?;
    Ok(numbers)
}

fn too_many() -> Error {
    Error::Refused("the index names more than 4294967295 packs".into())
}

/// The packs of a run that are not masked, with the new numbers of their sources.
struct Packs<'r> {
    run: &'r Run,
    scan: Scan,
    /// Of each source of the run.
    sources: Vec<u32>,
    head: Option<([u8; PACK], u64)>,
}

impl<'r> Packs<'r> {
    fn new(run: &'r Run, sources: &[IndexId]) -> Result<Self> {
        let number = |source| sources.binary_search(source).map_or(NONE, |number| number as u32);
        let sources = run.sources().iter().map(number).collect();
        let mut packs = Packs { run, scan: run.packs().scan(0), sources, head: None };
        packs.take()?;
        Ok(packs)
    }

    /// The pack at the head, and its number in the run.
    fn take(&mut self) -> Result<Option<([u8; PACK], u64)>> {
        let taken = self.head.take();
        while let Some((number, record)) = self.scan.next()? {
            if !self.run.is_masked(number as u32) {
                let mut pack: [u8; PACK] = *record.first_chunk().expect("a pack's record");
                let source = self.sources[number_at(&pack, 32) as usize];
                pack[32..].copy_from_slice(&source.to_be_bytes());
                self.head = Some((pack, number));
                break;
            }
        }
        Ok(taken)
    }
}

/// The rows of a run that are not masked, with the new numbers of their packs.
struct Rows<'r> {
    scan: Scan,
    numbers: &'r [u32],
    head: Option<Row>,
}

impl<'r> Rows<'r> {
    fn new(scan: Scan, numbers: &'r [u32]) -> Result<Self> {
        let mut rows = Rows { scan, numbers, head: None };
        rows.take()?;
        Ok(rows)
    }

    fn take(&mut self) -> Result<Option<Row>> {
        let taken = self.head.take();
        while let Some((_, record)) = self.scan.next()? {
            let mut row = Row::from_bytes(record);
            row.spot.pack = self.numbers[row.spot.pack as usize];
            if row.spot.pack != NONE {
                self.head = Some(row);
                break;
            }
        }
        Ok(taken)
    }
}
