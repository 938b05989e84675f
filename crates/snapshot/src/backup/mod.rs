//! Backup: a source becomes a snapshot; the pipeline in one visible chain.
//!
//! source → known → parent → files → trees → finish → snapshot, each a file of its own. All workers take
//! jobs from one queue in the order of the tree ([`order`]): to look at a directory ([`source`]), which may be
//! known as it is ([`known`], [`files_cache`]), or else to scan it and compare its entries with the parent
//! ([`scan`], [`parent`]), to read a file ([`files`]), to save a chunk. Whoever completes a directory folds
//! it ([`trees`]). The snapshot file is saved last: that is the moment the backup exists.

mod monitor;
mod exclude;
mod options;
mod targets;
mod place;
mod source;
mod estimate;
mod nodes;
mod view;
mod parent;
mod files_cache;
mod content;
mod window;
mod folder;
mod jobs;
mod order;
mod worker;
mod known;
mod trees;
mod files;
mod scan;
mod stream;

pub use exclude::{SourceFilter, TagFile};
pub use monitor::{Added, BackupMonitor, Change, FinishedItem};
pub use options::{BackupOptions, BackupReport, Files, FilesCacheUse, Source, Stream};
pub use targets::{absolute, clean};

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tresor_repo::handle::{MayAppend, Right};
use tresor_repo::index::Index;
use tresor_repo::time::Time;
use tresor_repo::upload::{Upload, Uploaded};
use tresor_repo::{BlobId, Cancel, Repository, clock};

use crate::error::{Error, Result};
use crate::fs::{Accounts, bytes_of_path};
use crate::gojson;
use crate::snapshot::{Snapshot, SnapshotSummary};
use estimate::estimate;
use files_cache::FilesCache;
use order::Job;
use targets::Layout;
use worker::{Counts, Run, Worker};

/// Bytes of chunks that may wait for a free worker, at most.
const MOST_CHUNK_BYTES: u64 = 32 << 20;

/// Backs up a source and saves a snapshot of it.
///
/// What cannot be read is noted to the monitor, counted, and left out.
///
/// # Errors
/// The first failure of the repository, and [`Error::EmptySnapshot`] when everything is left out. No
/// snapshot is saved then; what was uploaded is found again by the next backup, or removed by a prune.
pub fn backup<R: MayAppend>(
    repository: &Repository<R>,
    index: &Index,
    source: Source<'_>,
    options: &BackupOptions,
    monitor: &dyn BackupMonitor,
) -> Result<BackupReport> {
    let start = now(options);
    let paths = source.paths();
    let accounts = Accounts::default();
    let mut files_cache = match &source {
        Source::Files(files) => {
            FilesCache::open(repository, index, (&paths, files.files_cache), options, &accounts)
        }
        Source::Stream(_) => None,
    };
    let ((tree, counts), uploaded) = repository.upload(index, |upload| {
        let read = |source, files_cache: Option<&FilesCache>| {
            read_source(repository, (index, upload), source, options, (files_cache, &accounts), monitor)
        };
        match source {
            Source::Stream(_) => read(source, None),
            Source::Files(files) => match read(source, files_cache.as_ref()) {
                Err(Error::FilesCache) => {
                    // From the start, and what was told is told again: it happens where the repository is damaged.
                    files_cache = None;
                    read(Source::Files(files), None)
                }
                outcome => outcome,
            },
        }
    })?;
    let summary = summary(&counts, &uploaded, start, now(options));
    let problems = counts.problems.load(Ordering::Relaxed);

    let is_unchanged = options.parent.is_some_and(|(_, parent_tree)| parent_tree == tree);
    let snapshot = if options.skip_if_unchanged && is_unchanged {
        None
    } else {
        go_on(repository.cancel())?;
        let json = snapshot(tree, paths, options, &summary).encode();
        Some(repository.save_snapshot(&json)?)
    };
    let next_parent = snapshot.or(options.parent.map(|(parent, _)| parent));
    if let (Some(files_cache), Some(parent)) = (files_cache, next_parent) {
        let index_files = index.files().iter().copied().chain(uploaded.index_files).collect();
        files_cache.save((parent, tree), index_files, &accounts);
    }
    Ok(BackupReport { snapshot, tree, summary, problems })
}

/// Everything up to the root tree: workers, and beside them the estimate.
fn read_source<R: Right>(
    repository: &Repository<R>,
    (index, upload): (&Index, &Upload<'_>),
    source: Source<'_>,
    options: &BackupOptions,
    remembered: (Option<&FilesCache>, &Accounts),
    monitor: &dyn BackupMonitor,
) -> Result<(BlobId, Counts)> {
    let nothing = SourceFilter::default();
    let filter = if let Source::Files(files) = &source { files.filter } else { &nothing };
    let most_chunk_bytes = (repository.options().memory / 4).min(MOST_CHUNK_BYTES);
    let shared = (repository.cancel(), repository.chunker());
    let most_chunk_bytes = most_chunk_bytes as usize;
    let run = Run::new(options, filter, monitor, (upload, index), remembered, shared, most_chunk_bytes);
    let finished = AtomicBool::new(false);

    thread::scope(|scope| {
        // Held until the first worker has filled the queue.
        let beginning = run.order.hold();
        for _ in 1..workers(options, &source) {
            scope.spawn(|| Worker::new(&run, repository).work());
        }
        let mut first = Worker::new(&run, repository);
        let outcome = match source {
            Source::Stream(stream) => first.read_stream(stream),
            Source::Files(files) => Layout::new(bytes_of_path(files.current), files.targets)
                .map_err(|(path, source)| Error::ReadSource { path, source })
                .and_then(|layout| {
                    let current = bytes_of_path(files.current);
                    if files.estimate {
                        let (layout, finished) = (layout.clone(), &finished);
                        let names = run.names(repository);
                        scope.spawn(move || estimate(layout, current, filter, names, monitor, finished));
                    }
                    first.scan_root(layout, current)
                }),
        };
        if let Err(error) = outcome {
            run.fail(error);
        }
        drop(beginning);
        first.work();
        finished.store(true, Ordering::Relaxed);
    });
    run.finish()
}

impl<R: Right> Worker<'_, R> {
    /// Takes jobs until there are none left, or one fails.
    fn work(mut self) {
        while let Some((job, _running)) = self.run.order.next() {
            let outcome = self.run.go_on().and_then(|()| match job {
                Job::Chunk(chunk) => self.save_left_chunk(chunk),
                Job::File(scanned, file) => self.read_file(scanned, file),
                Job::Folder(scanned, folder, position) => self.scan_folder(&scanned, folder, &position),
                Job::Rest(scanned, rest, position) => self.scan_rest(&scanned, *rest, position),
            });
            if let Err(error) = outcome {
                self.run.fail(error);
            }
        }
    }
}

/// How many read at once where each waits for another machine, unless that was asked for.
const DISTANT_READERS: usize = 8;

/// Workers for reading and scanning: one a core keeps disks busy as well, large files or small.
fn workers(options: &BackupOptions, source: &Source<'_>) -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let readers = match (options.read_concurrency, source) {
        (0, Source::Files(files)) if files.are_distant() => DISTANT_READERS,
        (asked, _) => asked,
    };
    readers.max(cores)
}

fn summary(counts: &Counts, uploaded: &Uploaded, start: Time, end: Time) -> SnapshotSummary {
    let [files_new, files_changed, files_unmodified] = counts.files.all();
    let [dirs_new, dirs_changed, dirs_unmodified] = counts.dirs.all();
    SnapshotSummary {
        files_new,
        files_changed,
        files_unmodified,
        dirs_new,
        dirs_changed,
        dirs_unmodified,
        data_blobs: uploaded.data_blobs,
        tree_blobs: uploaded.tree_blobs,
        data_added: uploaded.plain_bytes,
        data_added_packed: uploaded.stored_bytes,
        total_files_processed: files_new + files_changed + files_unmodified,
        total_bytes_processed: counts.bytes.load(Ordering::Relaxed),
        ..SnapshotSummary::new(start, end)
    }
}

fn snapshot(
    tree: BlobId,
    paths: Vec<String>,
    options: &BackupOptions,
    summary: &SnapshotSummary,
) -> Snapshot {
    Snapshot {
        parent: options.parent.map(|(parent, _)| parent),
        hostname: options.hostname.clone(),
        username: options.username.clone(),
        uid: options.uid,
        gid: options.gid,
        excludes: options.excludes.clone(),
        tags: options.tags.clone(),
        program_version: options.program_version.clone(),
        summary: Some(summary.clone()),
        ..Snapshot::new(tree, options.time, paths)
    }
}

impl Source<'_> {
    /// The paths as they are stored in the snapshot: absolute and clean, in the order given.
    fn paths(&self) -> Vec<String> {
        let text = |path: &[u8]| gojson::lossy(path).into_owned();
        match self {
            Source::Stream(stream) => vec![text(&stream.path)],
            Source::Files(files) => {
                let current = bytes_of_path(files.current);
                let absolute = |target: &PathBuf| absolute(current, bytes_of_path(target));
                files.targets.iter().map(|target| text(&absolute(target))).collect()
            }
        }
    }
}

fn now(options: &BackupOptions) -> Time {
    let (seconds, nanoseconds) = clock::now();
    options.zone.local(seconds, nanoseconds)
}

fn go_on(cancel: &Cancel) -> Result<()> {
    if cancel.is_set() { Err(tresor_repo::Error::Cancelled.into()) } else { Ok(()) }
}
