//! Finds what snapshots need: every blob that a tree below them names.

use crate::error::Result;
use crate::node::NodeKind;
use crate::snapshots::load_these;
use crate::tree::StoredTree;
use crate::trees::for_each_tree;
use std::collections::BTreeSet;
use tresor_repo::handle::Right;
use tresor_repo::index::Index;
use tresor_repo::prune::Used;
use tresor_repo::{BlobId, BlobKind, FileKind, Monitor, Phase, Repository, SnapshotId};

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
/// Every distinct tree is loaded once, by several threads. Progress: [`Phase::Snapshots`]. Memory: two eighths of
/// a byte for each blob of the index, and 16 MiB.
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
    let blobs = index.marks();
    let contents = blobs.later(BlobKind::Data);
    let visit = |tree: &BlobId, stored: Result<StoredTree<'_>>| {
        let (mut subtrees, mut content) = (Vec::new(), Vec::new());
        blobs.mark(BlobKind::Tree, tree)?; // it was loaded, so the index knows it
        stored?.for_each_node(|node| {
            match node.kind {
                NodeKind::Dir => subtrees.extend(node.subtree),
                NodeKind::File => content.extend_from_slice(node.blobs()),
                _ => {}
            }
            Ok::<(), crate::Error>(())
        })?;
        contents.add(&content)?;
        Ok(subtrees)
    };
    monitor.begin(Phase::Snapshots, Some(roots.trees.len() as u64));
    let found = for_each_tree(repo, index, &roots.trees, &visit, &|| monitor.advance(Phase::Snapshots, 1));
    monitor.end(Phase::Snapshots);
    found?;
    let unknown = contents.finish()?;
    Ok(Used { blobs, unknown, snapshots: roots.snapshots })
}
