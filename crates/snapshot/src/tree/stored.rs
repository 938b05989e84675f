//! Stored trees, in memory if they are short, else in a file.

use tresor_repo::handle::Right;
use tresor_repo::index::Index;
use tresor_repo::load::{Loaded, Loader, LongBlob, LongReader};
use tresor_repo::{BlobId, BlobKind};

use super::reader::NodeReader;
use super::{Tree, for_each_node};
use crate::error::{Error, Result};
use crate::node::Node;

/// A tree's plaintext, wherever it is.
pub enum StoredTree<'p> {
    /// In memory.
    Short(&'p [u8]),
    /// Too long for that.
    Long(LongTree),
}

/// A tree that is read from a file, as often as need be.
#[derive(Clone)]
pub struct LongTree(LongBlob);

/// The nodes of a long tree.
pub type LongNodes = NodeReader<LongReader>;

impl<'p> StoredTree<'p> {
    /// Loads a tree; a short one into `plain`.
    ///
    /// # Errors
    /// Those of the repository.
    pub fn load<R: Right>(
        loader: &mut Loader<'_, R>,
        index: &Index,
        tree: &BlobId,
        plain: &'p mut Vec<u8>,
    ) -> tresor_repo::Result<StoredTree<'p>> {
        Ok(match loader.load_any(index, BlobKind::Tree, tree, plain)? {
            Loaded::Short(bytes) => StoredTree::Short(bytes),
            Loaded::Long(blob) => StoredTree::Long(LongTree(blob)),
        })
    }

    /// Hands each node to `visit`, in stored order.
    ///
    /// # Errors
    /// As for [`for_each_node`].
    pub fn for_each_node<E: From<Error>>(&self, visit: impl FnMut(Node) -> Result<(), E>) -> Result<(), E> {
        match self {
            StoredTree::Short(bytes) => for_each_node(bytes, visit),
            StoredTree::Long(tree) => tree.for_each_node(visit),
        }
    }

    /// Decodes it as a whole, if it is short.
    ///
    /// # Errors
    /// When it is no tree: of a long one nothing is read yet.
    pub fn decode(self) -> Result<Contents> {
        match self {
            StoredTree::Short(bytes) => Tree::decode(bytes).map(Contents::Whole),
            StoredTree::Long(tree) => Ok(Contents::Long(tree)),
        }
    }
}

impl LongTree {
    /// The nodes from the first on.
    pub fn nodes(&self) -> LongNodes {
        NodeReader::new(self.0.reader())
    }

    /// Hands each node to `visit`, in stored order.
    ///
    /// # Errors
    /// As for [`for_each_node`].
    pub fn for_each_node<E: From<Error>>(
        &self,
        mut visit: impl FnMut(Node) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut nodes = self.nodes();
        while let Some(node) = nodes.next_node()? {
            visit(node)?;
        }
        Ok(())
    }
}

/// What a folder holds.
pub enum Contents {
    /// All of it in memory.
    Whole(Tree),
    /// More than is held in memory.
    Long(LongTree),
}

impl Contents {
    /// Hands each node to `visit`, in stored order.
    ///
    /// # Errors
    /// That of `visit`; that a long tree cannot be decoded or read.
    pub fn for_each_node(&self, mut visit: impl FnMut(&Node) -> Result<()>) -> Result<()> {
        match self {
            Contents::Whole(tree) => tree.nodes.iter().try_for_each(visit),
            Contents::Long(tree) => tree.for_each_node(|node| visit(&node)),
        }
    }

    /// Takes the nodes out, in stored order.
    pub fn into_nodes(self) -> Nodes {
        match self {
            Contents::Whole(tree) => Nodes::Whole(tree.nodes.into_iter()),
            Contents::Long(tree) => Nodes::Long(Box::new(tree.nodes())),
        }
    }

    /// The node of a name, whatever the order of the nodes.
    ///
    /// # Errors
    /// As [`for_each_node`](Self::for_each_node).
    pub fn find(&self, name: &[u8]) -> Result<Option<Node>> {
        match self {
            Contents::Whole(tree) => Ok(tree.find(name).cloned()),
            Contents::Long(tree) => {
                let mut nodes = tree.nodes();
                while let Some(node) = nodes.next_node()? {
                    if *node.name == *name {
                        return Ok(Some(node));
                    }
                }
                Ok(None)
            }
        }
    }
}

/// The nodes of a folder, one after the other.
pub enum Nodes {
    /// Out of memory.
    Whole(std::vec::IntoIter<Node>),
    /// Out of a file.
    Long(Box<LongNodes>),
}

impl Nodes {
    /// The next node; none behind the last one.
    ///
    /// # Errors
    /// That a long tree cannot be decoded or read.
    pub fn next_node(&mut self) -> Result<Option<Node>> {
        match self {
            Nodes::Whole(nodes) => Ok(nodes.next()),
            Nodes::Long(nodes) => nodes.next_node(),
        }
    }
}
