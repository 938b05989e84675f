//! The upload session: takes blobs, leaves packs with a matching index.
//!
//! Order: blob → pack → index. [`Repository::upload`] returns only when all three are stored; a session
//! that fails leaves unreferenced packs, which prune removes. One worker takes a blob from its hash to its
//! pack (`saver`); it is kept from storing what another is storing by `claims`, and puts the blob into one
//! of two packs by chance (`open_packs`). Full packs go to a few threads that seal their header, save them
//! and, each after its packs, the index files (`finisher`).

mod beside;
mod claims;
mod finisher;
mod long;
mod open_packs;
mod outcome;
mod saver;

pub use long::LongSaver;
pub use saver::BlobSaver;

use crate::blob::{BlobHandle, BlobKind};
use crate::budget::Budget;
use crate::config::Config;
use crate::crypto::Key;
use crate::error::{Error, Result};
use crate::id::{BlobId, IndexId};
use crate::index::Index;
use crate::pack::body::Room;
use crate::pack::writer::OpenPack;
use crate::repository::{Options, Repository};
use crate::scratch::Scratch;
use claims::Claims;
use crossbeam_channel::Sender;
use finisher::Finisher;
use open_packs::OpenPacks;
use outcome::Outcome;
use std::thread;
use tresor_backend::handle::MayAppend;

/// An open upload; shared by all workers.
pub struct Upload<'a> {
    index: &'a Index,
    key: &'a Key,
    config: &'a Config,
    options: &'a Options,
    outcome: &'a Outcome,
    claims: Claims,
    packs: OpenPacks,
    finished: Sender<OpenPack>,
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uploaded {
    /// New data blobs.
    pub data_blobs: u64,
    /// New tree blobs.
    pub tree_blobs: u64,
    /// Plaintext bytes of the new blobs.
    pub plain_bytes: u64,
    /// Bytes they take: sealed blobs, header entries, and 36 for each pack that became full (restic's `data_added_packed`).
    pub stored_bytes: u64,
    /// The index files that name the new packs; told at the end alone.
    pub index_files: Vec<IndexId>,
}

impl<R: MayAppend> Repository<R> {
    /// Opens an upload, runs `work` with it, then saves the last packs and the index files.
    ///
    /// `work` may use several threads; each takes its own [`Upload::saver`]. Whatever is not in `index` and
    /// not yet in this upload is new.
    ///
    /// # Errors
    /// The error of `work`, or the first error of a pack or index upload: `save_blob` fails from then on,
    /// so that `work` ends soon.
    pub fn upload<T, E: From<Error>>(
        &self,
        index: &Index,
        work: impl FnOnce(&Upload<'_>) -> Result<T, E>,
    ) -> Result<(T, Uploaded), E> {
        let outcome = Outcome::new(self.options.cancel.clone());
        let finisher = Finisher::new(self, &outcome);
        let connections = self.handle.capabilities().connections.max(1);
        let worked = thread::scope(|scope| {
            let (finished, queue) = crossbeam_channel::bounded(connections);
            for _ in 0..connections {
                let queue = queue.clone();
                scope.spawn(|| finisher.run(queue));
            }
            let upload = Upload::new(self, index, &outcome, finished);
            let worked = work(&upload);
            match &worked {
                Ok(_) => upload.finish_packs(),
                Err(_) => outcome.abandon(),
            }
            worked // the queue ends with `upload`, and with it the finishers
        });
        outcome.take_failure()?;
        let value = worked?;
        let index_files = finisher.save_last_index()?;
        Ok((value, Uploaded { index_files, ..outcome.so_far() }))
    }
}

impl<'a> Upload<'a> {
    fn new<R: MayAppend>(
        repository: &'a Repository<R>,
        index: &'a Index,
        outcome: &'a Outcome,
        finished: Sender<OpenPack>,
    ) -> Self {
        let options = &repository.options;
        let room = Room { budget: Budget::new(options.memory), folder: options.temporary_folder.clone() };
        Upload {
            index,
            key: &repository.key,
            config: &repository.config,
            options,
            outcome,
            claims: Claims::default(),
            packs: OpenPacks::new(room, options.pack_size),
            finished,
        }
    }

    /// A saver for one worker.
    pub fn saver(&'a self) -> BlobSaver<'a> {
        BlobSaver::new(self)
    }

    /// Whether the blob is stored or part of this upload.
    ///
    /// # Errors
    /// Those of the index.
    pub fn contains(&self, kind: BlobKind, id: &BlobId) -> Result<bool> {
        Ok(self.claims.contains(&BlobHandle { kind, id: *id }) || self.index.contains(kind, id)?)
    }

    /// The longest plaintext that one buffer should hold; longer ones go through a [`LongSaver`].
    pub fn longest_in_memory(&self) -> u64 {
        self.options.longest_in_memory()
    }

    /// An empty file for what the work has to put aside.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn scratch(&self) -> Result<Scratch> {
        Scratch::new(&self.options.temporary_folder)
    }

    /// What was added so far.
    pub fn so_far(&self) -> Uploaded {
        self.outcome.so_far()
    }

    /// Hands a pack to the finishers; blocks while too many wait.
    fn finish_pack(&self, pack: OpenPack) -> Result<()> {
        // The finishers take packs until the end, whatever fails: without them there is nothing to go on for.
        self.finished.send(pack).map_err(|_| Error::Cancelled)
    }

    /// Hands over the packs that are not full.
    fn finish_packs(&self) {
        for kind in BlobKind::ALL {
            let finished = self
                .packs
                .take(kind)
                .and_then(|packs| packs.into_iter().flatten().try_for_each(|pack| self.finish_pack(pack)));
            if let Err(error) = finished {
                self.outcome.fail(error);
            }
        }
    }
}

#[cfg(test)]
mod tests;
