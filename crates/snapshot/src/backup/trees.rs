//! Fold directories: once its nodes are there, each becomes a tree, and a node of the one above.
//!
//! Nodes come from any worker in any order. Whoever brings the last one saves the tree and goes on
//! upward, as far as directories become complete; there is no thread that waits for others.

use std::sync::{Arc, PoisonError};

use tresor_repo::BlobKind;
use tresor_repo::handle::Right;

use super::folder::Folder;
use super::monitor::{Added, Change, FinishedItem};
use super::worker::Worker;
use crate::error::Result;
use crate::node::Node;
use crate::tree::TreeWriter;

impl<R: Right> Worker<'_, R> {
    /// Fills a slot; an empty node leaves the entry out.
    pub(super) fn fill(&mut self, folder: &Arc<Folder>, slot: usize, node: Option<Node>) -> Result<()> {
        folder.put(slot, node);
        self.one_done(Arc::clone(folder))
    }

    /// One thing less is missing in `folder`; if it was the last, the tree is saved, and so on upward.
    pub(super) fn one_done(&mut self, folder: Arc<Folder>) -> Result<()> {
        let mut folder = folder;
        while folder.count_down() {
            let node = self.save_tree(&folder)?;
            let Some((above, slot)) = &folder.above else { break };
            above.put(*slot, node);
            folder = Arc::clone(above);
        }
        Ok(())
    }

    /// Saves the directory's tree and gives its finished node; that of the root is its tree alone.
    fn save_tree(&mut self, folder: &Folder) -> Result<Option<Node>> {
        let mut nodes = std::mem::take(&mut *folder.slots.lock().unwrap_or_else(PoisonError::into_inner));
        // They are in order but for the root, whose targets come from several directories.
        let name = |node: &Node| node.name.clone();
        if folder.above.is_none() {
            nodes.sort_by_cached_key(|node| node.as_ref().map(name));
        }
        let mut writer = TreeWriter::with_buffer(std::mem::take(&mut self.tree));
        for node in nodes.iter().flatten() {
            writer.push(node)?;
        }
        drop(nodes);
        self.tree = writer.finish();
        let saved = self.saver.save_blob(BlobKind::Tree, &self.tree)?;

        let Some(mut node) = folder.node.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            *self.run.root.lock().unwrap_or_else(PoisonError::into_inner) = Some(saved.id);
            return Ok(None);
        };
        node.subtree = Some(saved.id);
        let change = Change::between(folder.previous.as_deref(), &node);
        self.run.counts.dirs.count(change);
        folder.place.snapshot_path(&mut self.snapshot_path);
        self.run.monitor.finished(&FinishedItem {
            path: &self.snapshot_path,
            is_dir: true,
            change,
            size: 0,
            added: Added::of(&saved, self.tree.len()),
            seconds: folder.started.elapsed().as_secs_f64(),
        });
        Ok(Some(node))
    }
}
