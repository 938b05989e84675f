//! Gives owner, extended attributes, times and mode to what was restored.
//!
//! In this order: a change of owner clears set-id bits and capabilities, and a mode without write
//! permission would be in the way of the rest. When a step fails the next ones are still done.

use crate::node::ExtendedAttribute;
use crate::restore::details::Metadata;
use crate::restore::failure::Failure;
use crate::restore::options::{RestoreOptions, XattrFilter};
use crate::restore::target::{Dir, Name};
use crate::restore::trust::gives_power;
use rustix::fs::{
    AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags, chmod, chownat, fchmod, fchown, flistxattr,
    fremovexattr, fsetxattr, futimens, llistxattr, lremovexattr, lsetxattr, utimensat,
};
use rustix::io::{Errno, Result};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// What metadata is given to.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// A file or directory that is open.
    Open(BorrowedFd<'a>),
    /// The entry of a directory; links are not followed.
    Entry(&'a Dir, Name<'a>),
    /// A symbolic link, which has no mode.
    Link(&'a Dir, Name<'a>),
}

/// How metadata is given; the same for a whole restore.
pub(crate) struct Dresser<'a> {
    filter: &'a XattrFilter,
    /// Whether attributes that give power are left as they are.
    leaves_power: bool,
    /// Whether we are not root, and so may not do everything that the snapshot asks for.
    humble: bool,
}

impl<'a> Dresser<'a> {
    pub(crate) fn new(options: &'a RestoreOptions) -> Self {
        let humble = !rustix::process::geteuid().is_root();
        Dresser { filter: &options.xattrs, leaves_power: options.distrust_metadata, humble }
    }

    /// Whether an attribute is one to set and remove.
    fn takes(&self, name: &[u8]) -> bool {
        self.filter.takes(name) && !(self.leaves_power && gives_power(name))
    }

    /// Sets everything; returns the first failure. Without the right to set something it stays as it is.
    pub(crate) fn dress(
        &self,
        subject: Subject<'_>,
        metadata: &Metadata,
    ) -> std::result::Result<(), Failure> {
        let steps = [
            self.judge("set the owner", set_owner(subject, metadata)),
            self.judge("set extended attributes", self.set_xattrs(subject, metadata)),
            self.judge("set times", set_times(subject, metadata)),
            self.judge("set the mode", set_mode(subject, metadata)),
        ];
        steps.into_iter().collect()
    }

    /// As [`dress`](Self::dress), for a file just made in a directory that hands nothing down: there is
    /// nothing on it to be removed.
    pub(crate) fn dress_new(
        &self,
        subject: Subject<'_>,
        metadata: &Metadata,
    ) -> std::result::Result<(), Failure> {
        if metadata.has_xattrs() {
            return self.dress(subject, metadata);
        }
        let steps = [
            self.judge("set the owner", set_owner(subject, metadata)),
            self.judge("set times", set_times(subject, metadata)),
            self.judge("set the mode", set_mode(subject, metadata)),
        ];
        steps.into_iter().collect()
    }

    /// As [`dress`](Self::dress) without times: what is damaged must not look like what was backed up.
    pub(crate) fn dress_damaged(&self, subject: Subject<'_>, metadata: &Metadata) {
        // The file has its problem already.
        let _ = (set_owner(subject, metadata), set_mode(subject, metadata));
    }

    fn judge(&self, doing: &'static str, outcome: Result<()>) -> std::result::Result<(), Failure> {
        match outcome {
            Err(Errno::PERM | Errno::ACCESS) if self.humble => Ok(()),
            outcome => outcome.map_err(Failure::step(doing)),
        }
    }

    fn set_xattrs(&self, subject: Subject<'_>, metadata: &Metadata) -> Result<()> {
        let wanted = &metadata.xattrs;
        let mut outcome = Ok(());
        for attribute in wanted.iter().filter(|attribute| self.takes(&attribute.name)) {
            outcome = outcome.and(set_xattr(subject, attribute));
        }
        let present = match list_xattrs(subject) {
            Ok(present) => present,
            Err(error) => return outcome.and(tolerate(Err(error))),
        };
        for name in present.split_inclusive(|byte| *byte == 0) {
            let Ok(name) = CStr::from_bytes_with_nul(name) else { continue };
            let is_wanted = wanted.iter().any(|attribute| *attribute.name == *name.to_bytes());
            if !is_wanted && self.takes(name.to_bytes()) {
                outcome = outcome.and(tolerate(remove_xattr(subject, name)));
            }
        }
        outcome
    }
}

fn set_owner(subject: Subject<'_>, metadata: &Metadata) -> Result<()> {
    // The number -1 means "leave it", and so does a number that cannot be one.
    let uid = (metadata.uid != u32::MAX).then(|| Uid::from_raw(metadata.uid));
    let gid = (metadata.gid != u32::MAX).then(|| Gid::from_raw(metadata.gid));
    match subject {
        Subject::Open(file) => fchown(file, uid, gid),
        Subject::Entry(dir, name) | Subject::Link(dir, name) => {
            chownat(dir, name.as_c_str(), uid, gid, AtFlags::SYMLINK_NOFOLLOW)
        }
    }
}

fn set_times(subject: Subject<'_>, metadata: &Metadata) -> Result<()> {
    let time = |(seconds, nanoseconds): (i64, u32)| Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() };
    let times = Timestamps { last_access: time(metadata.atime()), last_modification: time(metadata.mtime()) };
    match subject {
        Subject::Open(file) => futimens(file, &times),
        Subject::Entry(dir, name) | Subject::Link(dir, name) => {
            utimensat(dir, name.as_c_str(), &times, AtFlags::SYMLINK_NOFOLLOW)
        }
    }
}

fn set_mode(subject: Subject<'_>, metadata: &Metadata) -> Result<()> {
    let mode = Mode::from_raw_mode(metadata.mode);
    match subject {
        Subject::Open(file) => fchmod(file, mode),
        // `fchmodat` follows links, so the entry is held first and named by what is held.
        Subject::Entry(dir, name) => {
            let held = dir.open_as_place(name)?;
            if rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&held)?.st_mode).is_symlink() {
                return Err(Errno::LOOP);
            }
            chmod(format!("/proc/self/fd/{}", held.as_fd().as_raw_fd()), mode)
        }
        Subject::Link(..) => Ok(()),
    }
}

fn set_xattr(subject: Subject<'_>, attribute: &ExtendedAttribute) -> Result<()> {
    let name = CString::new(&*attribute.name).map_err(|_| Errno::INVAL)?;
    let value = attribute.value.as_deref().unwrap_or_default();
    tolerate(match subject {
        Subject::Open(file) => fsetxattr(file, &name, value, XattrFlags::empty()),
        Subject::Entry(dir, entry) | Subject::Link(dir, entry) => {
            lsetxattr(dir.proc_path(entry), &name, value, XattrFlags::empty())
        }
    })
}

fn remove_xattr(subject: Subject<'_>, name: &CStr) -> Result<()> {
    match subject {
        Subject::Open(file) => fremovexattr(file, name),
        Subject::Entry(dir, entry) | Subject::Link(dir, entry) => lremovexattr(dir.proc_path(entry), name),
    }
}

/// Names of the attributes, each with a final NUL.
fn list_xattrs(subject: Subject<'_>) -> Result<Vec<u8>> {
    let list = |buffer: &mut Vec<u8>| match subject {
        Subject::Open(file) => flistxattr(file, buffer.as_mut_slice()),
        Subject::Entry(dir, entry) | Subject::Link(dir, entry) => {
            llistxattr(dir.proc_path(entry), buffer.as_mut_slice())
        }
    };
    let mut names = vec![0; 1024];
    let length = match list(&mut names) {
        // The kernel never lists more than this.
        Err(Errno::RANGE) => {
            names.resize(64 << 10, 0);
            list(&mut names)?
        }
        length => length?,
    };
    names.truncate(length);
    Ok(names)
}

/// File systems without attributes, or without this one, are nobody's fault.
fn tolerate(outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(Errno::NOTSUP | Errno::NODATA) => Ok(()),
        outcome => outcome,
    }
}
