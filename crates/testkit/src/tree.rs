//! Builds a source tree on disk, one odd thing after the other.

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, UTIME_OMIT, XattrFlags};
use std::ffi::OsStr;
use std::fmt::Debug;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder that is filled by chained calls; paths are relative to it, and missing parents are made.
#[derive(Debug)]
pub struct TestTree {
    root: PathBuf,
    _folder: Option<TempDir>,
}

/// A name from bytes that need not be UTF-8.
pub fn name(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// Whether this process may make devices and give files away.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl Default for TestTree {
    fn default() -> Self {
        Self::new()
    }
}

impl TestTree {
    /// A tree in a temporary folder that goes away with this value.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        TestTree { root: folder.path().join("source"), _folder: Some(folder) }.dir("")
    }

    /// A tree at `root`, which is made if missing and which stays.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        TestTree { root: root.into(), _folder: None }.dir("")
    }

    /// The root's path.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The full path of `path`.
    pub fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        match path.as_ref().as_os_str().is_empty() {
            true => self.root.clone(),
            false => self.root.join(path),
        }
    }

    /// A directory, with its parents.
    #[track_caller]
    #[must_use]
    pub fn dir(self, path: impl AsRef<Path>) -> Self {
        let full = self.join(path);
        check(&full, fs::create_dir_all(&full));
        self
    }

    /// A file with these contents; an existing one is overwritten.
    #[track_caller]
    #[must_use]
    pub fn file(self, path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> Self {
        let full = self.with_parents(path.as_ref());
        check(&full, fs::write(&full, contents));
        self
    }

    /// A file of `length` bytes that are holes except where `parts` (offset, bytes) say otherwise.
    #[track_caller]
    #[must_use]
    pub fn sparse(self, path: impl AsRef<Path>, length: u64, parts: &[(u64, &[u8])]) -> Self {
        let full = self.with_parents(path.as_ref());
        let file = check(&full, File::create(&full));
        check(&full, file.set_len(length));
        for (offset, bytes) in parts {
            check(&full, file.write_all_at(bytes, *offset));
        }
        self
    }

    /// A symbolic link; the target's bytes are free.
    #[track_caller]
    #[must_use]
    pub fn symlink(self, path: impl AsRef<Path>, target: impl AsRef<Path>) -> Self {
        let full = self.with_parents(path.as_ref());
        check(&full, std::os::unix::fs::symlink(target, &full));
        self
    }

    /// Another name for the file at `existing`.
    #[track_caller]
    #[must_use]
    pub fn hard_link(self, existing: impl AsRef<Path>, path: impl AsRef<Path>) -> Self {
        let full = self.with_parents(path.as_ref());
        check(&full, fs::hard_link(self.join(existing), &full));
        self
    }

    /// A named pipe.
    #[track_caller]
    #[must_use]
    pub fn fifo(self, path: impl AsRef<Path>) -> Self {
        self.special(path.as_ref(), FileType::Fifo, 0)
    }

    /// A character device (root only).
    #[track_caller]
    #[must_use]
    pub fn char_device(self, path: impl AsRef<Path>, major: u32, minor: u32) -> Self {
        self.special(path.as_ref(), FileType::CharacterDevice, rustix::fs::makedev(major, minor))
    }

    /// A block device (root only).
    #[track_caller]
    #[must_use]
    pub fn block_device(self, path: impl AsRef<Path>, major: u32, minor: u32) -> Self {
        self.special(path.as_ref(), FileType::BlockDevice, rustix::fs::makedev(major, minor))
    }

    /// A socket, which backups leave out.
    #[track_caller]
    #[must_use]
    pub fn socket(self, path: impl AsRef<Path>) -> Self {
        let full = self.with_parents(path.as_ref());
        drop(check(&full, std::os::unix::net::UnixListener::bind(&full)));
        self
    }

    /// An extended attribute, of a link itself if `path` is one.
    #[track_caller]
    #[must_use]
    pub fn xattr(self, path: impl AsRef<Path>, name: &str, value: impl AsRef<[u8]>) -> Self {
        let full = self.join(path);
        check(&full, rustix::fs::lsetxattr(&full, name, value.as_ref(), XattrFlags::empty()));
        self
    }

    /// An access ACL that lets `user` read besides owner (rw-), group (r--) and others (r--).
    #[track_caller]
    #[must_use]
    pub fn acl(self, path: impl AsRef<Path>, user: u32) -> Self {
        const NOBODY: u32 = u32::MAX;
        const OWNER: u16 = 1;
        const USER: u16 = 2;
        const GROUP: u16 = 4;
        const MASK: u16 = 16;
        const OTHER: u16 = 32;
        let entries =
            [(OWNER, 6, NOBODY), (USER, 4, user), (GROUP, 4, NOBODY), (MASK, 6, NOBODY), (OTHER, 4, NOBODY)];
        let mut value = 2u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            value.extend(u16::to_le_bytes(tag));
            value.extend(u16::to_le_bytes(permissions));
            value.extend(u32::to_le_bytes(id));
        }
        self.xattr(path, "system.posix_acl_access", value)
    }

    /// The capability to bind low ports, permitted (root only).
    #[track_caller]
    #[must_use]
    pub fn capability(self, path: impl AsRef<Path>) -> Self {
        let words = [0x0200_0000u32, 1 << 10, 0, 0, 0];
        self.xattr(path, "security.capability", words.map(u32::to_le_bytes).concat())
    }

    /// Permission bits, with set-uid (0o4000), set-gid (0o2000) and sticky (0o1000).
    #[track_caller]
    #[must_use]
    pub fn mode(self, path: impl AsRef<Path>, mode: u32) -> Self {
        let full = self.join(path);
        check(&full, rustix::fs::chmod(&full, Mode::from_raw_mode(mode)));
        self
    }

    /// Owner and group, of a link itself if `path` is one (root only).
    #[track_caller]
    #[must_use]
    pub fn owner(self, path: impl AsRef<Path>, uid: u32, gid: u32) -> Self {
        let full = self.join(path);
        check(&full, std::os::unix::fs::lchown(&full, Some(uid), Some(gid)));
        self
    }

    /// The time of modification, in seconds since 1970 and ns; of a link itself if `path` is one.
    #[track_caller]
    #[must_use]
    pub fn time(self, path: impl AsRef<Path>, seconds: i64, nanoseconds: i64) -> Self {
        let full = self.join(path);
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: seconds, tv_nsec: nanoseconds },
        };
        check(&full, rustix::fs::utimensat(CWD, &full, &times, AtFlags::SYMLINK_NOFOLLOW));
        self
    }

    /// Removes what is at `path`, with everything below.
    #[track_caller]
    #[must_use]
    pub fn remove(self, path: impl AsRef<Path>) -> Self {
        let full = self.join(path);
        let is_dir = check(&full, fs::symlink_metadata(&full)).is_dir();
        check(&full, if is_dir { fs::remove_dir_all(&full) } else { fs::remove_file(&full) });
        self
    }

    #[track_caller]
    fn special(self, path: &Path, kind: FileType, device: u64) -> Self {
        let full = self.with_parents(path);
        check(&full, rustix::fs::mknodat(CWD, &full, kind, Mode::from_raw_mode(0o640), device));
        self
    }

    #[track_caller]
    fn with_parents(&self, path: &Path) -> PathBuf {
        let full = self.join(path);
        let parent = full.parent().expect("a path below the root has a parent");
        check(parent, fs::create_dir_all(parent));
        full
    }
}

#[track_caller]
fn check<T, E: Debug>(path: &Path, outcome: Result<T, E>) -> T {
    outcome.unwrap_or_else(|e| panic!("cannot make {path:?}: {e:?}"))
}
