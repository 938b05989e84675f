//! A backup of one file whose content comes from a stream, in directories that nobody has.

use std::sync::Arc;
use std::time::Instant;

use tresor_repo::handle::Right;

use super::content::Content;
use super::folder::{Folder, Inside};
use super::jobs::{FileJob, Reading, Scanned};
use super::options::Stream;
use super::place::Place;
use super::worker::Worker;
use crate::error::Result;
use crate::mode;
use crate::node::{Node, NodeKind};

impl<R: Right> Worker<'_, R> {
    /// Reads the stream into the snapshot.
    pub(super) fn read_stream(&mut self, stream: Stream<'_>) -> Result<()> {
        let mut components: Vec<&[u8]> =
            stream.path.split(|&byte| byte == b'/').filter(|component| !component.is_empty()).collect();
        let name: Box<[u8]> = components.pop().unwrap_or_default().into();

        let mut place = Arc::new(Place::root(b"/", b"/"));
        let mut folder = Arc::new(Folder::root(Arc::clone(&place), vec![None].into()));
        let tree = self.run.options.parent.map(|(_, tree)| tree);
        let mut nodes = self.previous(tree.as_ref(), b"/")?;
        for component in components {
            let previous = nodes.take(component)?.map(Box::new);
            nodes = self.previous(previous.as_ref().and_then(|node| node.subtree.as_ref()), &stream.path)?;
            place = Arc::new(Place::child(&place, component.into(), None, false));
            let node = self.made_up(component, NodeKind::Dir, mode::DIR | 0o755);
            let above = (Arc::clone(&folder), 0);
            let inside = Inside::Nodes { own: Some(Box::new(node)), slots: vec![None].into() };
            let below = Folder::new(above, Arc::clone(&place), inside, previous, 1);
            self.one_done(std::mem::replace(&mut folder, Arc::new(below)))?;
        }
        self.one_done(Arc::clone(&folder))?;

        let previous = nodes.take(&name)?.map(Box::new);
        let node = self.made_up(&name, NodeKind::File, 0o644);
        let job = FileJob { slot: 0, name, disk_name: None, previous };
        let scanned = Arc::new(Scanned::new(place, folder, None));
        self.path.clone_from(&stream.path);
        self.run.monitor.started(&stream.path);
        let content = Content::Stream { reader: stream.reader, finish: Some(stream.finish) };
        self.read_content(content, Reading::new(scanned, job, node, Instant::now()))
    }

    /// A node of which nothing is on disk: it belongs to whoever makes the backup.
    fn made_up(&self, name: &[u8], kind: NodeKind, mode: u32) -> Node {
        let options = self.run.options;
        let (uid, gid, time) = (options.uid, options.gid, options.time);
        Node { mode, mtime: time, atime: time, ctime: time, uid, gid, ..Node::new(name, kind) }
    }
}
