//! Fold directories: once all its nodes are there, a directory becomes a tree, and a node of the one above.
//!
//! Nodes come from any worker in any order. Whoever brings the last one saves the tree and goes on
//! upward, as far as directories become complete; there is no thread that waits for others.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tresor_repo::BlobKind;
use tresor_repo::handle::Right;

use super::monitor::{Added, Change, FinishedItem};
use super::place::Place;
use super::worker::Worker;
use crate::error::Result;
use crate::node::Node;
use crate::tree::TreeWriter;

/// A directory whose nodes are being collected.
pub(super) struct Folder {
    place: Arc<Place>,
    /// The directory above, and this one's slot in it; none for the root.
    above: Option<(Arc<Folder>, usize)>,
    /// The directory's own node; none for the root.
    node: Mutex<Option<Node>>,
    /// The parent snapshot's node of the same path.
    previous: Option<Box<Node>>,
    /// The nodes; a slot stays empty if its entry could not be read.
    slots: Mutex<Vec<Option<Node>>>,
    /// Slots to be filled, and one more until the scan is over.
    left: AtomicUsize,
    started: Instant,
}

impl Folder {
    /// The root, with the nodes that are there already and `left` slots to be filled.
    pub(super) fn root(place: Arc<Place>, slots: Vec<Option<Node>>, left: usize) -> Folder {
        Folder::with(None, place, None, None, slots, left)
    }

    /// A directory with its own `node`, to be put into a slot of the one above.
    pub(super) fn new(
        above: (Arc<Folder>, usize),
        place: Arc<Place>,
        node: Node,
        previous: Option<Box<Node>>,
        slots: Vec<Option<Node>>,
        left: usize,
    ) -> Folder {
        Folder::with(Some(above), place, Some(node), previous, slots, left)
    }

    fn with(
        above: Option<(Arc<Folder>, usize)>,
        place: Arc<Place>,
        node: Option<Node>,
        previous: Option<Box<Node>>,
        slots: Vec<Option<Node>>,
        left: usize,
    ) -> Folder {
        let (node, slots) = (Mutex::new(node), Mutex::new(slots));
        let left = AtomicUsize::new(left + 1);
        Folder { place, above, node, previous, slots, left, started: Instant::now() }
    }

    fn put(&self, slot: usize, node: Option<Node>) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)[slot] = node;
    }

    /// Whether this was the last thing that was missing.
    fn count_down(&self) -> bool {
        self.left.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

/// As long a chain as there are levels is let go link by link, not by recursion.
impl Drop for Folder {
    fn drop(&mut self) {
        let mut next = self.above.take();
        while let Some(mut folder) = next.and_then(|(folder, _)| Arc::into_inner(folder)) {
            next = folder.above.take();
        }
    }
}

impl<R: Right> Worker<'_, R> {
    /// Fills a slot; an empty node leaves the entry out.
    pub(super) fn fill(&mut self, folder: &Arc<Folder>, slot: usize, node: Option<Node>) -> Result<()> {
        folder.put(slot, node);
        self.one_done(Arc::clone(folder))
    }

    /// One thing less is missing in `folder`; if it was the last, the tree is saved, and so on upward.
    pub(super) fn one_done(&mut self, folder: Arc<Folder>) -> Result<()> {
        let mut folder = folder;
        while folder.count_down() {
            let node = self.save_tree(&folder)?;
            let Some((above, slot)) = &folder.above else { break };
            above.put(*slot, node);
            folder = Arc::clone(above);
        }
        Ok(())
    }

    /// Saves the directory's tree and gives its finished node; that of the root is its tree alone.
    fn save_tree(&mut self, folder: &Folder) -> Result<Option<Node>> {
        let mut nodes = std::mem::take(&mut *folder.slots.lock().unwrap_or_else(PoisonError::into_inner));
        // They are in order but for the root, whose targets come from several directories.
        let name = |node: &Node| node.name.clone();
        if folder.above.is_none() {
            nodes.sort_by_cached_key(|node| node.as_ref().map(name));
        }
        let mut writer = TreeWriter::with_buffer(std::mem::take(&mut self.tree));
        for node in nodes.iter().flatten() {
            writer.push(node)?;
        }
        drop(nodes);
        self.tree = writer.finish();
        let saved = self.saver.save_blob(BlobKind::Tree, &self.tree)?;

        let Some(mut node) = folder.node.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            *self.run.root.lock().unwrap_or_else(PoisonError::into_inner) = Some(saved.id);
            return Ok(None);
        };
        node.subtree = Some(saved.id);
        let change = Change::between(folder.previous.as_deref(), &node);
        self.run.counts.dirs.count(change);
        folder.place.snapshot_path(&mut self.snapshot_path);
        self.run.monitor.finished(&FinishedItem {
            path: &self.snapshot_path,
            is_dir: true,
            change,
            size: 0,
            added: Added::of(&saved, self.tree.len()),
            seconds: folder.started.elapsed().as_secs_f64(),
        });
        Ok(Some(node))
    }
}
