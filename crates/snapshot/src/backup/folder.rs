//! Directories whose nodes are being collected, each until its tree can be saved.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tresor_repo::BlobId;

use super::place::Place;
use super::view::Digested;
use crate::node::Node;
use crate::slots::Slots;

/// A directory whose nodes are being collected.
pub(super) struct Folder {
    pub(super) place: Arc<Place>,
    /// The directory above, and this one's slot in it; none for the root.
    pub(super) above: Option<(Arc<Folder>, usize)>,
    /// The parent snapshot's node of the same path, if there is one and it was read.
    pub(super) previous: Option<Box<Node>>,
    /// Whether its tree was known without reading it.
    pub(super) was_known: bool,
    /// What it looks like, if that may be remembered.
    view: Mutex<Option<Digested>>,
    content: Mutex<Inside>,
    /// Whether a node lacks something that could not be read.
    flawed: AtomicBool,
    /// Slots to be filled, and one more until the scan is over.
    left: AtomicUsize,
    pub(super) started: Instant,
}

/// What a directory holds.
pub(super) enum Inside {
    /// What it held in the parent snapshot, as far as is known.
    Known {
        /// Its tree there.
        tree: BlobId,
        /// How many nodes that has.
        entries: usize,
    },
    /// These nodes.
    Nodes {
        /// The directory's own node; none for the root, and if it is that of the parent snapshot.
        own: Option<Box<Node>>,
        /// The nodes; a slot stays empty if its entry could not be read.
        slots: Slots,
    },
}

impl Inside {
    /// The nodes, if it is more than known.
    pub(super) fn slots(&mut self) -> Option<&mut Slots> {
        match self {
            Inside::Known { .. } => None,
            Inside::Nodes { slots, .. } => Some(slots),
        }
    }
}

impl Folder {
    /// The root, with as many slots to be filled as there are.
    pub(super) fn root(place: Arc<Place>, slots: Slots) -> Folder {
        let left = slots.len();
        Folder::with(None, place, Inside::Nodes { own: None, slots }, None, left)
    }

    /// A directory that belongs into a slot of the one above.
    pub(super) fn new(
        above: (Arc<Folder>, usize),
        place: Arc<Place>,
        content: Inside,
        previous: Option<Box<Node>>,
        left: usize,
    ) -> Folder {
        Folder::with(Some(above), place, content, previous, left)
    }

    fn with(
        above: Option<(Arc<Folder>, usize)>,
        place: Arc<Place>,
        content: Inside,
        previous: Option<Box<Node>>,
        left: usize,
    ) -> Folder {
        Folder {
            place,
            above,
            previous,
            was_known: matches!(content, Inside::Known { .. }),
            view: Mutex::new(None),
            content: Mutex::new(content),
            flawed: AtomicBool::new(false),
            left: AtomicUsize::new(left + 1),
            started: Instant::now(),
        }
    }

    /// What it holds by now.
    pub(super) fn lock(&self) -> MutexGuard<'_, Inside> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many things more are missing.
    pub(super) fn count_up(&self, more: usize) {
        self.left.fetch_add(more, Ordering::Relaxed);
    }

    /// Remembers what it looks like.
    pub(super) fn set_view(&self, view: Option<Digested>) {
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = view;
    }

    /// Says that a node lacks something: the directory must be read again the next time.
    pub(super) fn has_a_flaw(&self) {
        self.flawed.store(true, Ordering::Relaxed);
    }

    /// What it looks like, if its nodes hold everything.
    pub(super) fn settled_view(&self) -> Option<Digested> {
        let view = *self.view.lock().unwrap_or_else(PoisonError::into_inner);
        view.filter(|_| !self.flawed.load(Ordering::Relaxed))
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
