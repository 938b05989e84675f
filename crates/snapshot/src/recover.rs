//! Find trees that nothing refers to, and make one snapshot of them.

use crate::error::{Error, Result};
use crate::node::{Node, NodeKind};
use crate::snapshot::Snapshot;
use crate::snapshots;
use crate::tree::{StoredTree, Tree};
use crate::trees::for_each_tree;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tresor_repo::handle::{MayAppend, Right};
use tresor_repo::index::Index;
use tresor_repo::time::Time;
use tresor_repo::{BlobId, BlobKind, Monitor, Phase, Repository, SnapshotId};

/// Trees that no other tree refers to, and what cannot be read.
#[derive(Debug, Default)]
pub struct Orphans {
    /// Every tree of the index, sorted.
    trees: Vec<BlobId>,
    /// Those that a tree refers to, or a snapshot, or that cannot be read; sorted.
    known: Vec<BlobId>,
    /// Trees that cannot be read, and why; sorted.
    pub unreadable: Vec<(BlobId, Error)>,
}

impl Orphans {
    /// How many trees the index names.
    ///
    /// # Errors
    /// That the index cannot be read.
    pub fn tree_count(index: &Index) -> Result<u64> {
        Ok(trees(index)?.len() as u64)
    }

    /// Reads every tree of the index once, by several threads.
    ///
    /// Progress: [`Phase::Trees`] for each. Memory: two times 32 bytes for each tree.
    ///
    /// # Errors
    /// A tree that cannot be had just now; cancellation. Those that are damaged are part of the answer.
    pub fn find<R: Right>(repo: &Repository<R>, index: &Index, monitor: &dyn Monitor) -> Result<Orphans> {
        let trees = trees(index)?;
        let (known, unreadable) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        let visit = |tree: &BlobId, stored: Result<StoredTree<'_>>| {
            let mut below = Vec::new();
            let read = stored.and_then(|stored| {
                stored.for_each_node(|node| {
                    below.extend(node.subtree.filter(|_| node.kind == NodeKind::Dir));
                    Ok::<(), Error>(())
                })
            });
            match read {
                Err(error) if error.is_damage() => {
                    unreadable.lock().unwrap_or_else(PoisonError::into_inner).push((*tree, error));
                    below.push(*tree);
                }
                read => read?,
            }
            known.lock().unwrap_or_else(PoisonError::into_inner).append(&mut below);
            Ok(Vec::new()) // every tree is a root here
        };
        monitor.begin(Phase::Trees, Some(trees.len() as u64));
        let found = for_each_tree(repo, index, &trees, &visit, &|| monitor.advance(Phase::Trees, 1));
        monitor.end(Phase::Trees);
        found?;
        let mut known = known.into_inner().unwrap_or_else(PoisonError::into_inner);
        known.sort_unstable();
        known.dedup();
        let mut unreadable = unreadable.into_inner().unwrap_or_else(PoisonError::into_inner);
        unreadable.sort_unstable_by_key(|(tree, _)| *tree);
        Ok(Orphans { trees, known, unreadable })
    }

    /// Takes the roots of all snapshots out; answers with the snapshots that cannot be read, whose trees stay.
    ///
    /// # Errors
    /// Those of the listing; a snapshot that cannot be had just now.
    pub fn without_snapshots<R: Right>(&mut self, repo: &Repository<R>) -> Result<Vec<(SnapshotId, Error)>> {
        let mut unreadable = Vec::new();
        for (id, snapshot) in snapshots::load_all(repo)? {
            match snapshot {
                Ok(snapshot) => self.known.push(snapshot.tree),
                Err(error) if error.is_damage() => unreadable.push((id, error)),
                Err(error) => return Err(error),
            }
        }
        self.known.sort_unstable();
        Ok(unreadable)
    }

    /// The trees that are left, sorted.
    pub fn roots(&self) -> Vec<BlobId> {
        let is_left = |tree: &&BlobId| self.known.binary_search(tree).is_err();
        self.trees.iter().filter(is_left).copied().collect()
    }
}

/// Saves a tree with a folder for each root, then `snapshot` of that tree: the commit point.
///
/// A folder has the first 8 digits of its root's id as name, or the whole id where several begin alike.
///
/// # Errors
/// Those of an upload.
pub fn save<R: MayAppend>(
    repo: &Repository<R>,
    index: &Index,
    roots: &[BlobId],
    snapshot: Snapshot,
) -> Result<SnapshotId> {
    let tree = Tree { nodes: folders(roots, snapshot.time), ..Tree::default() }.encode()?;
    let save = |upload: &tresor_repo::upload::Upload<'_>| -> Result<BlobId> {
        Ok(upload.saver().save_blob(BlobKind::Tree, &tree)?.id)
    };
    let (tree, _) = repo.upload(index, save)?;
    Ok(repo.save_snapshot(&Snapshot { tree, ..snapshot }.encode())?)
}

fn folders(roots: &[BlobId], time: Time) -> Vec<Node> {
    let mut named: BTreeMap<String, Vec<BlobId>> = BTreeMap::new();
    for root in roots {
        named.entry(root.short()).or_default().push(*root);
    }
    let named = named.into_iter().flat_map(|(name, roots)| {
        let is_alone = roots.len() == 1;
        roots.into_iter().map(move |root| (if is_alone { name.clone() } else { root.hex() }, root))
    });
    let mut nodes: Vec<Node> = named.map(|(name, root)| folder(name, root, time)).collect();
    nodes.sort_by(|one, other| one.name.cmp(&other.name));
    nodes
}

/// As restic writes it: the rights without the bit of a directory.
fn folder(name: String, tree: BlobId, time: Time) -> Node {
    let mut node = Node::new(name.into_bytes(), NodeKind::Dir);
    (node.mtime, node.atime, node.ctime) = (time, time, time);
    node.mode = 0o755;
    node.subtree = Some(tree);
    node
}

/// Every tree of the index once, sorted.
fn trees(index: &Index) -> Result<Vec<BlobId>> {
    let trees = index.of_kind(BlobKind::Tree).map(|entry| Ok(entry?.0.id));
    let mut trees: Vec<BlobId> = trees.collect::<Result<_>>()?;
    trees.dedup();
    Ok(trees)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_in_order_and_no_two_are_called_the_same() {
        let id = |first: u8, last: u8| {
            let mut bytes = [first; 32];
            bytes[31] = last;
            BlobId::from_bytes(bytes)
        };
        let roots = [id(9, 0), id(1, 1), id(1, 2), id(0, 0)];
        let nodes = folders(&roots, Time::ZERO);
        let names: Vec<_> =
            nodes.iter().map(|node| String::from_utf8_lossy(&node.name).into_owned()).collect();
        assert_eq!(names, [id(0, 0).short(), id(1, 1).hex(), id(1, 2).hex(), id(9, 0).short()]);
        assert!(Tree { nodes, ..Tree::default() }.encode().is_ok());
    }
}
