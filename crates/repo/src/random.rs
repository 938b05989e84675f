//! The one place where random bytes are drawn: the kernel's generator, nothing else.

use crate::error::{Error, Result};

/// Fills `bytes` from the kernel's generator.
///
/// # Errors
/// When the kernel gives none; the caller must stop, never go on with what is there.
pub fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|source| Error::Random { source: source.into() })
}

/// `N` random bytes.
///
/// # Errors
/// As [`fill`].
pub fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}
