//! A run: what some index files say, merged once, sorted, in sealed blocks.
//!
//! Two filters, and four tables: packs (id and the index file that names it; a pack named by several is there several times), data
//! rows, tree rows (whose packs are positions in the first), and the ids of the index files. Where one of these
//! files is gone from the repository, what only it has said is masked.

use crate::bits::Bits;
use crate::blob::BlobKind;
use crate::crypto::Key;
use crate::error::Result;
use crate::id::{IndexId, PackId};
use crate::index::Place;
use crate::index::blocks::{BlockCache, Blocks, BlocksWriter, Home, local};
use crate::index::filter::{Filter, FilterWriter};
use crate::index::row::{ROW, Row, Spot, number_at};
use crate::index::table::{Outline, Table, TableWriter};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How the last block of a run's file begins.
const MAGIC: &[u8; 16] = b"tresor/index/v1\n";
/// The length of a pack's record: its id, and the number of the index file among the run's.
pub(super) const PACK: usize = 36;

/// A run to be read.
pub(super) struct Run {
    /// In the order of [`BlobKind::ALL`].
    rows: [Table; 2],
    /// For each kind.
    filters: [Filter; 2],
    packs: Table,
    /// The index files it was built from, sorted.
    sources: Vec<IndexId>,
    /// Packs that no index file names any more, by their numbers.
    masked: Option<Bits>,
    /// How many records of packs name one that the record before names.
    repeated: u64,
    /// Its file, if that has a name.
    path: Option<PathBuf>,
}

impl Run {
    /// Opens a run that was kept in a file.
    ///
    /// # Errors
    /// [`Error::Local`](crate::Error::Local): it is not one, or not ours, or damaged.
    pub(super) fn open(path: &Path, id: [u8; 16], key: Arc<Key>, cache: Arc<BlockCache>) -> Result<Run> {
        let blocks = Arc::new(Blocks::open(path, id, key, cache)?);
        Run::of_blocks(&blocks, Some(path.to_owned()))
    }

    fn of_blocks(blocks: &Arc<Blocks>, path: Option<PathBuf>) -> Result<Run> {
        let bad = || {
            let source = io::Error::new(io::ErrorKind::InvalidData, "it is no run of this version");
            local("read the local index", path.as_deref().unwrap_or(Path::new("(memory)")), source)
        };
        let last = blocks.count().checked_sub(1).ok_or_else(bad)?;
        let end = blocks.get(last)?;
        let mut numbers = end[MAGIC.len()..].as_chunks().0.iter().map(|bytes| u64::from_be_bytes(*bytes));
        let mut outline = || -> Option<Outline> {
            Some(Outline { record: numbers.next()?, len: numbers.next()?, first: numbers.next()? })
        };
        let outlines = [outline(), outline(), outline(), outline()].map(Option::unwrap_or_default);
        let records = [PACK, ROW, ROW, 32].map(|length| length as u64);
        let is_sound = outlines
            .iter()
            .zip(records)
            .all(|(outline, record)| outline.record == record && outline.fits(last));
        if end[..MAGIC.len()] != MAGIC[..] || !is_sound {
            return Err(bad());
        }
        let [packs, data, trees, sources] = outlines;
        let repeated = numbers.next().unwrap_or_default();
        let mut filter = || Filter::open(blocks, numbers.next()?, numbers.next()?, last);
        let (Some(of_data), Some(of_trees)) = (filter(), filter()) else { return Err(bad()) };
        let filters = [of_data, of_trees];
        Ok(Run {
            rows: [Table::open(blocks, data)?, Table::open(blocks, trees)?],
            filters,
            packs: Table::open(blocks, packs)?,
            sources: read_sources(&Table::open(blocks, sources)?)?,
            masked: None,
            repeated,
            path,
        })
    }

    /// The rows of a kind.
    pub(super) fn rows(&self, kind: BlobKind) -> &Table {
        &self.rows[kind as usize]
    }

    /// The packs, by id and source.
    pub(super) fn packs(&self) -> &Table {
        &self.packs
    }

    /// The index files it was built from, sorted.
    pub(super) fn sources(&self) -> &[IndexId] {
        &self.sources
    }

    /// Its file, if that has a name.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Whether positions of packs and ids of packs are not one to one.
    pub(super) fn has_repeated_packs(&self) -> bool {
        self.repeated > 0
    }

    /// Masks what only index files say that are not among `listed`, which is sorted.
    ///
    /// # Errors
    /// Those of reading a block.
    pub(super) fn mask(&mut self, listed: &[IndexId]) -> Result<()> {
        let vanished: Vec<bool> =
            self.sources.iter().map(|source| listed.binary_search(source).is_err()).collect();
        if !vanished.contains(&true) {
            return Ok(());
        }
        let masked = Bits::new(self.packs.len());
        let mut packs = self.packs.scan(0);
        while let Some((number, pack)) = packs.next()? {
            if vanished.get(number_at(pack, 32) as usize) != Some(&false) {
                masked.insert(number);
            }
        }
        self.masked = Some(masked);
        Ok(())
    }

    /// How many packs are masked.
    pub(super) fn masked(&self) -> u64 {
        self.masked.as_ref().map_or(0, Bits::count)
    }

    /// Whether a pack is masked.
    pub(super) fn is_masked(&self, pack: u32) -> bool {
        self.masked.as_ref().is_some_and(|masked| masked.contains(pack.into()))
    }

    /// Whether it may have a blob; `false` is certain.
    ///
    /// # Errors
    /// Those of reading a block.
    pub(super) fn may_hold(&self, kind: BlobKind, id: &[u8; 32]) -> Result<bool> {
        self.filters[kind as usize].may_hold(id)
    }

    /// Hands every row of a blob that is not masked, with its position, to `each` until that has enough (`false`).
    ///
    /// # Errors
    /// Those of reading a block.
    pub(super) fn find(
        &self,
        kind: BlobKind,
        id: &[u8; 32],
        mut each: impl FnMut(u64, Spot) -> bool,
    ) -> Result<()> {
        let rows = self.rows(kind);
        let mut position = rows.lower_bound(id)?;
        while position < rows.len() {
            let row = rows.get(position, Row::from_bytes)?;
            if row.id != *id || (!self.is_masked(row.spot.pack) && !each(position, row.spot)) {
                break;
            }
            position += 1;
        }
        Ok(())
    }

    /// The first row of a blob that is not masked, and its position.
    ///
    /// # Errors
    /// Those of reading a block.
    pub(super) fn first(&self, kind: BlobKind, id: &[u8; 32]) -> Result<Option<(u64, Spot)>> {
        let mut first = None;
        self.find(kind, id, |position, spot| {
            first = Some((position, spot));
            false
        })?;
        Ok(first)
    }

    /// The id of a pack.
    ///
    /// # Errors
    /// Those of reading a block.
    pub(super) fn pack(&self, number: u32) -> Result<PackId> {
        self.packs.get(number.into(), pack_of)
    }

    /// The place that a spot says.
    ///
    /// # Errors
    /// Those of reading a block.
    pub(super) fn place(&self, spot: Spot) -> Result<Place> {
        let Spot { pack, offset, length, uncompressed_length } = spot;
        Ok(Place { pack: self.pack(pack)?, offset, length, uncompressed_length })
    }

    /// The number of a pack that it names.
    ///
    /// # Errors
    /// Those of reading a block.
    pub(super) fn number_of(&self, pack: &PackId) -> Result<Option<u32>> {
        let mut number = self.packs.lower_bound(pack.as_bytes())?;
        while number < self.packs.len() && self.packs.get(number, pack_of)? == *pack {
            if !self.is_masked(number as u32) {
                return Ok(Some(number as u32));
            }
            number += 1;
        }
        Ok(None)
    }
}

/// The id in a pack's record.
pub(super) fn pack_of(record: &[u8]) -> PackId {
    PackId::from_bytes(*record.first_chunk().expect("a pack's record begins with its id"))
}

fn read_sources(table: &Table) -> Result<Vec<IndexId>> {
    let (mut sources, mut scan) = (Vec::new(), table.scan(0));
    while let Some((_, source)) = scan.next()? {
        sources.push(IndexId::from_bytes(*source.first_chunk().expect("a source is an id")));
    }
    Ok(sources)
}

/// Writes a run: first its packs, then the rows of each kind.
pub(super) struct RunWriter {
    blocks: BlocksWriter,
    home: Home,
    tables: Vec<Outline>,
    /// The first block and the number of buckets of each.
    filters: Vec<(u64, u64)>,
    repeated: u64,
}

impl RunWriter {
    /// Begins a run.
    ///
    /// # Errors
    /// As those of [`BlocksWriter::new`].
    pub(super) fn new(key: Arc<Key>, home: Home) -> Result<RunWriter> {
        let blocks = BlocksWriter::new(key, home.clone())?;
        Ok(RunWriter { blocks, home, tables: Vec::new(), filters: Vec::new(), repeated: 0 })
    }

    /// Writes the packs, which come sorted, each once.
    ///
    /// # Errors
    /// Those of `next`, and of writing.
    pub(super) fn packs(&mut self, mut next: impl FnMut() -> Result<Option<[u8; PACK]>>) -> Result<()> {
        let (mut table, mut before) = (TableWriter::new(&mut self.blocks, PACK), None);
        while let Some(pack) = next()? {
            self.repeated += u64::from(before == Some(pack_of(&pack)));
            before = Some(pack_of(&pack));
            table.push(&pack)?;
        }
        self.tables.push(table.finish()?);
        Ok(())
    }

    /// Writes the rows of the next kind, at most so many, which come in the order of their ids; of equal ones one.
    ///
    /// # Errors
    /// Those of `next`, and of writing.
    pub(super) fn rows(&mut self, at_most: u64, mut next: impl FnMut() -> Result<Option<Row>>) -> Result<()> {
        let mut filter = FilterWriter::new(at_most, self.home.folder().to_owned());
        let mut table = TableWriter::new(&mut self.blocks, ROW);
        let mut same: Vec<Row> = Vec::new();
        loop {
            let row = next()?;
            if row.is_none_or(|row| same.first().is_some_and(|first| first.id != row.id)) {
                same.sort_unstable();
                same.dedup();
                same.first().map_or(Ok(()), |row| filter.add(&row.id))?;
                same.drain(..).try_for_each(|row| table.push(&row.to_bytes()))?;
            }
            match row {
                Some(row) => same.push(row),
                None => break,
            }
        }
        self.tables.push(table.finish()?);
        self.filters.push(filter.write(&mut self.blocks)?);
        Ok(())
    }

    /// Ends the run, of the index files `sources`, sorted.
    ///
    /// # Errors
    /// Those of writing.
    pub(super) fn finish(mut self, sources: &[IndexId], cache: Arc<BlockCache>) -> Result<Run> {
        let mut table = TableWriter::new(&mut self.blocks, 32);
        sources.iter().try_for_each(|source| table.push(source.as_bytes()))?;
        self.tables.push(table.finish()?);
        let mut end = MAGIC.to_vec();
        for Outline { record, len, first } in self.tables {
            [record, len, first].iter().for_each(|number| end.extend_from_slice(&number.to_be_bytes()));
        }
        end.extend_from_slice(&self.repeated.to_be_bytes());
        for (first, buckets) in self.filters {
            [first, buckets].iter().for_each(|number| end.extend_from_slice(&number.to_be_bytes()));
        }
        self.blocks.push(&end)?;
        let blocks = Arc::new(self.blocks.finish(cache)?);
        let path = blocks.path().map(Path::to_owned);
        Run::of_blocks(&blocks, path)
    }
}
