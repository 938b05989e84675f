//! Whom a long operation tells how it fares.

use crate::error::Error;
use crate::id::PackId;
use std::fmt;
use tresor_backend::FileName;

/// Receives what a long operation has to tell; every method may be called from several threads.
///
/// The default of each method ignores the news, except that of [`problem`](Monitor::problem): who runs an
/// operation must say what happens to problems.
pub trait Monitor: Send + Sync {
    /// A failure was noted and the operation goes on; it is also counted in the operation's summary.
    fn problem(&self, problem: &Problem);
    /// A phase begins; `total` is how many steps it has, if that is known.
    fn begin(&self, _phase: Phase, _total: Option<u64>) {}
    /// `steps` more of the phase are done.
    fn advance(&self, _phase: Phase, _steps: u64) {}
    /// The phase is complete.
    fn end(&self, _phase: Phase) {}
    /// Something worth knowing that is no failure (waiting for a lock, a cache that cannot be used).
    fn note(&self, _note: &Note) {}
}

/// Ignores everything; for tests and for callers that only want the result.
pub struct Silent;

impl Monitor for Silent {
    fn problem(&self, _problem: &Problem) {}
}

/// A failure that did not stop the operation.
#[derive(Debug)]
pub struct Problem {
    /// What it is about: a path in the source or target, or a repository file.
    pub item: String,
    /// What was being done to it ("read", "restore", "refresh the lock"…).
    pub doing: &'static str,
    /// Why that failed.
    pub cause: Box<dyn std::error::Error + Send + Sync>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}", self.doing, self.item)
    }
}

/// How many useless files are told one by one; the others are counted.
const TOLD: usize = 10;

/// Tells of files that are damaged or none of the repository, and are left out; by name no more than ten of them.
pub(crate) fn tell_useless(monitor: &dyn Monitor, what: &str, files: Vec<(FileName, Error)>, more: usize) {
    let more = more + files.len().saturating_sub(TOLD);
    for (file, cause) in files.into_iter().take(TOLD) {
        monitor.problem(&Problem { item: file.to_string(), doing: "use", cause: cause.into() });
    }
    if more > 0 {
        let (item, cause) = (format!("{more} more {what}"), "they are like those before".into());
        monitor.problem(&Problem { item, doing: "use", cause });
    }
}

/// Something worth knowing that is no failure.
#[derive(Debug)]
#[non_exhaustive]
pub enum Note {
    /// The repository is locked; we try again until the time is over.
    WaitingForLock {
        /// How long we go on trying in all.
        at_most: std::time::Duration,
    },
    /// The local cache cannot be used; the operation goes on without it.
    NoCache {
        /// Why.
        cause: String,
    },
    /// A local cache was made in this folder.
    NewCache {
        /// Where.
        folder: std::path::PathBuf,
    },
    /// A pack that no index file names; a prune removes it.
    UnindexedPack {
        /// Which.
        pack: PackId,
    },
    /// Packs are brought back from an archive before they can be read.
    BringingBack {
        /// How many.
        packs: u64,
    },
    /// A lock could not be refreshed this time.
    LockNotRefreshed {
        /// Why.
        cause: String,
    },
}

/// A countable part of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Index files being loaded.
    Index,
    /// Packs being compared with the index.
    Packs,
    /// Snapshots being loaded or walked.
    Snapshots,
    /// Packs being read as a whole.
    ReadPacks,
    /// Files being verified after a restore.
    Verify,
    /// Packs of another repository whose blobs are being copied.
    Copy,
    /// Packs that were brought back from an archive.
    BringBack,
    /// Packs whose future is being decided.
    PlanPacks,
    /// Packs whose blobs move to new ones.
    Repack,
    /// Old index files being merged into new ones.
    Reindex,
    /// Old index files being removed.
    RemoveIndex,
    /// All index files being removed, before there are others.
    RemoveWholeIndex,
    /// Packs being named in a new index that is made from memory.
    SaveIndex,
    /// Damaged packs whose blobs are being brought to safety.
    Salvage,
    /// Trees being read one by one.
    Trees,
    /// Packs being removed that no index file names.
    RemoveUnindexed,
    /// Packs being removed that no index file names any more.
    RemovePacks,
}
