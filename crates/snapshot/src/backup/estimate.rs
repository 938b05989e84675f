//! Count beforehand what a backup will read, by the same rules, beside the backup itself.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tresor_repo::Problem;

use super::exclude::SourceFilter;
use super::monitor::BackupMonitor;
use super::place::{Descriptors, Kept, Place};
use super::source::{Entries, Entry, Level, Visit};
use super::targets::{Branch, Layout, absolute, on_disk};
use crate::error::Result;
use crate::fs::Names;
use crate::gojson;

/// Entries that are counted even when the backup has ended already: a small source always has its count.
const AT_LEAST: usize = 1000;

/// Walks everything that will be backed up and tells the monitor what there is; when the backup has `finished`,
/// it stops unless there is little.
///
/// What cannot be looked at is told as [`BackupMonitor::scan_problem`]: the backup meets it again.
pub(super) fn estimate(
    layout: Layout,
    current: &[u8],
    filter: &SourceFilter,
    mut names: Names,
    monitor: &dyn BackupMonitor,
    finished: &AtomicBool,
) {
    let counted = Cell::new(0);
    let stop = &|| counted.get() > AT_LEAST && finished.load(Ordering::Relaxed);
    let mut left: Vec<Left> = Vec::new();
    for (root, branches) in layout.roots {
        let place = Arc::new(Place::root(&on_disk(current, &root), &absolute(current, &root)));
        let branch = Branch { children: branches, ..Branch::default() };
        left.push(Left { place, _parent: None, branch, device: None });
    }
    let descriptors = Descriptors::default();
    let mut path = Vec::new();
    while let Some(Left { place, branch, device, _parent }) = left.pop() {
        place.absolute_path(&mut path);
        let directory = match place.open_and_list(branch.target, &mut names) {
            Ok(directory) => directory,
            Err(cause) => {
                tell(monitor, &path, "read directory", cause);
                continue;
            }
        };
        let own_device = directory.metadata().map_or(0, |metadata| metadata.device);
        let device = if branch.named { Some(own_device) } else { device.or(Some(own_device)) };
        let kept = descriptors.keep(&place, Arc::clone(&directory)).map(Arc::new);
        let mut counter = Counter { monitor, stop, counted: &counted, place, kept, left };
        let level = Level { filter, directory: &directory, own_device, device };
        let mut entries = Entries::new(names, branch.children);
        let outcome = level.visit(&mut path, &mut entries, usize::MAX, &mut counter);
        (left, names) = (counter.left, entries.into_names());
        if outcome.is_err() || stop() {
            return;
        }
    }
    monitor.scan_finished();
}

/// A directory to be counted.
struct Left {
    place: Arc<Place>,
    /// The directory that it is in, open unless there are too many.
    _parent: Option<Arc<Kept>>,
    /// What targets lead to in it, and whether it is one itself.
    branch: Branch,
    device: Option<u64>,
}

/// What the estimate has found in one directory.
struct Counter<'a> {
    monitor: &'a dyn BackupMonitor,
    stop: &'a dyn Fn() -> bool,
    counted: &'a Cell<usize>,
    place: Arc<Place>,
    kept: Option<Arc<Kept>>,
    left: Vec<Left>,
}

impl Visit for Counter<'_> {
    fn entry(&mut self, entry: Entry<'_>) -> Result<()> {
        if (self.stop)() {
            return Err(tresor_repo::Error::Cancelled.into());
        }
        self.counted.set(self.counted.get() + 1);
        let is_file = entry.metadata.is_file();
        self.monitor.scanned(is_file.into(), if is_file { entry.metadata.size } else { 0 });
        if entry.metadata.is_dir() {
            // A leaf: everything in it, and no target further down.
            let branch = Branch { target: true, ..Branch::default() };
            self.push(entry.name, entry.disk_name, branch, entry.device);
        }
        Ok(())
    }

    fn passage(&mut self, name: &[u8], branch: Branch, device: Option<u64>) -> Result<()> {
        self.monitor.scanned(0, 0);
        let disk_name = branch.disk_name.clone();
        self.push(name, &disk_name, branch, device);
        Ok(())
    }

    fn failed(&mut self, path: &[u8], cause: io::Error) {
        tell(self.monitor, path, "read metadata of", cause);
    }

    fn excluded(&mut self, _path: &[u8]) {
        // The backup says so.
    }

    fn unsigned(&mut self, _path: &[u8], _cause: &io::Error) {
        // The backup says so.
    }
}

impl Counter<'_> {
    fn push(&mut self, name: &[u8], disk_name: &[u8], branch: Branch, device: Option<u64>) {
        let disk_name = (name != disk_name).then(|| disk_name.into());
        let place = Place::child(&self.place, name.into(), disk_name, !branch.children.is_empty());
        self.left.push(Left { place: Arc::new(place), _parent: self.kept.clone(), branch, device });
    }
}

fn tell(monitor: &dyn BackupMonitor, path: &[u8], doing: &'static str, cause: io::Error) {
    let item = gojson::lossy(path).into_owned();
    monitor.scan_problem(&Problem { item, doing, cause: cause.into() });
}
