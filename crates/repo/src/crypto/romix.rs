//! The memory-hard part of scrypt for one or two lanes at a time (RFC 7914, sections 3 to 5).
//!
//! A lane is one long chain of dependent steps, which leaves half of a core idle; two lanes in step fill
//! it. The `scrypt` crate hands out no single lanes, and is the oracle of the tests.

#[cfg_attr(target_arch = "x86_64", path = "row/x86_64.rs")]
#[cfg_attr(not(target_arch = "x86_64"), path = "row/portable.rs")]
mod row;
#[cfg(test)]
#[path = "row/portable.rs"]
mod portable;

use row::Row;
use zeroize::optimization_barrier;

/// 64 bytes. A block is kept with its diagonals as rows, so that the four words of a row take the same
/// step at once.
type Block = [Row; 4];

/// The word of a block that stands at row i, column j.
const DIAGONAL: [[usize; 4]; 4] = [[0, 5, 10, 15], [4, 9, 14, 3], [8, 13, 2, 7], [12, 1, 6, 11]];

/// A lane being mixed, and the memory it takes; wiped on drop.
pub(super) struct Lane {
    /// N entries of 2·r blocks.
    table: Vec<Block>,
    state: Vec<Block>,
    mixed: Vec<Block>,
}

impl Lane {
    /// Takes the memory for parameters `n` (a power of two) and `r`: 128·n·r bytes and a little.
    pub(super) fn new(n: usize, r: usize) -> Self {
        let blocks = |count| vec![[Row::new([0; 4]); 4]; count];
        Lane { table: blocks(n * 2 * r), state: blocks(2 * r), mixed: blocks(2 * r) }
    }

    /// Sets the state from a lane's 128·r bytes.
    pub(super) fn load(&mut self, bytes: &[u8]) {
        for (block, bytes) in self.state.iter_mut().zip(bytes.as_chunks::<64>().0) {
            let words = bytes.as_chunks::<4>().0;
            *block = DIAGONAL.map(|row| Row::new(row.map(|word| u32::from_le_bytes(words[word]))));
        }
    }

    /// Writes the state back as bytes.
    pub(super) fn store(&self, bytes: &mut [u8]) {
        for (block, bytes) in self.state.iter().zip(bytes.as_chunks_mut::<64>().0) {
            let words = bytes.as_chunks_mut::<4>().0;
            for (places, row) in DIAGONAL.iter().zip(block) {
                for (place, word) in places.iter().zip(row.words()) {
                    words[*place] = word.to_le_bytes();
                }
            }
        }
    }

    /// The table entry that the state points at: RFC 7914's Integerify modulo N.
    fn chosen(&self) -> &[Block] {
        let length = self.state.len();
        let entries = self.table.len() / length;
        let entry = self.state[length - 1][0].words()[0] as usize & (entries - 1);
        &self.table[entry * length..][..length]
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        for blocks in [&mut self.table, &mut self.state, &mut self.mixed] {
            blocks.fill([Row::new([0; 4]); 4]);
            optimization_barrier(blocks.as_slice());
        }
    }
}

/// Mixes the states of lanes that were made for the same parameters (scryptROMix).
pub(super) fn mix<const L: usize>(lanes: &mut [Lane; L]) {
    let length = lanes[0].state.len();
    let entries = lanes[0].table.len() / length;
    for entry in 0..entries {
        block_mix(lanes.each_mut().map(|lane| {
            let stored = &mut lane.table[entry * length..][..length];
            stored.copy_from_slice(&lane.state);
            (&*stored, lane.state.as_mut_slice())
        }));
    }
    for _ in 0..entries {
        for lane in lanes.iter_mut() {
            let mut mixed = std::mem::take(&mut lane.mixed);
            for ((mixed, state), chosen) in mixed.iter_mut().zip(&lane.state).zip(lane.chosen()) {
                *mixed = xor(state, chosen);
            }
            lane.mixed = mixed;
        }
        block_mix(lanes.each_mut().map(|lane| (lane.mixed.as_slice(), lane.state.as_mut_slice())));
    }
}

/// From each input to its output: scryptBlockMix.
fn block_mix<const L: usize>(lanes: [(&[Block], &mut [Block]); L]) {
    let length = lanes[0].0.len();
    let mut last = lanes.each_ref().map(|(input, _)| input[length - 1]);
    let mut lanes = lanes.map(|(input, output)| (input, output.split_at_mut(length / 2)));
    for i in 0..length / 2 {
        for (last, (input, _)) in last.iter_mut().zip(&lanes) {
            *last = xor(last, &input[2 * i]);
        }
        salsa20_8(&mut last);
        for (last, (input, (even, _))) in last.iter_mut().zip(&mut lanes) {
            even[i] = *last;
            *last = xor(last, &input[2 * i + 1]);
        }
        salsa20_8(&mut last);
        for (last, (_, (_, odd))) in last.iter().zip(&mut lanes) {
            odd[i] = *last;
        }
    }
}

/// The Salsa20/8 core on one block of each lane.
#[inline(always)]
fn salsa20_8<const L: usize>(blocks: &mut [Block; L]) {
    let mut mixed = *blocks;
    for _ in 0..8 {
        for [a, b, c, d] in &mut mixed {
            *b = b.xor(a.plus(*d).rotated::<7, 25>());
            *c = c.xor(b.plus(*a).rotated::<9, 23>());
            *d = d.xor(c.plus(*b).rotated::<13, 19>());
            *a = a.xor(d.plus(*c).rotated::<18, 14>());
            // Columns become rows, or rows columns, for the next round.
            (*b, *c, *d) = (d.turned::<1>(), c.turned::<2>(), b.turned::<3>());
        }
    }
    for (block, mixed) in blocks.iter_mut().zip(&mixed) {
        for (row, mixed) in block.iter_mut().zip(mixed) {
            *row = row.plus(*mixed);
        }
    }
}

#[inline(always)]
fn xor(one: &Block, two: &Block) -> Block {
    [0, 1, 2, 3].map(|row| one[row].xor(two[row]))
}

#[cfg(test)]
mod tests {
    use super::{Row, portable};

    #[test]
    fn the_processors_rows_work_as_the_portable_ones() {
        let (a, b) = ([1, 0x8000_0000, u32::MAX, 0x1234_5678], [3, 0x8000_0001, 2, 0x9abc_def0]);
        macro_rules! same {
            ($($step:tt)*) => {
                assert_eq!(Row::new(a)$($step)*.words(), portable::Row::new(a)$($step)*.words());
            };
        }
        same!(.rotated::<7, 25>());
        same!(.rotated::<18, 14>());
        same!(.turned::<1>());
        same!(.turned::<2>());
        same!(.turned::<3>());
        assert_eq!(Row::new(a).turned::<1>().words(), [a[1], a[2], a[3], a[0]]);
        let (one, two) = (Row::new(a), Row::new(b));
        assert_eq!(one.plus(two).words(), portable::Row::new(a).plus(portable::Row::new(b)).words());
        assert_eq!(one.xor(two).words(), portable::Row::new(a).xor(portable::Row::new(b)).words());
    }
}
