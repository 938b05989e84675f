//! Directories whose nodes are being collected, each until its tree can be saved.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::place::Place;
use crate::node::Node;

/// A directory whose nodes are being collected.
pub(super) struct Folder {
    pub(super) place: Arc<Place>,
    /// The directory above, and this one's slot in it; none for the root.
    pub(super) above: Option<(Arc<Folder>, usize)>,
    /// The directory's own node; none for the root.
    pub(super) node: Mutex<Option<Node>>,
    /// The parent snapshot's node of the same path.
    pub(super) previous: Option<Box<Node>>,
    /// The nodes; a slot stays empty if its entry could not be read.
    pub(super) slots: Mutex<Vec<Option<Node>>>,
    /// Slots to be filled, and one more until the scan is over.
    left: AtomicUsize,
    pub(super) started: Instant,
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

    /// Fills a slot; an empty node leaves the entry out.
    pub(super) fn put(&self, slot: usize, node: Option<Node>) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)[slot] = node;
    }

    /// Whether this was the last thing that was missing.
    pub(super) fn count_down(&self) -> bool {
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
