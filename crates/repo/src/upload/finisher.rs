//! Finish packs: seal the header, save the pack and, once that is confirmed, list it in an index.

use crate::blob::BlobKind;
use crate::clock;
use crate::error::{Error, Result};
use crate::id::{IndexId, PackId};
use crate::index::file::encode;
use crate::index::pending::Pending;
use crate::pack::Entry;
use crate::pack::header::{self, LENGTH_FIELD};
use crate::pack::writer::OpenPack;
use crate::repository::Repository;
use crate::upload::outcome::Outcome;
use crossbeam_channel::Receiver;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tresor_backend::FileKind;
use tresor_backend::handle::MayAppend;

/// What the threads that finish packs share.
pub(super) struct Finisher<'a, R: MayAppend> {
    repository: &'a Repository<R>,
    outcome: &'a Outcome,
    pending: Mutex<Pending>,
    index_files: Mutex<Vec<IndexId>>,
}

impl<'a, R: MayAppend> Finisher<'a, R> {
    pub(super) fn new(repository: &'a Repository<R>, outcome: &'a Outcome) -> Self {
        Finisher { repository, outcome, pending: Mutex::default(), index_files: Mutex::default() }
    }

    /// Finishes packs until the queue ends; after a failure, only takes them.
    pub(super) fn run(&self, queue: Receiver<OpenPack>) {
        for pack in queue {
            // If the work itself failed, its own error is the one to report.
            if self.outcome.check().is_ok()
                && let Err(error) = self.finish(pack)
            {
                self.outcome.fail(error);
            }
        }
    }

    /// Lists every pack that no index file names yet; answers with all index files of the upload.
    pub(super) fn save_last_index(self) -> Result<Vec<IndexId>> {
        let packs = self.pending().take();
        if !packs.is_empty() {
            self.save_index(&packs)?;
        }
        Ok(self.index_files.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn finish(&self, pack: OpenPack) -> Result<()> {
        let tail = self.seal_header(&pack)?;
        let id = PackId::from_bytes(pack.body().hash_with(&tail));
        let holds_trees = pack.entries().iter().any(|entry| entry.blob.kind == BlobKind::Tree);
        let mut payload = pack.body().payload(&tail);
        if holds_trees {
            self.tell_cache(id);
            payload = payload.for_everyday();
        }
        self.repository.handle.save(id.file(), &payload)?;
        drop(payload);
        let (now, _) = clock::now();
        let due = self.pending().add(id, pack.into_entries(), now);
        due.map_or(Ok(()), |packs| self.save_index(&packs))
    }

    /// Has the local cache keep a pack of trees.
    fn tell_cache(&self, id: PackId) {
        if let Some(cache) = &self.repository.cache {
            cache.note_tree_pack(id);
        }
    }

    /// The sealed header and its length, verified.
    fn seal_header(&self, pack: &OpenPack) -> Result<Vec<u8>> {
        let key = &self.repository.key;
        let plain = pack.header();
        let mut sealed = Vec::with_capacity(plain.len() + header::FRAME);
        key.seal(&plain, &mut sealed)?;
        let mut opened = Vec::with_capacity(plain.len());
        let comes_back = key.open(&sealed, &mut opened).is_ok()
            && header::decode(&opened).is_ok_and(|entries| entries == pack.entries());
        if !comes_back {
            return Err(Error::HeaderVerification);
        }
        let length = u32::try_from(sealed.len()).expect("a header is closed at 16 MiB");
        sealed.extend_from_slice(&length.to_le_bytes());
        debug_assert!(sealed.len() <= header::LONGEST + LENGTH_FIELD);
        Ok(sealed)
    }

    fn save_index(&self, packs: &[(PackId, Vec<Entry>)]) -> Result<()> {
        let mut json = Vec::new();
        encode(packs, &mut json);
        let id = IndexId::from_id(self.repository.save_file(FileKind::Index, &json)?);
        self.index_files.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        Ok(())
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
