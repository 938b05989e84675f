//! Carry out the plan of a prune, in an order in which a kill at any moment loses nothing.

use crate::error::{Error, Result};
use crate::id::{PackId, SnapshotId};
use crate::index::Index;
use crate::lock::ExclusiveLock;
use crate::monitor::{Monitor, Phase};
use crate::prune::plan::PrunePlan;
use crate::reindex::Reindex;
use crate::remove::Removed;
use crate::repository::Repository;
use hashbrown::HashSet;
use tresor_backend::{FileKind, Full};

impl Repository<Full> {
    /// Carries a plan out; `index` is the one it was made from.
    ///
    /// 1. Packs that no index file names go. A failure is told to `removed` and does not stop anything.
    /// 2. What is needed of packs to be repacked is copied: packs, then their index file.
    /// 3. The index is written without the packs that go, then its old files are removed.
    /// 4. Those packs go; as in 1. What cannot be removed is found again by the next prune.
    ///
    /// Whatever a blob's index entry names is there at any moment, so an end between any two writes leaves at
    /// worst blobs twice or packs in no index. Without free space (if the plan was made so) there is no 2, and
    /// 3 comes apart: index files are removed before 4 and written after it. If that is cut short, no
    /// snapshot can be read until the index is made anew from the packs.
    ///
    /// Progress: [`Phase::RemoveUnindexed`], [`Phase::Repack`], [`Phase::Reindex`], [`Phase::RemoveIndex`],
    /// [`Phase::RemovePacks`]; without free space [`Phase::RemoveWholeIndex`] in place of the second to the
    /// fourth, and [`Phase::SaveIndex`] last. A phase with nothing to do does not begin. Memory: that of an
    /// upload, and of an index file for each thread.
    ///
    /// # Errors
    /// A needed blob of which no copy can be loaded; a snapshot that came after the plan was made; those of an
    /// upload and of [`reindex`](Self::reindex). No pack of the index was removed then.
    pub fn execute_prune(
        &self,
        plan: PrunePlan<'_>,
        index: &Index,
        lock: &ExclusiveLock,
        monitor: &dyn Monitor,
        removed: &Removed<'_>,
    ) -> Result<()> {
        self.remove_packs(&plan.unindexed, Phase::RemoveUnindexed, lock, monitor, removed)?;
        let mut files = index.files().to_vec();
        if !plan.repack.is_empty() {
            files.extend(self.repack(index, &plan, monitor)?);
        }
        let mut going = plan.remove;
        going.extend(plan.repack);
        let mut unnamed: HashSet<PackId> = plan.missing.iter().copied().collect();
        unnamed.extend(&going);
        if !unnamed.is_empty() || plan.recover_without_space {
            self.refuse_new_snapshots(&plan.snapshots)?;
        }
        if plan.recover_without_space {
            self.remove_index_files(&self.index_files()?, Phase::RemoveWholeIndex, lock, monitor, removed)?;
        } else if !unnamed.is_empty() {
            // Nobody else adds to the index under the exclusive lock, so a listing would say nothing new.
            let reindex = Reindex { drop: unnamed.clone(), files: Some(files), ..Reindex::default() };
            self.reindex(reindex, lock, monitor, removed)?;
        }
        self.remove_packs(&going, Phase::RemovePacks, lock, monitor, removed)?;
        match plan.recover_without_space {
            true => self.save_index_of(index, &|pack| !unnamed.contains(pack), monitor),
            false => Ok(()),
        }
    }

    /// Fails if there are snapshots that the plan does not know: somebody did not heed the lock.
    fn refuse_new_snapshots(&self, known: &[SnapshotId]) -> Result<()> {
        let known: HashSet<SnapshotId> = known.iter().copied().collect();
        let listed = self.list(FileKind::Snapshot)?;
        match listed.iter().map(|listed| SnapshotId::from_id(listed.id)).find(|id| !known.contains(id)) {
            None => Ok(()),
            Some(id) => Err(Error::Refused(format!(
                "snapshot {id} was stored while it was decided what is needed; nothing that may be needed was removed"
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
