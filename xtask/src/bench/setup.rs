//! What all commands that measure are told: where, with which key, which program, beside whom.

use super::contender;
use super::template::Key;
use crate::{Result, process, project};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where and what is measured.
#[derive(clap::Args)]
pub(super) struct Setup {
    /// The work folder, for data, repositories and restores; what it holds afterwards may be removed.
    #[arg(long, default_value = "target/bench")]
    dir: PathBuf,
    /// `calibrated`: the key costs what restic makes it cost here. `cheap`: next to nothing.
    #[arg(long, value_enum, default_value_t = Key::Calibrated)]
    pub(super) key: Key,
    /// The program to measure; built for release if not given.
    #[arg(long)]
    tresor: Option<PathBuf>,
}

/// How often it is measured, beside whom, and where the figures go.
#[derive(clap::Args)]
pub(super) struct Comparison {
    /// How often each row is run by each contender.
    #[arg(long, default_value_t = 5)]
    pub(super) pairs: usize,
    /// Whom to compare with; a peer that is not there is named and left out.
    #[arg(long, value_delimiter = ',', default_value = "restic,rustic,borg,limit")]
    pub(super) peers: Vec<contender::Kind>,
    /// Print the tables only; do not write them to the docs.
    #[arg(long)]
    pub(super) no_docs: bool,
}

impl Setup {
    /// The work folder, which is made if it is not there.
    pub(super) fn folder(&self) -> Result<PathBuf> {
        let folder = project::folder().join(&self.dir);
        fs::create_dir_all(&folder)?;
        Ok(folder.canonicalize()?)
    }

    pub(super) fn program(&self) -> Result<PathBuf> {
        program(self.tresor.as_deref())
    }

    /// The options to say so again, on a file system of this kind.
    pub(super) fn options(&self, place: &str) -> String {
        let dir = if place == "tmpfs" { " --dir DIR-ON-TMPFS" } else { "" };
        let key = if self.key == Key::Cheap { " --key cheap" } else { "" };
        format!("{dir}{key}")
    }

    /// What a title says of the key.
    pub(super) fn key_in_title(&self) -> &'static str {
        if self.key == Key::Cheap { ", cheap key" } else { "" }
    }
}

/// tresor itself: `given`, or built for release.
pub(crate) fn program(given: Option<&Path>) -> Result<PathBuf> {
    if let Some(program) = given {
        return Ok(program.canonicalize()?);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.current_dir(project::folder()).args(["build", "--release", "--quiet", "--bin", "tresor"]);
    process::run(&mut build)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    Ok(project::folder().join(target).join("release/tresor").canonicalize()?)
}
