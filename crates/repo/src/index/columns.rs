//! Sorted columns of ids and places, with a directory by the ids' first bits.

use std::ops::Range;

/// A place, its pack given by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Spot {
    pub(super) pack: u32,
    pub(super) offset: u32,
    pub(super) length: u32,
    pub(super) uncompressed_length: u32,
}

/// An id and one of its places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Row {
    pub(super) id: [u8; 32],
    pub(super) spot: Spot,
}

/// Rows sorted by id, then place, each once: 48 bytes a row, and a directory of 1 byte or less.
///
/// Ids are hashes, so their first bits spread them evenly over buckets of 4 to 8; a bucket is searched by
/// halves, so that ids chosen to collide cost time but a logarithm of it.
#[derive(Default)]
pub(super) struct Columns {
    ids: Vec<[u8; 32]>,
    spots: Vec<Spot>,
    /// Where each bucket begins, and the end of the last; empty when there are no rows.
    directory: Vec<u32>,
}

/// A bucket of up to this many rows is sorted in place.
const SMALL_BUCKET: usize = 32;

impl Columns {
    /// Sorts the rows of all `parts` together; each part is freed once its rows are in place.
    ///
    /// # Panics
    /// From 2³² rows on.
    pub(super) fn build(parts: Vec<Vec<Row>>) -> Self {
        let rows = parts.iter().map(Vec::len).sum::<usize>();
        u32::try_from(rows).expect("the caller counted fewer than 2^32 rows");
        if rows == 0 {
            return Columns::default();
        }
        let nowhere = Spot { pack: 0, offset: 0, length: 0, uncompressed_length: 0 };
        let buckets = (rows / 4).next_power_of_two().max(2) / 2;
        let mut columns =
            Columns { ids: vec![[0; 32]; rows], spots: vec![nowhere; rows], directory: vec![0; buckets + 1] };
        columns.scatter(parts);
        columns.sort_buckets();
        columns.drop_repeated();
        columns
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The positions of an id.
    pub(super) fn find(&self, id: &[u8; 32]) -> Range<usize> {
        if self.ids.is_empty() {
            return 0..0;
        }
        let bucket = self.bounds(self.bucket(id));
        let ids = &self.ids[bucket.clone()];
        let first = ids.partition_point(|other| other < id);
        let copies = ids[first..].partition_point(|other| other == id);
        bucket.start + first..bucket.start + first + copies
    }

    pub(super) fn spots(&self, positions: Range<usize>) -> &[Spot] {
        &self.spots[positions]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8; 32], &Spot)> {
        self.ids.iter().zip(&self.spots)
    }

    pub(super) fn row(&self, position: usize) -> (&[u8; 32], &Spot) {
        (&self.ids[position], &self.spots[position])
    }

    fn buckets(&self) -> usize {
        self.directory.len() - 1
    }

    fn bucket(&self, id: &[u8; 32]) -> usize {
        let first = u32::from_be_bytes([id[0], id[1], id[2], id[3]]);
        // The buckets are a power of two of at most 2^30: the product keeps exactly the first bits.
        ((u64::from(first) * self.buckets() as u64) >> 32) as usize
    }

    fn bounds(&self, bucket: usize) -> Range<usize> {
        self.directory[bucket] as usize..self.directory[bucket + 1] as usize
    }

    /// Puts every row somewhere into its bucket, and the buckets' bounds into the directory.
    fn scatter(&mut self, parts: Vec<Vec<Row>>) {
        for row in parts.iter().flatten() {
            let bucket = self.bucket(&row.id);
            self.directory[bucket + 1] += 1;
        }
        for bucket in 1..self.directory.len() {
            self.directory[bucket] += self.directory[bucket - 1];
        }
        for row in parts.into_iter().flatten() {
            // Until all rows are placed, an entry says where its bucket's next row goes.
            let bucket = self.bucket(&row.id);
            let position = self.directory[bucket] as usize;
            self.directory[bucket] += 1;
            (self.ids[position], self.spots[position]) = (row.id, row.spot);
        }
        // Now each entry holds its bucket's end, which is the next one's begin.
        self.directory.rotate_right(1);
        self.directory[0] = 0;
        let last = self.buckets();
        self.directory[last] = self.ids.len() as u32;
    }

    fn sort_buckets(&mut self) {
        let mut rows = Vec::new();
        for bucket in 0..self.buckets() {
            let bounds = self.bounds(bucket);
            if bounds.len() <= SMALL_BUCKET {
                self.insertion_sort(bounds);
                continue;
            }
            rows.clear();
            rows.extend(bounds.clone().map(|at| Row { id: self.ids[at], spot: self.spots[at] }));
            rows.sort_unstable();
            for (at, row) in bounds.zip(&rows) {
                (self.ids[at], self.spots[at]) = (row.id, row.spot);
            }
        }
    }

    fn insertion_sort(&mut self, bounds: Range<usize>) {
        for next in bounds.start + 1..bounds.end {
            let mut at = next;
            while at > bounds.start && self.row(at - 1) > self.row(at) {
                self.ids.swap(at - 1, at);
                self.spots.swap(at - 1, at);
                at -= 1;
            }
        }
    }

    /// Keeps one of equal rows (the same pack named by several index files).
    fn drop_repeated(&mut self) {
        let mut kept = 0;
        for bucket in 0..self.buckets() {
            let bounds = self.bounds(bucket);
            self.directory[bucket] = kept as u32;
            for at in bounds.clone() {
                if at == bounds.start || self.row(at) != self.row(kept - 1) {
                    (self.ids[kept], self.spots[kept]) = (self.ids[at], self.spots[at]);
                    kept += 1;
                }
            }
        }
        let last = self.buckets();
        self.directory[last] = kept as u32;
        self.ids.truncate(kept);
        self.spots.truncate(kept);
        self.ids.shrink_to_fit();
        self.spots.shrink_to_fit();
    }

    /// Bytes on the heap.
    #[cfg(test)]
    fn heap_bytes(&self) -> usize {
        self.ids.capacity() * 32 + self.spots.capacity() * 16 + self.directory.capacity() * 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};
    use std::collections::BTreeSet;

    fn row(id: [u8; 32], number: u32) -> Row {
        Row { id, spot: Spot { pack: number, offset: 1, length: 2, uncompressed_length: 3 } }
    }

    fn check(parts: Vec<Vec<Row>>) {
        let expect: BTreeSet<Row> = parts.iter().flatten().copied().collect();
        let columns = Columns::build(parts);
        assert!(columns.iter().map(|(id, spot)| Row { id: *id, spot: *spot }).eq(expect.iter().copied()));
        for row in &expect {
            let same: Vec<Spot> =
                expect.iter().filter(|other| other.id == row.id).map(|row| row.spot).collect();
            assert_eq!(columns.spots(columns.find(&row.id)), same);
        }
        assert!(columns.find(&[0xaa; 32]).is_empty());
    }

    #[test]
    fn copies_repeated_rows_and_colliding_ids_are_found() {
        check(vec![]);
        check(vec![vec![row([1; 32], 1)]]);
        check(vec![vec![row([0; 32], 2), row([255; 32], 1)], vec![row([0; 32], 2), row([0; 32], 1)]]);
        let colliding = (0..200u32).map(|n| {
            let mut id = [7; 32];
            id[28..].copy_from_slice(&n.wrapping_mul(2_654_435_761).to_be_bytes());
            row(id, n)
        });
        check(vec![colliding.collect()]);
    }

    #[test]
    fn a_row_takes_less_than_50_bytes() {
        let rows: Vec<Row> =
            (0..100_000u32).map(|n| row(Sha256::digest(n.to_le_bytes()).into(), n)).collect();
        let columns = Columns::build(vec![rows]);
        assert!(columns.heap_bytes() <= 50 * columns.len(), "{}", columns.heap_bytes());
        let buckets = (0..columns.buckets()).map(|bucket| columns.bounds(bucket).len());
        assert!(buckets.max() < Some(32));
    }

    proptest! {
        #[test]
        fn equals_a_sorted_set(parts in proptest::collection::vec(proptest::collection::vec((any::<[u8; 2]>(), 0u32..4), 0..80), 0..4)) {
            let spread = |(ends, number): ([u8; 2], u32)| {
                let mut id = [0; 32];
                (id[0], id[31]) = (ends[0], ends[1]);
                row(id, number)
            };
            check(parts.into_iter().map(|part| part.into_iter().map(spread).collect()).collect());
        }
    }
}
