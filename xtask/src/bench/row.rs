//! The rows of the table: what is measured.

use std::fmt;

/// One kind of work; later rows stand on what earlier ones left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(super) enum Row {
    Init,
    Backup,
    NoChange,
    Changed,
    Snapshots,
    Ls,
    Check,
    CheckData,
    Restore,
}

impl Row {
    /// All of them, in the order in which they run.
    pub(super) const ALL: &[Row] = &[
        Row::Init,
        Row::Backup,
        Row::NoChange,
        Row::Changed,
        Row::Snapshots,
        Row::Ls,
        Row::Check,
        Row::CheckData,
        Row::Restore,
    ];
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Row::Init => "init",
            Row::Backup => "backup",
            Row::NoChange => "no change",
            Row::Changed => "1 % changed",
            Row::Snapshots => "snapshots",
            Row::Ls => "ls",
            Row::Check => "check",
            Row::CheckData => "check --read-data",
            Row::Restore => "restore",
        })
    }
}
