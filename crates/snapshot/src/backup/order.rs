//! What is left to do, in the order of the tree: the one queue that all workers take from.
//!
//! A worker takes whatever comes first in the tree: the files of a directory, then its subdirectories with
//! all that is in them. So nothing is read far ahead, and what waits is bounded by the directories along
//! the path in work, not by the size of the source. Chunks of large files go before everything else, so
//! that one large file keeps all workers busy. A directory with very many entries comes in portions.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::jobs::{ChunkJob, FileJob, FolderJob, Rest, Scanned};

/// A directory's place in the order: at each level which subdirectory, then what comes next in it.
pub(super) type Position = Box<[u32]>;

/// What is left to do in one directory.
pub(super) struct Work {
    pub(super) scanned: Arc<Scanned>,
    pub(super) files: std::vec::IntoIter<FileJob>,
    pub(super) folders: std::vec::IntoIter<FolderJob>,
    /// What comes behind all these.
    pub(super) rest: Option<Box<Rest>>,
}

/// One thing to do.
pub(super) enum Job {
    /// Save a chunk of a large file.
    Chunk(ChunkJob),
    /// Read a file.
    File(Arc<Scanned>, FileJob),
    /// Scan a directory.
    Folder(Arc<Scanned>, FolderJob, Position),
    /// Go on scanning a directory with very many entries; what comes of it belongs at this position.
    Rest(Arc<Scanned>, Box<Rest>, Position),
}

/// The queue.
pub(super) struct Order {
    state: Mutex<State>,
    wake: Condvar,
    most_chunk_bytes: usize,
}

#[derive(Default)]
struct State {
    directories: BTreeMap<Position, Work>,
    chunks: VecDeque<ChunkJob>,
    chunk_bytes: usize,
    running: usize,
    ended: bool,
}

/// Held while a job is done: while one is, more work may come of it.
pub(super) struct Running<'a>(&'a Order);

impl Order {
    /// An empty queue in which chunks of `most_chunk_bytes` may wait.
    pub(super) fn new(most_chunk_bytes: usize) -> Order {
        Order { state: Mutex::default(), wake: Condvar::new(), most_chunk_bytes }
    }

    /// The next job; waits while there may come one. `None` when everything is done or was given up.
    pub(super) fn next(&self) -> Option<(Job, Running<'_>)> {
        let mut state = self.lock();
        loop {
            if state.ended {
                return None;
            }
            if let Some(job) = state.take() {
                state.running += 1;
                return Some((job, Running(self)));
            }
            if state.running == 0 {
                state.ended = true;
                self.wake.notify_all();
                return None;
            }
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Keeps the queue from ending while work is being prepared outside of it.
    pub(super) fn hold(&self) -> Running<'_> {
        self.lock().running += 1;
        Running(self)
    }

    /// Adds what is to be done in the directory at `position`.
    pub(super) fn add(&self, position: &[u32], work: Work) {
        self.put(position.iter().copied().chain([0]).collect(), work);
    }

    /// Goes on with a directory at the place where its rest was.
    pub(super) fn put(&self, position: Position, work: Work) {
        if work.is_done() {
            return;
        }
        self.lock().directories.insert(position, work);
        self.wake.notify_all();
    }

    /// Makes room for a chunk of so many bytes, unless too much is waiting already; then [`push`](Self::push) it.
    pub(super) fn reserve(&self, length: usize) -> bool {
        let mut state = self.lock();
        let fits = state.chunk_bytes + length <= self.most_chunk_bytes;
        if fits {
            state.chunk_bytes += length;
        }
        fits
    }

    /// Leaves a chunk, for which room was made, to another worker.
    pub(super) fn push(&self, chunk: ChunkJob) {
        self.lock().chunks.push_back(chunk);
        self.wake.notify_one();
    }

    /// Gives everything up.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.wake.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self) -> Option<Job> {
        if let Some(chunk) = self.chunks.pop_front() {
            self.chunk_bytes -= chunk.bytes.len();
            return Some(Job::Chunk(chunk));
        }
        let mut first = self.directories.first_entry()?;
        let scanned = Arc::clone(&first.get().scanned);
        if let Some(file) = first.get_mut().files.next() {
            if first.get().is_done() {
                first.remove();
            }
            return Some(Job::File(scanned, file));
        }
        let (mut key, mut work) = first.remove_entry();
        let Some(folder) = work.folders.next() else {
            return work.rest.map(|rest| Job::Rest(work.scanned, rest, key));
        };
        let position = key.clone();
        if !work.is_done() {
            // Whatever is in the subdirectory goes before the next one.
            if let Some(next) = key.last_mut() {
                *next += 1;
            }
            self.directories.insert(key, work);
        }
        Some(Job::Folder(scanned, folder, position))
    }
}

impl Work {
    fn is_done(&self) -> bool {
        self.files.len() == 0 && self.folders.len() == 0 && self.rest.is_none()
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.running -= 1;
        // Nobody waits for the work of a worker that panics: the panic itself ends the run.
        state.ended |= std::thread::panicking();
        if state.running == 0 || state.ended {
            self.0.wake.notify_all();
        }
    }
}
