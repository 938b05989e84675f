//! Whom a backup tells how it fares, and what.

use tresor_repo::upload::Saved;
use tresor_repo::{Monitor, Problem};

use crate::node::Node;

/// What a backup has to tell while it runs; called from several threads.
pub trait BackupMonitor: Monitor {
    /// The estimate found one more item: `files` is 1 for a regular file of `bytes`, else 0.
    fn scanned(&self, _files: u64, _bytes: u64) {}
    /// The estimate is complete.
    fn scan_finished(&self) {}
    /// The estimate cannot look at something; the backup will meet it again, and count it then.
    fn scan_problem(&self, _problem: &Problem) {}
    /// Reading of a file begins; its path in the snapshot.
    fn started(&self, _path: &[u8]) {}
    /// Bytes of a file were read.
    fn read(&self, _bytes: u64) {}
    /// A file or directory is done.
    fn finished(&self, _item: &FinishedItem<'_>) {}
    /// Something is left out by a filter, with all that is below it; its absolute path on disk.
    fn excluded(&self, _path: &[u8]) {}
    /// A file has the name of one that marks its directory as not to be backed up, but not the content: it is
    /// too short or cannot be read, or it begins differently ([`std::io::ErrorKind::InvalidData`]).
    fn unsigned_tag(&self, _path: &[u8], _cause: &std::io::Error) {}
}

impl BackupMonitor for tresor_repo::monitor::Silent {}

/// A file or directory that is part of the new snapshot.
#[derive(Debug, Clone, Copy)]
pub struct FinishedItem<'a> {
    /// Its path in the snapshot, as raw bytes.
    pub path: &'a [u8],
    /// Whether it is a directory, and else a regular file.
    pub is_dir: bool,
    /// Compared with the parent.
    pub change: Change,
    /// Size of a file's content.
    pub size: u64,
    /// What its content or its tree added to the repository.
    pub added: Added,
    /// Time from its start to its end, in seconds; 0 for a file that was not read.
    pub seconds: f64,
}

/// What saving an item added to the repository.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Added {
    /// Plaintext bytes of its new blobs: data blobs of a file, the tree blob of a directory.
    pub plain_bytes: u64,
    /// What they take in the repository.
    pub stored_bytes: u64,
}

impl Added {
    /// What one blob of `length` bytes added.
    pub(super) fn of(saved: &Saved, length: usize) -> Added {
        if !saved.was_new {
            return Added::default();
        }
        Added { plain_bytes: length as u64, stored_bytes: saved.stored_bytes }
    }
}

impl std::ops::AddAssign for Added {
    fn add_assign(&mut self, other: Added) {
        self.plain_bytes += other.plain_bytes;
        self.stored_bytes += other.stored_bytes;
    }
}

/// An item compared with the parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The parent has nothing at this path.
    New,
    /// Any field differs.
    Changed,
    /// Equal in every field (for files: not read again).
    Unmodified,
}

impl Change {
    pub(super) fn between(previous: Option<&Node>, node: &Node) -> Change {
        match previous {
            None => Change::New,
            Some(previous) if previous.same_as(node) => Change::Unmodified,
            Some(_) => Change::Changed,
        }
    }
}
