//! The programs that are measured, and their command lines.

use super::row::Row;
use super::server::{Place, Running};
use crate::{Result, process};
use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tresor_testkit::{fixtures::PASSWORD, peers};

/// A peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    Restic,
    Rustic,
    Borg,
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
    /// The name of the newest backup, for a program that wants every backup to have one (borg).
    newest: RefCell<String>,
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
        match peers::find(kind.name()) {
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
        }
    }

    fn has_restics_format(self) -> bool {
        self != Kind::Borg
    }
}

impl Contender {
    fn new(kind: Kind, program: PathBuf, place: Option<Place>, dir: &Path) -> Result<Self> {
        let argument = if matches!(kind, Kind::Tresor | Kind::Restic) { "version" } else { "--version" };
        let version = process::output(Command::new(&program).arg(argument))?;
        let version = version.split_whitespace().nth(1).unwrap_or("?").to_owned();
        let folder = dir.join(kind.name());
        Ok(Contender {
            kind,
            program,
            version,
            folder,
            place,
            server: RefCell::default(),
            repository_bytes: Cell::new(0),
            newest: RefCell::default(),
        })
    }

    pub(super) fn name(&self) -> &'static str {
        self.kind.name()
    }

    pub(super) fn version(&self) -> &str {
        &self.version
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
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        fs::create_dir_all(&self.folder)?;
        if let Some(place) = self.place {
            self.server.replace(Some(place.start(&self.folder.join("served"))?));
        }
        Ok(())
    }

    /// Prepares what `row` starts from; this is not measured.
    pub(super) fn before(&self, row: Row, template: &Path, source: &Path, target: &Path) -> Result<()> {
        match row {
            Row::Init => self.clear(),
            Row::Backup => {
                self.clear()?;
                if self.place.is_some() {
                    return self.unmeasured(Row::Init, source, target);
                }
                if self.kind.has_restics_format() {
                    return process::run(Command::new("cp").arg("-a").arg(template).arg(self.repository()));
                }
                self.unmeasured(Row::Init, source, target)
            }
            Row::Restore => Ok(fs::create_dir_all(target)?),
            Row::Prune => self.unmeasured(Row::Changed, source, target),
            _ => Ok(()),
        }
    }

    fn unmeasured(&self, row: Row, source: &Path, target: &Path) -> Result<()> {
        process::output(&mut self.command(row, 0, source, target)).map(drop)
    }

    /// The command line of `row`, in an environment without anything of the caller's but `PATH`.
    pub(super) fn command(&self, row: Row, round: usize, source: &Path, target: &Path) -> Command {
        let two_steps = self.kind == Kind::Borg && row == Row::Prune;
        let mut command = Command::new(if two_steps { Path::new("sh") } else { &self.program });
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("HOME", &self.folder).env("TZ", "UTC").env("LC_ALL", "C.UTF-8").current_dir(&self.folder);
        let arguments = match self.kind {
            Kind::Tresor | Kind::Restic => self.restic(&mut command, row, source, target),
            Kind::Rustic => self.rustic(&mut command, row, source, target),
            Kind::Borg => self.borg(&mut command, row, round, source, target),
        };
        command.args(arguments);
        command
    }

    fn restic(&self, command: &mut Command, row: Row, source: &Path, target: &Path) -> Vec<OsString> {
        command.env("RESTIC_PASSWORD", PASSWORD).env("RESTIC_REPOSITORY", self.repository());
        command.env("RESTIC_CACHE_DIR", self.folder.join("cache"));
        if let Some(server) = &*self.server.borrow() {
            command.env("RESTIC_REPOSITORY", &server.location).envs(server.variables.iter().cloned());
            command.args(&server.options);
        }
        match row {
            Row::Init => words(&["init"]),
            Row::Backup | Row::NoChange | Row::Changed => with(&["backup", "--host", "bench"], source),
            Row::Snapshots => words(&["snapshots"]),
            Row::Ls => words(&["ls", "latest"]),
            Row::Check => words(&["check"]),
            Row::CheckData => words(&["check", "--read-data"]),
            Row::Restore => with(&["restore", "latest", "--target"], target),
            Row::Prune => words(&["forget", "--keep-last", "1", "--prune", "--max-unused", "0"]),
        }
    }

    fn rustic(&self, command: &mut Command, row: Row, source: &Path, target: &Path) -> Vec<OsString> {
        command.env("RUSTIC_PASSWORD", PASSWORD).env("RUSTIC_REPOSITORY", self.repository());
        command.env("RUSTIC_CACHE_DIR", self.folder.join("cache"));
        match row {
            Row::Backup | Row::NoChange | Row::Changed => with(&["backup", "--host", "bench"], source),
            Row::Restore => with(&["restore", "latest"], target),
            Row::Prune => {
                words(&["forget", "--keep-last", "1", "--prune", "--max-unused", "0B", "--instant-delete"])
            }
            _ => self.restic(command, row, source, target),
        }
    }

    fn borg(
        &self,
        command: &mut Command,
        row: Row,
        round: usize,
        source: &Path,
        target: &Path,
    ) -> Vec<OsString> {
        command.env("BORG_PASSPHRASE", PASSWORD).env("BORG_REPO", self.repository());
        command.env("BORG_BASE_DIR", &self.folder);
        let prefix = match row {
            Row::Backup => Some("first"),
            Row::NoChange => Some("same"),
            Row::Changed => Some("changed"),
            _ => None,
        };
        if let Some(prefix) = prefix {
            self.newest.replace(format!("::{prefix}-{round}"));
        }
        let archive = &*self.newest.borrow();
        match row {
            Row::Init => words(&["init", "--encryption=repokey-blake2"]),
            Row::Backup | Row::NoChange | Row::Changed => {
                with(&["create", "--compression=zstd,3", archive], source)
            }
            Row::Snapshots => words(&["list"]),
            Row::Ls => words(&["list", archive]),
            Row::Check => words(&["check"]),
            Row::CheckData => words(&["check", "--verify-data"]),
            Row::Restore => {
                command.current_dir(target);
                words(&["extract", archive])
            }
            Row::Prune => with(&["-c", "\"$0\" prune --keep-last 1 && \"$0\" compact"], &self.program),
        }
    }
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

fn with(first: &[&str], path: &Path) -> Vec<OsString> {
    words(first).into_iter().chain([path.as_os_str().to_owned()]).collect()
}
