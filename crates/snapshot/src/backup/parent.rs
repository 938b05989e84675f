//! What the parent snapshot knows of a directory, and whether it still holds.

use tresor_repo::BlobKind;
use tresor_repo::time::Time;
use tresor_repo::upload::Upload;

use super::options::BackupOptions;
use crate::error::Result;
use crate::fs::{Metadata, Stamp};
use crate::node::{Node, NodeKind};
use crate::tree::{LongNodes, StoredTree, Tree};

/// The parent's nodes of one directory, given away in the order of their names.
#[derive(Default)]
pub(super) struct Previous {
    /// In descending order: the next one is the last.
    nodes: Vec<Node>,
    /// Those of a long tree, which come in order, or are not found: they are read one after the other.
    more: Option<LongNodes>,
}

impl Previous {
    /// Reads a tree blob.
    pub(super) fn decode(bytes: &[u8]) -> Result<Previous> {
        let mut nodes = Tree::decode(bytes)?.nodes;
        nodes.reverse();
        // Others may have written them in any order.
        if !nodes.is_sorted_by(|a, b| a.name >= b.name) {
            nodes.sort_by(|a, b| b.name.cmp(&a.name));
        }
        Ok(Previous { nodes, more: None })
    }

    /// Reads a stored tree; a long one as it is asked for.
    pub(super) fn of(tree: StoredTree<'_>) -> Result<Previous> {
        match tree {
            StoredTree::Short(bytes) => Previous::decode(bytes),
            StoredTree::Long(tree) => Ok(Previous { nodes: Vec::new(), more: Some(tree.nodes()) }),
        }
    }

    /// The parent's node of a name; names must be asked for in ascending order.
    ///
    /// # Errors
    /// Once a long tree cannot be decoded; then there are no more nodes.
    pub(super) fn take(&mut self, name: &[u8]) -> Result<Option<Node>> {
        loop {
            while self.nodes.last().is_some_and(|node| *node.name < *name) {
                self.nodes.pop();
            }
            if self.nodes.is_empty()
                && let Some(more) = &mut self.more
            {
                match more.next_node() {
                    Ok(Some(node)) => {
                        self.nodes.push(node);
                        continue;
                    }
                    Ok(None) => self.more = None,
                    Err(error) => {
                        self.more = None;
                        return Err(error);
                    }
                }
            }
            return Ok(self.nodes.pop_if(|node| *node.name == *name));
        }
    }
}

/// Whether a file is so much like the parent's that its content is taken to be the same.
pub(super) fn is_unchanged(previous: &Node, metadata: &Metadata, options: &BackupOptions) -> bool {
    previous.kind == NodeKind::File
        && previous.size == metadata.size
        && same_instant(&previous.mtime, metadata.mtime)
        && (options.ignore_ctime || options.ignore_inode || same_instant(&previous.ctime, metadata.ctime))
        && (options.ignore_inode || previous.inode == metadata.inode)
}

/// Whether every blob of the parent's content is stored.
pub(super) fn content_is_stored(previous: &Node, upload: &Upload<'_>) -> Result<bool> {
    for id in previous.blobs() {
        if !upload.contains(BlobKind::Data, id)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn same_instant(time: &Time, stamp: Stamp) -> bool {
    time.seconds() == stamp.seconds && time.nanoseconds() == stamp.nanoseconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_found_in_ascending_order_however_they_are_stored() {
        let named = |name: &str| Node::new(name.as_bytes(), NodeKind::File);
        let stored = |names: &[&str]| {
            let mut tree = b"{\"nodes\":[".to_vec();
            for (index, name) in names.iter().enumerate() {
                if index > 0 {
                    tree.push(b',');
                }
                named(name).write(&mut tree);
            }
            tree.extend_from_slice(b"]}\n");
            Previous::decode(&tree).expect("a tree")
        };
        for order in [["a", "c", "e"], ["e", "a", "c"]] {
            let mut previous = stored(&order);
            let found =
                ["a", "b", "c", "cc", "e", "f"].map(|name| previous.take(name.as_bytes()).unwrap().is_some());
            assert_eq!(found, [true, false, true, false, true, false]);
        }
    }
}
