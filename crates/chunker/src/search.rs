//! The first cut's position by the fastest way that this machine has.
//!
//! Wide vectors say which 64 positions hold the first candidate; which one it is, and what is too
//! short for them, is left to the scalar lanes.

use std::ops::Range;

use crate::lanes::{self, Tables};
use crate::planes::{Planes, TILE};
use crate::polynomial::Polynomial;
use crate::rabin::WINDOW;
#[cfg(target_arch = "x86_64")]
use crate::{avx2, avx512};

/// Steps of a stretch at most: warming up (one tile) costs little, and a block still ends soon
/// after a candidate. An odd number of tiles, so that stretches fall on different cache sets.
const LONGEST: usize = 23 * TILE;

/// A way to search on this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) name: &'static str,
    vectors: Option<Vectors>,
}

/// A search with wide vectors, whose instructions this machine has.
#[derive(Clone, Copy, Debug)]
struct Vectors {
    lanes: usize,
    first_tile: fn(&Planes, &[u8]) -> Option<usize>,
}

impl Way {
    const SCALAR: Self = Self { name: "scalar", vectors: None };

    /// The fastest way that this machine has.
    pub(crate) fn fastest() -> Self {
        Self::all().pop().unwrap_or(Self::SCALAR)
    }

    /// The ways that this machine has, the slowest first.
    pub(crate) fn all() -> Vec<Self> {
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut))]
        let mut all = vec![Self::SCALAR];
        #[cfg(target_arch = "x86_64")]
        {
            let mut add = |is_available, name, lanes, first_tile| {
                let vectors = Some(Vectors { lanes, first_tile });
                all.extend(Some(Self { name, vectors }).filter(|_| is_available));
            };
            add(avx2::shuffle::is_available(), "AVX2", avx2::LANES, avx2::shuffle::search);
            add(avx2::affine::is_available(), "AVX2 and GFNI", avx2::LANES, avx2::affine::search);
            add(avx512::is_available(), "AVX-512 and GFNI", avx512::LANES, avx512::search);
        }
        all
    }
}

/// What one way needs to search with one polynomial.
#[derive(Debug)]
pub(crate) struct Search {
    tables: Tables,
    vectors: Option<(Vectors, Planes)>,
}

impl Search {
    /// Computes the tables; the degree must be 8 to 56.
    pub(crate) fn new(polynomial: Polynomial, way: Way) -> Self {
        let tables = Tables::new(polynomial);
        let vectors = way.vectors.and_then(|vectors| Some((vectors, Planes::new(&tables)?)));
        Self { tables, vectors }
    }

    /// The first index in `range` at which the window ending there, inclusive, has a cut's digest.
    ///
    /// The window's bytes before the range are read from `data`, so the range begins at 64 or later.
    ///
    /// # Panics
    /// When the range begins earlier or ends after `data`.
    pub(crate) fn first_candidate(&self, data: &[u8], range: Range<usize>) -> Option<usize> {
        let mut start = range.start;
        while let Some((Vectors { lanes, first_tile }, planes)) = &self.vectors
            && start < range.end
        {
            let block = lanes * TILE;
            let length = ((range.end - start) / block * block).clamp(block, lanes * LONGEST);
            // The last block may look once more at positions that were found to be none.
            let Some(begin) = range.end.checked_sub(length).map(|begin| begin.min(start)) else { break };
            if begin < range.start {
                break;
            }
            if let Some(tile) = first_tile(planes, &data[begin - WINDOW..begin + length]) {
                let tile = begin + tile;
                return lanes::first_candidate(&self.tables, data, tile..tile + TILE);
            }
            start = begin + length;
        }
        lanes::first_candidate(&self.tables, data, start..range.end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rabin::MASK;

    /// One search for each way of this machine.
    fn searches(polynomial: Polynomial) -> Vec<(&'static str, Search)> {
        Way::all().into_iter().map(|way| (way.name, Search::new(polynomial, way))).collect()
    }

    /// An irreducible polynomial of `degree`; which one depends on `seed`.
    fn polynomial(degree: u32, seed: u64) -> Polynomial {
        let top = 1 << degree;
        (0_u64..)
            .map(|step| Polynomial::from(seed.wrapping_add(2 * step) & (top - 1) | top | 1))
            .find(|polynomial| polynomial.is_irreducible())
            .expect("one in some dozens is")
    }

    /// Bytes without structure; the same for the same seed.
    fn noise(seed: u64, length: usize) -> Vec<u8> {
        let mut state = seed | 1;
        let step = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        std::iter::repeat_with(step).take(length).collect()
    }

    /// Changes the last three bytes of the window that ends with `last` so that it is a candidate:
    /// they are the lowest 24 bits of what is divided.
    fn plant(polynomial: Polynomial, data: &mut [u8], last: usize) {
        let window = &mut data[last + 1 - WINDOW..=last];
        window[WINDOW - 3..].fill(0);
        let remainder = window.iter().fold(Polynomial::from(0), |rest, &byte| {
            rest.shifted_rem(8, polynomial).add(Polynomial::from(u64::from(byte)).rem(polynomial))
        });
        window[WINDOW - 3..].copy_from_slice(&((remainder.bits() & MASK) as u32).to_be_bytes()[1..]);
    }

    /// All candidates in the range, as a caller finds them one after the other.
    fn candidates(search: &Search, data: &[u8], mut range: Range<usize>) -> Vec<usize> {
        let mut found = Vec::new();
        while let Some(last) = search.first_candidate(data, range.clone()) {
            found.push(last);
            range.start = last + 1;
        }
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// The scalar lanes are tested against a division on their own.
        #[test]
        fn every_way_finds_the_same_candidates(
            degree in 48_u32..=56,
            seed: u64,
            length in WINDOW..4 * 64 * LONGEST,
            starts in any::<prop::sample::Index>(),
            planted in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..200), 0..12),
        ) {
            let polynomial = polynomial(degree, seed);
            let mut data = noise(seed, length);
            for (place, zeros) in planted {
                // Either one candidate or, where enough zeros are, several in a row.
                let last = WINDOW - 1 + place.index(length - WINDOW + 1);
                if zeros < 100 {
                    plant(polynomial, &mut data, last);
                } else {
                    data[last..(last + zeros).min(length)].fill(0);
                }
            }
            let start = WINDOW + starts.index(length - WINDOW + 1);
            let mut searches = searches(polynomial).into_iter();
            let (_, scalar) = searches.next().expect("scalar is everywhere");
            let expected = candidates(&scalar, &data, start..length);
            for (name, search) in searches {
                prop_assert_eq!(&candidates(&search, &data, start..length), &expected, "{}", name);
            }
        }
    }

    #[test]
    fn every_position_of_a_short_range_can_be_the_first() {
        every_position(&[1, 2], 1);
    }

    #[test]
    fn positions_around_the_edges_of_every_lane_can_be_the_first() {
        // Steps prime to the tile meet every place in a tile, and each stretch many times.
        every_position(&[LONGEST / TILE, LONGEST / TILE + 1], 61);
    }

    /// Plants the only candidate at every `step`th position of ranges of so many tiles a lane, and
    /// another one behind the range.
    fn every_position(tiles: &[usize], step: usize) {
        let polynomial = polynomial(53, 0x1d_a335_8b4d_c173);
        for (name, search) in searches(polynomial) {
            let lanes = search.vectors.as_ref().map_or(32, |(vectors, _)| vectors.lanes);
            for tiles in tiles {
                let range = WINDOW + 5..WINDOW + 5 + lanes * tiles * TILE + 100;
                let untouched = noise(1, range.end + WINDOW);
                assert_eq!(candidates(&search, &untouched, range.clone()), [], "{name}");
                let mut data = untouched.clone();
                for last in (range.start - 1..=range.end).step_by(step) {
                    plant(polynomial, &mut data, last);
                    let expected = Some(last).filter(|last| range.contains(last));
                    let found = search.first_candidate(&data, range.clone());
                    assert_eq!(found, expected, "{name}, {tiles} tiles, candidate at {last}");
                    data[last - 2..=last].copy_from_slice(&untouched[last - 2..=last]);
                }
            }
        }
    }

    #[test]
    fn the_polynomials_of_init_are_searched_by_vectors() {
        let usual = polynomial(Polynomial::DEGREE, 0);
        for (name, search) in searches(usual) {
            assert_eq!(search.vectors.is_some(), name != "scalar", "{name}");
        }
    }
}
