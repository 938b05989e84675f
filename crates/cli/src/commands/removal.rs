//! The removal of snapshots, shown while it goes on.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;
use tresor_backend::Full;
use tresor_repo::lock::ExclusiveLock;
use tresor_repo::{Repository, SnapshotId};

use crate::causes::chain;
use crate::exit::{Code, Failure, Result};
use crate::session::Session;
use crate::ui::progress::counter;

/// Removes snapshots and says so; returns how many could not be removed, each of which was told.
pub(super) fn remove(
    session: &Session,
    repository: &Repository<Full>,
    snapshots: &[SnapshotId],
    lock: &ExclusiveLock,
) -> Result<u64> {
    if snapshots.is_empty() {
        return Ok(0);
    }
    let ui = &session.ui;
    let (start, done, failed) = (Instant::now(), AtomicU64::new(0), AtomicU64::new(0));
    repository.remove_snapshots(snapshots, lock, &|file, removed| match removed {
        Ok(()) => {
            done.fetch_add(1, Relaxed);
            ui.very_verbose(&format!("removed snapshot/{}", file.id()));
        }
        Err(error) => {
            failed.fetch_add(1, Relaxed);
            let (id, cause) = (file.id(), chain(&error));
            ui.error(&format!("unable to remove snapshot/{id} from the repository: {cause}"));
        }
    })?;
    let (done, total) = (done.into_inner(), snapshots.len() as u64);
    ui.print(&counter(start.elapsed(), done, Some(total), "files deleted"));
    Ok(failed.into_inner())
}

/// How a command ends that could not remove all.
pub(super) fn failure() -> Failure {
    Failure::plain("failed to remove one or more snapshots").code(Code::Incomplete)
}
