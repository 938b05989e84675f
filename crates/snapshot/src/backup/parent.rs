//! What the parent snapshot knows of a directory, and whether it still holds.

use tresor_repo::BlobKind;
use tresor_repo::time::Time;
use tresor_repo::upload::Upload;

use super::options::BackupOptions;
use crate::error::Result;
use crate::fs::{Metadata, Stamp};
use crate::node::{Node, NodeKind};
use crate::tree::Tree;

/// The parent's nodes of one directory, given away in the order of their names.
#[derive(Clone, Default)]
pub(super) struct Previous {
    /// In descending order: the next one is the last.
    nodes: Vec<Node>,
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
        Ok(Previous { nodes })
    }

    /// The parent's node of a name; names must be asked for in ascending order.
    pub(super) fn take(&mut self, name: &[u8]) -> Option<Node> {
        while self.nodes.last().is_some_and(|node| *node.name < *name) {
            self.nodes.pop();
        }
        self.nodes.pop_if(|node| *node.name == *name)
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
            let found = ["a", "b", "c", "cc", "e", "f"].map(|name| previous.take(name.as_bytes()).is_some());
            assert_eq!(found, [true, false, true, false, true, false]);
        }
    }
}
