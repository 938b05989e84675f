//! Random numbers that no secret depends on: for names, jitter and injected faults.

/// A small generator (SplitMix64): the same seed gives the same numbers.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn from_seed(seed: u64) -> Self {
        Random(seed)
    }

    /// Seeds from the system; when that has no randomness to give, the numbers are merely predictable.
    pub(crate) fn fresh() -> Self {
        Random(getrandom::u64().unwrap_or(0x7472_6573_6f72))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..bound`; 0 for a bound of 0. The bias is far below what any use here could notice.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// A number in `0.0..1.0`.
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_the_numbers_and_bounds_hold() {
        let (mut one, mut same) = (Random::from_seed(7), Random::from_seed(7));
        for bound in 1..100 {
            assert_eq!(one.next(), same.next());
            assert!(one.below(bound) < bound);
            assert!((0.0..1.0).contains(&one.fraction()));
            same = Random(one.0);
        }
        assert_eq!(one.below(0), 0);
    }
}
