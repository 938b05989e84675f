//! Finds the places of blobs and trees by their ids.

use crate::error::{Error, Result};
use crate::node::{Node, NodeKind};
use crate::tree::Contents;
use crate::walk::{Descend, Visitor, walk};
use hashbrown::HashSet;
use std::collections::BTreeSet;
use tresor_repo::handle::Right;
use tresor_repo::index::Index;
use tresor_repo::{BlobId, Repository};

/// Ids in full, or their first 8 digits.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    full: HashSet<BlobId>,
    short: HashSet<[u8; 4]>,
    /// All that was asked for, readable or not.
    texts: BTreeSet<String>,
}

impl Wanted {
    /// Adds an id in full or in short; any other text is found nowhere.
    pub fn add_text(&mut self, text: &str) {
        self.texts.insert(text.to_owned());
        if let Some(id) = BlobId::from_hex(text.as_bytes()) {
            self.full.insert(id);
        } else if text.len() == 8
            && let Some(id) = BlobId::from_hex(format!("{text}{:056}", 0).as_bytes())
        {
            self.short.insert(beginning(&id));
        }
    }

    /// Adds an id.
    pub fn add(&mut self, id: BlobId) {
        self.texts.insert(id.hex());
        self.full.insert(id);
    }

    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// How many different ones were asked for.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// All that was asked for, sorted.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(String::as_str)
    }

    /// Whether this id was asked for.
    pub fn contains(&self, id: &BlobId) -> bool {
        self.full.contains(id) || self.short.contains(&beginning(id))
    }
}

fn beginning(id: &BlobId) -> [u8; 4] {
    let [a, b, c, d, ..] = *id.as_bytes();
    [a, b, c, d]
}

/// What was met in a snapshot.
#[derive(Debug)]
pub enum Object<'a> {
    /// A blob of a file.
    Blob {
        /// Which.
        id: BlobId,
        /// The file.
        path: &'a [u8],
        /// The tree that has the file.
        parent: BlobId,
    },
    /// A tree.
    Tree {
        /// Which.
        id: BlobId,
        /// The folder it is the tree of.
        path: &'a [u8],
    },
    /// A tree that cannot be read; what is below it is not searched.
    Broken {
        /// Which.
        id: BlobId,
        /// Why.
        error: Error,
    },
}

/// Takes what was met.
pub type Each<'f> = dyn FnMut(Object<'_>) + 'f;

/// Searches snapshots for blobs and trees.
pub struct ObjectFinder<'a, R: Right> {
    repo: &'a Repository<R>,
    index: &'a Index,
    blobs: &'a Wanted,
    trees: &'a Wanted,
    /// Trees that hold nothing asked for, nor does anything below.
    barren: HashSet<BlobId>,
}

impl<'a, R: Right> ObjectFinder<'a, R> {
    /// A search that begins.
    pub fn new(repo: &'a Repository<R>, index: &'a Index, blobs: &'a Wanted, trees: &'a Wanted) -> Self {
        ObjectFinder { repo, index, blobs, trees, barren: HashSet::new() }
    }

    /// Searches a snapshot's tree, in its order; where nothing but trees is wanted, until as many were found.
    ///
    /// # Errors
    /// Only that the operation was cancelled.
    pub fn search(&mut self, root: BlobId, each: &mut Each<'_>) -> Result<()> {
        let mut search = Search {
            blobs: self.blobs,
            trees: self.trees,
            barren: &mut self.barren,
            each,
            next: root,
            open: Vec::new(),
            met: 0,
            trees_met: 0,
        };
        search.tree(b"/", root);
        if search.is_done() || search.barren.contains(&root) {
            return Ok(());
        }
        walk(self.repo, self.index, root, &mut search)
    }
}

/// One walk of a search.
struct Search<'a, 'f> {
    blobs: &'a Wanted,
    trees: &'a Wanted,
    barren: &'a mut HashSet<BlobId>,
    each: &'a mut Each<'f>,
    /// The tree that is entered next, if one is.
    next: BlobId,
    /// The trees around the current node, and what was met when they began.
    open: Vec<(BlobId, u64)>,
    met: u64,
    trees_met: usize,
}

impl Search<'_, '_> {
    fn tree(&mut self, path: &[u8], id: BlobId) {
        if self.trees.contains(&id) {
            self.met += 1;
            self.trees_met += 1;
            (self.each)(Object::Tree { id, path });
        }
    }

    fn is_done(&self) -> bool {
        self.blobs.is_empty() && self.trees_met >= self.trees.len()
    }
}

impl Visitor for Search<'_, '_> {
    fn enter(&mut self, _path: &[u8], _contents: &Contents) -> Result<()> {
        self.open.push((self.next, self.met));
        Ok(())
    }

    fn node(&mut self, path: &[u8], node: &Node) -> Result<Descend> {
        if self.is_done() {
            return Ok(Descend::Over);
        }
        if node.kind == NodeKind::File {
            let parent = self.open.last().map_or(self.next, |(tree, _)| *tree);
            for id in node.blobs().iter().filter(|id| self.blobs.contains(id)) {
                self.met += 1;
                (self.each)(Object::Blob { id: *id, path, parent });
            }
            return Ok(Descend::Over);
        }
        let Some(subtree) = node.subtree.filter(|_| node.kind == NodeKind::Dir) else {
            return Ok(Descend::Into);
        };
        self.tree(path, subtree);
        self.next = subtree;
        Ok(if self.is_done() || self.barren.contains(&subtree) { Descend::Over } else { Descend::Into })
    }

    fn leave(&mut self, _path: &[u8]) -> Result<()> {
        if let Some((tree, before)) = self.open.pop()
            && before == self.met
            && !self.is_done()
        {
            self.barren.insert(tree);
        }
        Ok(())
    }

    fn broken(&mut self, _path: &[u8], error: Error) -> Result<()> {
        if matches!(error, Error::Repo(tresor_repo::Error::Cancelled)) {
            return Err(error);
        }
        self.met += 1; // so that no tree around it passes for barren
        (self.each)(Object::Broken { id: self.next, error });
        Ok(())
    }
}
