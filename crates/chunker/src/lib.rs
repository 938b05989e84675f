//! Content-defined chunking: bytes in, cut points out, cut for cut as restic does it.
//!
//! A chunk ends where the fingerprint of the last 64 bytes has its low 20 bits zero, but never
//! before 512 KiB and never after 8 MiB. The fingerprint is the remainder of those bytes, read as
//! a polynomial over GF(2), modulo the repository's own irreducible [`Polynomial`].
//! Format: docs, "Chunker".

// In reading order: the arithmetic,
mod polynomial;
// the definition of a cut in its plainest form, the oracle of the tests,
mod rabin;
// the same fingerprint at the full speed of plain code,
mod lanes;
// and many times faster with instructions that not every machine has,
mod planes;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
// and the fastest of these, among whose candidates [`Chunker`] chooses the cuts.
mod search;

use std::ops::RangeInclusive;
use std::sync::Arc;

pub use polynomial::{ParsePolynomialError, Polynomial};
pub use rabin::reference;
use search::{Search, Way};

/// Finds the cut points of one repository. Cheap to clone; may be shared by threads.
#[derive(Clone, Debug)]
pub struct Chunker {
    search: Arc<Search>,
}

/// Why a polynomial cannot drive a chunker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsuitablePolynomial {
    /// The polynomial is a product of smaller ones.
    #[error("chunker polynomial {0} is not irreducible")]
    Reducible(Polynomial),
    /// The degree leaves no room for a byte at either end of a 64-bit word.
    #[error("chunker polynomial {polynomial} has degree {degree}, supported are 8 to 56")]
    Degree {
        /// The refused polynomial.
        polynomial: Polynomial,
        /// Its degree.
        degree: u32,
    },
}

impl Chunker {
    /// The smallest length of a chunk in bytes, except of the last one of a file.
    pub const MIN: usize = rabin::MIN;
    /// The largest length of a chunk in bytes.
    pub const MAX: usize = rabin::MAX;
    /// The degrees a polynomial may have; those made by [`Polynomial::random`] have 53.
    pub const DEGREES: RangeInclusive<u32> = 8..=56;

    /// Prepares the tables for `polynomial`, which takes some microseconds and 4 KiB.
    ///
    /// # Errors
    /// When the polynomial is reducible or its degree is not in [`Chunker::DEGREES`].
    pub fn new(polynomial: Polynomial) -> Result<Self, UnsuitablePolynomial> {
        check(polynomial)?;
        Ok(Self { search: Arc::new(Search::new(polynomial, Way::fastest())) })
    }

    /// One chunker for each way to search that this machine has, by name, the plainest first.
    ///
    /// All cut alike; it is for tests and measurements that there is more than [`Chunker::new`].
    ///
    /// # Errors
    /// As [`Chunker::new`].
    pub fn every_way(polynomial: Polynomial) -> Result<Vec<(&'static str, Self)>, UnsuitablePolynomial> {
        check(polynomial)?;
        let chunker = |way| Self { search: Arc::new(Search::new(polynomial, way)) };
        Ok(Way::all().into_iter().map(|way| (way.name, chunker(way))).collect())
    }

    /// Length of the first chunk of `data`, which begins where a chunk begins.
    ///
    /// `None` means that `data` is shorter than [`Chunker::MAX`] and holds no cut: there must come
    /// more of it, or at the end of the input all of it is the last chunk.
    pub fn cut(&self, data: &[u8]) -> Option<usize> {
        self.cut_from(data, 0)
    }

    /// Like [`cut`](Self::cut), when the first `scanned` bytes are known to hold no cut.
    ///
    /// A caller whose buffer grows passes the length for which it got `None` before, so that no
    /// byte is hashed twice.
    pub fn cut_from(&self, data: &[u8], scanned: usize) -> Option<usize> {
        let end = data.len().min(Self::MAX);
        let first = scanned.max(Self::MIN - 1);
        let candidate = (first < end).then(|| self.search.first_candidate(data, first..end)).flatten();
        candidate.map(|last| last + 1).or((end == Self::MAX).then_some(end))
    }
}

fn check(polynomial: Polynomial) -> Result<(), UnsuitablePolynomial> {
    let degree = polynomial.degree();
    if !Chunker::DEGREES.contains(&degree) {
        return Err(UnsuitablePolynomial::Degree { polynomial, degree });
    }
    if !polynomial.is_irreducible() {
        return Err(UnsuitablePolynomial::Reducible(polynomial));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_cannot_drive_a_chunker() {
        let new =
            |hex: &str| Chunker::new(hex.parse().unwrap()).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(new("3da3358b4dc173"), Ok(()));
        assert_eq!(new("3da3358b4dc172"), Err("chunker polynomial 3da3358b4dc172 is not irreducible".into()));
        for (hex, degree) in [("0", 0), ("1", 0), ("3", 1), ("83", 7), ("800000000000001b", 63)] {
            assert_eq!(
                new(hex),
                Err(format!("chunker polynomial {hex} has degree {degree}, supported are 8 to 56"))
            );
        }
        assert_eq!(new("11b"), Ok(()), "degree 8");
    }

    #[test]
    fn a_scan_that_saw_everything_cuts_at_the_maximum_only() {
        let chunker = Chunker::new("3da3358b4dc173".parse().unwrap()).unwrap();
        let data = vec![0xff; Chunker::MAX + 1];
        assert_eq!(chunker.cut_from(&data[..Chunker::MAX - 1], Chunker::MAX - 1), None);
        assert_eq!(chunker.cut_from(&data[..Chunker::MAX], Chunker::MAX - 1), Some(Chunker::MAX));
        assert_eq!(chunker.cut_from(&data, Chunker::MAX), Some(Chunker::MAX));
        assert_eq!(chunker.cut_from(&data, usize::MAX), Some(Chunker::MAX));
        assert_eq!(chunker.cut(&[]), None);
    }
}
