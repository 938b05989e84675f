//! Sealing and opening what is too long for memory, piece by piece.
//!
//! Opening takes two passes: [`Authenticator`] sees all bytes first; only what it answers decrypts any.

use super::nonce::{NONCE, Nonce, Text};
use super::seal::{self, Stream, TAG, is_zero};
use super::{Key, NotAuthentic, OVERHEAD};
use crate::error::Result;
use aes::cipher::{StreamCipher, StreamCipherSeek};
use poly1305::Block;
use poly1305::universal_hash::UniversalHash;
use subtle::ConstantTimeEq;
use tresor_secmem::wiped;

/// Poly1305 over pieces of any length.
struct Mac {
    poly: seal::Mac,
    /// What came since the last whole block.
    begun: [u8; 16],
    used: usize,
}

impl Mac {
    fn new(key: &Key, nonce: &Nonce) -> Self {
        Mac { poly: key.mac(nonce), begun: [0; 16], used: 0 }
    }

    fn update(&mut self, mut bytes: &[u8]) {
        if self.used > 0 {
            let (head, rest) = bytes.split_at(bytes.len().min(16 - self.used));
            self.begun[self.used..self.used + head.len()].copy_from_slice(head);
            (self.used, bytes) = (self.used + head.len(), rest);
            if self.used < 16 {
                return;
            }
            self.poly.update(&[self.begun.into()]);
        }
        let (blocks, tail) = Block::slice_as_chunks(bytes);
        self.poly.update(blocks);
        self.begun[..tail.len()].copy_from_slice(tail);
        self.used = tail.len();
    }

    fn finish(self) -> [u8; TAG] {
        seal::finish(self.poly, &self.begun[..self.used])
    }
}

/// Seals a stream: what [`encrypt`](Sealer::encrypt) leaves belongs between the nonce and the tag.
pub(crate) struct Sealer<'k> {
    stream: Stream<'k>,
    mac: Mac,
}

impl Key {
    /// Begins to seal; the nonce, fresh and random, is what the sealed bytes begin with.
    ///
    /// It is hedged over the beginning of what will be sealed: all of it is not known before the nonce is needed.
    pub(crate) fn sealer(&self, beginning: &[u8]) -> Result<(Sealer<'_>, Nonce)> {
        wiped(|| {
            let nonce = self.nonce(&Text::Bytes(beginning), beginning.len())?;
            Ok((Sealer { stream: self.stream(&nonce), mac: Mac::new(self, &nonce) }, nonce))
        })
    }

    /// Decrypts a piece of what was found authentic; it begins `offset` bytes behind the nonce.
    pub(crate) fn decrypt_at(&self, verified: &Verified, offset: u64, piece: &mut [u8]) {
        wiped(|| {
            let mut stream = self.stream(&verified.nonce);
            stream.seek(offset);
            stream.apply_keystream(piece);
        });
    }
}

impl Sealer<'_> {
    /// Encrypts the next piece in place.
    pub(crate) fn encrypt(&mut self, piece: &mut [u8]) {
        wiped(|| {
            self.stream.apply_keystream(piece);
            self.mac.update(piece);
        });
    }

    /// The tag, which the sealed bytes end with.
    pub(crate) fn finish(self) -> [u8; TAG] {
        wiped(|| self.mac.finish())
    }
}

/// Sees sealed bytes from the first to the last, and says whether they are authentic.
pub(crate) struct Authenticator<'k> {
    key: &'k Key,
    length: u64,
    seen: u64,
    nonce: Nonce,
    mac: Option<Mac>,
    tag: [u8; TAG],
}

/// Says that sealed bytes are authentic: they may be decrypted.
#[derive(Clone, Copy)]
pub(crate) struct Verified {
    nonce: Nonce,
}

impl<'k> Authenticator<'k> {
    /// For `length` bytes, nonce and tag included.
    pub(crate) fn new(key: &'k Key, length: u64) -> Self {
        Authenticator { key, length, seen: 0, nonce: [0; NONCE], mac: None, tag: [0; TAG] }
    }

    /// Takes the next piece.
    pub(crate) fn take(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            let text_end = self.length.saturating_sub(TAG as u64);
            let taken = if self.seen < NONCE as u64 {
                fill(&mut self.nonce, self.seen as usize, piece)
            } else if self.seen < text_end {
                let text = most(piece, text_end - self.seen);
                let (key, nonce) = (self.key, &self.nonce);
                let mac = &mut self.mac;
                wiped(|| mac.get_or_insert_with(|| Mac::new(key, nonce)).update(text));
                text.len()
            } else {
                fill(&mut self.tag, (self.seen - text_end) as usize, piece)
            };
            self.seen += taken as u64;
            if taken == 0 {
                self.seen = u64::MAX; // more than was announced
                return;
            }
            piece = &piece[taken..];
        }
    }

    /// Whether all that was announced came, and nothing else.
    pub(crate) fn finish(self) -> Result<Verified, NotAuthentic> {
        if self.seen != self.length || self.length < OVERHEAD as u64 || is_zero(&self.nonce) {
            return Err(NotAuthentic);
        }
        let tag = wiped(|| self.mac.unwrap_or_else(|| Mac::new(self.key, &self.nonce)).finish());
        match bool::from(tag.ct_eq(&self.tag)) {
            true => Ok(Verified { nonce: self.nonce }),
            false => Err(NotAuthentic),
        }
    }
}

/// Copies into `field` from `at` on; says how much.
fn fill(field: &mut [u8], at: usize, piece: &[u8]) -> usize {
    let room = field.get_mut(at..).unwrap_or_default();
    let length = room.len().min(piece.len());
    room[..length].copy_from_slice(&piece[..length]);
    length
}

fn most(piece: &[u8], length: u64) -> &[u8] {
    &piece[..usize::try_from(length).map_or(piece.len(), |length| length.min(piece.len()))]
}

/// A key of its own for bytes that only this process reads back: drawn at random, and kept nowhere.
///
/// Each offset is written once at most, so that no part of the key stream is used twice.
pub(crate) struct Concealed {
    key: Key,
    nonce: Nonce,
}

impl Concealed {
    /// Draws the key.
    pub(crate) fn new() -> Result<Self> {
        let key = Key::random()?;
        let nonce = wiped(|| key.nonce(&Text::Bytes(&[]), 0))?;
        Ok(Concealed { key, nonce })
    }

    /// Turns bytes at an offset into what is written there, and back.
    pub(crate) fn apply(&self, offset: u64, bytes: &mut [u8]) {
        wiped(|| {
            let mut stream = self.key.stream(&self.nonce);
            stream.seek(offset);
            stream.apply_keystream(bytes);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sealed_in_pieces(key: &Key, plain: &[u8], size: usize) -> Vec<u8> {
        let (mut sealer, nonce) = key.sealer(plain).unwrap();
        let mut sealed = nonce.to_vec();
        for piece in plain.chunks(size) {
            let start = sealed.len();
            sealed.extend_from_slice(piece);
            sealer.encrypt(&mut sealed[start..]);
        }
        sealed.extend_from_slice(&sealer.finish());
        sealed
    }

    fn authenticate(key: &Key, sealed: &[u8], length: usize, size: usize) -> Result<Verified, NotAuthentic> {
        let mut authenticator = Authenticator::new(key, length as u64);
        sealed.chunks(size).for_each(|piece| authenticator.take(piece));
        authenticator.finish()
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_are_sealed_and_opened_as_one(
            plain in prop::collection::vec(any::<u8>(), 0..3000), size in 1_usize..400,
        ) {
            let key = Key::random().unwrap();
            let sealed = sealed_in_pieces(&key, &plain, size);
            let mut whole = Vec::new();
            key.open(&sealed, &mut whole).unwrap();
            prop_assert_eq!(&whole, &plain);
            let verified = authenticate(&key, &sealed, sealed.len(), size * 2 + 1).unwrap();
            let mut text = sealed[NONCE..sealed.len() - TAG].to_vec();
            for (number, piece) in text.chunks_mut(size).enumerate() {
                key.decrypt_at(&verified, (number * size) as u64, piece);
            }
            prop_assert_eq!(text, plain);
        }
    }

    #[test]
    fn what_is_changed_or_of_another_length_is_not_authentic() {
        let key = Key::random().unwrap();
        let mut sealed = sealed_in_pieces(&key, b"some bytes of plain text, longer than two blocks", 7);
        assert!(authenticate(&key, &sealed, sealed.len(), 5).is_ok());
        for at in 0..sealed.len() {
            sealed[at] ^= 2;
            assert!(authenticate(&key, &sealed, sealed.len(), 5).is_err(), "{at}");
            sealed[at] ^= 2;
        }
        for length in 0..sealed.len() {
            assert!(authenticate(&key, &sealed[..length], length, 5).is_err(), "{length}");
            assert!(authenticate(&key, &sealed, length, 5).is_err(), "{length}");
            assert!(authenticate(&key, &sealed[..length], sealed.len(), 5).is_err(), "{length}");
        }
    }

    #[test]
    fn what_is_concealed_comes_back_from_any_offset() {
        let concealed = Concealed::new().unwrap();
        let plain: Vec<u8> = (0..200).collect();
        let mut bytes = plain.clone();
        concealed.apply(1000, &mut bytes);
        assert!(bytes != plain);
        concealed.apply(1033, &mut bytes[33..77]);
        assert_eq!(bytes[33..77], plain[33..77]);
    }
}
