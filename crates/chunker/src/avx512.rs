//! The search of 64 stretches side by side, with AVX-512 and GFNI.
#![allow(unsafe_code, reason = "a call into code for an instruction set that was looked for, and loads")]
#![allow(clippy::wildcard_imports, reason = "the names of the instructions")]

use std::arch::x86_64::*;

use crate::planes::{Matrix, PLANES, Planes, TILE, first_tile};
use crate::rabin::WINDOW;

/// Bytes of a vector.
pub(crate) const LANES: usize = 64;

/// Whether this machine has the instructions.
pub(crate) fn is_available() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("gfni")
}

/// See [`first_tile!`].
///
/// # Panics
/// When this machine lacks the instructions.
pub(crate) fn search(planes: &Planes, data: &[u8]) -> Option<usize> {
    assert!(is_available(), "no AVX-512 with GFNI here");
    // SAFETY: the function needs nothing but the instructions, and they are there.
    unsafe { first_tile(planes, data) }
}

first_tile!("avx512f,avx512bw,gfni");

#[inline]
#[target_feature(enable = "avx512f")]
fn zero() -> __m512i {
    _mm512_setzero_si512()
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn splat(byte: u8) -> __m512i {
    _mm512_set1_epi8(byte as i8)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn map(matrix: Matrix) -> __m512i {
    _mm512_set1_epi64(matrix.bits() as i64)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn source(bytes: __m512i) -> __m512i {
    bytes
}

#[inline]
#[target_feature(enable = "avx512f,gfni")]
fn apply(map: __m512i, source: __m512i) -> __m512i {
    _mm512_gf2p8affine_epi64_epi8::<0>(source, map)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor(a: __m512i, b: __m512i) -> __m512i {
    _mm512_xor_si512(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor3(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi64::<0b1001_0110>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn any(a: __m512i, b: __m512i, c: __m512i, mask: __m512i) -> __m512i {
    _mm512_or_si512(_mm512_ternarylogic_epi64::<0b1111_1000>(b, c, mask), a)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn least(a: __m512i, b: __m512i) -> __m512i {
    _mm512_min_epu8(a, b)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn lanes_of_zeros(bytes: __m512i) -> u64 {
    _mm512_testn_epi8_mask(bytes, bytes)
}

/// The first 16 bytes of each of the 64 stretches, the first bytes of all in one vector, and so on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn rows(data: &[u8], stretch: usize) -> [__m512i; 16] {
    let at = |lane: usize| load(data, lane * stretch);
    // Quarter q holds lane 16q + i, and afterwards lanes 16q to 16q + 15.
    let row = |i: usize| {
        let row = _mm512_castsi128_si512(at(i));
        let row = _mm512_inserti32x4::<1>(row, at(i + 16));
        let row = _mm512_inserti32x4::<2>(row, at(i + 32));
        _mm512_inserti32x4::<3>(row, at(i + 48))
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
    // A byte's place is the number of its row and that within the quarter, 4 bits each. Every round
    // rotates these 8 bits by one, so that four rounds exchange the two numbers.
    interleave(interleave(interleave(interleave(rows))))
}

/// The bytes of rows i and i + 8 by turns. (Loops over the rows would put them into memory.)
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn interleave(rows: [__m512i; 16]) -> [__m512i; 16] {
    let [a, b, c, d, e, f, g, h, ..] = rows;
    let [.., i, j, k, l, m, n, o, p] = rows;
    let low = |x, y| _mm512_unpacklo_epi8(x, y);
    let high = |x, y| _mm512_unpackhi_epi8(x, y);
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
