//! From the metadata of an entry to its node.

use tresor_repo::time::{Time, Zone};

use crate::fs::{Accounts, Metadata, Stamp};
use crate::mode;
use crate::node::{ExtendedAttribute, Node, NodeKind};

/// Makes nodes in one way for the whole backup.
pub(super) struct NodeMaker<'a> {
    pub(super) zone: Zone,
    pub(super) accounts: &'a Accounts,
    /// Whether the access time is stored as it is.
    pub(super) with_atime: bool,
}

impl NodeMaker<'_> {
    /// The node of an entry, still without content, subtree, link target and extended attributes.
    pub(super) fn node(&self, name: &[u8], metadata: &Metadata) -> Node {
        let kind = metadata.kind();
        let mtime = self.time(metadata.mtime);
        let counts_links = !matches!(kind, NodeKind::Dir | NodeKind::Fifo | NodeKind::Socket);
        let mut node = Node {
            mode: mode::from_st_mode(metadata.st_mode),
            mtime,
            atime: if self.with_atime { self.time(metadata.atime) } else { mtime },
            ctime: self.time(metadata.ctime),
            uid: metadata.uid,
            gid: metadata.gid,
            user: self.accounts.user(metadata.uid),
            group: self.accounts.group(metadata.gid),
            inode: metadata.inode,
            device_id: metadata.device,
            size: if kind == NodeKind::File { metadata.size } else { 0 },
            links: if counts_links { metadata.links } else { 0 },
            ..Node::new(name, kind)
        };
        if matches!(node.kind, NodeKind::Dev | NodeKind::CharDev) && metadata.stands_for != 0 {
            node.rare_mut().device = metadata.stands_for;
        }
        node
    }

    fn time(&self, stamp: Stamp) -> Time {
        self.zone.local(stamp.seconds, stamp.nanoseconds)
    }
}

/// Gives a node its extended attributes, if there are any.
pub(super) fn attach(node: &mut Node, attributes: Vec<ExtendedAttribute>) {
    if !attributes.is_empty() {
        node.rare_mut().extended_attributes = attributes;
    }
}
