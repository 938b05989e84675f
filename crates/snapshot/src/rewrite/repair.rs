//! The edit that takes out what is damaged, so that the rest can be used.

use tresor_repo::BlobKind;
use tresor_repo::index::Index;

use crate::error::{Error, Result};
use crate::node::{Node, NodeKind};

use super::trees::{Edit, Edited};

/// What was repaired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repaired {
    /// Blobs of the file are in no index; the file is shorter now.
    MissingContent,
    /// The file said it had another size than its blobs give.
    WrongSize,
    /// The node was of a kind that no file system knows, and is gone.
    InvalidKind(String),
    /// The directory cannot be read, and is empty now.
    UnreadableDirectory,
    /// The root cannot be read; nothing is left.
    UnreadableRoot,
}

/// Repairs against an index that must be right, and tells what it does.
pub struct Repair<'a> {
    index: &'a Index,
    told: &'a mut dyn FnMut(Repaired, &[u8]),
}

impl<'a> Repair<'a> {
    /// A repair that takes for lost what `index` does not have.
    pub fn new(index: &'a Index, told: &'a mut dyn FnMut(Repaired, &[u8])) -> Self {
        Repair { index, told }
    }

    fn file(&mut self, path: &[u8], node: &Node) -> Result<Edited> {
        let (mut content, mut size) = (Vec::with_capacity(node.blobs().len()), 0_u64);
        for blob in node.blobs() {
            if let Some(length) = self.index.plain_length(BlobKind::Data, blob)? {
                content.push(*blob);
                size = size.saturating_add(length.into());
            }
        }
        if content.len() < node.blobs().len() {
            (self.told)(Repaired::MissingContent, path);
        } else if size != node.size {
            (self.told)(Repaired::WrongSize, path);
        } else if node.content.is_some() {
            return Ok(Edited::Kept);
        }
        Ok(Edited::Changed(Box::new(Node { content: Some(content), size, ..node.clone() })))
    }
}

impl Edit for Repair<'_> {
    const DEPENDS_ON_PATH: bool = false;
    const KNOWN_ONLY: bool = false;

    fn node(&mut self, path: &[u8], node: &Node) -> Result<Edited> {
        Ok(match &node.kind {
            NodeKind::File => self.file(path, node)?,
            NodeKind::Irregular => self.invalid(path, node),
            NodeKind::Other(word) if word.is_empty() => self.invalid(path, node),
            _ => Edited::Kept,
        })
    }

    /// Only what is damaged for good is given up: what cannot be had just now may be there tomorrow.
    fn broken(&mut self, path: &[u8], error: Error) -> Result<bool> {
        if !error.is_damage() {
            return Err(error);
        }
        let what = if path == b"/" { Repaired::UnreadableRoot } else { Repaired::UnreadableDirectory };
        (self.told)(what, path);
        Ok(true)
    }
}

impl Repair<'_> {
    fn invalid(&mut self, path: &[u8], node: &Node) -> Edited {
        (self.told)(Repaired::InvalidKind(node.kind.as_str().to_owned()), path);
        Edited::Dropped
    }
}
