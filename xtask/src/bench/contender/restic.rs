//! The command lines of restic, which are tresor's as well.

use super::{Contender, Task, with, words};
use crate::bench::row::Row;
use crate::{Result, process};
use std::ffi::OsString;
use std::process::Command;
use tresor_testkit::fixtures::PASSWORD;

impl Contender {
    pub(super) fn restic(&self, command: &mut Command, task: &Task<'_>) -> Vec<OsString> {
        self.set_restic(command, task);
        match task.row {
            Row::Init => words(&["init"]),
            Row::Backup | Row::ColdBackup | Row::NoChange | Row::ColdNoChange | Row::Changed => {
                with(&["backup", "--host", "bench"], task.source)
            }
            Row::Snapshots => words(&["snapshots"]),
            Row::Ls => words(&["ls", "latest"]),
            Row::Find => words(&["find", task.pattern]),
            Row::Diff => words(&["diff", &self.backup(1), &self.backup(0)]),
            Row::Stats => words(&["stats"]),
            Row::Check => words(&["check"]),
            Row::CheckData => words(&["check", "--read-data"]),
            Row::Forget => words(&["forget", "--keep-last", "10", "--dry-run"]),
            Row::Restore => with(&["restore", "latest", "--target"], task.target),
            Row::Dump => with(&["dump", "latest"], task.file),
            Row::Copy | Row::CopyOther => with(&["copy", "--from-repo"], self.location()),
            Row::Prune => words(&["forget", "--keep-last", "1", "--prune", "--max-unused", "0"]),
        }
    }

    /// Makes the empty repository that `task` copies to.
    pub(super) fn make_second(&self, task: &Task<'_>) -> Result<()> {
        let mut command = self.bare(&self.program);
        self.set_restic(&mut command, task);
        command.arg("init");
        if task.row == Row::Copy {
            command.args(with(&["--copy-chunker-params", "--from-repo"], self.location()));
        }
        process::output(&mut command).map(drop)
    }

    /// Whether as many snapshots are in the repository that `task` copied to as in the other.
    pub(in crate::bench) fn verify_copy(&self, task: &Task<'_>) -> Result<()> {
        let (all, copied) = (self.ids(&Task { row: Row::Snapshots, ..*task })?.len(), self.ids(task)?.len());
        if all == copied { Ok(()) } else { Err(format!("{copied} of {all} snapshots were copied").into()) }
    }

    /// The ids of the snapshots in the repository that `task` is about, oldest first; of two, the second.
    pub(super) fn ids(&self, task: &Task<'_>) -> Result<Vec<String>> {
        let mut command = self.bare(&self.program);
        self.set_restic(&mut command, task);
        ids_in(&process::output(command.args(["snapshots", "--json"]))?)
    }

    /// Tells the command, by its environment and first arguments, where and how.
    fn set_restic(&self, command: &mut Command, task: &Task<'_>) {
        command.env("RESTIC_PASSWORD", PASSWORD).env("RESTIC_CACHE_DIR", self.folder.join("cache"));
        command.env("RESTIC_REPOSITORY", self.location()).env("TRESOR_ALLOW_WEAK_PASSWORD", "1");
        if task.row.copies() {
            command.env("RESTIC_FROM_PASSWORD", PASSWORD).env("RESTIC_REPOSITORY", self.second(task));
        }
        if let Some(server) = &*self.server.borrow() {
            command.envs(server.variables.iter().cloned()).args(&server.options);
        }
    }
}

/// The ids that `snapshots --json` tells.
fn ids_in(json: &str) -> Result<Vec<String>> {
    let snapshots: Vec<serde_json::Value> = serde_json::from_str(json)?;
    let ids = snapshots.iter().map(|snapshot| Some(snapshot.get("id")?.as_str()?.to_owned()));
    ids.collect::<Option<_>>().ok_or_else(|| "a snapshot without an id is listed".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_in_the_order_of_the_list() {
        let list = r#"[{"time":"1","id":"abc"},{"time":"2","id":"012","parent":"abc"}]"#;
        assert_eq!(ids_in(list).unwrap(), ["abc", "012"]);
        assert!(ids_in(r#"[{"time":"1"}]"#).is_err());
    }
}
