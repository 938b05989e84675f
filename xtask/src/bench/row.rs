//! The rows of the table: what is measured.

use clap::ValueEnum;
use std::fmt;

/// One kind of work; later rows stand on what earlier ones left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
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
    /// Forgets all but the newest snapshot, whose 1 % is new, and leaves nothing unused.
    Prune,
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
        Row::Prune,
    ];

    /// Its name as an argument.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether 1 % of the data is changed before it.
    pub(super) fn wants_changes(self) -> bool {
        matches!(self, Row::Changed | Row::Prune)
    }
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
            Row::Prune => "forget --prune",
        })
    }
}
