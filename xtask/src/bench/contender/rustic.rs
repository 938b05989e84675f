//! The command lines of rustic, as far as they are not restic's.

use super::{Contender, Task, with, words};
use crate::bench::row::Row;
use std::ffi::OsString;
use std::process::Command;
use tresor_testkit::fixtures::PASSWORD;

impl Contender {
    pub(super) fn rustic(&self, command: &mut Command, task: &Task<'_>) -> Vec<OsString> {
        command.env("RUSTIC_PASSWORD", PASSWORD).env("RUSTIC_REPOSITORY", self.repository());
        command.env("RUSTIC_CACHE_DIR", self.folder.join("cache"));
        match task.row {
            Row::Find => words(&["find", "--glob", task.pattern]),
            Row::Diff => words(&["diff", "latest~1", "latest"]),
            Row::Restore => with(&["restore", "latest"], task.target),
            Row::Dump => words(&["dump", &format!("latest:{}", task.file.display())]),
            Row::Prune => {
                words(&["forget", "--keep-last", "1", "--prune", "--max-unused", "0B", "--instant-delete"])
            }
            _ => self.restic(command, task),
        }
    }
}
