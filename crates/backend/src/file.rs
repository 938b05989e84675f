//! The kinds of repository files, and a file's name.

use crate::Id;
use std::fmt;

/// What a repository file is for (format: "File types and default layout").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileKind {
    /// The one file that makes a folder a repository; it has no id.
    Config,
    /// A master key sealed by a password.
    Key,
    /// A lock: says who is using the repository.
    Lock,
    /// A snapshot.
    Snapshot,
    /// An index file: which blob is in which pack.
    Index,
    /// A pack: many blobs in one file.
    Pack,
}

impl FileKind {
    /// Every kind that is named by an id, in the order in which `init` makes their folders.
    pub const WITH_ID: [FileKind; 5] =
        [FileKind::Pack, FileKind::Index, FileKind::Key, FileKind::Lock, FileKind::Snapshot];

    /// The word restic's messages use.
    pub const fn word(self) -> &'static str {
        match self {
            FileKind::Config => "config",
            FileKind::Key => "key",
            FileKind::Lock => "lock",
            FileKind::Snapshot => "snapshot",
            FileKind::Index => "index",
            FileKind::Pack => "data",
        }
    }
}

/// The full name of a repository file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileName {
    kind: FileKind,
    id: Id,
}

impl FileName {
    /// The config file: the only one without an id.
    pub const CONFIG: FileName = FileName { kind: FileKind::Config, id: Id::from_bytes([0; 32]) };

    /// The file of `kind` called `id`; for a config the id means nothing.
    pub const fn new(kind: FileKind, id: Id) -> Self {
        match kind {
            FileKind::Config => FileName::CONFIG,
            _ => FileName { kind, id },
        }
    }

    /// What the file is for.
    pub const fn kind(&self) -> FileKind {
        self.kind
    }

    /// The id; all zero for the config.
    pub const fn id(&self) -> Id {
        self.id
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            FileKind::Config => write!(f, "<config/>"),
            kind => write!(f, "<{}/{:.10}>", kind.word(), self.id),
        }
    }
}

impl fmt::Debug for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
