//! Inode numbers: the same for the same entry in every mount of a repository.
//!
//! 64 bits of a hash with the repository's id in it, which nobody knows who cannot open the repository: so nobody
//! who only chooses names can make two entries collide.

use crate::node::{Node, NodeKind};
use sha2::{Digest, Sha256};
use tresor_repo::RepoId;

/// The root's number.
pub(super) const ROOT: u64 = 1;

/// Numbers entries.
pub(super) struct Numbers {
    repository: RepoId,
}

impl Numbers {
    pub(super) fn new(repository: RepoId) -> Self {
        Numbers { repository }
    }

    /// The number of a folder of ours, or of a link in it, and of a snapshot there.
    pub(super) fn of_path(&self, path: &str, about: &[u8]) -> u64 {
        if path.is_empty() { ROOT } else { self.hash(&[b"path", path.as_bytes(), about]) }
    }

    /// The number of a node in the folder `parent`, within the snapshot shown as `place`.
    ///
    /// Names of one file have one number: those with the same device, inode, content and target.
    pub(super) fn of_node(&self, place: u64, parent: u64, name: &[u8], node: &Node) -> u64 {
        if node.links < 2 || node.kind == NodeKind::Dir {
            return self.hash(&[b"name", &parent.to_le_bytes(), name]);
        }
        let numbers = [place, node.device_id, node.inode, node.size, node.device(), node.mode.into()];
        let mut about: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        about.extend(node.blobs().iter().flat_map(|blob| *blob.as_bytes()));
        self.hash(&[b"file", node.kind.as_str().as_bytes(), node.link_target(), &about])
    }

    fn hash(&self, parts: &[&[u8]]) -> u64 {
        let mut hash = Sha256::new();
        hash.update(self.repository.as_bytes());
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let mut first = [0; 8];
        first.copy_from_slice(&hash.finalize()[..8]);
        // 0 means none, 1 is the root.
        u64::from_le_bytes(first).max(ROOT + 1)
    }
}
