//! A sorted table of records of one length, in sealed blocks, with the first key of each.
//!
//! A look-up costs a block of first keys and one of records, and in memory 8 bytes for every 500 blocks.

use crate::error::Result;
use crate::index::blocks::{Blocks, BlocksWriter, ROOM};
use std::sync::Arc;

/// So many first keys are in a block; a key is the first 8 bytes of a record.
const KEYS: u64 = (ROOM / 8) as u64;
/// So many blocks are read at once by whoever reads all records.
const AHEAD: u64 = 32;

/// Where a table lies in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Outline {
    /// Bytes of a record.
    pub(super) record: u64,
    /// Number of records.
    pub(super) len: u64,
    /// Number of the first block of records; those of their first keys follow them.
    pub(super) first: u64,
}

impl Outline {
    fn per_block(&self) -> u64 {
        ROOM as u64 / self.record
    }

    fn blocks(&self) -> u64 {
        self.len.div_ceil(self.per_block())
    }

    fn key_blocks(&self) -> u64 {
        self.blocks().div_ceil(KEYS)
    }

    /// Whether a file of so many blocks can hold it.
    pub(super) fn fits(&self, blocks: u64) -> bool {
        (8..=ROOM as u64).contains(&self.record)
            && self.len < 1 << 40
            && self.first.checked_add(self.blocks() + self.key_blocks()).is_some_and(|end| end <= blocks)
    }
}

/// A table to be read.
#[derive(Clone)]
pub(super) struct Table {
    blocks: Arc<Blocks>,
    outline: Outline,
    /// The first key of each block of first keys.
    root: Arc<[u64]>,
}

impl Table {
    /// Opens a table whose outline [fits](Outline::fits).
    ///
    /// # Errors
    /// Those of reading a block.
    pub(super) fn open(blocks: &Arc<Blocks>, outline: Outline) -> Result<Table> {
        let mut root = Vec::with_capacity(outline.key_blocks() as usize);
        let keys = outline.first + outline.blocks();
        let mut block = Vec::new();
        for number in 0..outline.key_blocks() {
            block.clear();
            blocks.read_many(keys + number, 1, &mut block)?;
            root.push(key_at(&block, 0));
        }
        Ok(Table { blocks: Arc::clone(blocks), outline, root: root.into() })
    }

    /// Number of records.
    pub(super) fn len(&self) -> u64 {
        self.outline.len
    }

    /// Hands the record at a position to `read`.
    ///
    /// # Errors
    /// Those of reading a block.
    ///
    /// # Panics
    /// Beyond the last record.
    pub(super) fn get<T>(&self, position: u64, read: impl FnOnce(&[u8]) -> T) -> Result<T> {
        assert!(position < self.outline.len, "a position comes from the same table");
        let (block, at) = (position / self.outline.per_block(), position % self.outline.per_block());
        let block = self.blocks.get(self.outline.first + block)?;
        Ok(read(self.record(&block, at)))
    }

    /// The position of the first record that is not less than `key`, compared as far as the key goes.
    ///
    /// # Errors
    /// Those of reading a block.
    ///
    /// # Panics
    /// With a key of fewer than 8 bytes.
    pub(super) fn lower_bound(&self, key: &[u8]) -> Result<u64> {
        let number = key_at(key, 0);
        // Among blocks that begin with the same 8 bytes, the rest of their first records tells.
        let (low, high) = self.blocks_before(number)?;
        let before = search(low, high, |middle| {
            let block = self.blocks.get(self.outline.first + middle)?;
            Ok(self.record(&block, 0)[..key.len()] < *key)
        })?;
        let Some(number) = before.checked_sub(1) else { return Ok(0) };
        let (start, block) =
            (number * self.outline.per_block(), self.blocks.get(self.outline.first + number)?);
        let records = self.outline.per_block().min(self.outline.len - start);
        Ok(start + search(0, records, |middle| Ok(self.record(&block, middle)[..key.len()] < *key))?)
    }

    /// The records from a position on, past the cache.
    pub(super) fn scan(&self, position: u64) -> Scan {
        Scan { table: self.clone(), next: position, buffer: Vec::new(), start: 0, end: 0 }
    }

    fn record<'b>(&self, block: &'b [u8], at: u64) -> &'b [u8] {
        let record = self.outline.record as usize;
        &block[at as usize * record..][..record]
    }

    /// How many blocks begin with a smaller key than `key`, and how many with one that is not larger.
    fn blocks_before(&self, key: u64) -> Result<(u64, u64)> {
        let (below, up_to) = (
            self.root.partition_point(|first| *first < key),
            self.root.partition_point(|first| *first <= key),
        );
        let low = self.keys_before(below, |first| first < key)?;
        let high = self.keys_before(up_to, |first| first <= key)?;
        Ok((low, high))
    }

    /// How many first keys of the first `key_blocks` blocks of them are `before`: all, but for the last block's.
    fn keys_before(&self, key_blocks: usize, before: impl Fn(u64) -> bool) -> Result<u64> {
        let Some(number) = (key_blocks as u64).checked_sub(1) else { return Ok(0) };
        let block = self.blocks.get(self.outline.first + self.outline.blocks() + number)?;
        let start = number * KEYS;
        let keys = KEYS.min(self.outline.blocks() - start);
        Ok(start + search(0, keys, |middle| Ok(before(key_at(&block, middle as usize))))?)
    }
}

/// The first number from `low` on that is not `before`, as no later one is; `high` if all are.
fn search(mut low: u64, mut high: u64, before: impl Fn(u64) -> Result<bool>) -> Result<u64> {
    while low < high {
        let middle = low + (high - low) / 2;
        match before(middle)? {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    Ok(low)
}

fn key_at(bytes: &[u8], number: usize) -> u64 {
    u64::from_be_bytes(bytes[number * 8..][..8].try_into().expect("eight bytes"))
}

/// Reads records in order.
pub(super) struct Scan {
    table: Table,
    /// The position of the next record.
    next: u64,
    buffer: Vec<u8>,
    /// The positions whose records are in the buffer.
    start: u64,
    end: u64,
}

impl Scan {
    /// The next record and its position.
    ///
    /// # Errors
    /// Those of reading a block.
    pub(super) fn next(&mut self) -> Result<Option<(u64, &[u8])>> {
        let Outline { len, first, .. } = self.table.outline;
        if self.next >= len {
            return Ok(None);
        }
        let per_block = self.table.outline.per_block();
        if !(self.start..self.end).contains(&self.next) {
            let block = self.next / per_block;
            let count = AHEAD.min(self.table.outline.blocks() - block);
            self.buffer.clear();
            self.table.blocks.read_many(first + block, count, &mut self.buffer)?;
            (self.start, self.end) = (block * per_block, ((block + count) * per_block).min(len));
        }
        let position = self.next;
        self.next += 1;
        let (block, at) = ((position - self.start) / per_block, (position - self.start) % per_block);
        Ok(Some((position, self.table.record(&self.buffer[block as usize * ROOM..], at))))
    }
}

/// Writes a table, whose records come in order.
pub(super) struct TableWriter<'w> {
    blocks: &'w mut BlocksWriter,
    outline: Outline,
    block: Vec<u8>,
    /// The first key of each block.
    keys: Vec<u64>,
}

impl<'w> TableWriter<'w> {
    /// Begins a table of records of so many bytes, at least 8.
    pub(super) fn new(blocks: &'w mut BlocksWriter, record: usize) -> TableWriter<'w> {
        let outline = Outline { record: record as u64, len: 0, first: blocks.count() };
        TableWriter { blocks, outline, block: Vec::with_capacity(ROOM), keys: Vec::new() }
    }

    /// Adds the next record.
    ///
    /// # Errors
    /// Those of writing a block.
    pub(super) fn push(&mut self, record: &[u8]) -> Result<()> {
        debug_assert_eq!(record.len() as u64, self.outline.record, "records are of one length");
        if self.block.len() + record.len() > ROOM {
            self.flush()?;
        }
        if self.block.is_empty() {
            self.keys.push(key_at(record, 0));
        }
        self.block.extend_from_slice(record);
        self.outline.len += 1;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.blocks.push(&self.block)?;
        self.block.clear();
        Ok(())
    }

    /// Ends the table.
    ///
    /// # Errors
    /// Those of writing a block.
    pub(super) fn finish(mut self) -> Result<Outline> {
        if !self.block.is_empty() {
            self.flush()?;
        }
        for keys in self.keys.chunks(KEYS as usize) {
            self.block.clear();
            keys.iter().for_each(|key| self.block.extend_from_slice(&key.to_be_bytes()));
            self.blocks.push(&self.block)?;
        }
        Ok(self.outline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Key;
    use crate::index::blocks::{Home, cache};
    use proptest::prelude::*;

    fn table(records: &[[u8; 12]], home: Home) -> Table {
        let mut blocks = BlocksWriter::new(Arc::new(Key::random().unwrap()), home).unwrap();
        blocks.push(b"something else").unwrap();
        let mut writer = TableWriter::new(&mut blocks, 12);
        records.iter().for_each(|record| writer.push(record).unwrap());
        let outline = writer.finish().unwrap();
        blocks.push(b"and more").unwrap();
        let blocks = Arc::new(blocks.finish(cache()).unwrap());
        assert!(outline.fits(blocks.count() - 1) && !outline.fits(blocks.count() - 2));
        Table::open(&blocks, outline).unwrap()
    }

    fn check(records: &mut [[u8; 12]], home: Home) {
        records.sort_unstable();
        let table = table(records, home);
        let mut scan = table.scan(0);
        for (at, record) in (0..).zip(records.iter()) {
            assert_eq!(scan.next().unwrap(), Some((at, &record[..])));
            assert!(table.get(at, |found| found == record).unwrap());
        }
        assert_eq!(scan.next().unwrap(), None);
        let around = |record: &[u8; 12]| {
            let mut near = [*record; 3];
            (near[1][11], near[2][11]) = (record[11].wrapping_add(1), record[11].wrapping_sub(1));
            near
        };
        for key in records.iter().flat_map(around).chain([[0; 12], [255; 12]]) {
            let expect = records.partition_point(|record| *record < key) as u64;
            assert_eq!(table.lower_bound(&key).unwrap(), expect);
            let shorter = records.partition_point(|record| record[..9] < key[..9]) as u64;
            assert_eq!(table.lower_bound(&key[..9]).unwrap(), shorter);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn equals_a_sorted_list(ends in proptest::collection::vec(any::<[u8; 3]>(), 0..900), spread in 0usize..9) {
            let folder = tempfile::tempdir().unwrap();
            let mut records: Vec<[u8; 12]> = ends.iter().map(|[one, two, three]| {
                let mut record = [7; 12];
                (record[spread], record[9], record[11]) = (*one, *two, *three);
                record
            }).collect();
            check(&mut records, Home::Unnamed(folder.path().to_owned()));
            check(&mut records, Home::Kept(folder.path().to_owned()));
        }
    }

    #[test]
    fn a_large_table_has_several_blocks_of_first_keys_and_lies_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let record = |number: u64| -> [u8; 12] {
            let mut record = [0; 12];
            record[..8].copy_from_slice(&(number * 3).to_be_bytes());
            record
        };
        let records: Vec<_> = (0..336 * 1200).map(record).collect();
        let table = table(&records, Home::Unnamed(folder.path().to_owned()));
        assert_eq!(table.root.len(), 3);
        for number in (0..records.len() as u64).step_by(997) {
            for near in [number * 3, (number * 3).saturating_sub(1), number * 3 + 1] {
                let expect = records.partition_point(|record| record[..8] < near.to_be_bytes()[..]) as u64;
                assert_eq!(table.lower_bound(&near.to_be_bytes()).unwrap(), expect);
            }
        }
    }
}
