//! Where a directory is: on disk, in the snapshot, and how it is opened again.
//!
//! Places are linked upward and hold no path of their own, so that a tree of any depth costs its names.
//! A descriptor is kept open only while something is left to do in its directory, and not too many of
//! them; what was closed is opened again by its components from the nearest one that is open.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use crate::fs::{Directory, Names, path_of_bytes};

/// A directory of the source.
pub(super) struct Place {
    parent: Option<Arc<Place>>,
    /// The name in the snapshot; empty for the roots of targets.
    name: Box<[u8]>,
    /// The name on disk if it is another one.
    disk_name: Option<Box<[u8]>>,
    /// Where a chain of places begins on disk.
    root: Option<Root>,
    /// Whether targets lead through it: then it may be a symbolic link to a directory.
    passage: bool,
    open: OnceLock<Weak<Directory>>,
}

/// The root of targets: `/`, the current directory or one above it.
struct Root {
    path: Box<[u8]>,
    absolute: Box<[u8]>,
}

impl Place {
    /// The root of targets at `path`, whose absolute path is `absolute`.
    pub(super) fn root(path: &[u8], absolute: &[u8]) -> Place {
        Place {
            parent: None,
            name: Box::default(),
            disk_name: None,
            root: Some(Root { path: path.into(), absolute: absolute.into() }),
            passage: true,
            open: OnceLock::new(),
        }
    }

    /// A directory in `parent`.
    pub(super) fn child(
        parent: &Arc<Place>,
        name: Box<[u8]>,
        disk_name: Option<Box<[u8]>>,
        passage: bool,
    ) -> Place {
        Place {
            parent: Some(Arc::clone(parent)),
            name,
            disk_name,
            root: None,
            passage,
            open: OnceLock::new(),
        }
    }

    /// The name in the snapshot.
    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }

    /// Whether targets lead through it: then it may be a symbolic link to a directory.
    pub(super) fn is_passage(&self) -> bool {
        self.passage
    }

    /// The name on disk.
    pub(super) fn disk_name(&self) -> &[u8] {
        self.disk_name.as_deref().unwrap_or(&self.name)
    }

    /// Puts the absolute path on disk into `path`.
    pub(super) fn absolute_path(&self, path: &mut Vec<u8>) {
        path.clear();
        for place in self.chain().iter().rev() {
            match &place.root {
                Some(root) => path.extend_from_slice(&root.absolute),
                None => push_component(path, place.disk_name()),
            }
        }
    }

    /// Puts the path in the snapshot into `path`; it is empty for the root.
    pub(super) fn snapshot_path(&self, path: &mut Vec<u8>) {
        path.clear();
        for place in self.chain().iter().rev().filter(|place| place.root.is_none()) {
            push_component(path, &place.name);
        }
    }

    /// The directory, opened again if it was closed.
    pub(super) fn open(&self) -> io::Result<Arc<Directory>> {
        let mut below = Vec::new();
        let mut place = self;
        let mut directory = loop {
            if let Some(open) = place.open.get().and_then(Weak::upgrade) {
                break open;
            }
            match (&place.root, &place.parent) {
                (Some(root), _) => break Arc::new(Directory::open_to_pass(path_of_bytes(&root.path))?),
                (None, Some(parent)) => {
                    below.push(place);
                    place = parent;
                }
                (None, None) => return Err(io::ErrorKind::NotFound.into()),
            }
        };
        for place in below.into_iter().rev() {
            directory = Arc::new(place.open_in(&directory)?);
        }
        Ok(directory)
    }

    /// Opens the directory once more and lists it, unless targets only lead through it.
    pub(super) fn open_and_list(&self, lists: bool, names: &mut Names) -> io::Result<Arc<Directory>> {
        names.clear();
        if !lists {
            return self.open();
        }
        let parent = self.parent.as_ref().ok_or(io::ErrorKind::NotFound)?.open()?;
        let directory = if self.passage {
            parent.open_child_following(self.disk_name())?
        } else {
            parent.open_child(self.disk_name())?
        };
        directory.names(names)?;
        Ok(Arc::new(directory))
    }

    /// Lets others use the descriptor for as long as its owner keeps it.
    fn lend(&self, directory: &Arc<Directory>) {
        // A place is scanned once; whoever opens it again keeps the descriptor to himself.
        let _ = self.open.set(Arc::downgrade(directory));
    }

    fn open_in(&self, parent: &Directory) -> io::Result<Directory> {
        if self.passage {
            parent.open_child_to_pass(self.disk_name())
        } else {
            parent.open_child(self.disk_name())
        }
    }

    /// This place and all above it, deepest first.
    fn chain(&self) -> Vec<&Place> {
        std::iter::successors(Some(self), |place| place.parent.as_deref()).collect()
    }
}

/// A chain of any length is let go link by link, not by recursion.
impl Drop for Place {
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(mut place) = next.and_then(Arc::into_inner) {
            next = place.parent.take();
        }
    }
}

/// Appends a component to a path.
pub(super) fn push_component(path: &mut Vec<u8>, name: &[u8]) {
    if path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}

/// Counts the descriptors that are kept open.
#[derive(Default)]
pub(super) struct Descriptors {
    kept: Arc<AtomicUsize>,
}

/// A descriptor that is kept open.
pub(super) struct Kept {
    _directory: Arc<Directory>,
    kept: Arc<AtomicUsize>,
}

impl Descriptors {
    /// Far fewer than the 1024 that a process may usually open.
    const MOST: usize = 256;

    /// Keeps the place's descriptor open, unless there are too many.
    pub(super) fn keep(&self, place: &Place, directory: Arc<Directory>) -> Option<Kept> {
        place.lend(&directory);
        let kept = Kept { _directory: directory, kept: Arc::clone(&self.kept) };
        (self.kept.fetch_add(1, Ordering::Relaxed) < Self::MOST).then_some(kept)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.kept.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_of_any_length_is_let_go() {
        let mut place = Arc::new(Place::root(b"/", b"/"));
        for _ in 0..300_000 {
            place = Arc::new(Place::child(&place, Box::from(*b"d"), None, false));
        }
        drop(place);
    }

    #[test]
    fn paths_on_disk_and_in_the_snapshot_may_differ() {
        let root = Arc::new(Place::root(b"..", b"/x"));
        let child = Arc::new(Place::child(&root, Box::from(*b"same-1"), Some(Box::from(*b"same")), false));
        let place = Place::child(&child, Box::from(*b"a"), None, false);
        let mut path = Vec::new();
        place.absolute_path(&mut path);
        assert_eq!(path, b"/x/same/a");
        place.snapshot_path(&mut path);
        assert_eq!(path, b"/same-1/a");
        Place::root(b"/", b"/").snapshot_path(&mut path);
        assert_eq!(path, b"");
    }
}
