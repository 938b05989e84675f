//! Seals and opens as a repository's key does: AES-256-CTR and Poly1305-AES, scrypt before them.
//!
//! It shares no code with the library under test.

use aes::cipher::{BlockCipherEncrypt, KeyInit, KeyIvInit, StreamCipher};
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::Value;

/// A key for encryption and its two keys for authentication.
#[derive(Clone)]
pub struct Key {
    encrypt: [u8; 32],
    mac_k: [u8; 16],
    mac_r: [u8; 16],
}

impl Key {
    /// Nonce, ciphertext and tag of `plain`; for test data only, since whoever calls chooses the nonce.
    pub fn seal(&self, nonce: [u8; 16], plain: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(plain.len() + 32);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        ctr::Ctr128BE::<aes::Aes256>::new(&self.encrypt.into(), &nonce.into())
            .apply_keystream(&mut sealed[16..]);
        let tag = self.tag(&nonce, &sealed[16..]);
        sealed.extend_from_slice(&tag);
        sealed
    }

    /// Everything of the key that could be found in somebody's memory, by name: its parts, and what AES makes of them.
    pub fn traces(&self) -> Vec<(String, Vec<u8>)> {
        let mut traces = vec![("AES key".to_owned(), self.encrypt.to_vec())];
        traces.push(("MAC k".to_owned(), self.mac_k.to_vec()));
        traces.push(("MAC r".to_owned(), self.mac_r.to_vec()));
        for (name, bytes) in traces.clone() {
            traces.push((format!("{name} in base64"), BASE64_STANDARD.encode(bytes).into_bytes()));
        }
        // The first two are the halves of the key.
        let rounds = round_keys(&self.encrypt).into_iter().zip(0..);
        traces.extend(rounds.map(|(key, round)| (format!("round key {round}"), key.to_vec())));
        traces
    }

    /// The plaintext, if the tag fits.
    pub fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_first_chunk::<16>()?;
        let (ciphertext, tag) = rest.split_last_chunk::<16>()?;
        if self.tag(nonce, ciphertext) != *tag {
            return None;
        }
        let mut plain = ciphertext.to_vec();
        ctr::Ctr128BE::<aes::Aes256>::new(&self.encrypt.into(), &(*nonce).into()).apply_keystream(&mut plain);
        Some(plain)
    }

    fn tag(&self, nonce: &[u8; 16], ciphertext: &[u8]) -> [u8; 16] {
        let mut second = (*nonce).into();
        aes::Aes128Enc::new(&self.mac_k.into()).encrypt_block(&mut second);
        let mut key = [0; 32];
        key[..16].copy_from_slice(&self.mac_r);
        key[16..].copy_from_slice(&second);
        let tag = poly1305::Poly1305::new(&key.into()).compute_unpadded(ciphertext);
        tag.as_slice().try_into().expect("a tag has 16 bytes")
    }

    /// The master key in the key file `text`, if `password` is the right one.
    pub fn of_file(text: &[u8], password: &str) -> Option<Key> {
        let file: Value = serde_json::from_slice(text).ok()?;
        let number = |name: &str| u32::try_from(file[name].as_u64()?).ok();
        let salt = bytes(&file["salt"])?;
        let log_n = number("N")?.checked_ilog2()?;
        let costs = scrypt::Params::new(u8::try_from(log_n).ok()?, number("r")?, number("p")?).ok()?;
        let mut derived = [0; 64];
        scrypt::scrypt(password.as_bytes(), &salt, &costs, &mut derived).ok()?;
        let user = Key {
            encrypt: derived[..32].try_into().ok()?,
            mac_k: derived[32..48].try_into().ok()?,
            mac_r: derived[48..].try_into().ok()?,
        };
        let master: Value = serde_json::from_slice(&user.open(&bytes(&file["data"])?)?).ok()?;
        Some(Key {
            encrypt: bytes(&master["encrypt"])?.try_into().ok()?,
            mac_k: bytes(&master["mac"]["k"])?.try_into().ok()?,
            mac_r: bytes(&master["mac"]["r"])?.try_into().ok()?,
        })
    }
}

/// The 15 round keys of AES-256 (FIPS 197, section 5.2).
fn round_keys(key: &[u8; 32]) -> Vec<[u8; 16]> {
    let mut words: Vec<[u8; 4]> = key.as_chunks().0.to_vec();
    for number in 8..60 {
        let mut word = words[number - 1];
        if number % 8 == 0 {
            word.rotate_left(1);
        }
        if number % 4 == 0 {
            word = word.map(substituted);
        }
        if number % 8 == 0 {
            word[0] ^= 1 << (number / 8 - 1);
        }
        let before = words[number - 8];
        words.push(std::array::from_fn(|at| word[at] ^ before[at]));
    }
    words.as_chunks::<4>().0.iter().map(|four| four.as_flattened().try_into().expect("four words")).collect()
}

/// The S-box: the inverse in GF(2^8), turned and added up.
fn substituted(byte: u8) -> u8 {
    let product = |mut one: u8, other: u8| {
        (0..8).fold(0, |sum, bit| {
            let term = if other >> bit & 1 == 1 { one } else { 0 };
            one = one << 1 ^ if one & 0x80 == 0 { 0 } else { 0x1b };
            sum ^ term
        })
    };
    let inverse = (1..=255).find(|other| product(byte, *other) == 1).unwrap_or(0);
    (1..5).fold(inverse, |sum, turn| sum ^ inverse.rotate_left(turn)) ^ 0x63
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(value.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_is_opened_again() {
        let key = Key { encrypt: [1; 32], mac_k: [2; 16], mac_r: [3; 16] };
        for length in [0, 1, 16, 1000] {
            let plain = vec![7; length];
            let mut sealed = key.seal([9; 16], &plain);
            assert_eq!(key.open(&sealed), Some(plain));
            sealed[length + 20] ^= 1;
            assert_eq!(key.open(&sealed), None);
        }
    }

    #[test]
    fn round_keys_are_those_of_the_standard() {
        // FIPS 197, appendix A.3.
        let key = [
            0x60, 0x3d, 0xeb, 0x10, 0x15, 0xca, 0x71, 0xbe, 0x2b, 0x73, 0xae, 0xf0, 0x85, 0x7d, 0x77, 0x81,
            0x1f, 0x35, 0x2c, 0x07, 0x3b, 0x61, 0x08, 0xd7, 0x2d, 0x98, 0x10, 0xa3, 0x09, 0x14, 0xdf, 0xf4,
        ];
        let keys = round_keys(&key);
        assert_eq!(keys.len(), 15);
        assert_eq!(keys[2][..4], [0x9b, 0xa3, 0x54, 0x11]);
        assert_eq!(keys[14][12..], [0x70, 0x6c, 0x63, 0x1e]);
    }
}
