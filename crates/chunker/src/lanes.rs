//! The fingerprint at full speed: independent stretches of the data computed side by side.
//!
//! A rolling fingerprint is a chain of table look-ups, each waiting for the one before. But the
//! digest at a position depends on the last 64 bytes alone, so a region is divided into a few
//! stretches, each warmed up with the 64 bytes before it, and the processor works on all of them
//! at once. Which lane sees a candidate first does not matter: the earliest position wins.

use std::ops::Range;

use crate::polynomial::Polynomial;
use crate::rabin::{MASK, WINDOW};

/// Stretches computed side by side: enough to hide a look-up, few enough for the registers.
const LANES: usize = 4;

/// What a byte is worth on entering the top and on leaving the window, for one polynomial.
///
/// Digests are kept shifted up so that their highest bit is bit 63: then the byte that the next
/// step pushes out is always the top one, and the step's shift drops it.
#[derive(Debug)]
pub(crate) struct Tables {
    /// The remainder that replaces the top byte once it is shifted out.
    reduce: [u64; 256],
    /// The byte that has been in the window for 64 steps, shifted by one step more.
    leave: [u64; 256],
    /// How far digests are shifted up.
    shift: u32,
}

impl Tables {
    /// Computes the tables; the degree must be 8 to 56.
    pub(crate) fn new(polynomial: Polynomial) -> Self {
        let degree = polynomial.degree();
        let shift = u64::BITS - degree;
        let table = |exponent: u32| {
            std::array::from_fn(|byte| {
                Polynomial::from(byte as u64).shifted_rem(exponent, polynomial).bits() << shift
            })
        };
        Self { reduce: table(degree), leave: table(u8::BITS * WINDOW as u32), shift }
    }

    /// The degree of the polynomial.
    pub(crate) fn degree(&self) -> u32 {
        u64::BITS - self.shift
    }

    /// What replaces `top` at the top of a digest once it is shifted out, shifted up as digests are.
    pub(crate) fn reduced(&self, top: u8) -> u64 {
        self.reduce[usize::from(top)]
    }

    /// What a step takes from a digest when `old` leaves the window, shifted up as digests are.
    pub(crate) fn left(&self, old: u8) -> u64 {
        self.leave[usize::from(old)]
    }

    /// The digest when `new` enters a window that keeps its other bytes.
    #[inline(always)]
    fn enter(&self, digest: u64, new: u8, shift: u32) -> u64 {
        (digest << 8) ^ (u64::from(new) << shift) ^ self.reduce[(digest >> 56) as usize]
    }

    /// The digest when `new` enters the window and `old` leaves it.
    #[inline(always)]
    fn slide(&self, digest: u64, new: u8, old: u8, shift: u32) -> u64 {
        self.enter(digest, new, shift) ^ self.leave[usize::from(old)]
    }
}

/// The first index in `range` at which the window ending there, inclusive, has a cut's digest.
///
/// The window's bytes before the range are read from `data`, so the range begins at 64 or later.
///
/// # Panics
/// When the range begins earlier or ends after `data`.
pub(crate) fn first_candidate(tables: &Tables, data: &[u8], range: Range<usize>) -> Option<usize> {
    // One copy of the loops for the degree that every created repository has, where the shift is a
    // constant, and one for all others.
    const USUAL: u32 = u64::BITS - Polynomial::DEGREE;
    if tables.shift == USUAL {
        scan(tables, data, range, USUAL)
    } else {
        scan(tables, data, range, tables.shift)
    }
}

/// Covers the range with blocks of long stretches, then of short ones, then byte by byte.
#[inline(always)]
fn scan(tables: &Tables, data: &[u8], range: Range<usize>, shift: u32) -> Option<usize> {
    let mut start = range.start;
    while start < range.end {
        let window_and_rest = &data[start - WINDOW..range.end];
        let (found, length) = match range.end - start {
            LONG_BLOCK.. => (block::<LONG>(tables, window_and_rest, shift), LONG_BLOCK),
            SHORT_BLOCK.. => (block::<SHORT>(tables, window_and_rest, shift), SHORT_BLOCK),
            rest => (serial(tables, window_and_rest, shift), rest),
        };
        if let Some(offset) = found {
            return Some(start + offset);
        }
        start += length;
    }
    None
}

/// Bytes of a stretch: long enough that warming up costs little, short enough that a block ends
/// soon after a candidate.
const LONG: usize = 4096;
const LONG_BLOCK: usize = LANES * LONG;
/// Bytes of a stretch near the end of the data.
const SHORT: usize = 256;
const SHORT_BLOCK: usize = LANES * SHORT;

/// The first candidate among the `LANES · STRETCH` bytes that follow a window.
#[inline(always)]
fn block<const STRETCH: usize>(tables: &Tables, window_and_rest: &[u8], shift: u32) -> Option<usize> {
    // The length is a constant from here on, so no index below needs a check.
    let data = &window_and_rest[..WINDOW + LANES * STRETCH];
    let mut digests = [0; LANES];
    for i in 0..WINDOW {
        for (lane, digest) in digests.iter_mut().enumerate() {
            *digest = tables.enter(*digest, data[lane * STRETCH + i], shift);
        }
    }
    let mask = MASK << shift;
    let mut first = usize::MAX;
    for i in 0..STRETCH {
        for (lane, digest) in digests.iter_mut().enumerate() {
            let old = lane * STRETCH + i;
            *digest = tables.slide(*digest, data[old + WINDOW], data[old], shift);
            if *digest & mask == 0 {
                first = first.min(old);
            }
        }
        if first < STRETCH {
            break; // The first lane has one: nothing earlier can follow.
        }
    }
    (first != usize::MAX).then_some(first)
}

/// The first candidate among all bytes that follow a window, one after the other.
#[inline(always)]
fn serial(tables: &Tables, window_and_rest: &[u8], shift: u32) -> Option<usize> {
    let (window, rest) = window_and_rest.split_at(WINDOW);
    let mut digest = window.iter().fold(0, |digest, &byte| tables.enter(digest, byte, shift));
    let mask = MASK << shift;
    rest.iter().zip(window_and_rest).position(|(&new, &old)| {
        digest = tables.slide(digest, new, old, shift);
        digest & mask == 0
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Remainder of the 64 bytes that end with index `last`, by division.
    fn digest(polynomial: Polynomial, data: &[u8], last: usize) -> u64 {
        let window = &data[last + 1 - WINDOW..=last];
        let remainder = window.iter().fold(Polynomial::from(0), |rest, &byte| {
            rest.shifted_rem(8, polynomial).add(Polynomial::from(u64::from(byte)).rem(polynomial))
        });
        remainder.bits()
    }

    /// An irreducible polynomial of each degree that is supported; which one depends on `seed`.
    fn polynomial(degree: u32, seed: u64) -> Polynomial {
        let top = 1 << degree;
        (0_u64..)
            .map(|step| Polynomial::from(seed.wrapping_add(2 * step) & (top - 1) | top | 1))
            .find(|polynomial| polynomial.is_irreducible())
            .expect("one in some dozens is")
    }

    proptest! {
        /// Low degrees have a candidate every few hundred bytes, high ones where zeros are.
        #[test]
        fn candidates_are_those_of_a_division(
            degree in 8_u32..=56,
            seed: u64,
            mut data in prop::collection::vec(any::<u8>(), WINDOW..=WINDOW + SHORT_BLOCK * 3),
            zeros in any::<prop::sample::Index>(),
            start in any::<prop::sample::Index>(),
        ) {
            let polynomial = polynomial(degree, seed);
            let zeros = zeros.index(data.len());
            data.iter_mut().skip(zeros).take(WINDOW + 3).for_each(|byte| *byte = 0);
            let end = data.len();
            let mut start = WINDOW + start.index(end - WINDOW + 1);
            let tables = Tables::new(polynomial);
            loop {
                let expected = (start..end).find(|&last| digest(polynomial, &data, last) & MASK == 0);
                prop_assert_eq!(first_candidate(&tables, &data, start..end), expected);
                let Some(last) = expected else { break };
                start = last + 1;
            }
        }
    }

    #[test]
    fn every_position_of_a_long_block_can_be_the_first() {
        // Zeros after ones: the only candidates are where the last one has left the window.
        let tables = Tables::new(Polynomial::from(0x3da3358b4dc173));
        let end = WINDOW + LONG_BLOCK + SHORT_BLOCK + 100;
        let mut data = vec![0xff; end + WINDOW];
        for last in (WINDOW + WINDOW..end).rev() {
            data[last + 1 - WINDOW..].fill(0);
            assert_eq!(first_candidate(&tables, &data, WINDOW..end), Some(last));
            assert_eq!(first_candidate(&tables, &data, WINDOW..last), None);
        }
    }

    #[test]
    fn an_empty_range_has_no_candidate() {
        let tables = Tables::new(polynomial(53, 0));
        assert_eq!(first_candidate(&tables, &[0; WINDOW], WINDOW..WINDOW), None);
    }
}
