//! Looks whether a command did its work: a fast program that does nothing must not win.

use super::contender::{Contender, Task};
use super::row::Row;
use crate::{Result, process};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tresor_testkit::compare::What;

/// Fails unless what `contender` did in `task`, or does again, is what it should be.
pub(super) fn verify(contender: &Contender, task: &Task<'_>) -> Result<()> {
    match task.row {
        Row::Restore => restored(task),
        Row::Find => tells(&mut contender.command(task), task.pattern.trim_start_matches('*')),
        Row::Diff => tells(&mut contender.command(task), &task.source.to_string_lossy()[1..]),
        Row::Forget => tells(&mut contender.command(task), "keep"),
        Row::Dump => dumped(&mut contender.command(task), fs::metadata(task.file)?.len()),
        Row::Copy | Row::CopyOther => contender.verify_copy(task),
        _ => Ok(()),
    }
}

/// Whether the data came back.
fn restored(task: &Task<'_>) -> Result<()> {
    let restored = restored_source(task).ok_or("nothing was restored")?;
    let counts = |what: &What| matches!(what, What::Missing | What::Kind | What::Contents | What::Target);
    let differences = tresor_testkit::compare_trees(task.source, &restored);
    match differences.iter().find(|difference| counts(difference.what())) {
        Some(difference) => Err(format!("the restored data differ: {difference}").into()),
        None => Ok(()),
    }
}

/// Where the source's folder came out: some programs rebuild its whole path, some do not.
fn restored_source(task: &Task<'_>) -> Option<PathBuf> {
    let parts: Vec<_> = task.source.iter().skip(1).collect();
    let candidates =
        (0..=parts.len()).map(|from| task.target.join(parts[from..].iter().collect::<PathBuf>()));
    candidates.into_iter().find(|path| path.is_dir() && has_entries_of(path, task.source))
}

/// Whether every name in `source` is also in `folder`.
fn has_entries_of(folder: &Path, source: &Path) -> bool {
    fs::read_dir(source).is_ok_and(|list| {
        list.flatten().all(|entry| folder.join(entry.file_name()).symlink_metadata().is_ok())
    })
}

/// Whether the command prints `what` somewhere.
fn tells(command: &mut Command, what: &str) -> Result<()> {
    let text = process::output(command)?;
    if text.contains(what) { Ok(()) } else { Err(format!("it tells nothing of {what}").into()) }
}

/// Whether the command prints as many bytes as the file has.
fn dumped(command: &mut Command, length: u64) -> Result<()> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let printed = child.stdout.take().map_or(Ok(0), |mut output| io::copy(&mut output, &mut io::sink()))?;
    child.wait()?;
    if printed == length {
        Ok(())
    } else {
        Err(format!("it printed {printed} bytes of a file of {length}").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_is_looked_at() {
        assert!(tells(&mut shell("echo found a/b-2.bin"), "-2.bin").is_ok());
        assert!(tells(&mut shell("true"), "-2.bin").is_err());
        assert!(dumped(&mut shell("printf 12345"), 5).is_ok());
        assert!(dumped(&mut shell("true"), 5).is_err());
    }
}
