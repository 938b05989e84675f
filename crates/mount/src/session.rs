//! A mount from its beginning to its end.

use crate::filesystem::{ViewFs, tell_unreadable};
use fuser::{BackgroundSession, Config, MountOption, Session, SessionACL};
use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use tresor_repo::Repository;
use tresor_repo::handle::Read;
use tresor_repo::index::Index;
use tresor_repo::monitor::Monitor;
use tresor_repo::time::Time;
use tresor_snapshot::vfs::{self, View};

/// The program that mounts for users who may not do so themselves.
const HELPER: &str = "fusermount3";

/// Requests answered at the same time: most of them wait for the repository.
const AT_ONCE: usize = 8;

/// How a view is mounted.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the mount is called in the system's table of mounts.
    pub name: String,
    /// Whether other users see it too.
    pub allow_other: bool,
    /// Whether the kernel keeps users from what the stored permissions forbid them.
    pub check_permissions: bool,
}

/// What keeps a mount from being made or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What is to be shown cannot be loaded.
    #[error(transparent)]
    View(#[from] tresor_snapshot::Error),
    /// The system refuses the mount.
    #[error("cannot mount on {path:?}")]
    Mount {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system refuses to end the mount.
    #[error("{path}: {source}", path = path.display())]
    Unmount {
        /// Where it is.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Requests could not be answered any more.
    #[error("the mount ended")]
    Served {
        /// Why.
        source: io::Error,
    },
}

/// A mount that is served by threads of its own. Dropping it unmounts.
pub struct Mounted {
    session: BackgroundSession,
    /// Without links and relative parts, since the working folder may change.
    path: PathBuf,
}

/// Mounts a view of the repository on a folder; what goes wrong later is told to the monitor.
///
/// # Errors
/// The snapshots cannot be loaded, or the system refuses.
pub fn mount(
    (repository, index): (Repository<Read>, Index),
    shown: vfs::Options,
    path: &Path,
    options: &Options,
    since: Time,
    monitor: &Arc<dyn Monitor>,
) -> Result<Mounted, Error> {
    let failed = |source| Error::Mount { path: path.to_owned(), source };
    let (view, refreshed) = View::new(repository, index, shown, since)?;
    tell_unreadable(&**monitor, refreshed);
    let path = path.canonicalize().map_err(failed)?;
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::RO,
        MountOption::NoSuid,
        MountOption::NoDev,
        MountOption::FSName(options.name.clone()),
    ];
    if options.check_permissions {
        config.mount_options.push(MountOption::DefaultPermissions);
    }
    config.acl = if options.allow_other { SessionACL::All } else { SessionACL::Owner };
    config.n_threads = Some(AT_ONCE);
    config.clone_fd = true;
    let session = Session::new(ViewFs::new(view, Arc::clone(monitor)), &path, &config).map_err(failed)?;
    Ok(Mounted { session: session.spawn().map_err(failed)?, path })
}

impl Mounted {
    /// Whether somebody else has unmounted it.
    pub fn has_ended(&self) -> bool {
        self.session.guard.is_finished()
    }

    /// Waits until it is served no more; somebody has unmounted it.
    ///
    /// # Errors
    /// It did not end in good order.
    pub fn join(self) -> Result<(), Error> {
        self.session.join().map_err(|source| Error::Served { source })
    }

    /// Unmounts. If it is in use the answer is an error, and it is taken out of sight all the same: who has
    /// something of it open keeps that until this process ends, and no dead mount stays behind.
    ///
    /// # Errors
    /// It was in use, or the system refuses.
    pub fn unmount(self) -> Result<(), Error> {
        if self.has_ended() {
            return self.join();
        }
        let ended = unmount(&self.path, false);
        match ended {
            Ok(()) => self.join(),
            Err(source) => {
                let failed = unmount(&self.path, true).err().unwrap_or(source);
                std::mem::forget(self.session.guard); // it would wait for those who still use it
                Err(Error::Unmount { path: self.path, source: failed })
            }
        }
    }
}

/// Unmounts, at once or (`detach`) when nobody uses it any more.
fn unmount(path: &Path, detach: bool) -> io::Result<()> {
    let flags = if detach { MntFlags::MNT_DETACH } else { MntFlags::empty() };
    match umount2(path, flags | MntFlags::UMOUNT_NOFOLLOW) {
        Ok(()) => Ok(()),
        Err(Errno::EPERM) => unmount_with_help(path, detach),
        Err(error) => Err(error.into()),
    }
}

fn unmount_with_help(path: &Path, detach: bool) -> io::Result<()> {
    let mut helper = Command::new(HELPER);
    helper.arg("-u").args(detach.then_some("-z")).arg("--").arg(path);
    let ended = helper.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
    if ended.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&ended.stderr).trim_end().to_owned()))
}
