//! The repository that every contender of restic's format starts from: config and key file.

use crate::{Result, process};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use tresor_testkit::{Client, fixtures};

/// What the key file of the repositories costs to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Key {
    Calibrated,
    Cheap,
}

/// A repository to copy from, in a folder that goes with it.
pub(super) struct Template {
    path: PathBuf,
    _folder: TempDir,
}

impl Template {
    /// An empty repository below `dir`, made by restic.
    pub(super) fn empty(key: Key, dir: &Path) -> Result<Self> {
        let folder = tempfile::tempdir_in(dir)?;
        let path = folder.path().join("repository");
        match key {
            Key::Cheap => {
                let fixture = fixtures::empty_repository();
                process::run(Command::new("cp").arg("-a").arg(&fixture.path).arg(&path))?;
            }
            Key::Calibrated => {
                let run = Client::restic(&path).run(["init"]);
                if run.code != Some(0) {
                    return Err(run.to_string().into());
                }
            }
        }
        Ok(Template { path, _folder: folder })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}
