//! Finds what snapshots need: every blob that a tree below them names.

use crate::error::Result;
use crate::node::{Node, NodeKind};
use crate::snapshots::load_these;
use crate::tree::for_each_node;
use crate::trees::for_each_tree;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use tresor_repo::handle::Right;
use tresor_repo::index::{Index, Marks};
use tresor_repo::prune::Used;
use tresor_repo::{BlobHandle, BlobId, BlobKind, FileKind, Monitor, Phase, Repository, SnapshotId};

/// The snapshots of a repository, by their root trees.
#[derive(Debug)]
pub struct Roots {
    trees: Vec<BlobId>,
    /// Those of the trees and those that were left out.
    snapshots: Vec<SnapshotId>,
}

impl Roots {
    /// How many snapshots count.
    pub fn len(&self) -> usize {
        self.trees.len()
    }

    /// Whether no snapshot counts.
    pub fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }
}

/// Loads all snapshots except those that are not to count.
///
/// # Errors
/// The first snapshot that cannot be read: nobody knows what it needs.
pub fn roots<R: Right>(repo: &Repository<R>, except: &[SnapshotId]) -> Result<Roots> {
    let except: BTreeSet<SnapshotId> = except.iter().copied().collect();
    let listed = repo.list(FileKind::Snapshot)?;
    let mut counting: Vec<SnapshotId> = listed
        .iter()
        .map(|listed| SnapshotId::from_id(listed.id))
        .filter(|id| !except.contains(id))
        .collect();
    counting.sort_unstable();
    counting.dedup();
    let loaded = load_these(repo, &counting)?;
    let trees: Vec<BlobId> =
        loaded.into_iter().map(|(_, snapshot)| Ok(snapshot?.tree)).collect::<Result<_>>()?;
    assert_eq!(trees.len(), counting.len(), "what one of them needs would be removed");
    counting.extend(except);
    Ok(Roots { trees, snapshots: counting })
}

/// Marks the blobs that the roots need: their trees, those below, and the contents of files.
///
/// Every distinct tree is loaded once, by several threads. Progress: [`Phase::Snapshots`]. Memory: an eighth of a
/// byte for each blob of the index, and 32 bytes for each distinct tree.
///
/// # Errors
/// The first tree that cannot be loaded and understood, or cancellation. Contents that the index does not know are
/// part of the answer.
pub fn find<'a, R: Right>(
    repo: &Repository<R>,
    index: &'a Index,
    roots: Roots,
    monitor: &dyn Monitor,
) -> Result<Used<'a>> {
    let (blobs, unknown) = (index.marks(), Mutex::new(BTreeSet::new()));
    let visit = |tree: &BlobId, bytes: Result<&[u8]>| {
        let (mut subtrees, mut lost) = (Vec::new(), Vec::new());
        blobs.mark(BlobKind::Tree, tree); // it was loaded, so the index knows it
        for_each_node(bytes?, |node| {
            match node.kind {
                NodeKind::Dir => subtrees.extend(node.subtree),
                NodeKind::File => mark(&blobs, &node, &mut lost),
                _ => {}
            }
            Ok::<(), crate::Error>(())
        })?;
        if !lost.is_empty() {
            unknown.lock().unwrap_or_else(PoisonError::into_inner).extend(lost);
        }
        Ok(subtrees)
    };
    monitor.begin(Phase::Snapshots, Some(roots.trees.len() as u64));
    let found = for_each_tree(repo, index, &roots.trees, &visit, &|| monitor.advance(Phase::Snapshots, 1));
    monitor.end(Phase::Snapshots);
    found?;
    let unknown = unknown.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Used { blobs, unknown: unknown.into_iter().collect(), snapshots: roots.snapshots })
}

/// Marks a file's content, or notes what the index does not know.
fn mark(blobs: &Marks<'_>, file: &Node, lost: &mut Vec<BlobHandle>) {
    for id in file.blobs() {
        if blobs.mark(BlobKind::Data, id).is_none() {
            lost.push(BlobHandle { kind: BlobKind::Data, id: *id });
        }
    }
}
