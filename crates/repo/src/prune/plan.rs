//! The plan of a prune: what snapshots need, and what therefore becomes of every pack.

use crate::blob::BlobHandle;
use crate::error::{Error, Result};
use crate::id::{PackId, SnapshotId};
use crate::index::Marks;
use crate::monitor::Monitor;
use crate::prune::decide::{Undecided, decide};
use crate::prune::options::PruneOptions;
use crate::prune::pack_use;
use crate::prune::stats::PruneStats;
use crate::repository::Repository;
use tresor_backend::FileKind;
use tresor_backend::handle::Right;

/// What snapshots need.
pub struct Used<'a> {
    /// The blobs that the index knows.
    pub blobs: Marks<'a>,
    /// Those that it does not know.
    pub unknown: Vec<BlobHandle>,
    /// The snapshots that were looked at, and those that were left out on purpose.
    pub snapshots: Vec<SnapshotId>,
}

/// What becomes of every pack; nothing was changed yet. The lists are sorted.
pub struct PrunePlan<'a> {
    /// Packs that no index file names: they go first.
    pub unindexed: Vec<PackId>,
    /// Packs whose needed blobs move to new packs; then they go.
    pub repack: Vec<PackId>,
    /// Packs without any needed blob: they go.
    pub remove: Vec<PackId>,
    /// Packs that the index names, and which are neither there nor needed.
    pub missing: Vec<PackId>,
    /// All of that in numbers.
    pub stats: PruneStats,
    /// The blobs of packs to be repacked that no pack which stays holds.
    pub(super) copy: Marks<'a>,
    pub(super) snapshots: Vec<SnapshotId>,
    pub(super) recover_without_space: bool,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum NoPlan {
    /// A listing failed.
    #[error(transparent)]
    Repository(#[from] Error),
    /// Needed blobs are not in the index: data was lost, or an index file is gone.
    #[error("index is not complete")]
    UnknownBlobs(Vec<BlobHandle>),
    /// A needed pack has another size than the index says.
    #[error("pack size does not match calculated size from index")]
    PackSize {
        /// Which.
        pack: PackId,
        /// What the index says, in bytes.
        calculated: u64,
        /// What it is.
        real: u64,
    },
    /// Needed packs are not there.
    #[error("packs from index missing in repo")]
    MissingPacks(Vec<PackId>),
}

impl<R: Right> Repository<R> {
    /// Whether a prune can do what the options ask for; to be asked before anything is loaded.
    ///
    /// # Errors
    /// [`Error::Refused`] says why not.
    pub fn check_prune_options(&self, options: &PruneOptions) -> Result<()> {
        let refuse = |why: String| Err(Error::Refused(why));
        if self.handle.capabilities().connections < 2 {
            return refuse("prune requires a backend connection limit of at least two".into());
        }
        if self.config.version < 2 && options.repack_uncompressed {
            return refuse("compression requires at least repository format version 2".into());
        }
        if options.repack_smaller_than.is_some_and(|size| size > u64::from(self.options.pack_size)) {
            return refuse("repack-smaller-than exceeds repository packsize".into());
        }
        Ok(())
    }

    /// Decides what becomes of every pack when nothing but `used` is needed; changes nothing.
    ///
    /// Progress: [`Phase::PlanPacks`](crate::Phase::PlanPacks); packs that no index file names are noted. Cost:
    /// one listing. Memory: about 100 bytes for each pack.
    ///
    /// # Errors
    /// [`NoPlan`]: what is needed is not all there.
    pub fn plan_prune<'a>(
        &self,
        used: Used<'a>,
        options: &PruneOptions,
        monitor: &dyn Monitor,
    ) -> Result<PrunePlan<'a>, NoPlan> {
        let listed = self.list(FileKind::Pack)?;
        let stored = listed.iter().map(|pack| (PackId::from_id(pack.id), pack.size)).collect();
        plan(used, stored, self.config.version, options, monitor)
    }
}

/// The plan for a repository of this version with these packs and their sizes.
fn plan<'a>(
    used: Used<'a>,
    mut stored: Vec<(PackId, u64)>,
    version: u32,
    options: &PruneOptions,
    monitor: &dyn Monitor,
) -> Result<PrunePlan<'a>, NoPlan> {
    let Used { blobs, unknown, snapshots } = used;
    if !unknown.is_empty() {
        return Err(NoPlan::UnknownBlobs(unknown));
    }
    // A pack that a backend lists twice must not pass for a second one that no index file names.
    stored.sort_unstable();
    stored.dedup_by_key(|(id, _)| *id);
    let mut stats = PruneStats::default();
    let mut packs = pack_use::count(&blobs, &mut stats);
    let size = |pack: &PackId| Some(stored[stored.binary_search_by_key(pack, |(id, _)| *id).ok()?].1);
    let sound: Vec<bool> =
        blobs.index().packs().zip(&packs).map(|(id, pack)| size(&id) == Some(pack.size())).collect();
    pack_use::choose_copies(&blobs, &sound, &mut packs, &mut stats);
    let by_id = blobs.index().packs().zip(packs);
    let decision = decide(by_id, &stored, version, options, &mut stats, monitor);
    let decision = decision.map_err(|undecided| match undecided {
        Undecided::Size { pack, calculated, real } => NoPlan::PackSize { pack, calculated, real },
        Undecided::Missing(packs) => NoPlan::MissingPacks(packs),
    })?;
    keep_what_moves(&blobs, &[&decision.remove, &decision.repack, &decision.missing]);
    Ok(PrunePlan {
        unindexed: decision.unindexed,
        repack: decision.repack,
        remove: decision.remove,
        missing: decision.missing,
        stats,
        copy: blobs,
        snapshots,
        recover_without_space: options.recover_without_space,
    })
}

/// Takes every blob out that a pack which stays holds too.
fn keep_what_moves(blobs: &Marks<'_>, going: &[&[PackId]; 3]) {
    let goes = |pack: &PackId| going.iter().any(|packs| packs.binary_search(pack).is_ok());
    let goes: Vec<bool> = blobs.index().packs().map(|pack| goes(&pack)).collect();
    for blob in blobs.blobs().filter(|blob| blob.is_marked) {
        if blob.places().any(|(pack, _)| !goes[pack]) {
            blobs.take(blob.blob.kind, &blob.blob.id);
        }
    }
}

#[cfg(test)]
mod tests;
