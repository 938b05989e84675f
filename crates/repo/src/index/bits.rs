//! A set of numbers below a limit, a bit for each; changed from several threads.

use std::sync::atomic::{AtomicU64, Ordering};

/// A set of numbers below a limit.
#[derive(Default)]
pub(crate) struct Bits {
    words: Vec<AtomicU64>,
}

impl Bits {
    /// An empty set for numbers below `limit`.
    pub(crate) fn new(limit: u64) -> Bits {
        let words = limit.div_ceil(64) as usize;
        Bits { words: std::iter::repeat_with(AtomicU64::default).take(words).collect() }
    }

    /// Adds a number; whether it was new.
    pub(crate) fn insert(&self, number: u64) -> bool {
        let (word, bit) = self.bit(number);
        word.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    /// Takes a number out; whether it was in.
    pub(crate) fn remove(&self, number: u64) -> bool {
        let (word, bit) = self.bit(number);
        word.fetch_and(!bit, Ordering::Relaxed) & bit != 0
    }

    /// Whether a number is in.
    pub(crate) fn contains(&self, number: u64) -> bool {
        let (word, bit) = self.bit(number);
        word.load(Ordering::Relaxed) & bit != 0
    }

    /// How many numbers are in.
    pub(crate) fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.load(Ordering::Relaxed).count_ones())).sum()
    }

    fn bit(&self, number: u64) -> (&AtomicU64, u64) {
        (&self.words[(number / 64) as usize], 1 << (number % 64))
    }
}
