//! Lets programs by other people drive restic and tresor, and compares what they make of it.

use crate::{Result, process, project};
use std::path::Path;
use std::process::Command;
use tresor_testkit::peers;

/// Installs the clients into an environment of their own, and runs them.
///
/// # Errors
/// No Python with `venv`, a client that cannot be had, or one that notices a difference.
pub(super) fn run(program: &Path) -> Result<()> {
    let folder = peers::folder().join("clients");
    let python = folder.join("bin/python");
    if !python.is_file() {
        process::run(Command::new("python3").args(["-m", "venv"]).arg(&folder)).map_err(|error| {
            format!("{error}; the clients need Python with its `venv` (Debian: python3-venv)")
        })?;
    }
    let clients = project::folder().join("xtask/clients");
    process::run(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--requirement"])
            .arg(clients.join("requirements.txt")),
    )?;
    let restic = peers::folder().join("bin/restic").canonicalize()?;
    process::run(Command::new(&python).arg(clients.join("drive.py")).arg(restic).arg(program.canonicalize()?))
}
