//! Counts what a restore does, and tells the monitor.

use crate::restore::items::{DirNumber, Item, ItemNumber};
use crate::restore::options::{Action, RestoreCounts, RestoreMonitor};
use crate::restore::table::Table;
use crate::restore::target::Name;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use tresor_repo::Problem;
use tresor_repo::bits::Bits;

/// What was done so far; shared by all workers.
pub(crate) struct Progress<'a> {
    table: &'a Table,
    monitor: &'a dyn RestoreMonitor,
    restored: AtomicU64,
    skipped: AtomicU64,
    deleted: AtomicU64,
    bytes_restored: AtomicU64,
    bytes_skipped: AtomicU64,
    problems: AtomicU64,
    /// Files whose content is not what it should be.
    failed: Bits,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(table: &'a Table, monitor: &'a dyn RestoreMonitor) -> Self {
        Progress {
            table,
            monitor,
            restored: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            deleted: AtomicU64::new(0),
            bytes_restored: AtomicU64::new(0),
            bytes_skipped: AtomicU64::new(0),
            problems: AtomicU64::new(0),
            failed: Bits::new(table.items.len().into()),
        }
    }

    pub(crate) fn item(&self, action: Action, item: &Item) {
        self.done(action, &self.table.item_path(item), item.is_file().then_some(item.size));
    }

    /// The same of a file whose name is at hand.
    pub(crate) fn file(&self, action: Action, item: &Item, name: Name<'_>) {
        self.done(action, &self.table.path_in(item.dir, name.bytes()), Some(item.size));
    }

    pub(crate) fn dir(&self, dir: DirNumber) {
        self.done(Action::Restored, &self.table.dir_path(dir), None);
    }

    pub(crate) fn done(&self, action: Action, path: &[u8], size: Option<u64>) {
        let counter = match action {
            Action::Restored | Action::Updated => &self.restored,
            Action::Unchanged => {
                self.bytes_skipped.fetch_add(size.unwrap_or(0), Ordering::Relaxed);
                &self.skipped
            }
            Action::Deleted => &self.deleted,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.monitor.item(action, path, size);
    }

    pub(crate) fn bytes(&self, bytes: u64) {
        self.bytes_restored.fetch_add(bytes, Ordering::Relaxed);
        self.monitor.restored_bytes(bytes);
    }

    pub(crate) fn item_problem(&self, item: &Item, cause: impl Error + Send + Sync + 'static) {
        self.problem(&self.table.item_path(item), "restore", cause);
    }

    pub(crate) fn dir_problem(&self, dir: DirNumber, cause: impl Error + Send + Sync + 'static) {
        self.problem(&self.table.dir_path(dir), "restore", cause);
    }

    pub(crate) fn problem(
        &self,
        path: &[u8],
        doing: &'static str,
        cause: impl Error + Send + Sync + 'static,
    ) {
        self.problems.fetch_add(1, Ordering::Relaxed);
        let item = String::from_utf8_lossy(path).into_owned();
        self.monitor.problem(&Problem { item, doing, cause: Box::new(cause) });
    }

    /// Notes that a file's content is damaged; answers whether that is new.
    pub(crate) fn fail(&self, item: ItemNumber) -> bool {
        self.failed.insert(item.into())
    }

    /// Adds what was counted to `counts`; returns the problems, and the files that failed.
    pub(crate) fn finish(self, counts: &mut RestoreCounts) -> (u64, Bits) {
        counts.files_restored += self.restored.into_inner();
        counts.files_skipped += self.skipped.into_inner();
        counts.files_deleted += self.deleted.into_inner();
        counts.bytes_restored += self.bytes_restored.into_inner();
        counts.bytes_skipped += self.bytes_skipped.into_inner();
        (self.problems.into_inner(), self.failed)
    }
}
