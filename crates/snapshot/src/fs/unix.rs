//! Directories, metadata and files by descriptor, as every unix has them.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat};

use super::names::Names;
use super::platform;
use crate::node::NodeKind;

/// A path for raw bytes, as they are on this platform.
pub fn path_of_bytes(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// The raw bytes of a path.
pub fn bytes_of_path(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// An open directory: what everything in it is reached by.
pub struct Directory {
    descriptor: OwnedFd,
}

/// An instant as the file system has it: seconds since 1970 and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds within the second.
    pub nanoseconds: u32,
}

/// What `stat` says of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// Kind and permissions, in the system's numbering.
    pub st_mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The inode's number.
    pub inode: u64,
    /// The device that holds the inode.
    pub device: u64,
    /// The device that a device file stands for.
    pub stands_for: u64,
    /// How many names the inode has.
    pub links: u64,
    /// Length in bytes.
    pub size: u64,
    /// When it was last read.
    pub atime: Stamp,
    /// When the content was last changed.
    pub mtime: Stamp,
    /// When content or metadata were last changed.
    pub ctime: Stamp,
}

impl Metadata {
    /// What the entry is.
    pub fn kind(&self) -> NodeKind {
        NodeKind::from_st_mode(self.st_mode)
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.st_mode & KIND == 0o100_000
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.st_mode & KIND == 0o040_000
    }
}

/// The bits of `st_mode` that say what an entry is.
const KIND: u32 = 0o170_000;

#[expect(
    clippy::unnecessary_cast,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the fields' types differ from platform to platform, none holds more than ours"
)]
impl From<Stat> for Metadata {
    fn from(stat: Stat) -> Metadata {
        let stamp = |seconds, nanoseconds| Stamp { seconds, nanoseconds };
        Metadata {
            st_mode: stat.st_mode as u32,
            uid: stat.st_uid,
            gid: stat.st_gid,
            inode: stat.st_ino as u64,
            device: stat.st_dev as u64,
            stands_for: stat.st_rdev as u64,
            links: stat.st_nlink as u64,
            size: stat.st_size.max(0) as u64,
            atime: stamp(stat.st_atime as i64, stat.st_atime_nsec as u32),
            mtime: stamp(stat.st_mtime as i64, stat.st_mtime_nsec as u32),
            ctime: stamp(stat.st_ctime as i64, stat.st_ctime_nsec as u32),
        }
    }
}

impl Directory {
    /// Opens a directory by its path, following symbolic links, to reach what is in it but not to list it.
    ///
    /// That needs no permission on the directory itself, only on those above it.
    pub fn open_to_pass(path: &Path) -> io::Result<Directory> {
        let flags = platform::PASS | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Directory { descriptor: rustix::fs::openat(CWD, path, flags, Mode::empty())? })
    }

    /// Opens a directory by its path, following symbolic links.
    pub fn open(path: &Path) -> io::Result<Directory> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Directory { descriptor: open_quietly(CWD, bytes_of_path(path), flags)? })
    }

    /// Opens a directory in this one; a symbolic link is an error.
    pub fn open_child(&self, name: &[u8]) -> io::Result<Directory> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Directory { descriptor: open_quietly(self.descriptor.as_fd(), name, flags)? })
    }

    /// As [`open_child`](Self::open_child), but a symbolic link to a directory is followed.
    pub fn open_child_following(&self, name: &[u8]) -> io::Result<Directory> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Directory { descriptor: open_quietly(self.descriptor.as_fd(), name, flags)? })
    }

    /// Follows symbolic links, and needs no permission on the child: see [`open_to_pass`](Self::open_to_pass).
    pub fn open_child_to_pass(&self, name: &[u8]) -> io::Result<Directory> {
        let flags = platform::PASS | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Directory { descriptor: rustix::fs::openat(&self.descriptor, name, flags, Mode::empty())? })
    }

    /// Opens a regular file in this directory for reading.
    ///
    /// A symbolic link is an error, and a pipe or device that took the file's place does not block: the
    /// caller looks at the metadata of what was opened.
    pub fn open_file(&self, name: &[u8]) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(File::from(open_quietly(self.descriptor.as_fd(), name, flags)?))
    }

    /// The names in this directory, sorted; only once for each opening.
    pub fn names(&self, names: &mut Names) -> io::Result<()> {
        names.clear();
        platform::list(self.descriptor.as_fd(), names)?;
        names.sort()
    }

    /// The metadata of the directory itself.
    pub fn metadata(&self) -> io::Result<Metadata> {
        metadata_of(self.descriptor.as_fd())
    }

    /// The metadata of an entry; a symbolic link's own.
    pub fn child_metadata(&self, name: &[u8]) -> io::Result<Metadata> {
        Ok(rustix::fs::statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW)?.into())
    }

    /// Where a symbolic link points to, as raw bytes.
    pub fn link_target(&self, name: &[u8]) -> io::Result<Vec<u8>> {
        Ok(rustix::fs::readlinkat(&self.descriptor, name, Vec::new())?.into_bytes())
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// The metadata of an open file or directory.
pub(super) fn metadata_of(descriptor: BorrowedFd<'_>) -> io::Result<Metadata> {
    Ok(rustix::fs::fstat(descriptor)?.into())
}

impl TryFrom<&File> for Metadata {
    type Error = io::Error;

    fn try_from(file: &File) -> io::Result<Metadata> {
        metadata_of(file.as_fd())
    }
}

/// Opens without touching the access time where that is allowed: to owners only.
fn open_quietly(at: BorrowedFd<'_>, name: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
    match rustix::fs::openat(at, name, flags | platform::QUIET, Mode::empty()) {
        Err(rustix::io::Errno::PERM) if !platform::QUIET.is_empty() => {
            Ok(rustix::fs::openat(at, name, flags, Mode::empty())?)
        }
        opened => Ok(opened?),
    }
}
