//! Loads the snapshot files of a repository, several at a time.

use crate::error::{Error, Result};
use crate::snapshot::Snapshot;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use tresor_repo::handle::Right;
use tresor_repo::{FileKind, Repository, SnapshotId};

/// Snapshot files loaded at the same time: they are small, so what counts is the way to a remote backend.
const AT_ONCE: usize = 8;

/// A snapshot's id, and what its file holds or why it cannot be read.
pub type Loaded = (SnapshotId, Result<Snapshot>);

/// Loads every snapshot, in the order of their ids.
///
/// # Errors
/// Those of the listing. A snapshot that cannot be read is an entry of the answer.
pub fn load_all<R: Right>(repo: &Repository<R>) -> Result<Vec<Loaded>> {
    let mut ids: Vec<_> =
        repo.list(FileKind::Snapshot)?.iter().map(|listed| SnapshotId::from_id(listed.id)).collect();
    ids.sort_unstable();
    load_these(repo, &ids)
}

/// Loads these snapshots, in the order given.
///
/// # Errors
/// Only that the operation was cancelled.
pub fn load_these<R: Right>(repo: &Repository<R>, ids: &[SnapshotId]) -> Result<Vec<Loaded>> {
    let next = AtomicUsize::new(0);
    let loaded = Mutex::new(Vec::with_capacity(ids.len()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(ids.len()) {
            scope.spawn(|| {
                while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if repo.cancel().is_set() {
                        return;
                    }
                    let snapshot = load(repo, id);
                    loaded.lock().unwrap_or_else(PoisonError::into_inner).push((*id, snapshot));
                }
            });
        }
    });
    if repo.cancel().is_set() {
        return Err(tresor_repo::Error::Cancelled.into());
    }
    let loaded = loaded.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(in_order(ids, loaded))
}

/// Loads one snapshot.
///
/// # Errors
/// Those of loading, or [`Error::DecodeSnapshot`].
pub fn load<R: Right>(repo: &Repository<R>, id: &SnapshotId) -> Result<Snapshot> {
    repo.with_file(FileKind::Snapshot, id.id(), Snapshot::decode).map_err(Error::from)?
}

fn in_order(ids: &[SnapshotId], loaded: Vec<Loaded>) -> Vec<Loaded> {
    let mut by_id: hashbrown::HashMap<SnapshotId, Result<Snapshot>> = loaded.into_iter().collect();
    ids.iter().filter_map(|id| by_id.remove(id).map(|snapshot| (*id, snapshot))).collect()
}
