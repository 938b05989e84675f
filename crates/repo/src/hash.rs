//! SHA-256 of one stream, or of two side by side.
//!
//! Every round of SHA-256 waits for the one before it, and a core that knows it as an instruction idles meanwhile.
//! Blocks of two streams in turn fill these gaps: both together take little longer than one.

use sha2::block_api::compress256;
use std::slice::from_ref;

const BLOCK: usize = 64;
/// Where the length of the message stands in its last block.
const LENGTH: usize = BLOCK - size_of::<u64>();
/// FIPS 180-4, section 5.3.3.
const START: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// A stream being hashed.
#[derive(Clone)]
pub(crate) struct Hash {
    state: [u32; 8],
    /// What came since the last whole block: the first `length % BLOCK` bytes of it.
    begun: [u8; BLOCK],
    /// Bytes so far; SHA-256 ends at 2⁶¹.
    length: u64,
}

impl Default for Hash {
    fn default() -> Self {
        Hash::new()
    }
}

impl Hash {
    /// Of nothing yet.
    pub(crate) const fn new() -> Self {
        Hash { state: START, begun: [0; BLOCK], length: 0 }
    }

    /// The hash of `bytes` alone.
    pub(crate) fn of(bytes: &[u8]) -> [u8; 32] {
        let mut hash = Hash::new();
        hash.update(bytes);
        hash.finish()
    }

    /// Bytes so far.
    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    /// Goes on with `bytes`.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let blocks = self.whole_blocks(bytes);
        compress256(&mut self.state, blocks);
    }

    /// The hash of all that came.
    pub(crate) fn finish(mut self) -> [u8; 32] {
        let (bits, used) = (self.length * 8, self.used());
        self.begun[used] = 0x80;
        self.begun[used + 1..].fill(0);
        if used >= LENGTH {
            compress256(&mut self.state, from_ref(&self.begun));
            self.begun.fill(0);
        }
        self.begun[LENGTH..].copy_from_slice(&bits.to_be_bytes());
        compress256(&mut self.state, from_ref(&self.begun));
        let mut hash = [0; 32];
        for (bytes, word) in hash.chunks_exact_mut(4).zip(self.state) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        hash
    }

    /// Takes `bytes` in, but for the whole blocks that are still to be compressed.
    fn whole_blocks<'b>(&mut self, mut bytes: &'b [u8]) -> &'b [[u8; BLOCK]] {
        let used = self.used();
        self.length += bytes.len() as u64;
        if used > 0 {
            let (head, rest) = bytes.split_at(bytes.len().min(BLOCK - used));
            self.begun[used..used + head.len()].copy_from_slice(head);
            if used + head.len() < BLOCK {
                return &[];
            }
            compress256(&mut self.state, from_ref(&self.begun));
            bytes = rest;
        }
        let (blocks, tail) = bytes.as_chunks();
        self.begun[..tail.len()].copy_from_slice(tail);
        blocks
    }

    /// Bytes of the block that has begun.
    const fn used(&self) -> usize {
        (self.length % BLOCK as u64) as usize
    }
}

/// Goes on with two streams at once; what one of them has more is hashed alone.
pub(crate) fn update_both([first, second]: [&mut Hash; 2], bytes: [&[u8]; 2]) {
    let (ours, theirs) = (first.whole_blocks(bytes[0]), second.whole_blocks(bytes[1]));
    for (our, their) in ours.iter().zip(theirs) {
        compress256(&mut first.state, from_ref(our));
        compress256(&mut second.state, from_ref(their));
    }
    let together = ours.len().min(theirs.len());
    compress256(&mut first.state, &ours[together..]);
    compress256(&mut second.state, &theirs[together..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    fn reference(bytes: &[u8]) -> [u8; 32] {
        Sha256::digest(bytes).into()
    }

    #[test]
    fn every_length_around_the_blocks_hashes_as_the_reference() {
        let bytes: Vec<u8> = (0..400_u32).map(|i| (i * 7) as u8).collect();
        for length in 0..bytes.len() {
            assert_eq!(Hash::of(&bytes[..length]), reference(&bytes[..length]), "{length}");
        }
    }

    proptest! {
        #[test]
        fn two_streams_in_pieces_hash_as_each_alone(
            pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..300), 0_usize..300), 0..12),
        ) {
            let (mut both, mut all) = ([Hash::new(), Hash::new()], [Vec::new(), Vec::new()]);
            for (bytes, more) in pieces {
                let [first, second] = &mut both;
                let other = &bytes[..more.min(bytes.len())];
                update_both([first, second], [&bytes, other]);
                second.update(&bytes);
                all[0].extend_from_slice(&bytes);
                all[1].extend_from_slice(other);
                all[1].extend_from_slice(&bytes);
            }
            prop_assert_eq!(both.map(Hash::finish), [reference(&all[0]), reference(&all[1])]);
        }
    }
}
