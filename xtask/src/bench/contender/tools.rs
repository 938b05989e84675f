//! The command lines of the tools that show what the machine allows.

use super::{Task, words};
use crate::bench::row::Row;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The shell, if the tools are there that it is to call.
pub(super) fn find() -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    let is_there = |tool: &str| std::env::split_paths(&paths).any(|path| path.join(tool).exists());
    ["tar", "zstd", "find", "cp"].into_iter().all(is_there).then(|| "/bin/sh".into())
}

/// Whether they can do what comes to the work of `row`.
pub(super) fn can(row: Row) -> bool {
    script(row).is_some()
}

pub(super) fn arguments(task: &Task<'_>) -> Vec<OsString> {
    let script = script(task.row).unwrap_or("false");
    let paths: [&Path; 3] = [task.source, task.target, task.file];
    words(&["-c", script, "sh"]).into_iter().chain(paths.map(OsString::from)).collect()
}

/// What is done with the source, the target and the file; the current folder is the contender's own.
fn script(row: Row) -> Option<&'static str> {
    match row {
        Row::Backup | Row::ColdBackup => Some("tar -cf - \"$1\" | zstd -q -3 -T2 -f -o archive.zst"),
        Row::NoChange | Row::ColdNoChange => Some("find \"$1\" -printf '%s %C@\\n'"),
        Row::Restore => Some("cp -a \"$1\" \"$2\""),
        Row::Dump => Some("cat \"$3\""),
        _ => None,
    }
}
