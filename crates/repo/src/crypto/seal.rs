//! A key and what it can do: seal bytes, open them again.

use super::nonce::{self, HEDGE_BYTES, NONCE, Nonce, Text};
use super::{KEY_BYTES, NotAuthentic, OVERHEAD, UnusableKey};
use crate::error::{Error, Result};
use crate::random;
use aes::cipher::{BlockCipherEncrypt, InnerIvInit, KeyInit, StreamCipher};
use aes::{Aes128Enc, Aes256Enc};
use ctr::cipher::StreamCipherCoreWrapper;
use ctr::{CtrCore, flavors};
use hkdf::Hkdf;
use poly1305::universal_hash::UniversalHash;
use poly1305::{Block, Poly1305};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use tresor_secmem::{SecretBox, wiped};
use zeroize::{Zeroize, Zeroizing};

pub(super) const TAG: usize = 16;

/// Encrypted and authenticated in pieces of this size: the MAC finds the ciphertext still in the first
/// cache. A multiple of every cipher's stride, so that no piece ends within one.
const PIECE: usize = 16 * 1024;

type Core<'a> = CtrCore<&'a Aes256Enc, flavors::Ctr128BE>;
pub(super) type Stream<'a> = StreamCipherCoreWrapper<Core<'a>>;

/// An encryption key with its MAC keys, expanded once, in secret memory; wiped on drop, never shown.
pub(crate) struct Key(SecretBox<Expanded>);

struct Expanded {
    secret: [u8; KEY_BYTES],
    encrypt: Aes256Enc,
    mac_nonce: Aes128Enc,
    hedge: [u8; HEDGE_BYTES],
}

/// Poly1305 begun: it holds a part of the key.
pub(super) type Mac = SecretBox<Poly1305>;

impl Key {
    /// Expands a key: 32 bytes to encrypt, then k and r of Poly1305-AES (r is clamped when it is used).
    pub(crate) fn new(secret: &[u8; KEY_BYTES]) -> Result<Self, UnusableKey> {
        let (encrypt, mac) = secret.split_at(32);
        let (k, r) = mac.split_at(16);
        if [encrypt, k, r].iter().any(|part| is_zero(part)) {
            return Err(UnusableKey);
        }
        let hedge = derive(secret, nonce::LABEL);
        Ok(Key(SecretBox::new(|| Expanded {
            encrypt: Aes256Enc::new_from_slice(encrypt).expect("32 bytes are an AES-256 key"),
            mac_nonce: Aes128Enc::new_from_slice(k).expect("16 bytes are an AES-128 key"),
            secret: *secret,
            hedge: *hedge,
        })))
    }

    /// Draws a new key.
    pub(crate) fn random() -> Result<Self> {
        let mut secret = SecretBox::new(|| [0; KEY_BYTES]);
        random::fill(&mut *secret)?;
        Key::new(&secret).map_err(|source| Error::Random { source: source.into() })
    }

    /// A key for another purpose, named by `label`: whoever has it learns nothing of this one.
    ///
    /// Source: HKDF-SHA256 (RFC 5869) without salt, over all the bytes of this key.
    pub(crate) fn derived(&self, label: &str) -> Result<Self, UnusableKey> {
        Key::new(&derive(&self.0.secret, label))
    }

    /// The bytes it was made from; for key files only.
    pub(crate) fn secret(&self) -> &[u8; KEY_BYTES] {
        &self.0.secret
    }

    /// Appends nonce ‖ ciphertext ‖ tag of `plain` to `out`, with a fresh random nonce.
    pub(crate) fn seal(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        self.seal_parts(&Text::Bytes(plain), [plain], plain.len(), out)
    }

    /// Seals these parts, `length` bytes in all, as if they were one piece: what `text` says they are.
    pub(crate) fn seal_parts<'a>(
        &self,
        text: &Text<'_>,
        parts: impl IntoIterator<Item = &'a [u8]>,
        length: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        wiped(|| {
            let nonce = self.nonce(text, length)?;
            out.reserve(length + OVERHEAD);
            self.seal_with(&nonce, parts, out);
            Ok(())
        })
    }

    /// A nonce for one sealing; within work whose stack is wiped, as all that is not `pub(crate)` here.
    pub(super) fn nonce(&self, text: &Text<'_>, length: usize) -> Result<Nonce> {
        nonce::fresh(&self.0.hedge, text, length)
    }

    /// Appends the plaintext of `sealed` to `out` after verifying the tag; `out` is untouched on failure.
    pub(crate) fn open(&self, sealed: &[u8], out: &mut Vec<u8>) -> Result<(), NotAuthentic> {
        wiped(|| {
            let (nonce, ciphertext) = self.verify(sealed)?;
            let mut stream = self.stream(nonce);
            out.reserve(ciphertext.len());
            for piece in ciphertext.chunks(PIECE) {
                let start = out.len();
                out.extend_from_slice(piece);
                stream.apply_keystream(&mut out[start..]);
            }
            Ok(())
        })
    }

    /// Hands the plaintext of `sealed` to `each` piece by piece, after verifying the tag; all pieces come through `scratch`.
    pub(crate) fn open_in_pieces(
        &self,
        sealed: &[u8],
        scratch: &mut Vec<u8>,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), NotAuthentic> {
        wiped(|| {
            let (nonce, ciphertext) = self.verify(sealed)?;
            let mut stream = self.stream(nonce);
            for piece in ciphertext.chunks(PIECE) {
                scratch.clear();
                scratch.extend_from_slice(piece);
                stream.apply_keystream(scratch);
                each(scratch);
            }
            Ok(())
        })
    }

    /// Opens in place: on success the answer is the plaintext's range of the same buffer.
    pub(crate) fn open_in_place<'a>(&self, sealed: &'a mut [u8]) -> Result<&'a mut [u8], NotAuthentic> {
        wiped(|| {
            let (nonce, _) = self.verify(sealed)?;
            let mut stream = self.stream(nonce);
            let end = sealed.len() - TAG;
            let text = &mut sealed[NONCE..end];
            stream.apply_keystream(text);
            Ok(text)
        })
    }

    fn seal_with<'a>(&self, nonce: &Nonce, parts: impl IntoIterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
        out.extend_from_slice(nonce);
        let (mut stream, mut mac, mut done) = (self.stream(nonce), self.mac(nonce), out.len());
        for mut part in parts {
            while out.len() + part.len() >= done + PIECE {
                let (now, later) = part.split_at(done + PIECE - out.len());
                out.extend_from_slice(now);
                stream.apply_keystream(&mut out[done..]);
                mac.update(Block::slice_as_chunks(&out[done..]).0);
                (part, done) = (later, out.len());
            }
            out.extend_from_slice(part);
        }
        stream.apply_keystream(&mut out[done..]);
        let tag = finish(mac, &out[done..]);
        out.extend_from_slice(&tag);
    }

    /// Seals with a nonce of the caller's choice, for tests of what must not happen.
    #[cfg(test)]
    pub(crate) fn seal_repeating(&self, nonce: [u8; NONCE], plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.seal_with(&nonce, [plain], &mut out);
        out
    }

    /// Splits into nonce and ciphertext, once the tag is found to fit them.
    fn verify<'a>(&self, sealed: &'a [u8]) -> Result<(&'a Nonce, &'a [u8]), NotAuthentic> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE>().ok_or(NotAuthentic)?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG>().ok_or(NotAuthentic)?;
        let expected = finish(self.mac(nonce), ciphertext);
        if is_zero(nonce) || !bool::from(expected.ct_eq(tag)) {
            return Err(NotAuthentic);
        }
        Ok((nonce, ciphertext))
    }

    pub(super) fn stream(&self, nonce: &Nonce) -> Stream<'_> {
        Stream::from_core(Core::inner_iv_init(&self.0.encrypt, nonce.into()))
    }

    /// The one-time authenticator of this nonce: r from the key, s = AES-128(k, nonce).
    pub(super) fn mac(&self, nonce: &Nonce) -> Mac {
        SecretBox::new_unwiped(|| {
            let mut one_time = Zeroizing::new([0; 32]);
            let (r, s) = one_time.split_at_mut(16);
            r.copy_from_slice(&self.0.secret[48..]);
            let mut block = (*nonce).into();
            self.0.mac_nonce.encrypt_block(&mut block);
            s.copy_from_slice(&block);
            block.zeroize();
            Poly1305::new((&*one_time).into())
        })
    }
}

/// Bytes for another purpose, named by `label`.
fn derive(secret: &[u8; KEY_BYTES], label: &str) -> SecretBox<[u8; KEY_BYTES]> {
    SecretBox::new(|| {
        let mut derived = [0; KEY_BYTES];
        let expanded = Hkdf::<Sha256>::new(None, secret).expand(label.as_bytes(), &mut derived[..]);
        expanded.expect("HKDF gives up to 255 hashes");
        derived
    })
}

/// The tag once `rest` was added. Its last block is marked, not padded to 16 bytes as AEADs do.
pub(super) fn finish(mut mac: Mac, rest: &[u8]) -> [u8; TAG] {
    let (blocks, tail) = Block::slice_as_chunks(rest);
    mac.update(blocks);
    mac.consume(|mac| mac.compute_unpadded(tail)).into()
}

pub(super) fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().fold(0, |all, byte| all | byte) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of the format's vectors: bytes 00, 01, 02 … 3f.
    fn key() -> Key {
        Key::new(&std::array::from_fn(|i| i as u8)).unwrap()
    }

    fn sealed(nonce: &Nonce, plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        key().seal_with(nonce, [plain], &mut out);
        out
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_vectors_of_the_format() {
        let nonce = std::array::from_fn(|i| 0x40 + i as u8);
        assert_eq!(
            hex(&sealed(&nonce, b"")),
            "404142434445464748494a4b4c4d4e4f859469c07743c7e45b318d151d3d87e9"
        );
        assert_eq!(
            hex(&sealed(&nonce, b"hello restic\n")),
            "404142434445464748494a4b4c4d4e4fcb1bb353f87ac88ae00f0ba4870ce0e35a326c1b8a88e5a479b5dcc959"
        );
    }

    #[test]
    fn the_poly1305_aes_vector_of_its_paper() {
        // D. J. Bernstein, "The Poly1305-AES message-authentication code", appendix B, first example.
        let mut secret = [1; KEY_BYTES];
        secret[32..48].copy_from_slice(&0xec074c835580741701425b623235add6_u128.to_be_bytes());
        secret[48..].copy_from_slice(&0x851fc40c3467ac0be05cc20404f3f700_u128.to_be_bytes());
        let nonce = 0xfb447350c4e868c52ac3275cf9d4327e_u128.to_be_bytes();
        let tag = finish(Key::new(&secret).unwrap().mac(&nonce), &[0xf3, 0xf6]);
        assert_eq!(hex(&tag), "f4c633c3044fc145f84f335cb81953de");
    }

    #[test]
    fn every_length_comes_back_and_no_piece_shows() {
        let nonce = [0xff; NONCE]; // the counter wraps at once
        let plain: Vec<u8> = (0..3 * PIECE + 50).map(|i| (i * 31 / 7) as u8).collect();
        let whole = sealed(&nonce, &plain);
        let lengths = (0..200).chain(PIECE - 20..PIECE + 20).chain(3 * PIECE - 1..plain.len());
        for length in lengths {
            let mut sealed = sealed(&nonce, &plain[..length]);
            assert_eq!(sealed.len(), length + OVERHEAD);
            assert_eq!(sealed[..NONCE + length], whole[..NONCE + length]);
            let mut opened = b"before".to_vec();
            key().open(&sealed, &mut opened).unwrap();
            assert_eq!(opened[6..], plain[..length]);
            assert_eq!(key().open_in_place(&mut sealed).unwrap(), &plain[..length]);
        }
    }

    #[test]
    fn parts_are_sealed_as_one_piece() {
        let nonce = [3; NONCE];
        let plain: Vec<u8> = (0..4 * PIECE + 5).map(|i| (i * 31 / 7) as u8).collect();
        let whole = sealed(&nonce, &plain);
        for size in [1, 3, 15, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, plain.len()] {
            let mut out = b"before".to_vec();
            key().seal_with(&nonce, plain.chunks(size).chain([&[][..]]), &mut out);
            assert!(out[6..] == whole, "parts of {size}");
        }
    }

    #[test]
    fn pieces_are_the_whole() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7] {
            let plain: Vec<u8> = (0..length).map(|i| (i * 31 / 7) as u8).collect();
            let mut sealed = sealed(&[3; NONCE], &plain);
            let (mut opened, mut scratch) = (Vec::new(), Vec::new());
            key().open_in_pieces(&sealed, &mut scratch, |piece| opened.extend_from_slice(piece)).unwrap();
            assert!(opened == plain && scratch.capacity() <= PIECE, "{length}");
            sealed[NONCE] ^= 1;
            let nothing = key().open_in_pieces(&sealed, &mut scratch, |_| panic!("not verified"));
            assert!(nothing.is_err());
        }
    }

    #[test]
    fn a_derived_key_is_another_for_each_label() {
        let (one, two) = (key().derived("one").unwrap(), key().derived("two").unwrap());
        assert_eq!(one.secret(), key().derived("one").unwrap().secret());
        assert!(one.secret() != two.secret() && one.secret() != key().secret());
        let mut sealed = Vec::new();
        one.seal(b"text", &mut sealed).unwrap();
        assert!(two.open_in_place(&mut sealed.clone()).is_err());
        assert_eq!(one.open_in_place(&mut sealed).unwrap(), b"text");
    }

    #[test]
    fn r_is_clamped_when_used() {
        let mut loose = [7; KEY_BYTES];
        let mut clamped = loose;
        loose[48 + 3] |= 0xf0;
        clamped[48 + 3] = loose[48 + 3] & 0x0f;
        let mut out = Vec::new();
        Key::new(&loose).unwrap().seal(b"x", &mut out).unwrap();
        let mut plain = Vec::new();
        // Every byte 7 is below the clamp's masks except those of r[4], r[8] and r[12].
        for i in [4, 8, 12] {
            clamped[48 + i] &= 0xfc;
        }
        Key::new(&clamped).unwrap().open(&out, &mut plain).unwrap();
        assert_eq!(plain, b"x");
    }

    #[test]
    fn every_changed_byte_is_noticed_and_nothing_is_released() {
        let good = sealed(&[9; NONCE], b"some bytes of plain text");
        for i in 0..good.len() {
            let mut bad = good.clone();
            bad[i] ^= 0x10;
            let mut out = b"kept".to_vec();
            assert_eq!(key().open(&bad, &mut out), Err(NotAuthentic));
            assert_eq!(out, b"kept");
            let before = bad.clone();
            assert_eq!(key().open_in_place(&mut bad).err(), Some(NotAuthentic));
            assert_eq!(bad, before);
        }
        for length in 0..good.len() {
            assert_eq!(key().open(&good[..length], &mut Vec::new()), Err(NotAuthentic));
        }
    }

    #[test]
    fn zero_nonces_and_keys_are_refused() {
        let mut out = Vec::new();
        assert_eq!(key().open(&sealed(&[0; NONCE], b"fine but for the nonce"), &mut out), Err(NotAuthentic));
        for part in [0..32, 32..48, 48..64] {
            let mut secret = [1; KEY_BYTES];
            secret[part].fill(0);
            assert_eq!(Key::new(&secret).err(), Some(UnusableKey));
        }
    }

    #[test]
    fn each_seal_draws_a_nonce() {
        let (mut one, mut two) = (Vec::new(), Vec::new());
        let key = Key::random().unwrap();
        key.seal(b"same", &mut one).unwrap();
        key.seal(b"same", &mut two).unwrap();
        assert_ne!(one[..NONCE], two[..NONCE]);
        let mut plain = Vec::new();
        key.open(&one, &mut plain).unwrap();
        key.open(&two, &mut plain).unwrap();
        assert_eq!(plain, b"samesame");
    }
}
