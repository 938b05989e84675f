//! The search of 32 stretches side by side with AVX2; its maps by GFNI, or by look-ups in vectors.
#![allow(unsafe_code, reason = "calls into code for an instruction set that was looked for, and loads")]
#![allow(clippy::wildcard_imports, reason = "the names of the instructions")]

use std::arch::x86_64::*;

/// Bytes of a vector.
pub(crate) const LANES: usize = 32;

/// Maps are instructions of their own (GFNI).
pub(crate) mod affine {
    use std::arch::x86_64::*;

    use super::{LANES, any, lanes_of_zeros, least, rows, splat, xor, xor3, zero};
    use crate::planes::{Matrix, PLANES, Planes, TILE, first_tile};
    use crate::rabin::WINDOW;

    /// Whether this machine has the instructions.
    pub(crate) fn is_available() -> bool {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("gfni")
    }

    /// See [`first_tile!`].
    ///
    /// # Panics
    /// When this machine lacks the instructions.
    pub(crate) fn search(planes: &Planes, data: &[u8]) -> Option<usize> {
        assert!(is_available(), "no AVX2 with GFNI here");
        // SAFETY: the function needs nothing but the instructions, and they are there.
        unsafe { first_tile(planes, data) }
    }

    first_tile!("avx2,gfni");

    #[inline]
    #[target_feature(enable = "avx2")]
    fn map(matrix: Matrix) -> __m256i {
        _mm256_set1_epi64x(matrix.bits() as i64)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn source(bytes: __m256i) -> __m256i {
        bytes
    }

    #[inline]
    #[target_feature(enable = "avx2,gfni")]
    fn apply(map: __m256i, source: __m256i) -> __m256i {
        _mm256_gf2p8affine_epi64_epi8::<0>(source, map)
    }
}

/// Maps are the sum of two look-ups, each for half a byte.
pub(crate) mod shuffle {
    use std::arch::x86_64::*;

    use super::{LANES, any, lanes_of_zeros, least, load, rows, splat, xor, xor3, zero};
    use crate::planes::{Matrix, PLANES, Planes, TILE, first_tile};
    use crate::rabin::WINDOW;

    /// Whether this machine has the instructions.
    pub(crate) fn is_available() -> bool {
        is_x86_feature_detected!("avx2")
    }

    /// See [`first_tile!`].
    ///
    /// # Panics
    /// When this machine lacks the instructions.
    pub(crate) fn search(planes: &Planes, data: &[u8]) -> Option<usize> {
        assert!(is_available(), "no AVX2 here");
        // SAFETY: the function needs nothing but the instructions, and they are there.
        unsafe { first_tile(planes, data) }
    }

    first_tile!("avx2");

    /// The images of the lower and of the upper halves of a byte.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn map(matrix: Matrix) -> [__m256i; 2] {
        let [low, high] = matrix.nibbles();
        [_mm256_broadcastsi128_si256(load(&low, 0)), _mm256_broadcastsi128_si256(load(&high, 0))]
    }

    /// The lower and the upper halves.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn source(bytes: __m256i) -> [__m256i; 2] {
        let half = splat(0x0f);
        [_mm256_and_si256(bytes, half), _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), half)]
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn apply([low, high]: [__m256i; 2], source: [__m256i; 2]) -> __m256i {
        xor(_mm256_shuffle_epi8(low, source[0]), _mm256_shuffle_epi8(high, source[1]))
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn zero() -> __m256i {
    _mm256_setzero_si256()
}

#[inline]
#[target_feature(enable = "avx2")]
fn splat(byte: u8) -> __m256i {
    _mm256_set1_epi8(byte as i8)
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor(a: __m256i, b: __m256i) -> __m256i {
    _mm256_xor_si256(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor3(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    xor(a, xor(b, c))
}

#[inline]
#[target_feature(enable = "avx2")]
fn any(a: __m256i, b: __m256i, c: __m256i, mask: __m256i) -> __m256i {
    _mm256_or_si256(_mm256_or_si256(a, b), _mm256_and_si256(c, mask))
}

#[inline]
#[target_feature(enable = "avx2")]
fn least(a: __m256i, b: __m256i) -> __m256i {
    _mm256_min_epu8(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn lanes_of_zeros(bytes: __m256i) -> u64 {
    u64::from(_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, zero())).cast_unsigned())
}

/// The first 16 bytes of each of the 32 stretches, the first bytes of all in one vector, and so on.
#[inline]
#[target_feature(enable = "avx2")]
fn rows(data: &[u8], stretch: usize) -> [__m256i; 16] {
    // Half h holds lane 16h + i, and afterwards lanes 16h to 16h + 15.
    let row = |i: usize| {
        let row = _mm256_castsi128_si256(load(data, i * stretch));
        _mm256_inserti128_si256::<1>(row, load(data, (i + 16) * stretch))
    };
    let rows = [
        row(0),
        row(1),
        row(2),
        row(3),
        row(4),
        row(5),
        row(6),
        row(7),
        row(8),
        row(9),
        row(10),
        row(11),
        row(12),
        row(13),
        row(14),
        row(15),
    ];
    // A byte's place is the number of its row and that within the half, 4 bits each. Every round
    // rotates these 8 bits by one, so that four rounds exchange the two numbers.
    interleave(interleave(interleave(interleave(rows))))
}

/// The bytes of rows i and i + 8 by turns. (Loops over the rows would put them into memory.)
#[inline]
#[target_feature(enable = "avx2")]
fn interleave(rows: [__m256i; 16]) -> [__m256i; 16] {
    let [a, b, c, d, e, f, g, h, ..] = rows;
    let [.., i, j, k, l, m, n, o, p] = rows;
    let low = |x, y| _mm256_unpacklo_epi8(x, y);
    let high = |x, y| _mm256_unpackhi_epi8(x, y);
    [
        low(a, i),
        high(a, i),
        low(b, j),
        high(b, j),
        low(c, k),
        high(c, k),
        low(d, l),
        high(d, l),
        low(e, m),
        high(e, m),
        low(f, n),
        high(f, n),
        low(g, o),
        high(g, o),
        low(h, p),
        high(h, p),
    ]
}

/// The 16 bytes of `data` from `start` on.
#[inline]
#[target_feature(enable = "sse2")]
fn load(data: &[u8], start: usize) -> __m128i {
    let bytes = &data[start..start + 16];
    // SAFETY: the pointer is that of 16 bytes, and the instruction wants no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}
