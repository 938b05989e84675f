//! Directories that look as the last backup saw them: their trees are known, and not read.
//!
//! A directory is looked at first: names and metadata. If it looks as the files cache remembers it, its tree is the
//! one remembered, unless something below has changed; only then is that tree read, to change the nodes below in it.

use std::io;
use std::sync::Arc;

use tresor_repo::BlobKind;
use tresor_repo::handle::Right;
use tresor_repo::scratch::{Scratch, Window};
use tresor_repo::upload::Upload;

use super::files_cache::Known;
use super::folder::{Folder, Inside};
use super::jobs::{FolderJob, Scanned};
use super::order::Work;
use super::place::{Place, push_component};
use super::source::{Entries, Entry, Level, Visit};
use super::targets::{Branch, Branches};
use super::view::View;
use super::worker::{Run, Worker};
use crate::error::{Error, Result};
use crate::fs::{Directory, Metadata};
use crate::node::{Node, NodeKind};
use crate::slots::Slots;
use crate::tree::StoredTree;

/// A directory that is looked at: open, listed, and with its own metadata.
pub(super) struct Open<'a> {
    pub(super) place: &'a Arc<Place>,
    pub(super) directory: &'a Arc<Directory>,
    pub(super) metadata: &'a Metadata,
    /// The device that entries should be on.
    pub(super) device: Option<u64>,
}

/// A directory with more subdirectories is scanned as if it were not known.
const MOST_FOLDERS: usize = 16 * 1024;

/// What was seen in it, for whoever is to be told that it is unchanged.
#[derive(Default)]
struct Seen {
    entries: usize,
    files: FilesSeen,
    folders: Vec<FolderJob>,
    excluded: Vec<Box<[u8]>>,
}

/// Bytes in front of a file's name: its length, and the file's size.
const BEFORE_NAME: usize = 2 + 8;

/// The names of all files and their sizes, one behind the other; in a scratch file if they are very many.
#[derive(Default)]
struct FilesSeen {
    last: Vec<u8>,
    before: Option<Scratch>,
}

impl FilesSeen {
    fn push(&mut self, name: &[u8], size: u64, upload: &Upload<'_>) -> Result<()> {
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        self.last.extend_from_slice(&length.to_le_bytes());
        self.last.extend_from_slice(&size.to_le_bytes());
        self.last.extend_from_slice(&name[..usize::from(length)]);
        if self.last.len() as u64 > upload.longest_in_memory() {
            let before = match &mut self.before {
                Some(before) => before,
                none => none.insert(upload.scratch()?),
            };
            before.append(&[&self.last])?;
            self.last.clear();
        }
        Ok(())
    }

    fn for_each(&self, mut each: impl FnMut(&[u8], u64)) -> Result<()> {
        let (mut at, mut window) = (0, Window::default());
        if let Some(before) = &self.before {
            while at < before.len() {
                let (length, size) = length_and_size(before.read(&mut window, at, BEFORE_NAME)?);
                each(before.read(&mut window, at + BEFORE_NAME as u64, length)?, size);
                at += (BEFORE_NAME + length) as u64;
            }
        }
        let mut rest = &self.last[..];
        while !rest.is_empty() {
            let (before_name, later) = rest.split_at(BEFORE_NAME);
            let (length, size) = length_and_size(before_name);
            let (name, later) = later.split_at(length);
            each(name, size);
            rest = later;
        }
        Ok(())
    }
}

fn length_and_size(bytes: &[u8]) -> (usize, u64) {
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    (number(&bytes[..2]) as usize, number(&bytes[2..BEFORE_NAME]))
}

/// The worker's part in [`Level::visit`].
struct Look<'w, 'a> {
    run: &'w Run<'a>,
    /// None as soon as there is anything that has to be told.
    view: Option<View>,
    seen: Seen,
}

impl<R: Right> Worker<'_, R> {
    /// Takes over a directory that looks as the last backup saw it; says whether it does. The directory's path in
    /// the snapshot is in `self.snapshot_path`.
    pub(super) fn take_over(
        &mut self,
        above: &Scanned,
        job: &FolderJob,
        open: &Open<'_>,
        position: &[u32],
    ) -> Result<bool> {
        let Some(known) = self.known(job) else { return Ok(false) };
        let Some(mut seen) = self.look(open, &known)? else { return Ok(false) };
        if !self.know_all(&mut seen.folders) || !self.run.upload.contains(BlobKind::Tree, &known.tree)? {
            return Ok(false);
        }
        self.tell_unchanged(&seen)?;
        let content = Inside::Known { tree: known.tree, entries: seen.entries };
        let folder = Folder::new(
            (Arc::clone(&above.folder), job.slot),
            Arc::clone(open.place),
            content,
            job.previous.clone(),
            seen.folders.len(),
        );
        folder.set_view(Some(known.view));
        let folder = Arc::new(folder);
        if !seen.folders.is_empty() {
            let scanned = self.scanned(Arc::clone(open.place), &folder, Arc::clone(open.directory));
            let (files, folders) = (Vec::new().into_iter(), seen.folders.into_iter());
            self.run.order.add(position, Work { scanned, files, folders, rest: None });
        }
        self.one_done(folder)?;
        Ok(true)
    }

    /// What is known of a directory, if the parent snapshot says the same.
    fn known(&self, job: &FolderJob) -> Option<Known> {
        job.known.or_else(|| {
            let tree = job.previous.as_ref()?.subtree?;
            self.run.files_cache?.get(&self.snapshot_path).filter(|known| known.tree == tree)
        })
    }

    fn look(&mut self, open: &Open<'_>, known: &Known) -> Result<Option<Seen>> {
        let Some(cache) = self.run.files_cache else { return Ok(None) };
        let (own_device, device) = (open.metadata.device, open.device);
        let level = Level { filter: self.run.filter, directory: open.directory, own_device, device };
        let mut look = Look { run: self.run, view: Some(View::of(open.metadata)), seen: Seen::default() };
        let mut entries = Entries::new(std::mem::take(&mut self.names), Branches::default());
        let visited = level.visit(&mut self.path, &mut entries, usize::MAX, &mut look);
        self.names = entries.into_names();
        visited?;
        let view = look.view.and_then(|view| view.digest_before(cache.settled));
        Ok((view == Some(known.view)).then_some(look.seen))
    }

    /// Adds what is known of these directories; says whether that is something of every one.
    fn know_all(&mut self, folders: &mut [FolderJob]) -> bool {
        let Some(cache) = self.run.files_cache else { return false };
        let length = self.snapshot_path.len();
        folders.iter_mut().all(|job| {
            push_component(&mut self.snapshot_path, &job.name);
            job.known = cache.get(&self.snapshot_path);
            self.snapshot_path.truncate(length);
            job.known.is_some()
        })
    }

    fn tell_unchanged(&mut self, seen: &Seen) -> Result<()> {
        for path in &seen.excluded {
            self.run.monitor.excluded(path);
        }
        seen.files.for_each(|name, size| self.run.unchanged(&mut self.snapshot_path, name, size))
    }

    /// The parent snapshot's node of a folder; that of the one above is read if it was only known.
    pub(super) fn previous_of(&mut self, folder: &Folder) -> Result<Option<Box<Node>>> {
        match (&folder.previous, &folder.above) {
            (None, Some((above, slot))) if above.was_known => {
                let mut content = above.lock();
                self.read_known(&mut content)?;
                let node = content.slots().map(|slots| slots.get(*slot)).transpose()?.flatten();
                let node = node.filter(|node| *node.name == *folder.place.name());
                node.map(|node| Some(Box::new(node))).ok_or(Error::FilesCache)
            }
            (previous, _) => Ok(previous.clone()),
        }
    }

    /// Reads the nodes of a known tree, because one of them is to be changed.
    pub(super) fn read_known(&mut self, content: &mut Inside) -> Result<()> {
        let Inside::Known { tree, entries } = content else { return Ok(()) };
        let mut nodes = match StoredTree::load(&mut self.loader, self.run.index, tree, &mut self.tree) {
            Err(tresor_repo::Error::Cancelled) => return Err(tresor_repo::Error::Cancelled.into()),
            loaded => loaded.map_err(Error::from).and_then(StoredTree::decode),
        }
        .map_err(|_| Error::FilesCache)?
        .into_nodes();
        let mut slots = Slots::default();
        while let Some(node) = nodes.next_node().map_err(|_| Error::FilesCache)? {
            slots.push(Some(node), self.run.upload)?;
        }
        if slots.len() != *entries {
            return Err(Error::FilesCache);
        }
        *content = Inside::Nodes { own: None, slots };
        Ok(())
    }
}

impl Visit for Look<'_, '_> {
    fn entry(&mut self, entry: Entry<'_>) -> Result<()> {
        self.run.go_on()?;
        let Some(view) = &mut self.view else { return Ok(()) };
        view.entry(entry.name, &entry.metadata);
        let slot = self.seen.entries;
        self.seen.entries += 1;
        match entry.metadata.kind() {
            // Very many would have to be remembered until all is known to be unchanged.
            NodeKind::Dir if self.seen.folders.len() == MOST_FOLDERS => self.view = None,
            NodeKind::Dir => self.seen.folders.push(FolderJob {
                slot,
                name: entry.name.into(),
                disk_name: None,
                previous: None,
                known: None,
                passage: None,
                device: entry.device,
            }),
            NodeKind::File => {
                self.seen.files.push(entry.name, entry.metadata.size, self.run.upload)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn passage(&mut self, _: &[u8], _: Branch, _: Option<u64>) -> Result<()> {
        self.view = None;
        Ok(())
    }

    fn failed(&mut self, _: &[u8], _: io::Error) {
        self.view = None;
    }

    fn excluded(&mut self, path: &[u8]) {
        self.seen.excluded.push(path.into());
    }

    fn unsigned(&mut self, _: &[u8], _: &io::Error) {
        self.view = None;
    }
}
