//! Invented files as a file system, by FUSE: to be read, or to be restored to without being kept.

use super::files::{Files, Node, contents};
use super::tree::moment;
use crate::Result;
use fuser::{
    BackgroundSession, BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, InitFlags, KernelConfig, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request,
    Session, SessionACL, TimeOrNow, WriteFlags,
};
use nix::mount::{MntFlags, umount2};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Nothing changes but by the kernel.
const FIXED: Duration = Duration::from_secs(24 * 3600);
/// Requests answered at the same time.
const AT_ONCE: usize = 2;

/// A file system that is there until it is dropped.
pub(super) struct Mounted {
    path: PathBuf,
    session: Option<BackgroundSession>,
}

impl Mounted {
    /// Shows all files at `path`, to be read.
    pub(super) fn full(files: &Files, path: &Path) -> Result<Self> {
        Mounted::start(Shown { files: files.clone(), created: None }, path)
    }

    /// Shows nothing at `path`, and takes the same files: what it is given it forgets, but for the names.
    pub(super) fn discarding(files: &Files, path: &Path) -> Result<Self> {
        let created = Some(Created::none_of(files));
        Mounted::start(Shown { files: files.clone(), created }, path)
    }

    fn start(shown: Shown, path: &Path) -> Result<Self> {
        let _ = umount2(path, MntFlags::MNT_DETACH); // what a run left that was killed
        fs::create_dir_all(path)?;
        let mut config = Config::default();
        config.mount_options =
            vec![MountOption::NoSuid, MountOption::NoDev, MountOption::FSName("tresor-scale".to_owned())];
        config.acl = SessionACL::Owner;
        config.n_threads = Some(AT_ONCE);
        config.clone_fd = true;
        let session = Session::new(shown, path, &config).and_then(Session::spawn);
        let session = session.map_err(|e| format!("cannot mount on {}: {e}", path.display()))?;
        Ok(Mounted { path: path.to_owned(), session: Some(session) })
    }

    /// The number that the system gave it.
    pub(super) fn device(&self) -> Result<u64> {
        Ok(fs::metadata(&self.path)?.dev())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Whoever still uses it keeps it until then.
        let _ = umount2(&self.path, MntFlags::MNT_DETACH);
        drop(self.session.take());
    }
}

/// The kernel's view of it.
struct Shown {
    files: Files,
    /// What is there; everything if this is not given.
    created: Option<Created>,
}

/// What was created so far.
struct Created {
    /// A bit for each file.
    files: Vec<AtomicU64>,
    folders: Mutex<HashSet<u64>>,
}

impl Created {
    fn none_of(files: &Files) -> Self {
        let words = files.count.div_ceil(64);
        Created { files: (0..words).map(|_| AtomicU64::new(0)).collect(), folders: Mutex::default() }
    }

    fn has(&self, node: Node, inode: u64) -> bool {
        match node {
            Node::File(number) => {
                self.files[(number / 64) as usize].load(Ordering::Relaxed) >> (number % 64) & 1 == 1
            }
            Node::Folder { .. } => {
                inode == 1 || self.folders.lock().unwrap_or_else(PoisonError::into_inner).contains(&inode)
            }
        }
    }

    fn set(&self, node: Node, inode: u64) {
        match node {
            Node::File(number) => {
                self.files[(number / 64) as usize].fetch_or(1 << (number % 64), Ordering::Relaxed);
            }
            Node::Folder { .. } => {
                self.folders.lock().unwrap_or_else(PoisonError::into_inner).insert(inode);
            }
        }
    }
}

impl Shown {
    fn node(&self, inode: INodeNo) -> Result<Node, Errno> {
        self.files.node(inode.0).ok_or(Errno::ESTALE)
    }

    fn is_there(&self, node: Node) -> bool {
        self.created.as_ref().is_none_or(|created| created.has(node, self.files.inode(node)))
    }

    /// The attributes of what has this name, whether it is there or not.
    fn named(&self, parent: INodeNo, name: &OsStr) -> Result<Node, Errno> {
        let name = name.to_str().ok_or(Errno::EPERM)?;
        self.files.find(self.node(parent)?, name).ok_or(Errno::EPERM)
    }

    /// Creates what has this name, if it is one of the names that there are.
    fn create(&self, parent: INodeNo, name: &OsStr) -> Result<FileAttr, Errno> {
        let (node, created) = (self.named(parent, name)?, self.created.as_ref().ok_or(Errno::EROFS)?);
        created.set(node, self.files.inode(node));
        Ok(self.attributes(node))
    }

    fn attributes(&self, node: Node) -> FileAttr {
        let inode = self.files.inode(node);
        let (seconds, nanosecond) = moment(inode);
        let time = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanosecond);
        let (kind, perm, nlink, size) = match node {
            Node::File(number) => (FileType::RegularFile, 0o644, 1, contents(number).len() as u64),
            Node::Folder { .. } => (FileType::Directory, 0o755, 2, 4096),
        };
        FileAttr {
            ino: INodeNo(inode),
            size,
            blocks: size.div_ceil(512),
            atime: time,
            mtime: time,
            ctime: time,
            crtime: time,
            kind,
            perm,
            nlink,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }

    /// What a folder has from this offset on, each with the offset of the next; the first two are itself and its parent.
    fn entries(&self, folder: Node, offset: u64) -> impl Iterator<Item = (u64, String, Node)> {
        let dots = [".", ".."].map(|name| (name.to_owned(), folder)).into_iter();
        let dots = (1..).zip(dots).skip(usize::try_from(offset).unwrap_or(usize::MAX));
        let places = (offset.saturating_sub(2)..)
            .map_while(move |place| Some((place, self.files.child(folder, place)?)));
        let there = places.filter(|(_, node)| self.is_there(*node));
        let children = there.map(|(place, node)| (place + 3, (node.name(), node)));
        dots.chain(children).map(|(next, (name, node))| (next, name, node))
    }
}

impl Filesystem for Shown {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        let wanted = InitFlags::FUSE_DO_READDIRPLUS
            | InitFlags::FUSE_READDIRPLUS_AUTO
            | InitFlags::FUSE_PARALLEL_DIROPS;
        for flag in wanted.iter() {
            let _ = config.add_capabilities(flag); // an older kernel is slower, not wrong
        }
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.named(parent, name) {
            Ok(node) if self.is_there(node) => {
                reply.entry(&FIXED, &self.attributes(node), Generation(0));
            }
            _ => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.node(inode) {
            Ok(node) => reply.attr(&FIXED, &self.attributes(node)),
            Err(errno) => reply.error(errno),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        inode: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        _size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        match self.node(inode) {
            Ok(node) if self.created.is_some() => reply.attr(&FIXED, &self.attributes(node)),
            Ok(_) => reply.error(Errno::EROFS),
            Err(errno) => reply.error(errno),
        }
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _mode: u32, _umask: u32, reply: ReplyEntry) {
        match self.create(parent, name) {
            Ok(attributes) => reply.entry(&FIXED, &attributes, Generation(0)),
            Err(errno) => reply.error(errno),
        }
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        _mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        match self.create(parent, name) {
            Ok(attributes) => {
                reply.created(&FIXED, &attributes, Generation(0), FileHandle(0), FopenFlags::empty());
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
    }

    fn read(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let Ok(Node::File(number)) = self.node(inode) else { return reply.error(Errno::EISDIR) };
        let contents = contents(number);
        let first = usize::try_from(offset).unwrap_or(usize::MAX).min(contents.len());
        let last = first.saturating_add(size as usize).min(contents.len());
        reply.data(&contents[first..last]);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match u32::try_from(data.len()) {
            Ok(length) if self.created.is_some() => reply.written(length),
            _ => reply.error(Errno::EROFS),
        }
    }

    fn unlink(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::EPERM);
    }

    fn readdir(&self, _: &Request, inode: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let Ok(folder) = self.node(inode) else { return reply.error(Errno::ESTALE) };
        for (next, name, node) in self.entries(folder, offset) {
            let attributes = self.attributes(node);
            if reply.add(attributes.ino, next, attributes.kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn readdirplus(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let Ok(folder) = self.node(inode) else { return reply.error(Errno::ESTALE) };
        for (next, name, node) in self.entries(folder, offset) {
            let attributes = self.attributes(node);
            if reply.add(attributes.ino, next, name, &FIXED, &attributes, Generation(0)) {
                break;
            }
        }
        reply.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_are_there_to_be_read() {
        let (dir, files) = (tempfile::tempdir().unwrap(), Files::new(2500));
        let _mounted = Mounted::full(&files, dir.path()).unwrap();
        let names: HashSet<_> = fs::read_dir(dir.path().join("folder-02"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!((names.len(), fs::read_dir(dir.path().join("folder-01")).unwrap().count()), (500, 1000));
        let last = dir.path().join("folder-02/file-499.txt");
        assert_eq!(fs::read(&last).unwrap(), contents(2499));
        let metadata = fs::metadata(&last).unwrap();
        assert_eq!((metadata.ino(), metadata.mtime() as u64), (2501, moment(2501).0));
        assert!(fs::write(dir.path().join("folder-02/file-000.txt"), "x").is_err());
    }

    #[test]
    fn what_is_written_is_forgotten_but_for_its_name() {
        let (dir, files) = (tempfile::tempdir().unwrap(), Files::new(2500));
        let _mounted = Mounted::discarding(&files, dir.path()).unwrap();
        let folder = dir.path().join("folder-01");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(fs::write(folder.join("file-007.txt"), "x").is_err());
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("file-007.txt"), "x").unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        assert!(fs::write(folder.join("another"), "x").is_err());
    }
}
