//! What a prune finds and decides, in numbers.

/// A number of blobs, and the bytes they take in packs without their header entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub blobs: u64,
    /// Stored bytes.
    pub bytes: u64,
}

impl Amount {
    pub(super) fn add(&mut self, other: Amount) {
        self.blobs += other.blobs;
        self.bytes += other.bytes;
    }

    pub(super) fn sub(&mut self, other: Amount) {
        self.blobs -= other.blobs;
        self.bytes -= other.bytes;
    }
}

/// Numbers of packs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PackCounts {
    /// With needed blobs only.
    pub used: u64,
    /// With needed blobs and others.
    pub partly_used: u64,
    /// Without any needed blob.
    pub unused: u64,
    /// That stay.
    pub keep: u64,
    /// Whose needed blobs move to new packs.
    pub repack: u64,
    /// That go, of those in the index.
    pub remove: u64,
    /// That go because no index file names them.
    pub unindexed: u64,
}

/// What a prune finds and decides, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PruneStats {
    /// Needed blobs, each once.
    pub used: Amount,
    /// Further copies of needed blobs.
    pub duplicate: Amount,
    /// Blobs that nothing needs.
    pub unused: Amount,
    /// What goes with packs that are removed as a whole.
    pub remove: Amount,
    /// Everything in packs to be repacked; its bytes are those of the whole packs.
    pub repack: Amount,
    /// What of that goes.
    pub repack_removes: Amount,
    /// Bytes of packs that no index file names.
    pub unindexed_bytes: u64,
    /// Bytes of packs that stay with blobs that are not compressed; 0 in a repository that knows no compression.
    pub uncompressed_bytes: u64,
    /// Packs.
    pub packs: PackCounts,
}

impl PruneStats {
    /// Everything that there is.
    pub fn total(&self) -> Amount {
        let blobs = self.used.blobs + self.duplicate.blobs + self.unused.blobs;
        let bytes = self.used.bytes + self.duplicate.bytes + self.unused.bytes;
        Amount { blobs, bytes: bytes.saturating_add(self.unindexed_bytes) }
    }

    /// Everything that goes.
    pub fn removed(&self) -> Amount {
        let blobs = self.remove.blobs + self.repack_removes.blobs;
        let bytes = self.remove.bytes + self.repack_removes.bytes;
        Amount { blobs, bytes: bytes.saturating_add(self.unindexed_bytes) }
    }

    /// Everything that is left.
    pub fn remaining(&self) -> Amount {
        let (total, removed) = (self.total(), self.removed());
        Amount { blobs: total.blobs - removed.blobs, bytes: total.bytes - removed.bytes }
    }

    /// Bytes of what nothing needs in packs of the index.
    pub fn unused_bytes(&self) -> u64 {
        self.duplicate.bytes + self.unused.bytes
    }

    /// Bytes of what nothing needs and yet stays.
    pub fn unused_bytes_after(&self) -> u64 {
        self.unused_bytes() - self.remove.bytes - self.repack_removes.bytes
    }
}
