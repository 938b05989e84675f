//! Puts servers of object stores beside the peers: from Python packages and from npm.

use crate::{Result, process, project};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Installs into `servers` of the peers' `folder` what is missing or was asked for in another version.
///
/// # Errors
/// No Python with `venv`, no npm, or a package that cannot be had.
pub(crate) fn install(folder: &Path) -> Result<()> {
    let wanted = project::folder().join("xtask/servers");
    let folder = folder.join("servers");
    fs::create_dir_all(&folder)?;
    // Programs by names of ours: another `rclone` lies beside the peers.
    if !is_current(&wanted.join("requirements.txt"), &folder)? {
        println!("getting servers from Python packages");
        let python = folder.join("python");
        process::run(Command::new("python3").args(["-m", "venv"]).arg(&python))
            .map_err(|error| format!("{error}; Python with its `venv` is needed (Debian: python3-venv)"))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
        process::run(Command::new(python.join("bin/python")).args(pip).arg(wanted.join("requirements.txt")))?;
        fs::copy(wanted.join("requirements.txt"), folder.join("requirements.txt"))?;
    }
    if !is_current(&wanted.join("package.json"), &folder)? {
        println!("getting servers from npm");
        let node = folder.join("node");
        fs::create_dir_all(&node)?;
        fs::copy(wanted.join("package.json"), node.join("package.json"))?;
        let npm = ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"];
        process::run(Command::new("npm").args(npm).current_dir(&node))
            .map_err(|error| format!("{error}; npm is needed (Debian: npm)"))?;
        fs::copy(wanted.join("package.json"), folder.join("package.json"))?;
    }
    Ok(())
}

/// Whether what this file asks for was installed: a copy of it lies in `folder`.
fn is_current(wanted: &Path, folder: &Path) -> Result<bool> {
    let installed = fs::read(folder.join(wanted.file_name().unwrap_or_default())).unwrap_or_default();
    Ok(fs::read(wanted)? == installed)
}
