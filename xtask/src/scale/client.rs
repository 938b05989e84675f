//! The programs that are measured, each with a cache and a repository of its own.

use super::row::Row;
use crate::{Result, bench};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use tresor_testkit::fixtures::PASSWORD;
use tresor_testkit::peers;

/// A peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Peer {
    Restic,
    Rustic,
}

impl Peer {
    pub(super) fn name(self) -> &'static str {
        match self {
            Peer::Restic => "restic",
            Peer::Rustic => "rustic",
        }
    }
}

/// A program.
pub(super) struct Client {
    pub(super) name: &'static str,
    pub(super) version: String,
    program: PathBuf,
    folder: PathBuf,
}

/// What a program has to do.
pub(super) struct Task<'a> {
    pub(super) row: Row,
    /// Where the repository is.
    pub(super) location: &'a str,
    /// The snapshot to list, to restore, or to compare with.
    pub(super) snapshot: &'a str,
    /// The folder to back up, or to restore to.
    pub(super) folder: &'a Path,
}

/// tresor, and those of `wanted` that are there; their folders lie below `dir`.
pub(super) fn find(tresor: PathBuf, wanted: &[Peer], dir: &Path) -> Result<Vec<Client>> {
    let mut clients = vec![Client::new("tresor", tresor, "version", dir)?];
    for peer in wanted {
        let version = if *peer == Peer::Rustic { "--version" } else { "version" };
        match peers::find(peer.name()) {
            Some(program) => clients.push(Client::new(peer.name(), program, version, dir)?),
            None => eprintln!("{} is not there and is left out", peer.name()),
        }
    }
    Ok(clients)
}

impl Client {
    fn new(name: &'static str, program: PathBuf, version: &str, dir: &Path) -> Result<Self> {
        let version = bench::version(&program, version)?;
        Ok(Client { name, version, program, folder: dir.join(name) })
    }

    /// Where it keeps its cache.
    fn cache(&self) -> PathBuf {
        self.folder.join("cache")
    }

    /// An empty folder, for a repository that it has not seen.
    pub(super) fn clear(&self) -> Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        Ok(fs::create_dir_all(self.cache())?)
    }

    /// Puts in order what `row` starts from.
    pub(super) fn prepare(&self, row: Row) -> Result<()> {
        if row == Row::Cold && self.cache().exists() {
            fs::remove_dir_all(self.cache())?;
        }
        Ok(())
    }

    /// The bytes of its cache on the disk.
    pub(super) fn cache_bytes(&self) -> Result<u64> {
        files_below(&self.cache(), &|file| Ok(file.metadata()?.len()))
    }

    /// Has the system forget what it holds of the cache in memory, so that a cgroup pays for reading it.
    pub(super) fn forget_pages(&self) -> Result<()> {
        rustix::fs::sync();
        let forget = |path: &Path| {
            rustix::fs::fadvise(File::open(path)?, 0, None, rustix::fs::Advice::DontNeed)?;
            Ok(0)
        };
        files_below(&self.cache(), &forget).map(drop)
    }

    pub(super) fn command(&self, task: &Task<'_>) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("HOME", &self.folder).env("TZ", "UTC").env("LC_ALL", "C.UTF-8").current_dir(&self.folder);
        let prefix = if self.name == "rustic" { "RUSTIC" } else { "RESTIC" };
        command
            .env(format!("{prefix}_PASSWORD"), PASSWORD)
            .env(format!("{prefix}_REPOSITORY"), task.location);
        command.env(format!("{prefix}_CACHE_DIR"), self.cache());
        match task.row {
            Row::Cold | Row::Ls => command.args(["ls", task.snapshot]),
            Row::Backup => command.args(["backup", "--host", "scale"]).arg(task.folder),
            Row::Prune => command.args(["prune", "--dry-run"]),
            Row::Check => command.arg("check"),
            Row::Unchanged => {
                command.current_dir(task.folder).args(["backup", "--host", "scale"]);
                command.args(["--parent", task.snapshot, "."])
            }
            Row::Restore if self.name == "rustic" => {
                command.args(["restore", task.snapshot]).arg(task.folder)
            }
            Row::Restore => command.args(["restore", task.snapshot, "--target"]).arg(task.folder),
        };
        command
    }
}

/// The sum of what `each` says of the files below `folder`, if it is there.
fn files_below(folder: &Path, each: &dyn Fn(&Path) -> Result<u64>) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let (kind, path) = entry.and_then(|entry| Ok((entry.file_type()?, entry.path())))?;
        if kind.is_dir() {
            sum += files_below(&path, each)?;
        } else if kind.is_file() {
            sum += each(&path)?;
        }
    }
    Ok(sum)
}
