//! Scan a directory: decide of each entry whether it is done, to be read, or to be scanned in turn.

use std::sync::Arc;
use std::{io, mem};

use tresor_repo::BlobId;
use tresor_repo::handle::Right;

use super::folder::{Folder, Inside};
use super::jobs::{FileJob, FolderJob, Rest, Scanned};
use super::known::Open;
use super::nodes::attach;
use super::order::{Position, Work};
use super::parent::{Previous, content_is_stored, is_unchanged};
use super::place::Place;
use super::source::{Entries, Entry, Level, Visit};
use super::targets::{Branch, Layout, absolute, on_disk};
use super::view::View;
use super::worker::{Run, Worker};
use crate::error::{Error, Result};
use crate::fs::{AttributeReader, Directory, Metadata};
use crate::node::{Node, NodeKind};
use crate::slots::Slots;
use crate::tree::StoredTree;

/// What an entry takes in memory before it is worked on, about; it decides how many are scanned ahead.
const BYTES_AHEAD: u64 = 512;

/// What was found in a directory: its nodes as far as they are done, and what is left to do.
#[derive(Default)]
struct Found {
    /// Slots that were found before.
    before: usize,
    nodes: Vec<Option<Node>>,
    files: Vec<FileJob>,
    folders: Vec<FolderJob>,
    /// What the directory looks like, as long as its nodes hold everything and that may be remembered.
    view: Option<View>,
}

/// The worker's part in [`Level::visit`].
struct Scan<'w, 'a> {
    run: &'w Run<'a>,
    attributes: &'w mut AttributeReader,
    directory: &'w Directory,
    /// The directory's path in the snapshot.
    snapshot_path: &'w mut Vec<u8>,
    previous: &'w mut Previous,
    found: &'w mut Found,
}

impl<R: Right> Worker<'_, R> {
    /// Scans the root of the snapshot: the targets, each from the directory where its path starts.
    ///
    /// # Errors
    /// [`Error::EmptySnapshot`] if everything is left out.
    pub(super) fn scan_root(&mut self, layout: Layout, current: &[u8]) -> Result<()> {
        let tree = self.run.options.parent.map(|(_, tree)| tree);
        let mut roots = Vec::new();
        for (root, branches) in layout.roots {
            let place = Arc::new(Place::root(&on_disk(current, &root), &absolute(current, &root)));
            let opened = place.open().and_then(|directory| Ok((directory.metadata()?, directory)));
            let (own, directory) = opened.map_err(|source| Error::ReadSource { path: root, source })?;
            let rest = Rest {
                directory,
                own_device: own.device,
                device: Some(own.device),
                entries: Entries::new(self.names.another(), branches),
                previous: self.previous(tree.as_ref(), b"/")?,
                view: None,
            };
            roots.push((place, rest));
        }
        let place = Arc::new(Place::root(b"/", b"/"));
        let folder = Arc::new(Folder::root(place, Slots::default()));
        let mut works = Vec::new();
        for (place, rest) in roots {
            let scanned = self.scanned(place, &folder, Arc::clone(&rest.directory));
            folder.count_up(1);
            works.push(self.scan_portion(&scanned, rest)?);
        }
        let is_empty = folder.lock().slots().is_none_or(|slots| slots.is_empty());
        if is_empty && works.iter().all(|(work, _)| work.rest.is_none()) {
            return Err(Error::EmptySnapshot);
        }
        for (number, (work, is_over)) in (0..).zip(works) {
            self.run.order.add(&[number], work);
            if is_over {
                self.one_done(Arc::clone(&folder))?;
            }
        }
        self.one_done(folder)
    }

    /// Scans one directory and leaves what is to be done in it to all workers.
    pub(super) fn scan_folder(
        &mut self,
        above: &Scanned,
        mut job: FolderJob,
        position: &[u32],
    ) -> Result<()> {
        let passage = job.passage.is_some();
        let slot = job.slot;
        let (name, disk_name) = (mem::take(&mut job.name), job.disk_name.take());
        let place = Arc::new(Place::child(&above.place, name, disk_name, passage));
        place.absolute_path(&mut self.path);
        let lists = job.passage.as_ref().is_none_or(|branch| branch.target);
        let opened = place.open_and_list(lists, &mut self.names);
        let opened = opened.and_then(|directory| Ok((directory.metadata()?, directory)));
        let (metadata, directory) = match opened {
            Ok(opened) => opened,
            Err(cause) => {
                // It may have vanished since its directory was scanned.
                if cause.kind() != io::ErrorKind::NotFound {
                    self.problem_here("read directory", cause);
                }
                return self.fill(&above.folder, slot, None);
            }
        };
        let (branches, named) =
            job.passage.take().map_or_else(Default::default, |branch| (branch.children, branch.named));
        let device = if named { Some(metadata.device) } else { job.device };
        place.snapshot_path(&mut self.snapshot_path);
        let open = Open { place: &place, directory: &directory, metadata: &metadata, device };
        if !place.is_passage() && self.take_over(above, &job, &open, position)? {
            return Ok(());
        }

        let mut found = Found::default();
        if !place.is_passage() && self.run.files_cache.is_some() {
            found.view = Some(View::of(&metadata));
        }
        let node = self.folder_node(above, &place, &directory, &metadata, &mut found);
        let previous_tree = match job.known {
            Some(known) => Some(known.tree),
            None => job.previous.as_ref().and_then(|previous| previous.subtree),
        };
        let path = mem::take(&mut self.path);
        let previous = self.previous(previous_tree.as_ref(), &path)?;
        self.path = path;

        let above = (Arc::clone(&above.folder), slot);
        let inside = Inside::Nodes { own: Some(Box::new(node)), slots: Slots::default() };
        let folder = Arc::new(Folder::new(above, Arc::clone(&place), inside, job.previous, 0));
        let scanned = self.scanned(place, &folder, Arc::clone(&directory));
        let another = self.names.another();
        let entries = Entries::new(mem::replace(&mut self.names, another), branches);
        let own_device = metadata.device;
        let rest = Rest { directory, own_device, device, entries, previous, view: found.view };
        let (work, is_over) = self.scan_portion(&scanned, rest)?;
        self.run.order.add(position, work);
        if is_over { self.one_done(folder) } else { Ok(()) }
    }

    /// Goes on with a directory whose first entries were scanned.
    pub(super) fn scan_rest(&mut self, scanned: &Arc<Scanned>, rest: Rest, position: Position) -> Result<()> {
        let (work, is_over) = self.scan_portion(scanned, rest)?;
        self.run.order.put(position, work);
        if is_over { self.one_done(Arc::clone(&scanned.folder)) } else { Ok(()) }
    }

    /// Scans the next entries of a directory; answers what is to be done in it, and whether the scan is over.
    fn scan_portion(&mut self, scanned: &Arc<Scanned>, mut rest: Rest) -> Result<(Work, bool)> {
        let folder = &scanned.folder;
        let before = folder.lock().slots().map_or(0, |slots| slots.len());
        let mut found = Found { before, view: rest.view.take(), ..Found::default() };
        let more = self.visit(&scanned.place, &mut rest, &mut found)?;
        folder.count_up(found.files.len() + found.folders.len());
        if let Some(slots) = folder.lock().slots() {
            found.nodes.into_iter().try_for_each(|node| slots.push(node, self.run.upload))?;
        }
        let rest = if more {
            rest.view = found.view;
            Some(Box::new(rest))
        } else {
            let settled = self.run.files_cache.map_or(0, |cache| cache.settled);
            folder.set_view(found.view.and_then(|view| view.digest_before(settled)));
            self.names = rest.entries.into_names();
            None
        };
        let (files, folders) = (found.files.into_iter(), found.folders.into_iter());
        Ok((Work { scanned: Arc::clone(scanned), files, folders, rest }, !more))
    }

    pub(super) fn scanned(
        &self,
        place: Arc<Place>,
        folder: &Arc<Folder>,
        directory: Arc<Directory>,
    ) -> Arc<Scanned> {
        let kept = self.run.descriptors.keep(&place, directory);
        Arc::new(Scanned::new(place, Arc::clone(folder), kept))
    }

    /// The directory's own node; its path is in `self.path`.
    fn folder_node(
        &mut self,
        above: &Scanned,
        place: &Place,
        directory: &Directory,
        metadata: &Metadata,
        found: &mut Found,
    ) -> Node {
        let mut node = self.run.nodes.node(place.name(), metadata);
        let mut attributes = Vec::new();
        let outcome = if place.is_passage() {
            // As the peer has it: everything is the directory's, but the attributes are those of the
            // entry that leads to it, and failing to list them is no problem.
            above.place.open().and_then(|parent| {
                let read =
                    self.attributes.of_entry(&parent, place.disk_name(), metadata.device, &mut attributes);
                read.or_else(|cause| match cause.kind() {
                    io::ErrorKind::PermissionDenied => Ok(()),
                    _ => Err(cause),
                })
            })
        } else {
            self.attributes.of_open(directory, metadata.device, &mut attributes)
        };
        if let Err(cause) = outcome {
            self.problem_here("read extended attributes of", cause);
            found.view = None;
        }
        attach(&mut node, attributes);
        node
    }

    /// What the parent snapshot knows of the directory at `path`; a tree that cannot be loaded is a problem.
    pub(super) fn previous(&mut self, tree: Option<&BlobId>, path: &[u8]) -> Result<Previous> {
        let Some(tree) = tree else { return Ok(Previous::default()) };
        let loaded = match StoredTree::load(&mut self.loader, self.run.index, tree, &mut self.tree) {
            Ok(tree) => Previous::of(tree),
            Err(tresor_repo::Error::Cancelled) => return Err(tresor_repo::Error::Cancelled.into()),
            Err(error) => Err(error.into()),
        };
        Ok(loaded.unwrap_or_else(|cause| {
            self.run.problem(path, "load the parent snapshot's tree of", cause);
            Previous::default()
        }))
    }

    /// Visits the next entries; says whether more are left.
    fn visit(&mut self, place: &Place, rest: &mut Rest, found: &mut Found) -> Result<bool> {
        place.absolute_path(&mut self.path);
        place.snapshot_path(&mut self.snapshot_path);
        let Rest { directory, own_device, device, entries, previous, .. } = rest;
        let level = Level { filter: self.run.filter, directory, own_device: *own_device, device: *device };
        let mut scan = Scan {
            run: self.run,
            attributes: &mut self.attributes,
            directory,
            snapshot_path: &mut self.snapshot_path,
            previous,
            found,
        };
        let portion = self.run.upload.longest_in_memory() / BYTES_AHEAD;
        level.visit(&mut self.path, entries, portion as usize, &mut scan)
    }
}

impl Visit for Scan<'_, '_> {
    fn entry(&mut self, entry: Entry<'_>) -> Result<()> {
        self.run.go_on()?;
        if let Some(view) = &mut self.found.view {
            view.entry(entry.name, &entry.metadata);
        }
        let previous = self.previous_node(entry.name, entry.path);
        match entry.metadata.kind() {
            NodeKind::Dir => self.folder(&entry, previous),
            NodeKind::File => self.file(&entry, previous),
            kind => self.special(&entry, &kind),
        }
        Ok(())
    }

    fn passage(&mut self, name: &[u8], branch: Branch, device: Option<u64>) -> Result<()> {
        let previous = self.previous_node(name, name).map(Box::new);
        let slot = self.found.slot();
        let disk_name = disk_name(name, &branch.disk_name);
        self.found.folders.push(FolderJob {
            slot,
            name: name.into(),
            disk_name,
            previous,
            known: None,
            passage: Some(branch),
            device,
        });
        Ok(())
    }

    fn failed(&mut self, path: &[u8], cause: io::Error) {
        self.run.problem(path, "read metadata of", cause);
        self.found.view = None;
    }

    fn excluded(&mut self, path: &[u8]) {
        self.run.monitor.excluded(path);
    }

    fn unsigned(&mut self, path: &[u8], cause: &io::Error) {
        self.run.monitor.unsigned_tag(path, cause);
    }
}

impl Scan<'_, '_> {
    /// The parent's node of an entry; a tree that turns out to be damaged is a problem, told at the entry's path.
    fn previous_node(&mut self, name: &[u8], path: &[u8]) -> Option<Node> {
        self.previous.take(name).unwrap_or_else(|cause| {
            self.run.problem(path, "find in the parent snapshot's tree", cause);
            None
        })
    }

    fn folder(&mut self, entry: &Entry<'_>, previous: Option<Node>) {
        let slot = self.found.slot();
        self.found.folders.push(FolderJob {
            slot,
            name: entry.name.into(),
            disk_name: disk_name(entry.name, entry.disk_name),
            previous: previous.map(Box::new),
            known: None,
            passage: None,
            device: entry.device,
        });
    }

    /// Takes over the parent's content of a file that has not changed; any other is to be read.
    fn file(&mut self, entry: &Entry<'_>, previous: Option<Node>) {
        if let Some(previous) = &previous
            && is_unchanged(previous, &entry.metadata, self.run.options)
        {
            match content_is_stored(previous, self.run.upload) {
                Ok(true) => return self.unchanged(entry, previous.blobs()),
                Ok(false) => self.run.problem(entry.path, "take over the content of", Error::MissingContent),
                Err(_) => {} // whatever is wrong with the index, who saves what is read will hear of it
            }
        }
        let slot = self.found.slot();
        self.found.files.push(FileJob {
            slot,
            name: entry.name.into(),
            disk_name: disk_name(entry.name, entry.disk_name),
            previous: previous.map(Box::new),
        });
    }

    fn unchanged(&mut self, entry: &Entry<'_>, content: &[BlobId]) {
        let mut node = self.node(entry);
        node.content = Some(content.to_vec());
        self.found.nodes.push(Some(node));

        self.run.unchanged(self.snapshot_path, entry.name, entry.metadata.size);
    }

    /// A symbolic link, device or pipe.
    fn special(&mut self, entry: &Entry<'_>, kind: &NodeKind) {
        let mut node = self.node(entry);
        if *kind == NodeKind::Symlink {
            match self.directory.link_target(entry.disk_name) {
                Ok(target) => node.rare_mut().link_target = target.into(),
                Err(cause) => {
                    self.found.view = None;
                    // It may have vanished since it was looked at.
                    if cause.kind() != io::ErrorKind::NotFound {
                        self.run.problem(entry.path, "read symbolic link", cause);
                    }
                    return;
                }
            }
        }
        self.found.nodes.push(Some(node));
    }

    /// The entry's node with its extended attributes.
    fn node(&mut self, entry: &Entry<'_>) -> Node {
        let mut node = self.run.nodes.node(entry.name, &entry.metadata);
        let mut attributes = Vec::new();
        let device = entry.metadata.device;
        let read = self.attributes.of_entry(self.directory, entry.disk_name, device, &mut attributes);
        if let Err(cause) = read {
            self.found.view = None;
            if cause.kind() != io::ErrorKind::NotFound {
                self.run.problem(entry.path, "read extended attributes of", cause);
            }
        }
        attach(&mut node, attributes);
        node
    }
}

impl Found {
    /// A slot for a node that is not done yet.
    fn slot(&mut self) -> usize {
        self.nodes.push(None);
        self.before + self.nodes.len() - 1
    }
}

/// The name on disk, if it is another one than in the snapshot.
fn disk_name(name: &[u8], disk_name: &[u8]) -> Option<Box<[u8]>> {
    (name != disk_name).then(|| disk_name.into())
}
