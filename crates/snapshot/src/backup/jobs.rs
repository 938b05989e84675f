//! What there is to do: scan a directory, read a file, save a chunk.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tresor_repo::BlobId;

use super::files_cache::Known;
use super::folder::Folder;
use super::monitor::Added;
use super::parent::Previous;
use super::place::{Kept, Place};
use super::source::Entries;
use super::targets::Branch;
use super::view::View;
use crate::fs::Directory;
use crate::node::Node;

/// A directory that has been scanned, while files or subdirectories of it are left to do.
pub(super) struct Scanned {
    pub(super) place: Arc<Place>,
    /// Where its nodes are collected.
    pub(super) folder: Arc<Folder>,
    /// The open directory, unless there are too many.
    _kept: Option<Kept>,
}

impl Scanned {
    /// A directory with what keeps it open; none for one that is nowhere on disk.
    pub(super) fn new(place: Arc<Place>, folder: Arc<Folder>, kept: Option<Kept>) -> Scanned {
        Scanned { place, folder, _kept: kept }
    }
}

/// What is left to be scanned of a directory with very many entries.
pub(super) struct Rest {
    pub(super) directory: Arc<Directory>,
    /// The device that it is on, and the one that entries should be on.
    pub(super) own_device: u64,
    pub(super) device: Option<u64>,
    pub(super) entries: Entries,
    /// What the parent snapshot knows of them.
    pub(super) previous: Previous,
    /// What it looks like so far, as long as its nodes hold everything and that may be remembered.
    pub(super) view: Option<View>,
}

/// A directory to be scanned.
pub(super) struct FolderJob {
    /// Where its node belongs.
    pub(super) slot: usize,
    pub(super) name: Box<[u8]>,
    pub(super) disk_name: Option<Box<[u8]>>,
    /// The parent snapshot's node of the same path.
    pub(super) previous: Option<Box<Node>>,
    /// What the files cache knows of it, if that node was not read because the directory above is known too.
    pub(super) known: Option<Known>,
    /// If targets lead through it: where to.
    pub(super) passage: Option<Branch>,
    /// The device that all in it should be on.
    pub(super) device: Option<u64>,
}

/// A file to be read.
pub(super) struct FileJob {
    /// Where its node belongs.
    pub(super) slot: usize,
    pub(super) name: Box<[u8]>,
    pub(super) disk_name: Option<Box<[u8]>>,
    /// The parent snapshot's node of the same path.
    pub(super) previous: Option<Box<Node>>,
}

/// A chunk to be saved.
pub(super) struct ChunkJob {
    pub(super) reading: Arc<Reading>,
    /// Which chunk of the file it is.
    pub(super) number: usize,
    pub(super) bytes: Vec<u8>,
}

/// A file whose content is being read and saved.
pub(super) struct Reading {
    pub(super) scanned: Arc<Scanned>,
    pub(super) job: FileJob,
    pub(super) started: Instant,
    /// Chunks to be saved, and one more until the end of the file was reached.
    pub(super) left: AtomicUsize,
    /// Whether reading failed: then the file is left out.
    pub(super) failed: AtomicBool,
    progress: Mutex<Progress>,
}

/// What is known of a file so far.
#[derive(Default)]
pub(super) struct Progress {
    /// Taken when the file is complete.
    pub(super) node: Option<Node>,
    pub(super) content: Vec<Option<BlobId>>,
    pub(super) added: Added,
}

impl FileJob {
    /// The name on disk.
    pub(super) fn disk_name(&self) -> &[u8] {
        self.disk_name.as_deref().unwrap_or(&self.name)
    }
}

impl Reading {
    /// A file of which nothing was read yet.
    pub(super) fn new(scanned: Arc<Scanned>, job: FileJob, node: Node, started: Instant) -> Reading {
        let progress = Progress { node: Some(node), ..Progress::default() };
        Reading {
            scanned,
            job,
            started,
            left: AtomicUsize::new(1),
            failed: AtomicBool::new(false),
            progress: Mutex::new(progress),
        }
    }

    /// Makes a place for the next chunk of the content and returns its number.
    pub(super) fn next_chunk(&self) -> usize {
        self.left.fetch_add(1, Ordering::Relaxed);
        let content = &mut self.lock().content;
        content.push(None);
        content.len() - 1
    }

    /// The size is what was read, whatever was expected.
    pub(super) fn set_size(&self, size: u64) {
        if let Some(node) = &mut self.lock().node {
            node.size = size;
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
