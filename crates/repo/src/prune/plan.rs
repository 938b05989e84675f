//! The plan of a prune: what snapshots need, and what therefore becomes of every pack.

use crate::bits::Bits;
use crate::blob::BlobHandle;
use crate::error::{Error, Result};
use crate::id::{PackId, SnapshotId};
use crate::index::Marks;
use crate::monitor::Monitor;
use crate::prune::decide::{Stored, Undecided, decide};
use crate::prune::options::PruneOptions;
use crate::prune::pack_use;
use crate::prune::stats::PruneStats;
use crate::repository::Repository;
use crate::stored_packs::StoredPacks;
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
    /// one listing, and some passes over the index. Memory: about 25 bytes for each pack, and 32 for each that goes.
    ///
    /// # Errors
    /// [`NoPlan`]: what is needed is not all there.
    pub fn plan_prune<'a>(
        &self,
        used: Used<'a>,
        options: &PruneOptions,
        monitor: &dyn Monitor,
    ) -> Result<PrunePlan<'a>, NoPlan> {
        if !used.blobs.index().is_whole() {
            let why = "index files cannot be read, so nobody knows which packs they name";
            return Err(NoPlan::Repository(Error::Refused(why.into())));
        }
        plan(used, self.stored_packs()?, self.config.version, options, monitor)
    }
}

/// The plan for a repository of this version with these packs and their sizes.
fn plan<'a>(
    used: Used<'a>,
    stored: StoredPacks,
    version: u32,
    options: &PruneOptions,
    monitor: &dyn Monitor,
) -> Result<PrunePlan<'a>, NoPlan> {
    let Used { mut blobs, unknown, snapshots } = used;
    if !unknown.is_empty() {
        return Err(NoPlan::UnknownBlobs(unknown));
    }
    let (index, mut stats) = (blobs.index(), PruneStats::default());
    let mut packs = pack_use::count(&blobs, &mut stats)?;
    let stored = Stored::compare(stored, index, &packs)?;
    if stats.duplicate.blobs > 0 {
        pack_use::choose_copies(&blobs, &stored.sound, &mut packs, &mut stats)?;
    }
    let decision = decide(index, &packs, &stored, version, options, &mut stats, monitor);
    let decision = decision.map_err(|undecided| match undecided {
        Undecided::Size { pack, calculated, real } => NoPlan::PackSize { pack, calculated, real },
        Undecided::Missing(packs) => NoPlan::MissingPacks(packs),
        Undecided::Failed(error) => NoPlan::Repository(error),
    })?;
    match decision.repack.is_empty() {
        true => blobs.clear(),
        false => keep_what_moves(&blobs, &decision.going)?,
    }
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

/// Takes every blob out that a pack which stays holds too; `going` are the slots of those that do not stay.
fn keep_what_moves(blobs: &Marks<'_>, going: &Bits) -> Result<()> {
    let mut all = blobs.blobs()?;
    while let Some(copies) = all.next()? {
        if copies.is_marked && copies.places.iter().any(|(slot, _)| !going.contains(*slot)) {
            copies.unmark();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
