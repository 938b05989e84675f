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
}
