//! Fold directories: once its nodes are there, each becomes a tree, and a node of the one above.
//!
//! Nodes come from any worker in any order. Whoever brings the last one saves the tree and goes on
//! upward, as far as directories become complete; there is no thread that waits for others.

use std::mem;
use std::sync::{Arc, PoisonError};

use tresor_repo::BlobId;
use tresor_repo::handle::Right;

use super::files_cache::Known;
use super::folder::{Folder, Inside};
use super::monitor::{Added, Change, FinishedItem};
use super::worker::Worker;
use crate::error::{Error, Result};
use crate::gojson::{self, Unknown};
use crate::node::Node;
use crate::slots::Slots;
use crate::tree::{SavedTree, TreeSaver};

impl<R: Right> Worker<'_, R> {
    /// Fills a slot; an empty node leaves the entry out.
    pub(super) fn fill(&mut self, folder: &Arc<Folder>, slot: usize, node: Option<Node>) -> Result<()> {
        self.put(folder, slot, node)?;
        self.one_done(Arc::clone(folder))
    }

    /// One thing less is missing in `folder`; if it was the last, the tree is saved, and so on upward.
    pub(super) fn one_done(&mut self, folder: Arc<Folder>) -> Result<()> {
        let mut folder = folder;
        while folder.count_down() {
            self.fold(&folder)?;
            let Some((above, _)) = &folder.above else { break };
            folder = Arc::clone(above);
        }
        Ok(())
    }

    fn put(&mut self, folder: &Folder, slot: usize, node: Option<Node>) -> Result<()> {
        let mut content = folder.lock();
        self.read_known(&mut content)?;
        content.slots().map_or(Ok(()), |slots| slots.put(slot, node, self.run.upload))
    }

    /// Makes a complete directory a tree, and a node of the one above; where it is known to be, it stays there.
    fn fold(&mut self, folder: &Folder) -> Result<()> {
        let taken = mem::replace(&mut *folder.lock(), Inside::Nodes { own: None, slots: Slots::default() });
        match taken {
            Inside::Known { tree, .. } => {
                folder.place.snapshot_path(&mut self.snapshot_path);
                self.remember(folder, tree);
                self.tell_folder(folder, Change::Unmodified, Added::default());
                match (&folder.previous, &folder.above) {
                    (Some(previous), Some((above, slot))) => {
                        self.put(above, *slot, Some((**previous).clone()))
                    }
                    _ => Ok(()),
                }
            }
            Inside::Nodes { own, slots } => {
                let node = self.save_tree(folder, own, slots)?;
                folder.above.as_ref().map_or(Ok(()), |(above, slot)| self.put(above, *slot, node))
            }
        }
    }

    /// Saves the directory's tree and gives its finished node; that of the root is its tree alone.
    fn save_tree(
        &mut self,
        folder: &Folder,
        own: Option<Box<Node>>,
        mut nodes: Slots,
    ) -> Result<Option<Node>> {
        let previous = self.previous_of(folder)?;
        if nodes.lack_any() {
            folder.has_a_flaw();
        }
        let saved = match self.write_tree(folder, &mut nodes) {
            Err(Error::Repo(tresor_repo::Error::TooLarge { .. })) => return self.too_large(folder),
            saved => saved?,
        };
        drop(nodes);
        let SavedTree { saved, length, buffer } = saved;
        self.tree = buffer;

        if folder.above.is_none() {
            *self.run.root.lock().unwrap_or_else(PoisonError::into_inner) = Some(saved.id);
            return Ok(None);
        }
        let own = if folder.was_known { previous.clone() } else { own };
        let Some(mut node) = own else { return Ok(None) };
        node.subtree = Some(saved.id);
        let change = Change::between(previous.as_deref(), &node);
        folder.place.snapshot_path(&mut self.snapshot_path);
        self.remember(folder, saved.id);
        self.tell_folder(folder, change, Added::of(&saved, usize::try_from(length).unwrap_or(usize::MAX)));
        Ok(Some(*node))
    }

    fn write_tree(&mut self, folder: &Folder, nodes: &mut Slots) -> Result<SavedTree> {
        let mut tree = TreeSaver::new(self.run.upload, mem::take(&mut self.tree));
        // They are in order but for the root, whose targets come from several directories.
        match folder.above {
            Some(_) => nodes.write(&mut tree)?,
            None => nodes.write_sorted(&mut tree)?,
        }
        tree.finish(&Unknown::new(), &mut self.saver, None)
    }

    /// A directory that the format cannot hold is left out, as one that cannot be read; without a root there is nothing.
    fn too_large(&mut self, folder: &Folder) -> Result<Option<Node>> {
        folder.place.snapshot_path(&mut self.snapshot_path);
        let path = gojson::lossy(&self.snapshot_path).into_owned();
        if folder.above.is_none() {
            return Err(Error::FolderTooLarge { path });
        }
        self.run.problem(&self.snapshot_path, "save", Error::FolderTooLarge { path });
        Ok(None)
    }

    /// Remembers for the next backup what the directory looks like; its path is in `self.snapshot_path`.
    fn remember(&self, folder: &Folder, tree: BlobId) {
        if let (Some(cache), Some(view)) = (self.run.files_cache, folder.settled_view()) {
            cache.remember(&self.snapshot_path, &Known { view, tree });
        }
    }

    /// Tells that a directory is done; its path is in `self.snapshot_path`.
    fn tell_folder(&self, folder: &Folder, change: Change, added: Added) {
        self.run.counts.dirs.count(change);
        self.run.monitor.finished(&FinishedItem {
            path: &self.snapshot_path,
            is_dir: true,
            change,
            size: 0,
            added,
            seconds: folder.started.elapsed().as_secs_f64(),
        });
    }
}
