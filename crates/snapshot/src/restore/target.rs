//! The target directory: every change goes through a descriptor, and nothing leads out of it.
//!
//! A [`Name`] is one checked component, and every function here that takes a name takes a [`Name`]. So no
//! snapshot can make us name anything but an entry of the directory at hand. Symbolic links are never
//! followed, neither by an entry's name nor on the way to a directory: the kernel is told so each time,
//! hence a link that somebody plants while we work leads to an error.

use crate::node::is_entry_name;
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fgetxattr_query, linkat, mkdirat, mknodat,
    openat, openat2, statat, symlinkat, unlinkat,
};
use rustix::io::{Errno, Result};
use std::ffi::{CStr, CString};
use std::fs::{DirBuilder, File};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Longest path the kernel takes in one call, with its final NUL.
const PATH_MAX: usize = 4096;

/// One component of a path that can only name an entry of its directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name<'a>(&'a CStr);

impl<'a> Name<'a> {
    /// The name, unless it is empty, `.`, `..` or has a slash.
    pub(crate) fn new(name: &'a CStr) -> Option<Self> {
        is_entry_name(name.to_bytes()).then_some(Name(name))
    }

    /// For a call of the system.
    pub(crate) fn as_c_str(&self) -> &'a CStr {
        self.0
    }

    /// Its bytes, without the final NUL.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.0.to_bytes()
    }
}

/// A path below the target, made of checked names; empty for the target itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TargetPath(Vec<u8>);

impl TargetPath {
    /// Appends a component.
    pub(crate) fn push(&mut self, name: Name<'_>) {
        if !self.0.is_empty() {
            self.0.push(b'/');
        }
        self.0.extend_from_slice(name.bytes());
    }

    fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|byte| *byte == b'/').filter(|component| !component.is_empty())
    }
}

/// The open target of a restore.
pub(crate) struct Target {
    root: Dir,
    /// Whether the kernel resolves whole paths below a directory; older ones go step by step.
    resolves_beneath: AtomicBool,
}

impl Target {
    /// Makes the target with its missing parents (mode 0700), and opens it.
    ///
    /// The path is the user's own: links in it are followed, once.
    pub(crate) fn create(path: &Path) -> std::io::Result<Target> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Ok(Target::open(path)?)
    }

    /// Opens the target, which must be a directory.
    pub(crate) fn open(path: &Path) -> Result<Target> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = Dir::from(openat(CWD, path, flags, Mode::empty())?);
        Ok(Target { root, resolves_beneath: AtomicBool::new(true) })
    }

    /// Opens a directory below the target.
    ///
    /// # Errors
    /// `ELOOP` or `ENOTDIR` if a link or anything else that is no directory is on the way.
    pub(crate) fn open_dir(&self, path: &TargetPath) -> Result<Dir> {
        if path.0.is_empty() {
            return self.root.reopen();
        }
        if path.0.len() < PATH_MAX && self.resolves_beneath.load(Ordering::Relaxed) {
            match self.open_beneath(path) {
                Err(Errno::NOSYS | Errno::PERM) => self.resolves_beneath.store(false, Ordering::Relaxed),
                // Somebody renames directories meanwhile, and the kernel cannot be sure: go step by step.
                Err(Errno::AGAIN | Errno::NAMETOOLONG) => {}
                answer => return answer,
            }
        }
        self.open_stepwise(path)
    }

    fn open_beneath(&self, path: &TargetPath) -> Result<Dir> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        openat2(&self.root.fd, path.0.as_slice(), DIRECTORY, Mode::empty(), resolve).map(Dir::from)
    }

    fn open_stepwise(&self, path: &TargetPath) -> Result<Dir> {
        let mut at: Option<OwnedFd> = None;
        for component in path.components() {
            let above = at.as_ref().unwrap_or(&self.root.fd);
            at = Some(openat(above, component, DIRECTORY, Mode::empty())?);
        }
        at.map_or_else(|| self.root.reopen(), |fd| Ok(Dir::from(fd)))
    }
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Flags for an existing entry of any kind: never through a link, never waiting for a pipe's other end.
const ENTRY: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// An open directory of the target.
pub(crate) struct Dir {
    fd: OwnedFd,
    hands_down_acl: OnceLock<bool>,
}

impl From<OwnedFd> for Dir {
    fn from(fd: OwnedFd) -> Self {
        Dir { fd, hands_down_acl: OnceLock::new() }
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Dir {
    /// The same directory with a descriptor of its own.
    pub(crate) fn reopen(&self) -> Result<Dir> {
        openat(&self.fd, c".", DIRECTORY, Mode::empty()).map(Dir::from)
    }

    /// Opens a directory in this one.
    pub(crate) fn open_dir(&self, name: Name<'_>) -> Result<Dir> {
        openat(&self.fd, name.0, DIRECTORY, Mode::empty()).map(Dir::from)
    }

    /// Makes a directory that only its owner can use for now.
    pub(crate) fn make_dir(&self, name: Name<'_>) -> Result<()> {
        mkdirat(&self.fd, name.0, Mode::RWXU)
    }

    /// Says what is there, if anything is.
    pub(crate) fn stat(&self, name: Name<'_>) -> Result<Option<Stat>> {
        match statat(&self.fd, name.0, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a file that was not there, readable by its owner alone for now.
    pub(crate) fn create_file(&self, name: Name<'_>) -> Result<File> {
        let flags = OFlags::WRONLY
            | OFlags::CREATE
            | OFlags::EXCL
            | OFlags::NOFOLLOW
            | OFlags::NOCTTY
            | OFlags::CLOEXEC;
        openat(&self.fd, name.0, flags, Mode::RUSR | Mode::WUSR).map(File::from)
    }

    /// Opens what is there for writing, whatever it is: the caller looks what it got.
    pub(crate) fn open_to_write(&self, name: Name<'_>) -> Result<File> {
        openat(&self.fd, name.0, OFlags::WRONLY | ENTRY, Mode::empty()).map(File::from)
    }

    /// Opens what is there for reading, whatever it is: the caller looks what it got.
    pub(crate) fn open_to_read(&self, name: Name<'_>) -> Result<File> {
        openat(&self.fd, name.0, OFlags::RDONLY | ENTRY, Mode::empty()).map(File::from)
    }

    /// A descriptor that only stands for the entry, and needs no right over it.
    pub(crate) fn open_as_place(&self, name: Name<'_>) -> Result<OwnedFd> {
        openat(&self.fd, name.0, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
    }

    /// Removes an entry: anything but a directory that is not empty.
    pub(crate) fn remove(&self, name: Name<'_>) -> Result<()> {
        match unlinkat(&self.fd, name.0, AtFlags::empty()) {
            // POSIX has EPERM for a directory, Linux EISDIR.
            Err(Errno::ISDIR | Errno::PERM) => unlinkat(&self.fd, name.0, AtFlags::REMOVEDIR),
            answer => answer,
        }
    }

    /// Gives `existing` in the directory `from` another name in this one.
    pub(crate) fn link(&self, from: &Dir, existing: Name<'_>, name: Name<'_>) -> Result<()> {
        linkat(&from.fd, existing.0, &self.fd, name.0, AtFlags::empty())
    }

    /// Makes a symbolic link with any bytes as its target.
    pub(crate) fn symlink(&self, target: &CStr, name: Name<'_>) -> Result<()> {
        symlinkat(target, &self.fd, name.0)
    }

    /// Makes a pipe or device, usable by its owner alone for now.
    pub(crate) fn make_special(&self, name: Name<'_>, kind: FileType, device: u64) -> Result<()> {
        mknodat(&self.fd, name.0, kind, Mode::RUSR | Mode::WUSR, device)
    }

    /// The entries' names, sorted.
    pub(crate) fn names(&self) -> Result<Vec<CString>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd)? {
            let entry = entry?;
            if Name::new(entry.file_name()).is_some() {
                names.push(entry.file_name().to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Whether what is made in the directory inherits an access list.
    pub(crate) fn hands_down_acl(&self) -> bool {
        let ask = || fgetxattr_query(&self.fd, c"system.posix_acl_default").is_ok();
        *self.hands_down_acl.get_or_init(ask)
    }

    /// The path of an entry by way of this descriptor, for the few calls that only take paths.
    ///
    /// Only for calls that do not follow a link in the last place.
    pub(crate) fn proc_path(&self, name: Name<'_>) -> CString {
        use std::os::fd::AsRawFd;
        let mut path = format!("/proc/self/fd/{}/", self.fd.as_raw_fd()).into_bytes();
        path.extend_from_slice(name.bytes());
        CString::new(path).expect("neither the number nor a name holds a NUL")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn name(name: &CStr) -> Name<'_> {
        Name::new(name).unwrap()
    }

    fn path(names: &[&CStr]) -> TargetPath {
        let mut path = TargetPath::default();
        names.iter().for_each(|component| path.push(name(component)));
        path
    }

    #[test]
    fn a_name_is_one_component_that_leads_nowhere_else() {
        for bad in [c"", c".", c"..", c"/", c"/abs", c"a/b", c"../x", c"a/"] {
            assert_eq!(Name::new(bad), None, "{bad:?}");
        }
        for good in [c"a", c"...", c" ", c"-rf", c"a\\b", c"\xff\xfe", c"..a", c"\n"] {
            assert!(Name::new(good).is_some(), "{good:?}");
        }
    }

    #[test]
    fn no_link_is_followed_on_the_way_to_a_directory_or_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        fs::create_dir_all(outside.join("deep")).unwrap();
        let target = Target::create(&folder.path().join("new/target")).unwrap();
        let inside = folder.path().join("new/target");
        fs::create_dir_all(inside.join("real/deep")).unwrap();
        symlink(&outside, inside.join("link")).unwrap();
        symlink("../..", inside.join("real/up")).unwrap();
        for resolves_beneath in [true, false] {
            target.resolves_beneath.store(resolves_beneath, Ordering::Relaxed);
            assert!(target.open_dir(&TargetPath::default()).is_ok());
            assert!(target.open_dir(&path(&[c"real", c"deep"])).is_ok());
            for bad in [&[c"link"][..], &[c"link", c"deep"], &[c"real", c"up"], &[c"real", c"up", c"target"]]
            {
                let error = target.open_dir(&path(bad)).err();
                assert!(matches!(error, Some(Errno::LOOP | Errno::NOTDIR)), "{bad:?}: {error:?}");
            }
        }
        let root = target.open_dir(&TargetPath::default()).unwrap();
        assert_eq!(root.open_to_write(name(c"link")).err(), Some(Errno::LOOP));
        assert_eq!(root.create_file(name(c"link")).err(), Some(Errno::EXIST));
        root.remove(name(c"link")).unwrap();
        assert!(outside.join("deep").is_dir(), "the link was removed, not what it points to");
    }

    #[test]
    fn paths_longer_than_the_kernel_takes_at_once_still_open() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::open(folder.path()).unwrap();
        let long = CString::new("x".repeat(200)).unwrap();
        let mut way = TargetPath::default();
        for _ in 0..30 {
            target.open_dir(&way).unwrap().make_dir(name(&long)).unwrap();
            way.push(name(&long));
        }
        assert!(target.open_dir(&way).unwrap().names().unwrap().is_empty());
    }

    #[test]
    fn the_target_may_be_reached_through_a_link_and_must_be_a_directory() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("real")).unwrap();
        symlink("real", folder.path().join("typed")).unwrap();
        let target = Target::create(&folder.path().join("typed")).unwrap();
        target.open_dir(&TargetPath::default()).unwrap().create_file(name(c"x")).unwrap();
        assert!(folder.path().join("real/x").exists());
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(Target::create(&folder.path().join("file")).is_err());
    }
}
