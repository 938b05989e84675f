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
        }
        attach(&mut node, attributes);
        Ok((file, node))
    }

    /// Reads content to its end and cuts it; the absolute path on disk is in `self.path`.
    pub(super) fn read_content(&mut self, mut content: Content<'_>, reading: Reading) -> Result<()> {
        let reading = Arc::new(reading);
        let mut buffer = self.run.take_buffer();
        let mut size = 0;
        loop {
            self.run.go_on()?;
            let before = buffer.len();
            let outcome = content.read(&mut buffer, size);
            let bytes = (buffer.len() - before) as u64;
            size += bytes;
            self.run.monitor.read(bytes);
            let ended = match outcome {
                Ok(ended) => ended,
                Err(cause) => return self.give_up(&reading, cause),
            };
            let mut without_cut = before;
            while let Some(cut) = self.run.chunker.cut_from(&buffer, without_cut) {
                let mut rest = self.run.take_buffer();
                rest.extend_from_slice(&buffer[cut..]);
                buffer.truncate(cut);
                self.hand_on(&reading, std::mem::replace(&mut buffer, rest))?;
                without_cut = 0;
            }
            if ended {
                break;
            }
        }
        if let Err(cause) = content.end(size)? {
            return self.give_up(&reading, cause);
        }
        if !buffer.is_empty() {
            let last = reading.chunk(buffer);
            self.save_chunk(last)?;
        }
        reading.set_size(size);
        self.count_down(&reading)
    }

    /// Leaves the file out: it cannot be read to its end.
    fn give_up(&mut self, reading: &Arc<Reading>, cause: io::Error) -> Result<()> {
        self.problem_here("read", cause);
        reading.failed.store(true, Ordering::Release);
        self.count_down(reading)
    }

    /// Leaves a chunk to whoever is free; if nobody is, saves it now.
    fn hand_on(&mut self, reading: &Arc<Reading>, bytes: Vec<u8>) -> Result<()> {
        match self.run.order.offer(reading.chunk(bytes)) {
            Ok(()) => Ok(()),
            Err(chunk) => self.save_chunk(chunk),
        }
    }

    /// Saves a chunk, and completes the file if it was the last one.
    pub(super) fn save_chunk(&mut self, chunk: ChunkJob) -> Result<()> {
        let ChunkJob { reading, number, bytes } = chunk;
        let saved = self.saver.save_blob(BlobKind::Data, &bytes)?;
        let mut progress = reading.lock();
        progress.content[number] = Some(saved.id);
        progress.added += Added::of(&saved, bytes.len());
        drop(progress);
        self.run.give_buffer(bytes);
        self.count_down(&reading)
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
