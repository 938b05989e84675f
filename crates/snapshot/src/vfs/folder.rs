//! Decoded trees, kept in memory within a bound of bytes.

use super::lru::Lru;
use super::names;
use crate::error::Result;
use crate::node::Node;
use crate::tree::Tree;
use std::sync::{Arc, Mutex, PoisonError};
use tresor_repo::handle::Read;
use tresor_repo::index::Index;
use tresor_repo::{BlobId, BlobKind, Repository};

/// The nodes of a tree that can be shown, sorted by the names they are shown under.
pub(super) type Folder = Arc<[(Box<[u8]>, Arc<Node>)]>;

/// Finds the node shown under a name.
pub(super) fn find<'a>(folder: &'a Folder, name: &[u8]) -> Option<&'a (Box<[u8]>, Arc<Node>)> {
    folder.binary_search_by(|entry| (*entry.0).cmp(name)).ok().map(|place| &folder[place])
}

/// The trees that were looked at last.
pub(super) struct Folders {
    kept: Mutex<Lru<BlobId, Folder>>,
}

impl Folders {
    pub(super) fn new(limit: u64) -> Self {
        Folders { kept: Mutex::new(Lru::new(limit)) }
    }

    /// The folder of a tree, loaded if it is not at hand.
    pub(super) fn get(&self, repo: &Repository<Read>, index: &Index, tree: &BlobId) -> Result<Folder> {
        if let Some(folder) = self.kept().get(tree) {
            return Ok(folder);
        }
        let json = repo.load_blob(index, BlobKind::Tree, tree)?;
        let nodes = Tree::decode(&json)?.nodes;
        // About what the nodes take: each its own size, and its texts once or twice.
        let bytes = json.len() + nodes.len() * (size_of::<Node>() + 64);
        let shown = names::shown(nodes).into_iter();
        let folder: Folder = shown.map(|(name, node)| (name, Arc::new(node))).collect();
        self.kept().insert(*tree, Arc::clone(&folder), bytes as u64, 0);
        Ok(folder)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Lru<BlobId, Folder>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
