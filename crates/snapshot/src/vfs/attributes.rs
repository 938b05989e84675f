//! What is said of an entry without opening it.

use crate::mode;
use crate::node::{Node, NodeKind};
use tresor_repo::time::Time;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A block device.
    BlockDevice,
    /// A character device.
    CharDevice,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

impl Kind {
    /// The kind of a node; what no folder can hold passes for a file, and is never shown.
    pub(super) fn of(node: &Node) -> Kind {
        match node.kind {
            NodeKind::Dir => Kind::Dir,
            NodeKind::Symlink => Kind::Symlink,
            NodeKind::Dev => Kind::BlockDevice,
            NodeKind::CharDev => Kind::CharDevice,
            NodeKind::Fifo => Kind::Fifo,
            NodeKind::Socket => Kind::Socket,
            NodeKind::File | NodeKind::Irregular | NodeKind::Other(_) => Kind::File,
        }
    }
}

/// What is said of an entry without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    /// The entry's number.
    pub inode: u64,
    /// What it is.
    pub kind: Kind,
    /// Permissions with set-id and sticky, as `chmod` takes them.
    pub permissions: u32,
    /// Bytes of a file or a link's target; 0 for others.
    pub size: u64,
    /// Names that the inode has.
    pub links: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// What a device file stands for.
    pub device: u64,
    /// When the content was last changed.
    pub mtime: Time,
    /// When it was last read.
    pub atime: Time,
    /// When anything of it was last changed.
    pub ctime: Time,
}

impl Attributes {
    /// Of a folder of ours or a snapshot's root: readable by all, of this time.
    pub(super) fn of_folder(inode: u64, links: u32, (uid, gid): (u32, u32), time: Time) -> Attributes {
        let (mtime, atime, ctime) = (time, time, time);
        let (kind, permissions, size, device) = (Kind::Dir, 0o555, 0, 0);
        Attributes { inode, kind, permissions, size, links, uid, gid, device, mtime, atime, ctime }
    }

    /// Of a node, with the owner that is to be shown.
    pub(super) fn of_node(inode: u64, node: &Node, (uid, gid): (u32, u32)) -> Attributes {
        let kind = Kind::of(node);
        let size = match kind {
            Kind::File => node.size,
            Kind::Symlink => node.link_target().len() as u64,
            _ => 0,
        };
        Attributes {
            inode,
            kind,
            permissions: mode::to_chmod(node.mode),
            size,
            links: if kind == Kind::Dir { 2 } else { u32::try_from(node.links).unwrap_or(u32::MAX).max(1) },
            uid,
            gid,
            device: node.device(),
            mtime: node.mtime,
            atime: node.atime,
            ctime: node.ctime,
        }
    }
}
