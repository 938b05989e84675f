//! Makes a tree out of another, directory by directory, the deepest first.

use hashbrown::{HashMap, HashSet};
use tresor_repo::handle::MayAppend;
use tresor_repo::index::Index;
use tresor_repo::upload::{BlobSaver, Upload};
use tresor_repo::{BlobId, Repository};

use crate::error::{Error, Result};
use crate::gojson::{self, Unknown};
use crate::node::{Node, NodeKind};
use crate::quote::quoted;
use crate::slots::Slots;
use crate::tree::{Contents, LongTree, Tree, TreeSaver, TreeWriter};
use crate::walk::{Descend, Visitor, walk};
use sha2::{Digest, Sha256};

/// What becomes of a node.
pub enum Edited {
    /// It stays as it is; of a directory, what is in it is edited too.
    Kept,
    /// It is replaced; of a directory, what is in it is edited too.
    Changed(Box<Node>),
    /// It goes, with all that is below.
    Dropped,
}

/// Decides what becomes of the nodes of a tree.
pub trait Edit {
    /// Whether the answers depend on where a tree is: then equal trees are edited wherever they occur.
    const DEPENDS_ON_PATH: bool;
    /// Whether trees that hold more than we know are refused, rather than kept with what we do not know.
    const KNOWN_ONLY: bool;

    /// What becomes of a node; `path` begins with `/`.
    fn node(&mut self, path: &[u8], node: &Node) -> Result<Edited>;

    /// Whether a directory stays in which nothing is left; `/` is the root.
    fn keeps_empty(&mut self, _path: &[u8]) -> bool {
        true
    }

    /// A tree cannot be read. An answer of `true` makes an empty directory of it, of the root nothing at all.
    ///
    /// # Errors
    /// That of the tree, unless the edit knows better.
    fn broken(&mut self, _path: &[u8], error: Error) -> Result<bool> {
        Err(error)
    }
}

/// Edits trees, and remembers what it made of them and what it saved.
#[derive(Default)]
pub struct Rewriter {
    /// What became of trees, where that is the same wherever they occur.
    known: HashMap<BlobId, BlobId>,
    /// Trees saved in earlier uploads, which the index does not have.
    saved: HashSet<BlobId>,
}

impl Rewriter {
    /// Makes of the tree `root` what `edit` wants and saves the trees that are new; nothing may be left of it.
    ///
    /// # Errors
    /// Those of loading and saving; [`Error::LossyTree`] if a tree would lose something.
    pub fn rewrite<R: MayAppend, E: Edit>(
        &mut self,
        repo: &Repository<R>,
        index: &Index,
        root: BlobId,
        edit: &mut E,
    ) -> Result<Option<BlobId>> {
        if let Some(known) = self.known.get(&root) {
            return Ok(Some(*known));
        }
        let work = |upload: &Upload<'_>| {
            let saver = upload.saver();
            let (frames, waiting) = (Vec::new(), Some(Waiting { tree: Some(root), node: None }));
            let mut run = Run { edit, rewriter: self, upload, saver, frames, waiting, root: None };
            walk(repo, index, root, &mut run)?;
            Ok::<_, Error>(run.root)
        };
        Ok(repo.upload(index, work)?.0)
    }
}

/// One tree being rewritten.
struct Run<'a, E> {
    edit: &'a mut E,
    rewriter: &'a mut Rewriter,
    upload: &'a Upload<'a>,
    saver: BlobSaver<'a>,
    frames: Vec<Frame>,
    /// The directory whose tree comes next.
    waiting: Option<Waiting>,
    root: Option<BlobId>,
}

/// A directory that is being made.
struct Frame {
    of: Waiting,
    nodes: Slots,
    unknown: Unknown,
    changed: bool,
}

/// A directory whose tree is being made.
struct Waiting {
    /// Its old tree.
    tree: Option<BlobId>,
    /// Its node; the root has none.
    node: Option<Node>,
}

impl<E: Edit> Visitor for Run<'_, E> {
    fn enter(&mut self, path: &[u8], contents: &Contents) -> Result<()> {
        let of = self.waiting.take().expect("a directory is announced before it is entered");
        let (is_ours, unknown) = match contents {
            Contents::Whole(tree) => (!E::KNOWN_ONLY || tree.tree_is(of.tree), tree.unknown.clone()),
            Contents::Long(tree) => long_tree_is(tree, of.tree)?,
        };
        if E::KNOWN_ONLY && !is_ours {
            return Err(Error::LossyTree { path: quoted(path) });
        }
        self.frames.push(Frame { of, nodes: Slots::default(), unknown, changed: false });
        Ok(())
    }

    fn node(&mut self, path: &[u8], node: &Node) -> Result<Descend> {
        let edited = self.edit.node(path, node)?;
        let frame = self.frames.last_mut().expect("nodes belong to a directory that was entered");
        let mut node = match edited {
            Edited::Kept => node.clone(),
            Edited::Changed(node) => {
                frame.changed = true;
                *node
            }
            Edited::Dropped => {
                frame.changed = true;
                return Ok(Descend::Over);
            }
        };
        if node.kind != NodeKind::Dir {
            frame.nodes.push(Some(node), self.upload)?;
            return Ok(Descend::Over);
        }
        if let Some(known) = node.subtree.and_then(|tree| self.rewriter.known.get(&tree)) {
            frame.changed |= node.subtree != Some(*known);
            node.subtree = Some(*known);
            frame.nodes.push(Some(node), self.upload)?;
            return Ok(Descend::Over);
        }
        self.waiting = Some(Waiting { tree: node.subtree, node: Some(node) });
        Ok(Descend::Into)
    }

    fn leave(&mut self, path: &[u8]) -> Result<()> {
        let frame = self.frames.pop().expect("a directory that is left was entered");
        if frame.nodes.is_empty() && !self.edit.keeps_empty(path) {
            self.without();
            return Ok(());
        }
        let tree = match frame.of.tree {
            Some(tree) if !frame.changed => tree,
            _ => self.save(path, frame.nodes, &frame.unknown)?,
        };
        if let (false, Some(old)) = (E::DEPENDS_ON_PATH, frame.of.tree) {
            self.rewriter.known.insert(old, tree);
        }
        self.made(frame.of, tree)
    }

    fn broken(&mut self, path: &[u8], error: Error) -> Result<()> {
        if self.edit.broken(path, error)? {
            let of = self.waiting.take().expect("a directory is announced before it is entered");
            if of.node.is_some() {
                let empty = self.save(path, Slots::default(), &Unknown::new())?;
                self.made(of, empty)?;
            }
        }
        Ok(())
    }
}

impl<E> Run<'_, E> {
    /// A directory is made; its node goes into the one above.
    fn made(&mut self, of: Waiting, tree: BlobId) -> Result<()> {
        match (of.node, self.frames.last_mut()) {
            (Some(mut node), Some(above)) => {
                above.changed |= of.tree != Some(tree);
                node.subtree = Some(tree);
                above.nodes.push(Some(node), self.upload)?;
            }
            _ => self.root = Some(tree),
        }
        Ok(())
    }

    /// A directory is gone.
    fn without(&mut self) {
        if let Some(above) = self.frames.last_mut() {
            above.changed = true;
        }
    }

    fn save(&mut self, path: &[u8], mut nodes: Slots, unknown: &Unknown) -> Result<BlobId> {
        let mut write = || {
            let mut tree = TreeSaver::new(self.upload, Vec::new());
            nodes.write_sorted(&mut tree)?;
            let saved = &mut self.rewriter.saved;
            tree.finish(unknown, &mut self.saver, Some(&mut |id| !saved.insert(*id)))
        };
        match write() {
            Err(Error::Repo(tresor_repo::Error::TooLarge { .. })) => {
                Err(Error::FolderTooLarge { path: gojson::lossy(path).into_owned() })
            }
            written => Ok(written?.saved.id),
        }
    }
}

/// As [`Tree::tree_is`]; and the members beside the nodes.
fn long_tree_is(tree: &LongTree, id: Option<BlobId>) -> Result<(bool, Unknown)> {
    let (mut nodes, mut hash) = (tree.nodes(), Sha256::new());
    let (mut writer, mut in_order, mut all_known) = (TreeWriter::new(), true, true);
    while let Some(node) = nodes.next_node()? {
        all_known &= is_known(&node);
        in_order &= writer.push(&node).is_ok();
        hash.update(writer.written());
        writer.drop_written();
    }
    let unknown = nodes.unknown();
    hash.update(writer.finish());
    let is_the_same = id == Some(BlobId::from_bytes(hash.finalize().into()));
    Ok((is_the_same && in_order && all_known && unknown.is_empty(), unknown))
}

fn is_known(node: &Node) -> bool {
    node.rare.as_ref().is_none_or(|rare| rare.unknown.is_empty())
}

impl Tree {
    /// Whether our own way to write the tree, of which we know everything, gives the tree of this id.
    fn tree_is(&self, id: Option<BlobId>) -> bool {
        self.unknown.is_empty()
            && self.nodes.iter().all(is_known)
            && self.encode().is_ok_and(|bytes| Some(BlobId::of(&bytes)) == id)
    }
}
