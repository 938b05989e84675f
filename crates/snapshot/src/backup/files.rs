//! Read files: cut the content into chunks, save each, and complete the file's node.
//!
//! A small file is one chunk, read into a buffer that is used again and saved on the spot. The chunks of
//! larger files are offered to all workers, so that one large file keeps every core busy; whoever saves
//! the last one completes the node.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tresor_repo::handle::Right;
use tresor_repo::{BlobId, BlobKind};

use super::content::Content;
use super::jobs::{ChunkJob, FileJob, Progress, Reading, Scanned};
use super::monitor::{Added, Change, FinishedItem};
use super::nodes::attach;
use super::place::push_component;
use super::window::Window;
use super::worker::Worker;
use crate::error::Result;
use crate::fs::Metadata;
use crate::node::Node;

impl<R: Right> Worker<'_, R> {
    /// Reads a file, unless it vanished or cannot be read.
    pub(super) fn read_file(&mut self, scanned: Arc<Scanned>, job: FileJob) -> Result<()> {
        let started = Instant::now();
        scanned.place.absolute_path(&mut self.path);
        push_component(&mut self.path, job.disk_name());
        match self.open_file(&scanned, &job) {
            Ok((file, node)) => {
                scanned.place.snapshot_path(&mut self.snapshot_path);
                push_component(&mut self.snapshot_path, &job.name);
                self.run.monitor.started(&self.snapshot_path);
                let content = Content::File { file: &file, size: node.size };
                self.read_content(content, Reading::new(scanned, job, node, started))
            }
            Err(cause) => {
                // It may have vanished since its directory was scanned.
                if cause.kind() != io::ErrorKind::NotFound {
                    self.problem_here("open", cause);
                }
                self.fill(&scanned.folder, job.slot, None)
            }
        }
    }

    /// Opens a file and looks at what was opened: it may be another one than was listed.
    fn open_file(&mut self, scanned: &Scanned, job: &FileJob) -> io::Result<(File, Node)> {
        let file = scanned.place.open()?.open_file(job.disk_name())?;
        let metadata = Metadata::try_from(&file)?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no regular file any more"));
        }
        let mut node = self.run.nodes.node(&job.name, &metadata);
        let mut attributes = Vec::new();
        if let Err(cause) = self.attributes.of_open(&file, metadata.device, &mut attributes) {
            self.problem_here("read extended attributes of", cause);
            scanned.folder.has_a_flaw();
        }
        attach(&mut node, attributes);
        Ok((file, node))
    }

    /// Reads content to its end and cuts it; the absolute path on disk is in `self.path`.
    pub(super) fn read_content(&mut self, content: Content<'_>, reading: Reading) -> Result<()> {
        let mut window = std::mem::take(&mut self.window);
        let outcome = self.read_through(&mut window, content, &Arc::new(reading));
        window.clear();
        self.window = window;
        outcome
    }

    fn read_through(
        &mut self,
        window: &mut Window,
        mut content: Content<'_>,
        reading: &Arc<Reading>,
    ) -> Result<()> {
        let mut size = 0;
        loop {
            self.run.go_on()?;
            let mut without_cut = window.pending().len();
            let room = window.room();
            let before = room.len();
            let outcome = content.read(room, size);
            let bytes = (room.len() - before) as u64;
            size += bytes;
            self.run.monitor.read(bytes);
            let ended = match outcome {
                Ok(ended) => ended,
                Err(cause) => {
                    self.run.go_on()?; // a stream that waits for more may fail because it is told to stop
                    return self.give_up(reading, cause);
                }
            };
            while let Some(cut) = self.run.chunker.cut_from(window.pending(), without_cut) {
                self.hand_on(reading, &window.pending()[..cut])?;
                window.cut(cut);
                without_cut = 0;
            }
            if ended {
                break;
            }
        }
        if let Err(cause) = content.end(size)? {
            return self.give_up(reading, cause);
        }
        if !window.pending().is_empty() {
            self.save_chunk(reading, reading.next_chunk(), window.pending())?;
        }
        reading.set_size(size);
        self.count_down(reading)
    }

    /// Leaves the file out: it cannot be read to its end.
    fn give_up(&mut self, reading: &Arc<Reading>, cause: io::Error) -> Result<()> {
        self.problem_here("read", cause);
        reading.failed.store(true, Ordering::Release);
        self.count_down(reading)
    }

    /// Leaves a chunk to whoever is free; if too much is waiting already, saves it now.
    fn hand_on(&mut self, reading: &Arc<Reading>, bytes: &[u8]) -> Result<()> {
        let number = reading.next_chunk();
        if !self.run.order.reserve(bytes.len()) {
            return self.save_chunk(reading, number, bytes);
        }
        let mut copy = self.run.take_buffer();
        copy.extend_from_slice(bytes);
        self.run.order.push(ChunkJob { reading: Arc::clone(reading), number, bytes: copy });
        Ok(())
    }

    /// Saves a chunk that another worker left.
    pub(super) fn save_left_chunk(&mut self, chunk: ChunkJob) -> Result<()> {
        let ChunkJob { reading, number, bytes } = chunk;
        let outcome = self.save_chunk(&reading, number, &bytes);
        self.run.give_buffer(bytes);
        outcome
    }

    /// Saves a chunk, and completes the file if it was the last one.
    fn save_chunk(&mut self, reading: &Reading, number: usize, bytes: &[u8]) -> Result<()> {
        let saved = self.saver.save_blob(BlobKind::Data, bytes)?;
        let mut progress = reading.lock();
        progress.content[number] = Some(saved.id);
        progress.added += Added::of(&saved, bytes.len());
        drop(progress);
        self.count_down(reading)
    }

    fn count_down(&mut self, reading: &Reading) -> Result<()> {
        if reading.left.fetch_sub(1, Ordering::AcqRel) == 1 { self.complete(reading) } else { Ok(()) }
    }

    fn complete(&mut self, reading: &Reading) -> Result<()> {
        let Progress { node, content, added } = std::mem::take(&mut *reading.lock());
        let Reading { scanned, job, .. } = reading;
        let content: Option<Vec<BlobId>> = content.into_iter().collect();
        let (Some(mut node), Some(content), false) = (node, content, reading.failed.load(Ordering::Acquire))
        else {
            return self.fill(&scanned.folder, job.slot, None);
        };
        node.content = Some(content);
        let change = Change::between(job.previous.as_deref(), &node);
        self.run.counts.files.count(change);
        self.run.counts.bytes.fetch_add(node.size, Ordering::Relaxed);
        scanned.place.snapshot_path(&mut self.snapshot_path);
        push_component(&mut self.snapshot_path, &job.name);
        self.run.monitor.finished(&FinishedItem {
            path: &self.snapshot_path,
            is_dir: false,
            change,
            size: node.size,
            added,
            seconds: reading.started.elapsed().as_secs_f64(),
        });
        self.fill(&scanned.folder, job.slot, Some(node))
    }
}
