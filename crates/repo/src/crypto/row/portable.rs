//! Four words at a time on any processor.

/// Four words.
#[derive(Clone, Copy)]
pub(super) struct Row([u32; 4]);

impl Row {
    #[inline(always)]
    pub(super) fn new(words: [u32; 4]) -> Self {
        Row(words)
    }

    #[inline(always)]
    pub(super) fn words(self) -> [u32; 4] {
        self.0
    }

    #[inline(always)]
    pub(super) fn plus(self, other: Row) -> Self {
        Row([0, 1, 2, 3].map(|i| self.0[i].wrapping_add(other.0[i])))
    }

    #[inline(always)]
    pub(super) fn xor(self, other: Row) -> Self {
        Row([0, 1, 2, 3].map(|i| self.0[i] ^ other.0[i]))
    }

    /// Each word rotated to the left; `BACK` is 32 − `BY`.
    #[inline(always)]
    pub(super) fn rotated<const BY: u32, const BACK: u32>(self) -> Self {
        const { assert!(BY + BACK == 32) };
        Row(self.0.map(|word| word.rotate_left(BY)))
    }

    /// The words in another order: the one at `BY` first, then those after it, then those before it.
    #[inline(always)]
    pub(super) fn turned<const BY: usize>(self) -> Self {
        Row([0, 1, 2, 3].map(|i| self.0[(i + BY) % 4]))
    }
}
