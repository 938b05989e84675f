//! Whether a folder can be mounted on.

use nix::unistd::{AccessFlags, access};
use std::io;
use std::path::{Path, PathBuf};
use tresor_backend::Location;
use tresor_backend::location::Place;

use crate::causes::chain;
use crate::exit::{Failure, Result};

/// Refuses what cannot be mounted on, and what the repository itself is read through.
///
/// # Errors
/// In restic's words.
pub(super) fn check(path: &Path, location: &Location) -> Result<()> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Failure::fatal(format!("mountpoint {shown} does not exist")));
        }
        Err(error) => {
            let cause = chain(&error);
            return Err(Failure::fatal(format!("mountpoint {shown} is inaccessible: stat {shown}: {cause}")));
        }
        Ok(found) if !found.is_dir() => {
            return Err(Failure::fatal(format!("mountpoint {shown} is not a directory")));
        }
        Ok(_) => {}
    }
    if access(path, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        return Err(Failure::fatal(format!("mountpoint {shown} is not writeable or not executable")));
    }
    match location.place() {
        Place::Local(repository) => refuse_overlap(&resolved(repository), &resolved(path)),
        _ => Ok(()),
    }
}

/// A mount over its own repository would wait for itself for ever.
fn refuse_overlap(repository: &Path, point: &Path) -> Result<()> {
    let (shown, at) = (point.display(), repository.display());
    let what = if repository == point {
        format!("mountpoint {shown} is the local repository directory")
    } else if point.starts_with(repository) {
        format!("mountpoint {shown} is inside the local repository directory {at}")
    } else if repository.starts_with(point) {
        format!("local repository directory {at} is inside the mountpoint {shown}")
    } else {
        return Ok(());
    };
    Err(Failure::fatal(format!("{what}; refusing to mount to avoid deadlocking the FUSE server")))
}

/// Without links and relative parts, as far as that can be found out.
fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}
