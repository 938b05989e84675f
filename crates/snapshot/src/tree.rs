//! Trees: the nodes of one folder, written in the order of their names.
//!
//! The stored form ends with a newline, which counts for the id. Reading takes what
//! the peer takes: nodes in any order, other members beside them, anything after.

mod decode;
mod reader;
mod stored;
mod saver;

#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::gojson::{self, Unknown};
use crate::node::Node;

pub use decode::for_each_node;
pub use reader::NodeReader;
pub(crate) use saver::{SavedTree, TreeSaver};
pub use stored::{Contents, LongNodes, LongTree, Nodes, StoredTree};

/// The length of `{"name":"","type":"x"},`: no node that means anything is shorter.
const LEAST_NODE_BYTES: usize = 23;

/// All nodes of one folder in memory.
///
/// Where the nodes are only passed through, [`TreeWriter`] and [`for_each_node`] need less.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// In stored order: by name in every tree that we write.
    pub nodes: Vec<Node>,
    /// Members beside the nodes, which we do not know.
    pub unknown: Unknown,
}

impl Tree {
    /// Reads the stored form.
    ///
    /// # Errors
    /// Also when there are more nodes than could have name and kind: a tree made to
    /// fill our memory, as a node takes more than a hundred times the bytes of `{}`.
    pub fn decode(bytes: &[u8]) -> Result<Tree> {
        let most = bytes.len() / LEAST_NODE_BYTES;
        let mut nodes = Vec::new();
        let unknown = decode::walk(bytes, &mut |node| {
            if nodes.len() >= most {
                let source = serde::de::Error::custom("more nodes than the tree's size allows");
                return Err(Error::DecodeTree { source });
            }
            nodes.push(node);
            Ok(())
        })?;
        Ok(Tree { nodes, unknown })
    }

    /// Writes the stored form.
    ///
    /// # Errors
    /// When the nodes are not in strictly ascending order of their names.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let mut writer = TreeWriter::new();
        for node in &self.nodes {
            writer.push(node)?;
        }
        Ok(writer.finish_with(&self.unknown))
    }

    /// Finds the node of a name, whatever the order of the nodes.
    pub fn find(&self, name: &[u8]) -> Option<&Node> {
        self.nodes.iter().find(|node| &*node.name == name)
    }
}

/// Writes a tree node by node.
#[derive(Debug)]
pub struct TreeWriter {
    out: Vec<u8>,
    last: Option<Box<[u8]>>,
}

impl Default for TreeWriter {
    fn default() -> TreeWriter {
        TreeWriter::new()
    }
}

impl TreeWriter {
    /// Begins a tree.
    pub fn new() -> TreeWriter {
        TreeWriter::with_buffer(Vec::new())
    }

    /// Begins a tree in a buffer whose content is dropped and whose memory is used again.
    pub fn with_buffer(mut buffer: Vec<u8>) -> TreeWriter {
        buffer.clear();
        buffer.extend_from_slice(b"{\"nodes\":[");
        TreeWriter { out: buffer, last: None }
    }

    /// Adds the next node.
    ///
    /// # Errors
    /// [`Error::DuplicateNode`] or [`Error::UnsortedNode`]: nothing was added, and the
    /// caller may go on without the node.
    pub fn push(&mut self, node: &Node) -> Result<()> {
        self.begin_node(&node.name)?;
        node.write(&mut self.out);
        Ok(())
    }

    /// Adds the next node in the form [`Node::write`] gave it; errors as for [`TreeWriter::push`].
    pub fn push_written(&mut self, name: &[u8], node: &[u8]) -> Result<()> {
        self.begin_node(name)?;
        self.out.extend_from_slice(node);
        Ok(())
    }

    fn begin_node(&mut self, name: &[u8]) -> Result<()> {
        match self.last.as_deref() {
            Some(last) if last == name => {
                return Err(Error::DuplicateNode { name: gojson::lossy(name).into_owned() });
            }
            Some(last) if last > name => {
                return Err(Error::UnsortedNode { name: gojson::lossy(name).into_owned() });
            }
            Some(_) => self.out.push(b','),
            None => {}
        }
        self.last = Some(name.into());
        Ok(())
    }

    /// How many bytes were written so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// What was written and not dropped yet.
    pub(crate) fn written(&self) -> &[u8] {
        &self.out
    }

    /// Gives up what was written so far: it is kept elsewhere.
    pub(crate) fn drop_written(&mut self) {
        self.out.clear();
    }

    /// Says whether no node was added yet.
    pub fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// Ends the tree and gives its stored form.
    pub fn finish(self) -> Vec<u8> {
        self.finish_with(&Unknown::new())
    }

    /// Ends the tree with members that another writer had put beside the nodes.
    pub fn finish_with(mut self, unknown: &Unknown) -> Vec<u8> {
        self.out.push(b']');
        gojson::write_unknown(unknown, &mut self.out);
        self.out.extend_from_slice(b"}\n");
        self.out
    }
}
