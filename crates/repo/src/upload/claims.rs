//! Which blobs this upload has taken on, so that no two workers store the same.

use crate::blob::BlobHandle;
use hashbrown::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// More than workers, so that two rarely meet; found by a byte of the id.
const SHARDS: usize = 64;

/// A set that answers "was I the first to ask for this?"; about 80 bytes a new blob, for as long as the upload.
pub(super) struct Claims {
    shards: [Mutex<HashSet<BlobHandle>>; SHARDS],
}

impl Default for Claims {
    fn default() -> Self {
        Claims { shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl Claims {
    /// Takes the blob on; whether nobody had.
    pub(super) fn claim(&self, blob: BlobHandle) -> bool {
        self.shard(&blob).insert(blob)
    }

    /// Whether somebody has taken the blob on.
    pub(super) fn contains(&self, blob: &BlobHandle) -> bool {
        self.shard(blob).contains(blob)
    }

    fn shard(&self, blob: &BlobHandle) -> MutexGuard<'_, HashSet<BlobHandle>> {
        let number = usize::from(blob.id.as_bytes()[0]) % SHARDS;
        self.shards[number].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
