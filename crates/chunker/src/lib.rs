//! Content-defined chunking by Rabin fingerprints, cut for cut as restic does it.

/// A polynomial over GF(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Polynomial(u64);

/// Cuts data into chunks.
#[derive(Debug, Clone)]
pub struct Chunker {}
