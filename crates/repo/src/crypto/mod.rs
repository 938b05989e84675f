//! Sealing and opening: AES-256-CTR with Poly1305-AES (format: "Cryptography"); private.
//!
//! [`Key`] is the whole interface of `seal`; `kdf` makes one from a password; `stream` does the same to what is too
//! long for memory. The caller never chooses a nonce (`nonce`), and no plaintext leaves before its tag was verified.

pub(crate) mod kdf;
mod nonce;
mod romix;
mod seal;
mod stream;

pub(crate) use nonce::Text;
pub(crate) use seal::Key;
pub(crate) use stream::{Authenticator, Concealed, Sealer, Verified};

/// Bytes that sealing adds: nonce and tag.
pub(crate) const OVERHEAD: usize = 32;

/// Bytes of the nonce, which stands in front.
pub(crate) const NONCE_BYTES: usize = nonce::NONCE;

/// Bytes of a key: 32 to encrypt, then Poly1305-AES's k and r of 16 each.
pub(crate) const KEY_BYTES: usize = 64;

/// The tag does not fit: not sealed by this key, or changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("ciphertext verification failed")]
pub(crate) struct NotAuthentic;

/// A part of the key is all zero: nobody drew that at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a part of the key is all zero")]
pub(crate) struct UnusableKey;
