//! Snapshots made from others: with other tags, without some items, without what is damaged.
//!
//! Nothing stored is ever changed: new trees are saved, then the new snapshot, and only then the old one may
//! be removed. `trees` makes new trees out of old ones by an [`Edit`]; `filter` and `repair` are the two edits.

mod filter;
mod repair;
mod tags;
mod trees;

#[cfg(test)]
mod tests;

use tresor_repo::handle::Full;
use tresor_repo::lock::ExclusiveLock;
use tresor_repo::{Repository, SnapshotId};

use crate::error::Result;
use crate::snapshot::Snapshot;

pub use filter::{Filtered, TreeFilter, Verdict};
pub use repair::{Repair, Repaired};
pub use tags::TagChange;
pub use trees::{Edit, Edited, Rewriter};

/// Saves the snapshot that takes the place of `old`, then removes `old`.
///
/// # Errors
/// The new one cannot be saved, and nothing has changed; or the old one cannot be removed, and both are there.
pub fn replace(
    repo: &Repository<Full>,
    old: &SnapshotId,
    new: &Snapshot,
    lock: &ExclusiveLock,
) -> Result<SnapshotId> {
    let id = repo.save_snapshot(&new.encode())?;
    if id != *old {
        remove(repo, old, lock)?;
    }
    Ok(id)
}

/// Removes one snapshot.
///
/// # Errors
/// Those of the backend; it is still there then.
pub fn remove(repo: &Repository<Full>, snapshot: &SnapshotId, lock: &ExclusiveLock) -> Result<()> {
    let failed = std::sync::Mutex::new(None);
    repo.remove_snapshots(&[*snapshot], lock, &|_, removed| {
        *failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = removed.err();
    })?;
    match failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        None => Ok(()),
        Some(error) => Err(error.into()),
    }
}
