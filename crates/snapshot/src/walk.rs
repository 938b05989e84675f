//! Stored trees, depth first in stored order, loaded ahead by other threads.
//!
//! A visitor sees the nodes one after the other, as if one thread read one tree after the other.
//! Meanwhile other threads load and decode the trees that come next; how many is bounded, in number
//! for each level of the tree and in bytes for all. A long tree is read from a file, some of its nodes at a time.

use crate::error::{Error, Result};
use crate::node::{Node, NodeKind};
use crate::tree::{Contents, LongNodes, StoredTree, Tree};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::collections::VecDeque;
use tresor_repo::handle::Right;
use tresor_repo::index::Index;
use tresor_repo::load::Loader;
use tresor_repo::{BlobId, BlobKind, Repository};

/// Trees loaded ahead on each level.
const AHEAD: usize = 8;

/// Plaintext bytes of trees that may wait for the visitor, except for those already being waited for.
const AHEAD_BYTES: u64 = 16 << 20;

/// Nodes of a long tree that are decoded ahead.
const WINDOW: usize = 256;

/// Whether to go into a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Descend {
    /// Visit what is in it.
    Into,
    /// Go on behind it.
    Over,
}

/// Sees the nodes below a tree, each with its path from there (`/a/b`; the root is `/`).
pub trait Visitor {
    /// A directory begins; it was read to its end.
    fn enter(&mut self, _path: &[u8], _contents: &Contents) -> Result<()> {
        Ok(())
    }
    /// The next node. The answer only matters for directories.
    fn node(&mut self, path: &[u8], node: &Node) -> Result<Descend>;
    /// A directory ends that had begun.
    fn leave(&mut self, _path: &[u8]) -> Result<()> {
        Ok(())
    }
    /// The directory's tree cannot be read: it neither begins nor ends. By default that ends the walk.
    fn broken(&mut self, _path: &[u8], error: Error) -> Result<()> {
        Err(error)
    }
}

impl<F: FnMut(&[u8], &Node) -> Result<Descend>> Visitor for F {
    fn node(&mut self, path: &[u8], node: &Node) -> Result<Descend> {
        self(path, node)
    }
}

/// Visits everything below the tree `root`: depth first, in stored order.
///
/// # Errors
/// The first error of the visitor, or that the operation was cancelled.
pub fn walk<R: Right>(
    repo: &Repository<R>,
    index: &Index,
    root: BlobId,
    visitor: &mut dyn Visitor,
) -> Result<()> {
    let (send, requests) = unbounded::<Request>();
    std::thread::scope(|scope| {
        for _ in 0..repo.parallel_loads().min(AHEAD) {
            let requests = requests.clone();
            scope.spawn(move || {
                let mut source = Source { index, loader: repo.loader(), plain: Vec::new() };
                for request in requests {
                    // A visitor that went over the directory does not wait for the answer.
                    let _ = request.answer.send(source.load(&request.tree));
                }
            });
        }
        let source = Source { index, loader: repo.loader(), plain: Vec::new() };
        let mut walk = Walk { repo, source, send, waiting: 0, path: Vec::new(), frames: Vec::new() };
        walk.run(root, visitor)
    })
}

/// Finds the directory `path` below the tree `root`; slashes at its ends and empty components do not count.
///
/// # Errors
/// [`Error::NotInSnapshot`] or [`Error::NotADirectory`], named by the part of the path that was found wanting.
pub fn find_subtree<R: Right>(
    repo: &Repository<R>,
    index: &Index,
    root: BlobId,
    path: &[u8],
) -> Result<BlobId> {
    let mut tree = root;
    let mut so_far = Vec::new();
    for component in path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")) {
        if !so_far.is_empty() {
            so_far.push(b'/');
        }
        so_far.extend_from_slice(component);
        let text = || String::from_utf8_lossy(&so_far).into_owned();
        let found = load_contents(repo, index, &tree)?.find(component)?;
        let node = found.ok_or_else(|| Error::NotInSnapshot { path: text() })?;
        tree = match (&node.kind, node.subtree) {
            (NodeKind::Dir, Some(subtree)) => subtree,
            _ => return Err(Error::NotADirectory { path: text() }),
        };
    }
    Ok(tree)
}

/// Loads and decodes one tree, however long it is.
pub fn load_tree<R: Right>(repo: &Repository<R>, index: &Index, tree: &BlobId) -> Result<Tree> {
    match load_contents(repo, index, tree)? {
        Contents::Whole(tree) => Ok(tree),
        Contents::Long(tree) => {
            let (mut nodes, mut reader) = (Vec::new(), tree.nodes());
            while let Some(node) = reader.next_node()? {
                nodes.push(node);
            }
            Ok(Tree { nodes, unknown: reader.unknown() })
        }
    }
}

/// Loads one tree, and decodes it unless it is long; one that is cannot be damaged either.
pub fn load_contents<R: Right>(repo: &Repository<R>, index: &Index, tree: &BlobId) -> Result<Contents> {
    Source { index, loader: repo.loader(), plain: Vec::new() }.load(tree)
}

/// A worker's means to load trees.
struct Source<'a, R: Right> {
    index: &'a Index,
    loader: Loader<'a, R>,
    plain: Vec<u8>,
}

impl<R: Right> Source<'_, R> {
    fn load(&mut self, tree: &BlobId) -> Result<Contents> {
        let contents = StoredTree::load(&mut self.loader, self.index, tree, &mut self.plain)?.decode()?;
        if let Contents::Long(tree) = &contents {
            // Nobody sees any node of a tree that cannot be decoded to its end.
            tree.for_each_node(|_| Ok::<(), Error>(()))?;
        }
        Ok(contents)
    }
}

struct Request {
    tree: BlobId,
    answer: Sender<Result<Contents>>,
}

/// A tree being loaded, or loaded and waiting.
struct Ahead {
    node: usize,
    bytes: u64,
    answer: Receiver<Result<Contents>>,
}

/// A directory being visited.
struct Frame {
    nodes: Vec<Node>,
    /// What comes behind these nodes, which are few then.
    more: Option<LongNodes>,
    /// The next node to visit.
    next: usize,
    /// The first node not yet considered for loading ahead.
    considered: usize,
    ahead: VecDeque<Ahead>,
    path_length: usize,
}

impl Frame {
    /// Reads the next nodes, all those before having been visited; says whether there are any.
    fn refill(&mut self) -> Result<bool> {
        let Some(more) = &mut self.more else { return Ok(false) };
        self.nodes.clear();
        (self.next, self.considered) = (0, 0);
        while self.nodes.len() < WINDOW
            && let Some(node) = more.next_node()?
        {
            self.nodes.push(node);
        }
        Ok(!self.nodes.is_empty())
    }
}

struct Walk<'a, R: Right> {
    repo: &'a Repository<R>,
    source: Source<'a, R>,
    send: Sender<Request>,
    waiting: u64,
    path: Vec<u8>,
    frames: Vec<Frame>,
}

impl<R: Right> Walk<'_, R> {
    fn run(&mut self, root: BlobId, visitor: &mut dyn Visitor) -> Result<()> {
        match self.source.load(&root) {
            Ok(contents) => self.enter(contents, visitor)?,
            Err(error) => return visitor.broken(b"/", error),
        }
        while let Some(frame) = self.frames.last_mut() {
            self.path.truncate(frame.path_length);
            if frame.next < frame.nodes.len() || frame.refill()? {
                frame.next += 1;
                self.visit(visitor)?;
            } else {
                visitor.leave(shown(&self.path))?;
                self.frames.pop();
            }
        }
        Ok(())
    }

    fn enter(&mut self, contents: Contents, visitor: &mut dyn Visitor) -> Result<()> {
        if self.repo.cancel().is_set() {
            return Err(tresor_repo::Error::Cancelled.into());
        }
        visitor.enter(shown(&self.path), &contents)?;
        let (nodes, more) = match contents {
            Contents::Whole(tree) => (tree.nodes, None),
            Contents::Long(tree) => (Vec::new(), Some(tree.nodes())),
        };
        let path_length = self.path.len();
        self.frames.push(Frame { nodes, more, next: 0, considered: 0, ahead: VecDeque::new(), path_length });
        self.load_ahead();
        Ok(())
    }

    /// Visits the node before `next` of the topmost frame.
    fn visit(&mut self, visitor: &mut dyn Visitor) -> Result<()> {
        let frame = self.frames.last_mut().expect("the caller holds a frame");
        let place = frame.next - 1;
        let node = &frame.nodes[place];
        self.path.push(b'/');
        self.path.extend_from_slice(&node.name);
        let descend = visitor.node(&self.path, node)?;
        let (is_dir, subtree) = (node.kind == NodeKind::Dir, node.subtree);
        let ahead = frame.ahead.pop_front_if(|ahead| ahead.node == place);
        if let Some(ahead) = &ahead {
            self.waiting -= ahead.bytes;
        }
        if !is_dir {
            return Ok(());
        }
        self.load_ahead();
        if descend == Descend::Over {
            return Ok(());
        }
        let tree = match (subtree, ahead) {
            (None, _) => Err(Error::NoSubtree),
            (Some(_), Some(ahead)) => ahead.answer.recv().expect("a worker answers every request"),
            (Some(subtree), None) => self.source.load(&subtree),
        };
        match tree {
            Ok(contents) => self.enter(contents, visitor),
            Err(error) => visitor.broken(&self.path, error),
        }
    }

    /// Requests the next subtrees of the topmost frame, as far as the bounds allow.
    fn load_ahead(&mut self) {
        let Some(frame) = self.frames.last_mut() else { return };
        frame.considered = frame.considered.max(frame.next);
        while frame.ahead.len() < AHEAD && frame.considered < frame.nodes.len() {
            let node = frame.considered;
            if let (NodeKind::Dir, Some(tree)) = (&frame.nodes[node].kind, frame.nodes[node].subtree) {
                // Whatever is wrong with the index, who loads the tree will hear of it.
                let length =
                    self.source.index.plain_length(BlobKind::Tree, &tree).ok().flatten().unwrap_or(0);
                let bytes = u64::from(length);
                if self.waiting + bytes > AHEAD_BYTES {
                    return;
                }
                self.waiting += bytes;
                let (send, answer) = bounded(1);
                self.send.send(Request { tree, answer: send }).expect("the workers outlive the walk");
                frame.ahead.push_back(Ahead { node, bytes, answer });
            }
            frame.considered += 1;
        }
    }
}

/// The path of the root is `/`.
fn shown(path: &[u8]) -> &[u8] {
    if path.is_empty() { b"/" } else { path }
}
