//! What a prune is allowed to do and to leave.

/// How much unused data may stay in packs that are in use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxUnused {
    /// Any amount.
    Unlimited,
    /// So many bytes.
    Bytes(u64),
    /// So many percent of the repository, from 0 to less than 100.
    Percent(f64),
}

/// What a prune is allowed to do and to leave; the default is restic's.
#[derive(Debug, Clone)]
pub struct PruneOptions {
    /// Unused data that may stay.
    pub max_unused: MaxUnused,
    /// So many bytes of packs are repacked at most.
    pub max_repack_bytes: Option<u64>,
    /// Whether packs of data stay as they are, so that all that is loaded can come from the local cache.
    pub repack_cacheable_only: bool,
    /// Whether packs with blobs that are not compressed are repacked.
    pub repack_uncompressed: bool,
    /// Packs below this size are small; by default it follows from the sizes that there are.
    pub repack_smaller_than: Option<u64>,
    /// Whether there is no free space left: then nothing is repacked, and the index is removed before the
    /// packs and written after.
    pub recover_without_space: bool,
}

impl Default for PruneOptions {
    fn default() -> Self {
        PruneOptions {
            max_unused: MaxUnused::Percent(5.0),
            max_repack_bytes: None,
            repack_cacheable_only: false,
            repack_uncompressed: false,
            repack_smaller_than: None,
            recover_without_space: false,
        }
    }
}
