//! The definition of a cut in its plainest form: slow, obvious, the oracle of every test.

use crate::polynomial::Polynomial;

/// Bytes that the fingerprint covers.
pub(crate) const WINDOW: usize = 64;
/// The smallest length of a chunk in bytes, except of the last one of a file.
pub(crate) const MIN: usize = 512 * 1024;
/// The largest length of a chunk in bytes.
pub(crate) const MAX: usize = 8 * 1024 * 1024;
/// The bits of the fingerprint that are zero at a cut; one position in 2²⁰ has that.
pub(crate) const MASK: u64 = (1 << 20) - 1;

/// Length of the first chunk of `data`, found byte by byte as the format defines it.
///
/// The same contract as [`Chunker::cut`](crate::Chunker::cut), which is the one to use; this one
/// takes a polynomial of degree 8 to 56, unchecked. Format: docs, "Chunker".
pub fn reference(polynomial: Polynomial, data: &[u8]) -> Option<usize> {
    let mut fingerprint = Fingerprint::new(polynomial);
    fingerprint.push(1);
    // No cut before the minimum, and only the window before it can matter there.
    for (index, &byte) in data.iter().enumerate().skip(MIN - WINDOW) {
        fingerprint.push(byte);
        let count = index + 1;
        if count >= MIN && (fingerprint.digest & MASK == 0 || count >= MAX) {
            return Some(count);
        }
    }
    None
}

/// A window of 64 bytes and its remainder modulo the polynomial.
struct Fingerprint {
    polynomial: Polynomial,
    leaving: [u64; 256],
    window: [u8; WINDOW],
    position: usize,
    digest: u64,
}

impl Fingerprint {
    fn new(polynomial: Polynomial) -> Self {
        // What a byte is worth at the old end of the window, followed by 63 others.
        let leaving = std::array::from_fn(|byte| {
            Polynomial::from(byte as u64).shifted_rem(8 * (WINDOW as u32 - 1), polynomial).bits()
        });
        Self { polynomial, leaving, window: [0; WINDOW], position: 0, digest: 0 }
    }

    fn push(&mut self, byte: u8) {
        let old = std::mem::replace(&mut self.window[self.position], byte);
        self.position = (self.position + 1) % WINDOW;
        let kept = self.digest ^ self.leaving[usize::from(old)];
        self.digest = Polynomial::from(kept << 8 | u64::from(byte)).rem(self.polynomial).bits();
    }
}
