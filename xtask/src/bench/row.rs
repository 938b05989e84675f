//! The rows of the table: what is measured.

use clap::ValueEnum;
use std::fmt;

/// One kind of work, in the order in which they run; later rows stand on what earlier ones left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Row {
    Init,
    Backup,
    /// With nothing in the page cache; leaves what `Backup` does.
    ColdBackup,
    NoChange,
    ColdNoChange,
    Changed,
    Snapshots,
    Ls,
    /// The names in all snapshots that match a pattern.
    Find,
    /// The newest snapshot against the one before.
    Diff,
    Stats,
    Check,
    CheckData,
    /// Which snapshots would go if only the newest ten stayed; none goes.
    Forget,
    Restore,
    /// One file, to standard output.
    Dump,
    /// All snapshots, to an empty repository that cuts files as the first one does.
    Copy,
    /// All snapshots, to an empty repository with another polynomial.
    CopyOther,
    /// Forgets all but the newest snapshot, whose 1 % is new, and leaves nothing unused.
    Prune,
}

impl Row {
    /// All of them, in the order in which they run.
    pub(super) fn all() -> &'static [Row] {
        Row::value_variants()
    }

    /// The rows to measure, in order: what was asked for, or all the usual ones.
    pub(super) fn chosen(asked: &[Row]) -> Vec<Row> {
        let all = Row::all().iter().copied();
        all.filter(|row| if asked.is_empty() { row.is_usual() } else { asked.contains(row) }).collect()
    }

    /// Whether it says something without a disk and without many snapshots.
    fn is_usual(self) -> bool {
        !self.is_cold() && self != Row::Forget
    }

    /// How often it is run when `wanted` are to be measured `pairs` times: one that is not wanted is run
    /// once if a wanted one needs what it leaves.
    pub(super) fn rounds(self, wanted: &[Row], pairs: usize) -> usize {
        let is_wanted = |row| wanted.contains(&row);
        match self {
            _ if is_wanted(self) => pairs,
            Row::Backup => needs_backup(wanted).into(),
            Row::Changed => is_wanted(Row::Diff).into(),
            _ => 0,
        }
    }

    /// Its name as an argument.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether 1 % of the data is changed before it.
    pub(super) fn wants_changes(self) -> bool {
        matches!(self, Row::Changed | Row::Prune)
    }

    /// Whether it starts from an empty repository.
    pub(super) fn starts_over(self) -> bool {
        matches!(self, Row::Backup | Row::ColdBackup)
    }

    /// Whether nothing may be in the page cache before it.
    pub(super) fn is_cold(self) -> bool {
        matches!(self, Row::ColdBackup | Row::ColdNoChange)
    }

    /// Whether it writes to a second repository.
    pub(super) fn copies(self) -> bool {
        matches!(self, Row::Copy | Row::CopyOther)
    }
}

/// Whether what is wanted stands on a backup and makes none to begin with.
fn needs_backup(wanted: &[Row]) -> bool {
    wanted.iter().any(|row| *row > Row::Backup) && !wanted.contains(&Row::ColdBackup)
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Row::Init => "init",
            Row::Backup => "backup",
            Row::ColdBackup => "cold backup",
            Row::NoChange => "no change",
            Row::ColdNoChange => "cold no change",
            Row::Changed => "1 % changed",
            Row::Snapshots => "snapshots",
            Row::Ls => "ls",
            Row::Find => "find",
            Row::Diff => "diff",
            Row::Stats => "stats",
            Row::Check => "check",
            Row::CheckData => "check --read-data",
            Row::Forget => "forget --dry-run",
            Row::Restore => "restore",
            Row::Dump => "dump",
            Row::Copy => "copy",
            Row::CopyOther => "copy, other polynomial",
            Row::Prune => "forget --prune",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(wanted: &[Row]) -> Vec<(Row, usize)> {
        let rounds = Row::all().iter().map(|row| (*row, row.rounds(wanted, 5)));
        rounds.filter(|(_, rounds)| *rounds > 0).collect()
    }

    #[test]
    fn unusual_rows_are_measured_only_when_asked_for() {
        assert!(Row::chosen(&[]).iter().all(|row| !row.is_cold()));
        assert_eq!(Row::chosen(&[]).len(), Row::all().len() - 3);
        assert_eq!(Row::chosen(&[Row::Ls, Row::ColdBackup]), [Row::ColdBackup, Row::Ls]);
    }

    #[test]
    fn what_a_wanted_row_needs_is_run_once() {
        assert_eq!(run(&[Row::Init]), [(Row::Init, 5)]);
        assert_eq!(run(&[Row::Ls]), [(Row::Backup, 1), (Row::Ls, 5)]);
        assert_eq!(run(&[Row::Diff]), [(Row::Backup, 1), (Row::Changed, 1), (Row::Diff, 5)]);
        assert_eq!(run(&[Row::Changed, Row::Diff]), [(Row::Backup, 1), (Row::Changed, 5), (Row::Diff, 5)]);
        assert_eq!(run(&[Row::ColdBackup, Row::Ls]), [(Row::ColdBackup, 5), (Row::Ls, 5)]);
    }
}
