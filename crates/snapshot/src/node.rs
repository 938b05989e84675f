//! Nodes: one entry of a folder with everything that is kept of it.
//!
//! A node written is byte for byte what the peer writes of the same entry:
//! members in a fixed order, most left out when empty (docs, "Trees").

mod decode;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tresor_repo::BlobId;
use tresor_repo::time::Time;

use crate::gojson::{self, RawJson, Unknown, key};
use crate::mode;
use crate::quote;

pub(crate) use decode::{NodeSeed, Owners};

/// Room for a node of one blob.
const TYPICAL_BYTES: usize = 512;

/// One entry of a folder.
///
/// What most entries lack is kept apart in [`Rare`], as a backup may hold millions of nodes.
/// `==` compares times with their offsets; [`Node::same_as`] does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The raw bytes of the name.
    pub name: Box<[u8]>,
    /// What it is.
    pub kind: NodeKind,
    /// The mode in Go's numbering, see [`crate::mode`].
    pub mode: u32,
    /// When the content was last changed.
    pub mtime: Time,
    /// When it was last read; equal to `mtime` unless asked for otherwise.
    pub atime: Time,
    /// When content or metadata were last changed.
    pub ctime: Time,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The owner's name, if it has one.
    pub user: Option<Arc<str>>,
    /// The group's name, if it has one.
    pub group: Option<Arc<str>>,
    /// The inode's number.
    pub inode: u64,
    /// The number of the device that holds the inode.
    pub device_id: u64,
    /// How many bytes were read of a file.
    pub size: u64,
    /// How many names the inode has; 0 for folders, pipes and sockets.
    pub links: u64,
    /// The blobs of a file's content, in order; always there for a file.
    pub content: Option<Vec<BlobId>>,
    /// The tree blob of a folder's nodes; always there for a folder.
    pub subtree: Option<BlobId>,
    /// What most entries lack.
    pub rare: Option<Box<Rare>>,
}

/// What most entries lack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rare {
    /// The raw bytes a symbolic link points to.
    pub link_target: Box<[u8]>,
    /// In the order the system lists them.
    pub extended_attributes: Vec<ExtendedAttribute>,
    /// Attributes of other systems: an object in canonical form.
    pub generic_attributes: Option<RawJson>,
    /// The number of the device that a device file stands for.
    pub device: u64,
    /// What went wrong when the node was made.
    pub error: Box<str>,
    /// Members that we do not know.
    pub unknown: Unknown,
}

/// An attribute with a free name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtendedAttribute {
    /// The raw bytes of the name, with its namespace.
    pub name: Box<[u8]>,
    /// The value; `None` stands for a stored `null`.
    pub value: Option<Vec<u8>>,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A block device.
    Dev,
    /// A character device.
    CharDev,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// Something the system itself has no word for.
    Irregular,
    /// A word that others wrote and we do not know.
    Other(Box<str>),
}

impl NodeKind {
    const KNOWN: [NodeKind; 8] = [
        NodeKind::File,
        NodeKind::Dir,
        NodeKind::Symlink,
        NodeKind::Dev,
        NodeKind::CharDev,
        NodeKind::Fifo,
        NodeKind::Socket,
        NodeKind::Irregular,
    ];

    /// The stored word.
    pub fn as_str(&self) -> &str {
        match self {
            NodeKind::File => "file",
            NodeKind::Dir => "dir",
            NodeKind::Symlink => "symlink",
            NodeKind::Dev => "dev",
            NodeKind::CharDev => "chardev",
            NodeKind::Fifo => "fifo",
            NodeKind::Socket => "socket",
            NodeKind::Irregular => "irregular",
            NodeKind::Other(word) => word,
        }
    }

    /// The kind for a stored word.
    pub fn from_word(word: &str) -> NodeKind {
        let known = NodeKind::KNOWN.into_iter().find(|kind| kind.as_str() == word);
        known.unwrap_or_else(|| NodeKind::Other(word.into()))
    }

    /// The kind of a file with this `st_mode`.
    pub fn from_st_mode(st_mode: u32) -> NodeKind {
        match mode::from_st_mode(st_mode) & !(mode::PERMISSIONS | mode::SETUID | mode::SETGID | mode::STICKY)
        {
            0 => NodeKind::File,
            mode::DIR => NodeKind::Dir,
            mode::SYMLINK => NodeKind::Symlink,
            mode::DEVICE => NodeKind::Dev,
            mode::NAMED_PIPE => NodeKind::Fifo,
            mode::SOCKET => NodeKind::Socket,
            mode::IRREGULAR => NodeKind::Irregular,
            _ => NodeKind::CharDev,
        }
    }
}

impl Node {
    /// Makes a node of which nothing but name and kind are known.
    pub fn new(name: impl Into<Box<[u8]>>, kind: NodeKind) -> Node {
        Node {
            name: name.into(),
            kind,
            mode: 0,
            mtime: Time::ZERO,
            atime: Time::ZERO,
            ctime: Time::ZERO,
            uid: 0,
            gid: 0,
            user: None,
            group: None,
            inode: 0,
            device_id: 0,
            size: 0,
            links: 0,
            content: None,
            subtree: None,
            rare: None,
        }
    }

    /// What most entries lack, to be written to.
    pub fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// The raw bytes a symbolic link points to; empty if there are none.
    pub fn link_target(&self) -> &[u8] {
        self.rare.as_ref().map_or(&[], |rare| &rare.link_target)
    }

    /// The extended attributes, in stored order.
    pub fn extended_attributes(&self) -> &[ExtendedAttribute] {
        self.rare.as_ref().map_or(&[], |rare| &rare.extended_attributes)
    }

    /// The number of the device that a device file stands for.
    pub fn device(&self) -> u64 {
        self.rare.as_ref().map_or(0, |rare| rare.device)
    }

    /// The blobs of a file's content; none if they are missing.
    pub fn blobs(&self) -> &[BlobId] {
        self.content.as_deref().unwrap_or_default()
    }

    /// The name for people, with U+FFFD for what is not UTF-8.
    pub fn display_name(&self) -> std::borrow::Cow<'_, str> {
        gojson::lossy(&self.name)
    }

    /// Compares all that is known of two nodes, their times as instants.
    pub fn same_as(&self, other: &Node) -> bool {
        let same_times = self.mtime.same_instant(&other.mtime)
            && self.atime.same_instant(&other.atime)
            && self.ctime.same_instant(&other.ctime);
        same_times
            && Node { mtime: other.mtime, atime: other.atime, ctime: other.ctime, ..self.clone() } == *other
    }

    /// Appends the stored form.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.reserve(TYPICAL_BYTES);
        out.extend_from_slice(b"{\"name\":");
        write_name(&self.name, out);
        key!(out, "type");
        gojson::write_string(self.kind.as_str().as_bytes(), out);
        if self.mode != 0 {
            key!(out, "mode");
            gojson::write_number(self.mode.into(), out);
        }
        self.write_times(out);
        self.write_owners(out);
        self.write_numbers(out);
        if let Some(rare) = &self.rare {
            rare.write(out);
        }
        self.write_content(out);
        if let Some(rare) = &self.rare {
            if !rare.error.is_empty() {
                key!(out, "error");
                gojson::write_string(rare.error.as_bytes(), out);
            }
            gojson::write_unknown(&rare.unknown, out);
        }
        out.push(b'}');
    }

    fn write_times(&self, out: &mut Vec<u8>) {
        key!(out, "mtime");
        let start = out.len();
        gojson::write_time(&self.mtime, out);
        let mtime = start..out.len();
        key!(out, "atime");
        if self.atime == self.mtime {
            out.extend_from_within(mtime);
        } else {
            gojson::write_time(&self.atime, out);
        }
        key!(out, "ctime");
        gojson::write_time(&self.ctime, out);
    }

    fn write_owners(&self, out: &mut Vec<u8>) {
        key!(out, "uid");
        gojson::write_number(self.uid.into(), out);
        key!(out, "gid");
        gojson::write_number(self.gid.into(), out);
        if let Some(user) = self.user.as_ref().filter(|user| !user.is_empty()) {
            key!(out, "user");
            gojson::write_string(user.as_bytes(), out);
        }
        if let Some(group) = self.group.as_ref().filter(|group| !group.is_empty()) {
            key!(out, "group");
            gojson::write_string(group.as_bytes(), out);
        }
    }

    fn write_numbers(&self, out: &mut Vec<u8>) {
        if self.inode != 0 {
            key!(out, "inode");
            gojson::write_number(self.inode, out);
        }
        if self.device_id != 0 {
            key!(out, "device_id");
            gojson::write_number(self.device_id, out);
        }
        if self.size != 0 {
            key!(out, "size");
            gojson::write_number(self.size, out);
        }
        if self.links != 0 {
            key!(out, "links");
            gojson::write_number(self.links, out);
        }
    }

    fn write_content(&self, out: &mut Vec<u8>) {
        key!(out, "content");
        match &self.content {
            None => out.extend_from_slice(b"null"),
            Some(blobs) => {
                out.reserve(2 + 67 * blobs.len());
                out.push(b'[');
                for (index, blob) in blobs.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    gojson::write_id(blob.as_bytes(), out);
                }
                out.push(b']');
            }
        }
        if let Some(subtree) = &self.subtree {
            key!(out, "subtree");
            gojson::write_id(subtree.as_bytes(), out);
        }
    }
}

impl Rare {
    /// Appends what stands between `links` and `content`.
    fn write(&self, out: &mut Vec<u8>) {
        if !self.link_target.is_empty() {
            key!(out, "linktarget");
            gojson::write_string(&self.link_target, out);
            if str::from_utf8(&self.link_target).is_err() {
                key!(out, "linktarget_raw");
                write_base64(&self.link_target, out);
            }
        }
        if !self.extended_attributes.is_empty() {
            key!(out, "extended_attributes");
            for (index, attribute) in self.extended_attributes.iter().enumerate() {
                out.push(if index == 0 { b'[' } else { b',' });
                attribute.write(out);
            }
            out.push(b']');
        }
        if let Some(attributes) = &self.generic_attributes {
            key!(out, "generic_attributes");
            out.extend_from_slice(attributes.as_str().as_bytes());
        }
        if self.device != 0 {
            key!(out, "device");
            gojson::write_number(self.device, out);
        }
    }
}

impl ExtendedAttribute {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"name\":");
        gojson::write_string(&self.name, out);
        key!(out, "value");
        match &self.value {
            Some(value) => write_base64(value, out),
            None => out.extend_from_slice(b"null"),
        }
        out.push(b'}');
    }
}

/// Appends a name as a JSON string of its quoted form.
pub fn write_name(name: &[u8], out: &mut Vec<u8>) {
    let stands_for_itself = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if name.iter().all(stands_for_itself) {
        return gojson::write_string(name, out);
    }
    let mut quoted = Vec::with_capacity(name.len() * 2);
    quote::quote(name, &mut quoted);
    gojson::write_string(&quoted, out);
}

fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
    out.push(b'"');
}

/// Says whether a name can name an entry of a folder, and so cannot lead out of it.
pub fn is_entry_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') && !name.contains(&0)
}
