//! The fingerprint cut into planes of bytes, so that one instruction serves a vector of stretches.
//!
//! A vector holds one byte of each stretch. The digests, shifted up so that their highest bit is
//! bit 55, are seven such vectors. A step of all stretches renames them, which is the shift by a
//! byte, and adds to each plane one linear map of the top plane (the reduction) and one of the
//! bytes that leave the window. The argument is ADR 16.
//!
//! The loop is a macro over functions that each instruction set's module defines under the same
//! names: functions of a `target_feature` can neither be methods of a safe trait nor be inlined
//! into a generic function.

use crate::lanes::Tables;
use crate::rabin::{MASK, WINDOW};

/// Bytes of a digest.
pub(crate) const PLANES: usize = 7;
/// Steps between two looks at the results. As many as the window holds bytes: what leaves at a
/// step is what entered at the same step of the tile before.
pub(crate) const TILE: usize = WINDOW;

/// The linear maps of one polynomial, each a matrix as [`Matrix::of`] lays it out.
#[derive(Debug)]
pub(crate) struct Planes {
    /// What the top plane is worth to each plane once it is shifted out.
    pub(crate) reduce: [Matrix; PLANES],
    /// What the byte that leaves the window is worth to each plane.
    pub(crate) leave: [Matrix; PLANES],
    /// What the byte that enters is worth to the lowest two planes.
    pub(crate) enter: [Matrix; 2],
    /// The bits of the third plane that are zero at a cut; those of the lowest two are all.
    pub(crate) third: u8,
}

impl Planes {
    /// The maps for the polynomial of `tables`, if the bits of a cut fill two planes and reach
    /// into a third: that is so for degrees 52 to 56, among them the 53 of created repositories.
    pub(crate) fn new(tables: &Tables) -> Option<Self> {
        let shift = (u8::BITS * PLANES as u32).checked_sub(tables.degree())?;
        let [_, _, third, 0, ..] = (MASK << shift).to_le_bytes() else { return None };
        let plane = |of: &dyn Fn(u8) -> u64, plane: usize| Matrix::of(|byte| of(byte).to_le_bytes()[plane]);
        // The digests of the tables have their highest bit one byte further up.
        let reduce = |byte| tables.reduced(byte) >> 8;
        let leave = |byte| tables.left(byte) >> 8;
        let enter = |byte| u64::from(byte) << shift;
        Some(Self {
            reduce: std::array::from_fn(|index| plane(&reduce, index)),
            leave: std::array::from_fn(|index| plane(&leave, index)),
            enter: std::array::from_fn(|index| plane(&enter, index)),
            third,
        })
    }
}

/// A linear map of bytes over GF(2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix(u64);

impl Matrix {
    /// The matrix of a linear `map`.
    pub(crate) fn of(map: impl Fn(u8) -> u8) -> Self {
        let mut rows = [0_u8; 8];
        for column in 0..8 {
            let image = map(1 << column);
            for (row, bits) in rows.iter_mut().enumerate() {
                *bits |= (image >> row & 1) << column;
            }
        }
        // `gf2p8affineqb` wants the row of the highest bit in the lowest byte.
        Self(u64::from_be_bytes(rows))
    }

    /// As `gf2p8affineqb` wants it.
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// The images of 0 to 15 and of those times 16: two look-ups and a sum make the map.
    pub(crate) fn nibbles(self) -> [[u8; 16]; 2] {
        [0, 4].map(|shift| std::array::from_fn(|nibble| self.apply((nibble as u8) << shift)))
    }

    /// The image of one byte.
    fn apply(self, byte: u8) -> u8 {
        let rows = self.0.to_be_bytes().into_iter().enumerate();
        rows.fold(0, |image, (row, bits)| image | ((bits & byte).count_ones() as u8 & 1) << row)
    }
}

/// The search of one instruction set: the first tile that holds a candidate.
///
/// `first_tile(planes, data)` looks at all windows that end after the first 64 bytes of `data`,
/// whose rest is a multiple of `LANES` · [`TILE`]. It answers where, in that rest, the first [`TILE`] bytes
/// begin among which such a window ends that the cut's bits of its digest are zero.
///
/// The module defines `LANES`, the bytes of a vector, and about vectors:
/// - `zero`, `splat` (one byte everywhere), `rows` (16 bytes of each lane, one vector per byte),
/// - `map` (the operand made of a matrix), `source` (what a map takes), `apply` (the map),
/// - `xor`, `xor3`, `any` (is zero where its arguments, the third one masked, are zero),
/// - `least` (the smaller byte), `lanes_of_zeros` (bit by bit, which bytes are zero).
macro_rules! first_tile {
    ($features:literal) => {
        #[target_feature(enable = $features)]
        fn first_tile(planes: &Planes, data: &[u8]) -> Option<usize> {
            let stretch = (data.len() - WINDOW) / LANES;
            assert_eq!(data.len() - WINDOW, stretch.next_multiple_of(TILE) * LANES, "whole blocks");
            let mut maps = ([map(Matrix::of(|_| 0)); PLANES], [map(Matrix::of(|_| 0)); PLANES]);
            for plane in 0..PLANES {
                maps.0[plane] = map(planes.reduce[plane]);
                maps.1[plane] = map(planes.leave[plane]);
            }
            let (reduce, leave) = maps;
            let (enter_low, enter_high) = (map(planes.enter[0]), map(planes.enter[1]));
            let third = splat(planes.third);
            let mut window = [zero(); WINDOW];
            let mut state = [zero(); PLANES];
            let (mut first, mut first_lane) = (None, LANES);
            // The first tile of each stretch fills the window; its last digest is that of the
            // position before the stretch.
            for end in (0..=stretch).step_by(TILE) {
                let mut smallest = splat(u8::MAX);
                for part in (0..TILE).step_by(16) {
                    let entering = rows(&data[end + part..], stretch);
                    for (&new, old) in entering.iter().zip(&mut window[part..part + 16]) {
                        let (top, left) = (source(state[PLANES - 1]), source(*old));
                        let entered = source(new);
                        *old = new;
                        for plane in (1..PLANES).rev() {
                            state[plane] =
                                xor3(state[plane - 1], apply(reduce[plane], top), apply(leave[plane], left));
                        }
                        state[1] = xor(state[1], apply(enter_high, entered));
                        state[0] =
                            xor3(apply(enter_low, entered), apply(reduce[0], top), apply(leave[0], left));
                        smallest = least(smallest, any(state[0], state[1], state[2], third));
                    }
                }
                let lane = lanes_of_zeros(smallest).trailing_zeros() as usize;
                // A later lane is a later position, and so is a later tile of the same lane.
                if end > 0 && lane < first_lane {
                    (first, first_lane) = (Some(lane * stretch + end - TILE), lane);
                    if lane == 0 {
                        break;
                    }
                }
            }
            first
        }
    };
}
pub(crate) use first_tile;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_matrix_is_its_map(columns: [u8; 8]) {
            let map = |byte: u8| {
                (0..8).filter(|bit| byte >> bit & 1 == 1).fold(0, |sum, bit| sum ^ columns[bit])
            };
            let matrix = Matrix::of(map);
            let [low, high] = matrix.nibbles();
            for byte in 0..=u8::MAX {
                prop_assert_eq!(matrix.apply(byte), map(byte));
                prop_assert_eq!(low[usize::from(byte & 15)] ^ high[usize::from(byte >> 4)], map(byte));
            }
        }
    }
}
