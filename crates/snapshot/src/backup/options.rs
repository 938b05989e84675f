//! What to back up and how, and what a backup did.

use std::io::Read;
use std::path::{Path, PathBuf};

use tresor_repo::error::Cause;
use tresor_repo::time::{Time, Zone};
use tresor_repo::{BlobId, SnapshotId};

use super::exclude::SourceFilter;
use crate::fs::is_distant;
use crate::snapshot::SnapshotSummary;

/// How to back up, and what the snapshot says of the circumstances.
pub struct BackupOptions {
    /// The moment stored as the snapshot's time.
    pub time: Time,
    /// The zone in which the times of files are stored.
    pub zone: Zone,
    /// Host stored in the snapshot.
    pub hostname: String,
    /// User stored in the snapshot, with ids.
    pub username: String,
    /// Numeric user id.
    pub uid: u32,
    /// Numeric group id.
    pub gid: u32,
    /// Tags in the order given.
    pub tags: Vec<String>,
    /// The `--exclude` patterns, stored as they are.
    pub excludes: Vec<String>,
    /// `tresor X.Y.Z`.
    pub program_version: String,
    /// Files and directories worked on at the same time; 0 for one a core, or more where each waits for another machine.
    pub read_concurrency: usize,
    /// Whether access times are stored as they are (else they equal mtime).
    pub with_atime: bool,
    /// Whether a changed ctime leaves a file unchanged.
    pub ignore_ctime: bool,
    /// Whether a changed inode leaves a file unchanged (implies `ignore_ctime`).
    pub ignore_inode: bool,
    /// Save no snapshot when the root tree equals the parent's.
    pub skip_if_unchanged: bool,
    /// How many seconds before the backup a directory must have been changed last for the files cache to remember it:
    /// what is changed again within one tick of the file system's clock looks the same. Less than 2 is for tests.
    pub settling: i64,
    /// The snapshot compared with; none reads everything.
    pub parent: Option<(SnapshotId, BlobId)>,
}

impl BackupOptions {
    /// The options of a plain backup at `time`.
    pub fn new(time: Time, zone: Zone) -> BackupOptions {
        BackupOptions {
            time,
            zone,
            hostname: String::new(),
            username: String::new(),
            uid: 0,
            gid: 0,
            tags: Vec::new(),
            excludes: Vec::new(),
            program_version: String::new(),
            read_concurrency: 0,
            with_atime: false,
            ignore_ctime: false,
            ignore_inode: false,
            skip_if_unchanged: false,
            settling: 2,
            parent: None,
        }
    }
}

/// What to back up.
pub enum Source<'a> {
    /// Files and directories of this machine.
    Files(Files<'a>),
    /// One file whose content comes from a stream.
    Stream(Stream<'a>),
}

/// Files and directories of this machine.
#[derive(Clone, Copy)]
pub struct Files<'a> {
    /// The current directory, which relative targets start from.
    pub current: &'a Path,
    /// The targets in the order given.
    pub targets: &'a [PathBuf],
    /// What is left out.
    pub filter: &'a SourceFilter,
    /// Whether everything is counted beforehand, beside the backup, for the monitor.
    pub estimate: bool,
    /// What is done with the files cache.
    pub files_cache: FilesCacheUse,
}

impl Files<'_> {
    /// Whether a target lies on a file system of the network, or of another program.
    pub(super) fn are_distant(&self) -> bool {
        self.targets.iter().any(|target| is_distant(&self.current.join(target)))
    }
}

/// What is done with the files cache, by which unchanged directories are known without reading their trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilesCacheUse {
    /// Believed where that is safe, and written anew for the next backup.
    Full,
    /// Not believed, so that everything is compared with the parent, but written.
    WriteOnly,
    /// Neither.
    Off,
}

/// One file whose content comes from a stream.
pub struct Stream<'a> {
    /// Its absolute, clean path in the snapshot.
    pub path: Vec<u8>,
    /// Where its content comes from.
    pub reader: &'a mut (dyn Read + Send),
    /// Called at the end of the stream: whether what was read is good (a command ended well).
    pub finish: Box<dyn FnOnce() -> Result<(), Cause> + Send + 'a>,
}

/// What a backup did.
#[derive(Debug)]
pub struct BackupReport {
    /// The new snapshot; none when it was skipped as unchanged.
    pub snapshot: Option<SnapshotId>,
    /// The root tree.
    pub tree: BlobId,
    /// The counters stored in the snapshot.
    pub summary: SnapshotSummary,
    /// Problems noted on the way; with any of them the program exits 3.
    pub problems: u64,
}
