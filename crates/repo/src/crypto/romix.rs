//! The memory-hard part of scrypt for one lane (RFC 7914, sections 3 to 5).
//!
//! In plain words, not in vectors: the four independent steps of a round keep a core's scalar units busy, while vector
//! instructions, on some processors of twice the latency, would wait for each other. The `scrypt` crate hands out no
//! single lanes, and is the oracle of the tests.
//!
//! Of every four entries of the table the last is not kept but computed again from the one before it: a quarter less
//! memory for an eighth more work.

use tresor_backend::Cancel;
use zeroize::optimization_barrier;

/// After how many entries somebody may have told us to stop: a few milliseconds of the dearest.
const LOOK_EVERY: usize = 256;

/// The derivation was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stopped;

/// Entries of which the last is not kept.
const GROUP: usize = 4;

/// How many of the first entries of a table are kept.
pub(super) const fn kept(entries: usize) -> usize {
    entries - entries / GROUP
}

/// 64 bytes as little-endian words.
type Block = [u32; 16];

/// A lane being mixed, and the memory it takes; wiped on drop.
pub(super) struct Lane {
    /// Entries of 2·r blocks.
    table: Vec<Block>,
    /// How many blocks of it were written, and are to be wiped.
    written: usize,
    /// How many entries there are, those that are not kept included: N.
    entries: usize,
    /// An entry that is not kept.
    again: Vec<Block>,
    state: Vec<Block>,
    mixed: Vec<Block>,
}

impl Lane {
    /// Takes the memory for parameters `n` (a power of two) and `r`: 96·n·r bytes and a little.
    pub(super) fn new(n: usize, r: usize) -> Self {
        let blocks = |count| vec![[0; 16]; count];
        let [again, state, mixed] = [(); 3].map(|()| blocks(2 * r));
        Lane { table: blocks(kept(n) * 2 * r), written: 0, entries: n, again, state, mixed }
    }

    /// Mixes a lane's 128·r bytes in place (scryptROMix), unless it is told to stop meanwhile.
    pub(super) fn mix(&mut self, bytes: &mut [u8], cancel: &Cancel) -> Result<(), Stopped> {
        load(bytes, &mut self.state);
        self.fill_table(cancel)?;
        for number in 0..self.entries {
            stop_if(number.is_multiple_of(LOOK_EVERY) && cancel.is_set())?;
            self.mix_entry_in();
        }
        store(&self.state, bytes);
        Ok(())
    }

    fn fill_table(&mut self, cancel: &Cancel) -> Result<(), Stopped> {
        let Lane { table, written, again, state, .. } = self;
        let length = state.len();
        for (number, group) in table.chunks_mut((GROUP - 1) * length).enumerate() {
            stop_if(number.is_multiple_of(LOOK_EVERY / GROUP) && cancel.is_set())?;
            *written = (*written).max(number * (GROUP - 1) * length + group.len());
            for stored in group.chunks_exact_mut(length) {
                stored.copy_from_slice(state);
                block_mix(stored, state);
            }
            if group.len() == (GROUP - 1) * length {
                again.copy_from_slice(state);
                block_mix(again, state);
            }
        }
        Ok(())
    }

    /// Mixes the entry that the state points at into the state (RFC 7914's Integerify modulo N).
    fn mix_entry_in(&mut self) {
        let Lane { table, again, state, mixed, .. } = self;
        let length = state.len();
        let entry = state[length - 1][0] as usize & (self.entries - 1);
        let is_kept = entry % GROUP < GROUP - 1;
        let stored = &table[kept(entry - usize::from(!is_kept)) * length..][..length];
        let chosen = if is_kept {
            stored
        } else {
            block_mix(stored, again);
            again
        };
        for ((mixed, state), chosen) in mixed.iter_mut().zip(&*state).zip(chosen) {
            *mixed = xor(state, chosen);
        }
        block_mix(mixed, state);
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let Lane { table, written, again, state, mixed, .. } = self;
        for blocks in [&mut table[..*written], again, state, mixed] {
            blocks.fill([0; 16]);
            optimization_barrier(&*blocks);
        }
    }
}

fn stop_if(told: bool) -> Result<(), Stopped> {
    if told { Err(Stopped) } else { Ok(()) }
}

fn load(bytes: &[u8], blocks: &mut [Block]) {
    let words = bytes.as_chunks::<4>().0;
    for (word, bytes) in blocks.as_flattened_mut().iter_mut().zip(words) {
        *word = u32::from_le_bytes(*bytes);
    }
}

fn store(blocks: &[Block], bytes: &mut [u8]) {
    for (bytes, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(blocks.as_flattened()) {
        *bytes = word.to_le_bytes();
    }
}

/// From an input to its output: scryptBlockMix.
fn block_mix(input: &[Block], output: &mut [Block]) {
    let length = input.len();
    let (even, odd) = output.split_at_mut(length / 2);
    let mut last = input[length - 1];
    for ((input, even), odd) in input.chunks_exact(2).zip(even).zip(odd) {
        last = salsa20_8(&xor(&last, &input[0]));
        *even = last;
        last = salsa20_8(&xor(&last, &input[1]));
        *odd = last;
    }
}

/// The Salsa20/8 core.
#[inline(always)]
fn salsa20_8(block: &Block) -> Block {
    let mut mixed = *block;
    for _ in 0..4 {
        for [a, b, c, d] in [[0, 4, 8, 12], [5, 9, 13, 1], [10, 14, 2, 6], [15, 3, 7, 11]] {
            quarter_round(&mut mixed, a, b, c, d);
        }
        for [a, b, c, d] in [[0, 1, 2, 3], [5, 6, 7, 4], [10, 11, 8, 9], [15, 12, 13, 14]] {
            quarter_round(&mut mixed, a, b, c, d);
        }
    }
    std::array::from_fn(|word| block[word].wrapping_add(mixed[word]))
}

#[inline(always)]
fn quarter_round(words: &mut Block, a: usize, b: usize, c: usize, d: usize) {
    words[b] ^= words[a].wrapping_add(words[d]).rotate_left(7);
    words[c] ^= words[b].wrapping_add(words[a]).rotate_left(9);
    words[d] ^= words[c].wrapping_add(words[b]).rotate_left(13);
    words[a] ^= words[d].wrapping_add(words[c]).rotate_left(18);
}

#[inline(always)]
fn xor(one: &Block, two: &Block) -> Block {
    std::array::from_fn(|word| one[word] ^ two[word])
}
