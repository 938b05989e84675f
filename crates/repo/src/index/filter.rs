//! A filter for "surely new": a few bits for every id, rarely all there for an id nobody added.
//!
//! A split block Bloom filter (Putze, Sanders, Singler: "Cache-, Hash- and Space-Efficient Bloom Filters", 2007):
//! an id's first bytes choose a bucket of eight words, the following ones a bit of each. Ids that come in order fill
//! the buckets in order, so that it is written as it comes.

use crate::error::Result;
use crate::index::blocks::{Blocks, BlocksWriter, ROOM};
use crate::sort::Sorter;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes of a bucket.
const BUCKET: usize = 32;
/// So many ids share a bucket: 10 bits for each, and one of 80 that are new passes for known.
const IDS: u64 = 25;
const PER_BLOCK: u64 = (ROOM / BUCKET) as u64;
/// Bytes of buckets that wait in memory.
const MEMORY: usize = 1 << 20;

/// A filter to be asked.
pub(super) struct Filter {
    blocks: Arc<Blocks>,
    first: u64,
    buckets: u64,
}

impl Filter {
    /// The filter of so many buckets whose first block is `first`, if it fits before the block `end`.
    pub(super) fn open(blocks: &Arc<Blocks>, first: u64, buckets: u64, end: u64) -> Option<Filter> {
        let fits = first.checked_add(buckets.div_ceil(PER_BLOCK))? <= end;
        fits.then(|| Filter { blocks: Arc::clone(blocks), first, buckets })
    }

    /// Whether an id may have been added; `false` is certain.
    ///
    /// # Errors
    /// Those of reading a block.
    pub(super) fn may_hold(&self, id: &[u8; 32]) -> Result<bool> {
        if self.buckets == 0 {
            return Ok(false);
        }
        let bucket = bucket_of(id, self.buckets);
        let block = self.blocks.get(self.first + bucket / PER_BLOCK)?;
        let start = (bucket % PER_BLOCK) as usize * BUCKET;
        Ok(bits_of(id).iter().zip(&block[start..start + BUCKET]).all(|(bits, stored)| bits & stored == *bits))
    }
}

fn bucket_of(id: &[u8; 32], buckets: u64) -> u64 {
    let first = u64::from_be_bytes(*id.first_chunk().expect("an id has 32 bytes"));
    ((u128::from(first) * u128::from(buckets)) >> 64) as u64
}

/// One bit in each four bytes.
fn bits_of(id: &[u8; 32]) -> [u8; BUCKET] {
    let mut bits = [0; BUCKET];
    for (word, byte) in id[8..16].iter().enumerate() {
        let bit = usize::from(byte % 32);
        bits[word * 4 + bit / 8] = 1 << (bit % 8);
    }
    bits
}

/// Gathers a filter, for ids that come in order.
pub(super) struct FilterWriter {
    buckets: u64,
    /// The bucket being filled.
    number: u64,
    bits: [u8; BUCKET],
    /// Number and bits of the buckets before it that are not empty.
    full: Sorter<{ 8 + BUCKET }>,
}

impl FilterWriter {
    /// Begins a filter for at most so many ids; what waits to be written lies in `folder`.
    pub(super) fn new(ids: u64, folder: PathBuf) -> FilterWriter {
        let full = Sorter::new(MEMORY, folder);
        FilterWriter { buckets: ids.div_ceil(IDS), number: 0, bits: [0; BUCKET], full }
    }

    /// Adds an id.
    ///
    /// # Errors
    /// Those of a temporary file.
    pub(super) fn add(&mut self, id: &[u8; 32]) -> Result<()> {
        let bucket = bucket_of(id, self.buckets);
        if bucket != self.number {
            self.end_bucket()?;
            self.number = bucket;
        }
        self.bits.iter_mut().zip(bits_of(id)).for_each(|(all, bits)| *all |= bits);
        Ok(())
    }

    fn end_bucket(&mut self) -> Result<()> {
        let mut record = [0; 8 + BUCKET];
        record[..8].copy_from_slice(&self.number.to_be_bytes());
        record[8..].copy_from_slice(&std::mem::take(&mut self.bits));
        self.full.push(record)
    }

    /// Writes the filter; answers with its first block and the number of its buckets.
    ///
    /// # Errors
    /// Those of a temporary file and of writing.
    pub(super) fn write(mut self, blocks: &mut BlocksWriter) -> Result<(u64, u64)> {
        self.end_bucket()?;
        let (mut full, first) = (self.full.finish()?, blocks.count());
        let mut next = full.take_next()?;
        let mut block = Vec::with_capacity(ROOM);
        for number in 0..self.buckets {
            match next.filter(|record| record[..8] == number.to_be_bytes()) {
                Some(record) => {
                    block.extend_from_slice(&record[8..]);
                    next = full.take_next()?;
                }
                None => block.extend_from_slice(&[0; BUCKET]),
            }
            if block.len() + BUCKET > ROOM || number + 1 == self.buckets {
                blocks.push(&block)?;
                block.clear();
            }
        }
        Ok((first, self.buckets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Key;
    use crate::id::BlobId;
    use crate::index::blocks::{Home, cache};

    #[test]
    fn what_was_added_may_be_there_and_little_else() {
        let mut ids: Vec<BlobId> = (0..30_000u32).map(|number| BlobId::of(&number.to_le_bytes())).collect();
        ids.sort_unstable();
        let home = Home::Unnamed(std::env::temp_dir());
        let mut blocks = BlocksWriter::new(Arc::new(Key::random().unwrap()), home).unwrap();
        blocks.push(b"something else").unwrap();
        let mut writer = FilterWriter::new(ids.len() as u64, std::env::temp_dir());
        ids.iter().for_each(|id| writer.add(id.as_bytes()).unwrap());
        let (first, buckets) = writer.write(&mut blocks).unwrap();
        assert!(blocks.count() * 4096 <= 30_000 * 13 / 10 + 2 * 4096);
        let blocks = Arc::new(blocks.finish(cache()).unwrap());
        assert!(Filter::open(&blocks, first, buckets, blocks.count() - 1).is_none());
        let filter = Filter::open(&blocks, first, buckets, blocks.count()).unwrap();
        assert!(ids.iter().all(|id| filter.may_hold(id.as_bytes()).unwrap()));
        let others = (100_000..110_000u32).map(|number| BlobId::of(&number.to_le_bytes()));
        let passed = others.filter(|id| filter.may_hold(id.as_bytes()).unwrap()).count();
        assert!(passed < 300, "{passed} of 10 000");
        let nothing = Filter::open(&blocks, 1, 0, 1).unwrap();
        assert!(!nothing.may_hold(ids[0].as_bytes()).unwrap());
    }
}
