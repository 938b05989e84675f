//! The config file: version, repository id, chunker polynomial (format: "config").

use crate::id::RepoId;

/// What makes a folder a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// 1 or 2.
    pub version: u32,
    /// Random; names the local cache.
    pub id: RepoId,
    /// The chunker's polynomial, irreducible.
    pub polynomial: tresor_chunker::Polynomial,
}
