//! The upload session: takes blobs, leaves packs with a matching index.
//!
//! Order: blob → pack → index. [`Repository::upload`] returns only when all three are stored; a session
//! that fails leaves unreferenced packs, which prune removes.

use crate::blob::BlobKind;
use crate::error::{Error, Result};
use crate::id::BlobId;
use crate::index::Index;
use crate::monitor::Monitor;
use crate::repository::Repository;
use tresor_backend::handle::MayAppend;

/// An open upload; shared by all workers.
pub struct Upload<'a> {
    index: &'a Index,
}

/// One worker's way into an upload: its compressor, decompressor and buffers.
pub struct BlobSaver<'a> {
    upload: &'a Upload<'a>,
}

/// What became of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saved {
    /// Its id.
    pub id: BlobId,
    /// Whether this call added it (the repository lacked it, and no other worker was first).
    pub was_new: bool,
    /// Length in the pack, sealed, with its header entry; 0 if it was not new.
    pub stored_bytes: u64,
}

/// What an upload added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uploaded {
    /// New data blobs.
    pub data_blobs: u64,
    /// New tree blobs.
    pub tree_blobs: u64,
    /// Plaintext bytes of the new blobs.
    pub plain_bytes: u64,
    /// Bytes they take: sealed blobs, header entries, and 36 for each pack that became full (restic's `data_added_packed`).
    pub stored_bytes: u64,
}

impl<R: MayAppend> Repository<R> {
    /// Opens an upload, runs `work` with it, then saves the last packs and the index files.
    ///
    /// `work` may use several threads; each takes its own [`Upload::saver`]. Whatever is not in `index` and
    /// not yet in this upload is new.
    ///
    /// # Errors
    /// The error of `work`, or the first error of a pack or index upload (which also sets nothing else:
    /// `save_blob` fails from then on, so that `work` ends soon).
    pub fn upload<T, E: From<Error>>(
        &self,
        index: &Index,
        monitor: &dyn Monitor,
        work: impl FnOnce(&Upload<'_>) -> Result<T, E>,
    ) -> Result<(T, Uploaded), E> {
        let _ = (index, monitor, work);
        unimplemented!()
    }
}

impl<'a> Upload<'a> {
    /// A saver for one worker.
    pub fn saver(&'a self) -> BlobSaver<'a> {
        BlobSaver { upload: self }
    }

    /// Whether the blob is stored or part of this upload.
    pub fn contains(&self, kind: BlobKind, id: &BlobId) -> bool {
        self.index.contains(kind, id)
    }

    /// What was added so far.
    pub fn so_far(&self) -> Uploaded {
        Uploaded::default()
    }
}

impl BlobSaver<'_> {
    /// Returns the blob's id, saving the blob first if the repository lacks it.
    ///
    /// Hash → claim → compress → seal → verify → pack, all on this thread while the bytes are hot. Blocks
    /// while too many packs wait for their upload, which bounds memory.
    ///
    /// # Errors
    /// Only when the upload is already broken; the first cause is what [`Repository::upload`] returns.
    pub fn save_blob(&mut self, kind: BlobKind, plain: &[u8]) -> Result<Saved> {
        let _ = (kind, plain, self.upload.index);
        unimplemented!()
    }
}
