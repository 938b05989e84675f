//! Move what is needed of packs that are about to go into new packs.

use crate::blob::BlobHandle;
use crate::error::{Error, Result};
use crate::id::{IndexId, PackId};
use crate::index::{ByPack, Index, Place};
use crate::monitor::{Monitor, Phase};
use crate::prune::plan::PrunePlan;
use crate::repository::Repository;
use crate::upload::Upload;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use tresor_backend::Full;

impl Repository<Full> {
    /// Copies the blobs of packs to be repacked which no other pack holds; they are stored and in an index file
    /// when it returns (whose files it answers with), and all the old packs are still there.
    ///
    /// Several packs at a time, their near blobs in one request; every blob is opened and its hash verified, and
    /// if it is wrong its other copies are tried, before it is moved as it is (or compressed and sealed anew,
    /// if it is not stored as it would be today).
    ///
    /// # Errors
    /// The first blob of which no copy can be loaded; those of an upload; cancellation.
    pub(super) fn repack(
        &self,
        index: &Index,
        plan: &PrunePlan<'_>,
        monitor: &dyn Monitor,
    ) -> Result<Vec<IndexId>> {
        self.bring_back(&plan.repack, monitor)?;
        let expected = plan.copy.len();
        let by_pack = index.by_pack()?;
        let repacking = Repacking { repository: self, index, by_pack, plan, next: AtomicUsize::new(0) };
        monitor.begin(Phase::Repack, Some(plan.repack.len() as u64));
        // Blobs that the index knows are to be stored once more.
        let nothing_stored = Index::default();
        let uploaded = self.upload(&nothing_stored, |upload| repacking.run(upload, monitor));
        monitor.end(Phase::Repack);
        let ((), uploaded) = uploaded?;
        if uploaded.data_blobs + uploaded.tree_blobs != expected || !plan.copy.is_empty() {
            return Err(Error::Refused("internal error: blobs were not repacked".into()));
        }
        Ok(uploaded.index_files)
    }
}

/// Packs being repacked by several threads.
struct Repacking<'a> {
    repository: &'a Repository<Full>,
    index: &'a Index,
    by_pack: ByPack<'a>,
    plan: &'a PrunePlan<'a>,
    next: AtomicUsize,
}

impl Repacking<'_> {
    fn run(&self, upload: &Upload<'_>, monitor: &dyn Monitor) -> Result<()> {
        let packs = &self.plan.repack;
        let failed = Mutex::new(None);
        let work = || {
            if let Err(error) = self.repack_until_none_is_left(upload, monitor) {
                self.next.store(packs.len(), Ordering::Relaxed);
                failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        };
        thread::scope(|scope| {
            let threads = self.repository.parallel_loads().min(packs.len());
            (1..threads).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn repack_until_none_is_left(&self, upload: &Upload<'_>, monitor: &dyn Monitor) -> Result<()> {
        let (mut loader, mut saver) = (self.repository.loader_beside_upload(), upload.saver());
        while let Some(pack) = self.plan.repack.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let (long, mut wanted): (Vec<_>, Vec<_>) =
                self.take(pack)?.into_iter().partition(|(blob, place)| loader.is_long(blob, place));
            for (blob, _) in long {
                upload.save_long(blob.kind, &loader.load_long(self.index, blob)?)?;
            }
            loader.load_stored_from_pack(self.index, *pack, &mut wanted, &mut |_, found| {
                if self.repository.cancel().is_set() {
                    return Err(Error::Cancelled);
                }
                saver.move_blob(&found?).map(drop)
            })?;
            monitor.advance(Phase::Repack, 1);
        }
        Ok(())
    }

    /// The blobs of a pack that are to be copied and of which no other thread has taken on a copy.
    fn take(&self, pack: &PackId) -> Result<Vec<(BlobHandle, Place)>> {
        let mut taken = Vec::new();
        for (blob, place) in self.by_pack.blobs(pack)? {
            if self.plan.copy.take(blob.kind, &blob.id)? {
                taken.push((blob, place));
            }
        }
        Ok(taken)
    }
}
