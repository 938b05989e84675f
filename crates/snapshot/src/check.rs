//! Checks that every tree of some snapshots is there and refers only to blobs that are there.
//!
//! What a pack holds is checked one storey below; here nothing but trees is loaded.

use crate::error::Result;
use crate::node::{Node, NodeKind};
use crate::quote::quote;
use crate::snapshot::Snapshot;
use crate::tree::StoredTree;
use crate::trees::for_each_tree;
use hashbrown::HashSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use tresor_repo::handle::Right;
use tresor_repo::index::{Index, MarkLater};
use tresor_repo::{BlobId, BlobKind, Monitor, PackId, Phase, Repository, SnapshotId};

/// What is wrong with one tree.
#[derive(Debug)]
pub struct Finding {
    /// Which.
    pub tree: BlobId,
    /// At least one problem; those of its nodes in stored order.
    pub problems: Vec<TreeProblem>,
}

/// One thing that is wrong with a tree; its text is a line of the report on the tree.
#[derive(Debug)]
#[non_exhaustive]
pub enum TreeProblem {
    /// No index file knows it.
    Missing {
        /// The tree.
        tree: BlobId,
    },
    /// It cannot be loaded or decoded.
    Unreadable {
        /// The tree.
        tree: BlobId,
        /// Why.
        cause: crate::Error,
    },
    /// A node breaks a rule.
    Node {
        /// The tree.
        tree: BlobId,
        /// The node's name as raw bytes.
        name: Box<[u8]>,
        /// Which rule.
        what: NodeProblem,
    },
}

/// The rule that a node breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeProblem {
    /// Every node has a name.
    NoName,
    /// The kind is one that we know.
    UnknownKind(Box<str>),
    /// A file has a list of blobs, even if it is empty.
    NoContent,
    /// An id is no hash if all its bytes are zero; the number is the blob's place in the file.
    NullBlob(usize),
    /// Every blob of a file is in the index.
    UnknownBlob(BlobId),
    /// A directory has a tree.
    NoSubtree,
    /// An id is no hash if all its bytes are zero.
    NullSubtree,
}

const NULL: BlobId = BlobId::from_bytes([0; 32]);

/// Checks each distinct tree of the snapshots; the findings are in the order of the trees' ids.
///
/// Every tree is read once, and the contents of all files are looked for together. Only if some are not there all
/// trees are read again, to say where they are missing.
///
/// # Errors
/// That the index cannot be read, or that the operation was cancelled.
pub fn check_trees<R: Right>(
    repo: &Repository<R>,
    index: &Index,
    snapshots: &[(SnapshotId, Snapshot)],
    monitor: &dyn Monitor,
) -> Result<Vec<Finding>> {
    let roots: Vec<_> = snapshots.iter().map(|(_, snapshot)| snapshot.tree).collect();
    let marks = index.marks();
    let contents = marks.later(BlobKind::Data);
    monitor.begin(Phase::Snapshots, Some(roots.len() as u64));
    let findings = look(repo, index, &roots, &Contents::Gather(&contents), &|| {
        monitor.advance(Phase::Snapshots, 1);
    })?;
    let unknown: HashSet<BlobId> = contents.finish()?.into_iter().map(|blob| blob.id).collect();
    monitor.end(Phase::Snapshots);
    match unknown.is_empty() {
        true => Ok(findings),
        false => look(repo, index, &roots, &Contents::Unknown(&unknown), &|| ()),
    }
}

/// How the blobs of files are looked for.
enum Contents<'a> {
    /// Later, all together.
    Gather(&'a MarkLater<'a>),
    /// That was done, and these are not there.
    Unknown(&'a HashSet<BlobId>),
}

/// Reads each distinct tree once.
fn look<R: Right>(
    repo: &Repository<R>,
    index: &Index,
    roots: &[BlobId],
    contents: &Contents<'_>,
    done: &(dyn Fn() + Sync),
) -> Result<Vec<Finding>> {
    let findings = Mutex::new(Vec::new());
    let visit = |tree: &BlobId, stored: Result<StoredTree<'_>>| {
        let mut seen =
            Seen { contents, tree: *tree, subtrees: Vec::new(), blobs: Vec::new(), problems: Vec::new() };
        seen.tree(index, stored)?;
        if let Contents::Gather(all) = contents {
            all.add(&seen.blobs)?;
        }
        if !seen.problems.is_empty() {
            let finding = Finding { tree: *tree, problems: seen.problems };
            findings.lock().unwrap_or_else(PoisonError::into_inner).push(finding);
        }
        Ok(seen.subtrees)
    };
    for_each_tree(repo, index, roots, &visit, done)?;
    let mut findings = findings.into_inner().unwrap_or_else(PoisonError::into_inner);
    findings.sort_unstable_by_key(|finding| finding.tree);
    Ok(findings)
}

/// The packs that hold what the snapshots need: every copy of every blob, as far as their trees can be read.
///
/// # Errors
/// That the index cannot be read, or that the operation was cancelled.
pub fn used_packs<R: Right>(
    repo: &Repository<R>,
    index: &Index,
    snapshots: &[(SnapshotId, Snapshot)],
) -> Result<HashSet<PackId>> {
    let roots: Vec<_> = snapshots.iter().map(|(_, snapshot)| snapshot.tree).collect();
    let packs = Mutex::new(HashSet::new());
    let visit = |tree: &BlobId, stored: Result<StoredTree<'_>>| {
        let mut subtrees = Vec::new();
        let trees = index.copies(BlobKind::Tree, tree)?;
        let mut used: HashSet<PackId> = trees.into_iter().map(|place| place.pack).collect();
        let mut failed = None;
        // Trees that cannot be read are the business of `check_trees`.
        let _ = stored.and_then(|stored| {
            stored.for_each_node(|node| {
                for blob in node.blobs() {
                    match index.copies(BlobKind::Data, blob) {
                        Ok(places) => used.extend(places.into_iter().map(|place| place.pack)),
                        Err(error) => failed = Some(error),
                    }
                }
                subtrees.extend(node.subtree.filter(|_| node.kind == NodeKind::Dir));
                Ok::<(), crate::Error>(())
            })
        });
        packs.lock().unwrap_or_else(PoisonError::into_inner).extend(used);
        failed.map_or(Ok(subtrees), |error| Err(error.into()))
    };
    for_each_tree(repo, index, &roots, &visit, &|| ())?;
    Ok(packs.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// A tree being checked, and what was found so far.
struct Seen<'a> {
    contents: &'a Contents<'a>,
    tree: BlobId,
    subtrees: Vec<BlobId>,
    blobs: Vec<BlobId>,
    problems: Vec<TreeProblem>,
}

impl Seen<'_> {
    fn tree(&mut self, index: &Index, stored: Result<StoredTree<'_>>) -> Result<()> {
        let tree = self.tree;
        let read = stored.and_then(|stored| {
            stored.for_each_node(|node| {
                self.node(&node);
                Ok::<(), crate::Error>(())
            })
        });
        match read {
            Ok(()) => {}
            Err(_) if !index.contains(BlobKind::Tree, &tree)? => {
                self.problems.push(TreeProblem::Missing { tree });
            }
            Err(cause) => self.problems.push(TreeProblem::Unreadable { tree, cause }),
        }
        Ok(())
    }

    fn node(&mut self, node: &Node) {
        match &node.kind {
            NodeKind::File => self.file(node),
            NodeKind::Dir => match node.subtree {
                None => self.note(node, NodeProblem::NoSubtree),
                Some(NULL) => self.note(node, NodeProblem::NullSubtree),
                Some(subtree) => self.subtrees.push(subtree),
            },
            NodeKind::Symlink | NodeKind::Dev | NodeKind::CharDev | NodeKind::Fifo | NodeKind::Socket => {}
            other @ (NodeKind::Irregular | NodeKind::Other(_)) => {
                self.note(node, NodeProblem::UnknownKind(other.as_str().into()));
            }
        }
        if node.name.is_empty() {
            self.note(node, NodeProblem::NoName);
        }
    }

    fn file(&mut self, node: &Node) {
        let Some(blobs) = &node.content else { return self.note(node, NodeProblem::NoContent) };
        for (place, blob) in blobs.iter().enumerate() {
            match self.contents {
                _ if *blob == NULL => self.note(node, NodeProblem::NullBlob(place)),
                Contents::Gather(_) => self.blobs.push(*blob),
                Contents::Unknown(unknown) if unknown.contains(blob) => {
                    self.note(node, NodeProblem::UnknownBlob(*blob));
                }
                Contents::Unknown(_) => {}
            }
        }
    }

    fn note(&mut self, node: &Node, what: NodeProblem) {
        self.problems.push(TreeProblem::Node { tree: self.tree, name: node.name.clone(), what });
    }
}

impl fmt::Display for TreeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TreeProblem::Missing { tree } => write!(f, "id {tree} not found in repository"),
            TreeProblem::Unreadable { cause, .. } => {
                write!(f, "{cause}")?;
                let mut source = std::error::Error::source(cause);
                while let Some(cause) = source {
                    write!(f, ": {cause}")?;
                    source = cause.source();
                }
                Ok(())
            }
            TreeProblem::Node { tree, name, what } => {
                write!(f, "tree {tree}: ")?;
                let mut quoted = Vec::new();
                quote(name, &mut quoted);
                let name = String::from_utf8_lossy(&quoted);
                match what {
                    NodeProblem::NoName => write!(f, "node with empty name"),
                    NodeProblem::UnknownKind(kind) => write!(f, "node \"{name}\" with invalid type {kind:?}"),
                    NodeProblem::NoContent => write!(f, "file \"{name}\" has nil blob list"),
                    NodeProblem::NullBlob(place) => write!(f, "file \"{name}\" blob {place} has null ID"),
                    NodeProblem::UnknownBlob(id) => {
                        write!(f, "file \"{name}\" blob {id} not found in index")
                    }
                    NodeProblem::NoSubtree => write!(f, "dir node \"{name}\" has no subtree"),
                    NodeProblem::NullSubtree => write!(f, "dir node \"{name}\" subtree id is null"),
                }
            }
        }
    }
}
