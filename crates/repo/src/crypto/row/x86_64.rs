//! Four words at a time with SSE2, which every x86-64 processor has.

use safe_arch::{
    add_i32_m128i, bitor_m128i, bitxor_m128i, m128i, shl_imm_u32_m128i, shr_imm_u32_m128i,
    shuffle_ai_f32_all_m128i as shuffled,
};

/// Four words.
#[derive(Clone, Copy)]
pub(super) struct Row(m128i);

impl Row {
    #[inline(always)]
    pub(super) fn new(words: [u32; 4]) -> Self {
        Row(words.into())
    }

    #[inline(always)]
    pub(super) fn words(self) -> [u32; 4] {
        self.0.into()
    }

    #[inline(always)]
    pub(super) fn plus(self, other: Row) -> Self {
        Row(add_i32_m128i(self.0, other.0))
    }

    #[inline(always)]
    pub(super) fn xor(self, other: Row) -> Self {
        Row(bitxor_m128i(self.0, other.0))
    }

    /// Each word rotated to the left; `BACK` is 32 − `BY`.
    #[inline(always)]
    pub(super) fn rotated<const BY: i32, const BACK: i32>(self) -> Self {
        const { assert!(BY + BACK == 32) };
        Row(bitor_m128i(shl_imm_u32_m128i::<BY>(self.0), shr_imm_u32_m128i::<BACK>(self.0)))
    }

    /// The words in another order: the one at `BY` first, then those after it, then those before it.
    #[inline(always)]
    pub(super) fn turned<const BY: usize>(self) -> Self {
        Row(match BY {
            1 => shuffled::<0b00_11_10_01>(self.0),
            2 => shuffled::<0b01_00_11_10>(self.0),
            3 => shuffled::<0b10_01_00_11>(self.0),
            _ => self.0,
        })
    }
}
