//! The kinds of work that are measured.

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(super) enum Row {
    /// `ls` of a small snapshot, the cache empty
    Cold,
    /// `ls` of a small snapshot, the cache filled
    Ls,
    /// a backup of a few files, the cache filled
    Backup,
    /// `prune --dry-run`, the cache filled
    Prune,
    /// `check` without data, in a cache of its own
    Check,
    /// a backup of many files, nothing changed
    Unchanged,
    /// a restore of many files, to where nothing is kept
    Restore,
}

impl Row {
    /// Those with many blobs, in their order.
    pub(super) const OF_BLOBS: &[Row] = &[Row::Cold, Row::Ls, Row::Backup, Row::Prune, Row::Check];
    /// Those with many files, in their order.
    pub(super) const OF_FILES: &[Row] = &[Row::Unchanged, Row::Restore];

    /// Its name in commands.
    pub(super) fn name(self) -> &'static str {
        match self {
            Row::Cold => "cold",
            Row::Ls => "ls",
            Row::Backup => "backup",
            Row::Prune => "prune",
            Row::Check => "check",
            Row::Unchanged => "unchanged",
            Row::Restore => "restore",
        }
    }

    /// Whether it is run once before it is measured, so that what it reads is in the cache.
    pub(super) fn is_warm(self) -> bool {
        matches!(self, Row::Ls | Row::Backup | Row::Prune | Row::Unchanged)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Row::Cold => "`ls` of 3 files, cold",
            Row::Ls => "`ls` of 3 files",
            Row::Backup => "backup of 3 files",
            Row::Prune => "`prune --dry-run`",
            Row::Check => "`check`",
            Row::Unchanged => "backup, nothing changed",
            Row::Restore => "restore",
        })
    }
}
