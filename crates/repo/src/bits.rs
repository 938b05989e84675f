//! A set of numbers below a limit, a bit for each; changed from several threads.

use std::sync::atomic::{AtomicU64, Ordering};

/// A set of numbers below a limit, of which each costs a bit whether it is in or not.
#[derive(Default)]
pub struct Bits {
    words: Vec<AtomicU64>,
}

impl Bits {
    /// An empty set for numbers below `limit`.
    pub fn new(limit: u64) -> Bits {
        let words = limit.div_ceil(64) as usize;
        Bits { words: std::iter::repeat_with(AtomicU64::default).take(words).collect() }
    }

    /// Adds a number; whether it was new. Numbers at the limit or above it panic, here and below.
    pub fn insert(&self, number: u64) -> bool {
        let (word, bit) = self.bit(number);
        word.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    /// Takes a number out; whether it was in.
    pub fn remove(&self, number: u64) -> bool {
        let (word, bit) = self.bit(number);
        word.fetch_and(!bit, Ordering::Relaxed) & bit != 0
    }

    /// Whether a number is in.
    pub fn contains(&self, number: u64) -> bool {
        let (word, bit) = self.bit(number);
        word.load(Ordering::Relaxed) & bit != 0
    }

    /// The first number that is in and not below `from`, if there is one.
    pub fn next(&self, from: u64) -> Option<u64> {
        let mut place = usize::try_from(from / 64).ok()?;
        let mut word = self.words.get(place)?.load(Ordering::Relaxed) & u64::MAX << (from % 64);
        while word == 0 {
            place += 1;
            word = self.words.get(place)?.load(Ordering::Relaxed);
        }
        Some(place as u64 * 64 + u64::from(word.trailing_zeros()))
    }

    /// How many numbers are in.
    pub fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.load(Ordering::Relaxed).count_ones())).sum()
    }

    fn bit(&self, number: u64) -> (&AtomicU64, u64) {
        (&self.words[(number / 64) as usize], 1 << (number % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_are_in_are_found_in_order() {
        let (all, bits) = ([0, 5, 63, 64, 200, 319], Bits::new(320));
        assert!(all.iter().all(|number| bits.insert(*number)) && !bits.insert(63));
        let mut from = 0;
        let next = std::iter::from_fn(|| bits.next(from).inspect(|number| from = number + 1));
        assert_eq!(next.collect::<Vec<_>>(), all);
        assert_eq!((bits.next(320), Bits::default().next(0)), (None, None));
    }
}
