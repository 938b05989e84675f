//! Removing repository files: with every right only, and only under the exclusive lock.

use crate::error::{Error, Result};
use crate::id::{PackId, SnapshotId};
use crate::lock::ExclusiveLock;
use crate::monitor::{Monitor, Phase};
use crate::repository::Repository;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use tresor_backend::{FileKind, FileName, Full};

/// Is told of each file how its removal ended, on any thread.
pub type Removed<'a> = dyn Fn(FileName, Result<()>) + Sync + 'a;

impl Repository<Full> {
    /// Removes snapshots, several at a time; one that cannot be removed does not stop the others.
    ///
    /// # Errors
    /// Cancellation; the rest is still there then.
    pub fn remove_snapshots(
        &self,
        snapshots: &[SnapshotId],
        lock: &ExclusiveLock,
        removed: &Removed<'_>,
    ) -> Result<()> {
        let files: Vec<FileName> = snapshots.iter().map(SnapshotId::file).collect();
        self.remove_files(&files, lock, removed)
    }

    /// Removes packs that no index file names; those that cannot be removed are told, and a phase without any does
    /// not begin.
    pub(crate) fn remove_packs(
        &self,
        packs: &[PackId],
        phase: Phase,
        lock: &ExclusiveLock,
        monitor: &dyn Monitor,
        removed: &Removed<'_>,
    ) -> Result<()> {
        if packs.is_empty() {
            return Ok(());
        }
        let files: Vec<FileName> = packs.iter().map(PackId::file).collect();
        monitor.begin(phase, Some(files.len() as u64));
        self.remove_files(&files, lock, &|file, ended| {
            if ended.is_ok() {
                monitor.advance(phase, 1);
            }
            removed(file, ended);
        })?;
        monitor.end(phase);
        Ok(())
    }

    /// Removes files of any kind but config and keys, as [`remove_snapshots`](Self::remove_snapshots).
    pub(crate) fn remove_files(
        &self,
        files: &[FileName],
        _lock: &ExclusiveLock,
        removed: &Removed<'_>,
    ) -> Result<()> {
        debug_assert!(files.iter().all(|file| !matches!(file.kind(), FileKind::Config | FileKind::Key)));
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(&file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                if self.cancel().is_set() {
                    return;
                }
                removed(file, self.handle.remove(file).map_err(Error::from));
            }
        };
        thread::scope(|scope| {
            let threads = self.handle.capabilities().connections.min(files.len());
            (1..threads).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        if self.cancel().is_set() { Err(Error::Cancelled) } else { Ok(()) }
    }
}
