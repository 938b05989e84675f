//! Workers: what they share, and what each has for itself.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tresor_chunker::Chunker;
use tresor_repo::error::Cause;
use tresor_repo::handle::Right;
use tresor_repo::index::Index;
use tresor_repo::load::Loader;
use tresor_repo::upload::{BlobSaver, Upload};
use tresor_repo::{BlobId, Cancel, Problem, Repository};

use super::exclude::SourceFilter;
use super::files_cache::FilesCache;
use super::monitor::{Added, BackupMonitor, Change, FinishedItem};
use super::nodes::NodeMaker;
use super::options::BackupOptions;
use super::order::Order;
use super::place::{Descriptors, push_component};
use super::window::Window;
use crate::error::{Error, Result};
use crate::fs::{Accounts, AttributeReader, Names};
use crate::gojson;

/// Buffers that are kept to be used again.
const MOST_SPARE_BUFFERS: usize = 4;
/// Few chunks are larger than this, in bytes.
const LARGEST_SPARE_BUFFER: usize = 4 << 20;

/// What all workers of a backup share.
pub(super) struct Run<'a> {
    pub(super) options: &'a BackupOptions,
    pub(super) filter: &'a SourceFilter,
    pub(super) monitor: &'a dyn BackupMonitor,
    pub(super) upload: &'a Upload<'a>,
    pub(super) index: &'a Index,
    pub(super) cancel: &'a Cancel,
    pub(super) chunker: Chunker,
    pub(super) nodes: NodeMaker<'a>,
    pub(super) files_cache: Option<&'a FilesCache>,
    pub(super) order: Order,
    pub(super) descriptors: Descriptors,
    pub(super) counts: Counts,
    /// Buffers that held chunks, to be used again.
    buffers: Mutex<Vec<Vec<u8>>>,
    /// The root tree, once it is saved.
    pub(super) root: Mutex<Option<BlobId>>,
    /// The first error; it ends the backup.
    failure: Mutex<Option<Error>>,
}

/// The counters of the summary.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) files: Changes,
    pub(super) dirs: Changes,
    pub(super) bytes: AtomicU64,
    pub(super) problems: AtomicU64,
}

/// How many items were new, changed and unmodified.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) new: AtomicU64,
    pub(super) changed: AtomicU64,
    pub(super) unmodified: AtomicU64,
}

impl Changes {
    pub(super) fn count(&self, change: Change) {
        let counter = match change {
            Change::New => &self.new,
            Change::Changed => &self.changed,
            Change::Unmodified => &self.unmodified,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// New, changed, unmodified.
    pub(super) fn all(&self) -> [u64; 3] {
        [&self.new, &self.changed, &self.unmodified].map(|counter| counter.load(Ordering::Relaxed))
    }
}

/// What one worker has for itself: its way into the repository, and buffers that are used again.
pub(super) struct Worker<'a, R: Right> {
    pub(super) run: &'a Run<'a>,
    pub(super) saver: BlobSaver<'a>,
    pub(super) loader: Loader<'a, R>,
    pub(super) attributes: AttributeReader,
    /// The names of the directory being scanned.
    pub(super) names: Names,
    /// The absolute path on disk of what is being worked on.
    pub(super) path: Vec<u8>,
    /// The path in the snapshot of what is being worked on.
    pub(super) snapshot_path: Vec<u8>,
    /// What is being read and cut.
    pub(super) window: Window,
    /// A tree's stored form, to be read or written.
    pub(super) tree: Vec<u8>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        options: &'a BackupOptions,
        filter: &'a SourceFilter,
        monitor: &'a dyn BackupMonitor,
        (upload, index): (&'a Upload<'a>, &'a Index),
        (files_cache, accounts): (Option<&'a FilesCache>, &'a Accounts),
        (cancel, chunker): (&'a Cancel, Chunker),
        most_chunk_bytes: usize,
    ) -> Run<'a> {
        let (zone, with_atime) = (options.zone.clone(), options.with_atime);
        Run {
            options,
            filter,
            monitor,
            upload,
            index,
            cancel,
            chunker,
            nodes: NodeMaker { zone, accounts, with_atime },
            files_cache,
            order: Order::new(most_chunk_bytes),
            descriptors: Descriptors::default(),
            counts: Counts::default(),
            buffers: Mutex::default(),
            root: Mutex::default(),
            failure: Mutex::default(),
        }
    }

    /// Room for the names in a directory.
    pub(super) fn names<R: Right>(&self, repository: &Repository<R>) -> Names {
        let options = repository.options();
        let longest = usize::try_from(options.longest_in_memory()).unwrap_or(usize::MAX);
        Names::spilling(options.temporary_folder.clone(), longest)
    }

    /// An empty buffer, with room left from an earlier use if there is one.
    pub(super) fn take_buffer(&self) -> Vec<u8> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Gives a buffer back to be used again.
    pub(super) fn give_buffer(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        if buffers.len() < MOST_SPARE_BUFFERS && buffer.capacity() <= LARGEST_SPARE_BUFFER {
            buffers.push(buffer);
        }
    }

    /// An error if it is time to stop.
    pub(super) fn go_on(&self) -> Result<()> {
        if self.cancel.is_set() { Err(tresor_repo::Error::Cancelled.into()) } else { Ok(()) }
    }

    /// Notes a failure that concerns one item of the source and does not stop the backup.
    pub(super) fn problem(&self, path: &[u8], doing: &'static str, cause: impl Into<Cause>) {
        self.counts.problems.fetch_add(1, Ordering::Relaxed);
        let item = gojson::lossy(path).into_owned();
        self.monitor.problem(&Problem { item, doing, cause: cause.into() });
    }

    /// Counts and tells that a file has not changed since the parent; `folder` is its directory's path in the snapshot.
    pub(super) fn unchanged(&self, folder: &mut Vec<u8>, name: &[u8], size: u64) {
        self.counts.files.count(Change::Unmodified);
        self.counts.bytes.fetch_add(size, Ordering::Relaxed);
        let length = folder.len();
        push_component(folder, name);
        self.monitor.finished(&FinishedItem {
            path: folder,
            is_dir: false,
            change: Change::Unmodified,
            size,
            added: Added::default(),
            seconds: 0.0,
        });
        folder.truncate(length);
    }

    /// Gives the backup up; the first error is the one that is reported.
    pub(super) fn fail(&self, error: Error) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.order.end();
    }

    /// The root tree and the counters, or the error that ended the backup before there was one.
    pub(super) fn finish(self) -> Result<(BlobId, Counts)> {
        if let Some(error) = self.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        let root = self.root.into_inner().unwrap_or_else(PoisonError::into_inner);
        let root = root.expect("the last job fills the last slot, and that saves the root tree");
        Ok((root, self.counts))
    }
}

impl<'a, R: Right> Worker<'a, R> {
    pub(super) fn new(run: &'a Run<'a>, repository: &'a Repository<R>) -> Worker<'a, R> {
        Worker {
            run,
            saver: run.upload.saver(),
            loader: repository.loader(),
            attributes: AttributeReader::default(),
            names: run.names(repository),
            path: Vec::new(),
            snapshot_path: Vec::new(),
            window: Window::default(),
            tree: Vec::new(),
        }
    }

    /// Notes an input/output failure on the item whose path is in `self.path`.
    pub(super) fn problem_here(&self, doing: &'static str, cause: io::Error) {
        self.run.problem(&self.path, doing, cause);
    }
}
