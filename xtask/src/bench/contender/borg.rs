//! The command lines of borg.

use super::{Contender, Task, with, words};
use crate::bench::row::Row;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use tresor_testkit::fixtures::PASSWORD;

impl Contender {
    pub(super) fn borg(&self, command: &mut Command, task: &Task<'_>) -> Vec<OsString> {
        command.env("BORG_PASSPHRASE", PASSWORD).env("BORG_REPO", self.repository());
        command.env("BORG_BASE_DIR", &self.folder);
        let newest = || format!("::{}", self.backup(0));
        match task.row {
            Row::Init => words(&["init", "--encryption=repokey-blake2"]),
            Row::Backup | Row::ColdBackup | Row::NoChange | Row::ColdNoChange | Row::Changed => {
                self.name_a_backup();
                with(&["create", "--compression=zstd,3", &newest()], task.source)
            }
            Row::Snapshots => words(&["list"]),
            Row::Ls => words(&["list", &newest()]),
            Row::Diff => words(&["diff", &format!("::{}", self.backup(1)), &self.backup(0)]),
            Row::Check => words(&["check"]),
            Row::CheckData => words(&["check", "--verify-data"]),
            Row::Restore => {
                command.current_dir(task.target);
                words(&["extract", &newest()])
            }
            Row::Dump => with(&["extract", "--stdout", &newest()], rootless(task.file)),
            Row::Prune => with(&["-c", "\"$0\" prune --keep-last 1 && \"$0\" compact"], &self.program),
            Row::Find | Row::Stats | Row::Forget | Row::Copy | Row::CopyOther => {
                unreachable!("borg has no {}", task.row)
            }
        }
    }

    /// Every archive wants a name of its own.
    fn name_a_backup(&self) {
        let mut backups = self.backups.borrow_mut();
        let name = format!("backup-{}", backups.len());
        backups.push(name);
    }
}

/// The path as an archive has it.
fn rootless(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}
