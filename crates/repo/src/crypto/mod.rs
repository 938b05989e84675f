//! Sealing and opening: AES-256-CTR with Poly1305-AES (format: "Cryptography"); private to this crate.

use crate::error::Result;

/// Bytes that sealing adds: nonce and tag.
pub(crate) const OVERHEAD: usize = 32;

/// The tag does not fit: not sealed by this key, or changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("ciphertext verification failed")]
pub(crate) struct NotAuthentic;

/// An encryption key with its MAC keys, expanded once; wiped on drop, never shown.
pub(crate) struct Key {}

impl Key {
    /// Appends nonce ‖ ciphertext ‖ tag of `plain` to `out`, with a fresh random nonce.
    pub(crate) fn seal(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let _ = (plain, out);
        unimplemented!()
    }

    /// Appends the plaintext of `sealed` to `out` after verifying the tag; `out` is untouched on failure.
    pub(crate) fn open(&self, sealed: &[u8], out: &mut Vec<u8>) -> Result<(), NotAuthentic> {
        let _ = (sealed, out);
        unimplemented!()
    }

    /// Opens in place: on success `sealed` is the plaintext range of the same buffer.
    pub(crate) fn open_in_place<'a>(&self, sealed: &'a mut [u8]) -> Result<&'a mut [u8], NotAuthentic> {
        let _ = sealed;
        unimplemented!()
    }
}
