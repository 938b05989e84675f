//! The programs that are measured, and what they are told to do.

mod borg;
mod restic;
mod rustic;
mod tools;

use super::row::Row;
use super::server::{Place, Running};
use crate::{Result, process};
use std::cell::{Cell, RefCell};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tresor_testkit::peers;

/// A peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    Restic,
    Rustic,
    Borg,
    /// No program for backups, but tar, zstd, find and cp: what the machine allows
    Limit,
    #[value(skip)]
    Tresor,
}

/// A program with a home, a cache and a repository of its own.
pub(super) struct Contender {
    kind: Kind,
    program: PathBuf,
    version: String,
    folder: PathBuf,
    /// Where the server is to be behind which its repository is.
    place: Option<Place>,
    server: RefCell<Option<Running>>,
    repository_bytes: Cell<u64>,
    /// The names of the backups, oldest first: of borg as it is told them, of others as they list them.
    backups: RefCell<Vec<String>>,
}

/// What is to be done once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task<'a> {
    pub(super) row: Row,
    pub(super) round: usize,
    pub(super) source: &'a Path,
    /// Where a restore writes.
    pub(super) target: &'a Path,
    /// What matches a handful of the source's names.
    pub(super) pattern: &'a str,
    /// A file of the source.
    pub(super) file: &'a Path,
}

impl Task<'_> {
    /// The name of the repository that it copies to.
    fn name(&self) -> String {
        format!("{}-{}", self.row.name(), self.round)
    }
}

/// tresor, and those of `peers` that are there.
pub(super) fn find(
    peers: &[Kind],
    tresor: PathBuf,
    place: Option<Place>,
    dir: &Path,
) -> Result<Vec<Contender>> {
    let mut contenders = vec![Contender::new(Kind::Tresor, tresor, place, dir)?];
    for kind in peers {
        let program = if *kind == Kind::Limit { tools::find() } else { peers::find(kind.name()) };
        match program {
            Some(program) => contenders.push(Contender::new(*kind, program, place, dir)?),
            None => eprintln!("{} is not there and is left out", kind.name()),
        }
    }
    Ok(contenders)
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Tresor => "tresor",
            Kind::Restic => "restic",
            Kind::Rustic => "rustic",
            Kind::Borg => "borg",
            Kind::Limit => "limit",
        }
    }

    pub(super) fn has_restics_format(self) -> bool {
        !matches!(self, Kind::Borg | Kind::Limit)
    }
}

impl Contender {
    fn new(kind: Kind, program: PathBuf, place: Option<Place>, dir: &Path) -> Result<Self> {
        let version = match kind {
            Kind::Limit => "(tar into zstd -3 -T2, find, cp -a, cat)".to_owned(),
            Kind::Tresor | Kind::Restic => version(&program, "version")?,
            Kind::Rustic | Kind::Borg => version(&program, "--version")?,
        };
        let folder = dir.join(kind.name());
        Ok(Contender {
            kind,
            program,
            version,
            folder,
            place,
            server: RefCell::default(),
            repository_bytes: Cell::new(0),
            backups: RefCell::default(),
        })
    }

    pub(super) fn name(&self) -> &'static str {
        self.kind.name()
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Whether it makes backups.
    pub(super) fn is_a_peer(&self) -> bool {
        self.kind != Kind::Limit
    }

    /// Whether it has a command that does the work of `row`.
    pub(super) fn can(&self, row: Row) -> bool {
        match self.kind {
            Kind::Tresor | Kind::Restic => true,
            Kind::Rustic => !matches!(row, Row::Stats | Row::Copy | Row::CopyOther),
            Kind::Limit => tools::can(row),
            Kind::Borg => !matches!(row, Row::Find | Row::Stats | Row::Forget | Row::Copy | Row::CopyOther),
        }
    }

    /// The repository's size after the first backup.
    pub(super) fn repository_bytes(&self) -> u64 {
        self.repository_bytes.get()
    }

    pub(super) fn note_size(&self) -> Result<()> {
        if !self.repository().exists() {
            return Ok(()); // its server has it in memory
        }
        let text = process::output(Command::new("du").arg("-sb").arg(self.repository()))?;
        let bytes = text.split_whitespace().next().and_then(|word| word.parse().ok());
        self.repository_bytes.set(bytes.ok_or("du prints no number")?);
        Ok(())
    }

    /// The folder that it is in, unless a server has it in another form.
    fn repository(&self) -> PathBuf {
        self.folder.join(if self.place.is_some() { "served/repository" } else { "repository" })
    }

    /// An empty folder to work in, and a server that has nothing.
    pub(super) fn clear(&self) -> Result<()> {
        self.server.replace(None);
        self.backups.take();
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        fs::create_dir_all(&self.folder)?;
        if let Some(place) = self.place {
            self.server.replace(Some(place.start(&self.folder.join("served"))?));
        }
        Ok(())
    }

    /// Prepares what `task` starts from; this is not measured.
    pub(super) fn before(&self, task: &Task<'_>, template: &Path) -> Result<()> {
        match task.row {
            Row::Init => self.clear(),
            Row::Backup | Row::ColdBackup => {
                self.clear()?;
                if self.kind == Kind::Limit {
                    return Ok(());
                }
                if self.kind.has_restics_format() && self.place.is_none() {
                    return process::run(Command::new("cp").arg("-a").arg(template).arg(self.repository()));
                }
                self.unmeasured(Row::Init, task)
            }
            Row::Diff if matches!(self.kind, Kind::Tresor | Kind::Restic) => {
                self.backups.replace(self.ids(task)?);
                Ok(())
            }
            Row::Restore => Ok(fs::create_dir_all(task.target)?),
            Row::Copy | Row::CopyOther => self.make_second(task),
            Row::Prune => self.unmeasured(Row::Changed, task),
            _ => Ok(()),
        }
    }

    /// Removes what only `task` needed.
    pub(super) fn after(&self, task: &Task<'_>) -> Result<()> {
        let leftover = match task.row {
            Row::Restore => task.target.to_owned(),
            Row::Copy | Row::CopyOther => self.repository().with_file_name(task.name()),
            _ => return Ok(()),
        };
        if leftover.exists() { Ok(fs::remove_dir_all(leftover)?) } else { Ok(()) }
    }

    fn unmeasured(&self, row: Row, task: &Task<'_>) -> Result<()> {
        process::output(&mut self.command(&Task { row, ..*task })).map(drop)
    }

    /// The command line for `task`, which the contender must be able to do.
    pub(super) fn command(&self, task: &Task<'_>) -> Command {
        let two_steps = self.kind == Kind::Borg && task.row == Row::Prune;
        let mut command = self.bare(if two_steps { Path::new("sh") } else { &self.program });
        let arguments = match self.kind {
            Kind::Tresor | Kind::Restic => self.restic(&mut command, task),
            Kind::Rustic => self.rustic(&mut command, task),
            Kind::Borg => self.borg(&mut command, task),
            Kind::Limit => tools::arguments(task),
        };
        command.args(arguments);
        command
    }

    /// A command without arguments, in an environment without anything of the caller's but `PATH`.
    fn bare(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("HOME", &self.folder).env("TZ", "UTC").env("LC_ALL", "C.UTF-8").current_dir(&self.folder);
        command
    }

    /// The name of the backup that has `newer` newer ones.
    fn backup(&self, newer: usize) -> String {
        self.backups.borrow().iter().rev().nth(newer).cloned().unwrap_or_default()
    }

    /// How restic reaches the repository.
    fn location(&self) -> PathBuf {
        self.server.borrow().as_ref().map_or_else(|| self.repository(), |server| (&server.location).into())
    }

    /// How restic reaches the repository that `task` copies to; each round has one of its own.
    fn second(&self, task: &Task<'_>) -> PathBuf {
        match &*self.server.borrow() {
            Some(server) => beside(&server.location, &task.name()).into(),
            None => self.repository().with_file_name(task.name()),
        }
    }
}

/// The second word of what `program` says of its version.
pub(crate) fn version(program: &Path, argument: &str) -> Result<String> {
    let said = process::output(Command::new(program).arg(argument))?;
    Ok(said.split_whitespace().nth(1).unwrap_or("?").to_owned())
}

/// The location of what is called `name` and lies where the repository does.
fn beside(location: &str, name: &str) -> String {
    match location.rsplit_once("repository") {
        Some((before, after)) => format!("{before}{name}{after}"),
        None => location.to_owned(),
    }
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

fn with(first: &[&str], last: impl AsRef<OsStr>) -> Vec<OsString> {
    words(first).into_iter().chain([last.as_ref().to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_repository_lies_beside_the_first() {
        assert_eq!(
            beside("rest:http://localhost:1/repository/", "copy-0"),
            "rest:http://localhost:1/copy-0/"
        );
        assert_eq!(beside("sftp:host:/repository/served/repository", "x"), "sftp:host:/repository/served/x");
        assert_eq!(beside("gs:bucket:/repository", "x"), "gs:bucket:/x");
    }
}
