//! The kernel's requests, answered by the view.

use crate::attributes::{file_attr, file_type};
use crate::table::{Files, Folders, Known};
use fuser::{
    Errno, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, InitFlags, KernelConfig, LockOwner,
    OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyOpen,
    ReplyStatfs, ReplyXattr, Request,
};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Duration;
use tresor_repo::monitor::{Monitor, Problem};
use tresor_snapshot::vfs::{Entry, Item, Refreshed, View};

/// How long the kernel may believe what never changes.
const FIXED: Duration = Duration::from_secs(24 * 3600);
/// How long it may believe which snapshots there are.
const CHANGING: Duration = Duration::from_secs(1);
/// Requests of the kernel's own read-ahead that may be under way.
const MOST_AHEAD: u16 = 64;

/// A view behind FUSE.
pub(crate) struct ViewFs {
    view: View,
    known: Known,
    files: Files,
    folders: Folders,
    monitor: Arc<dyn Monitor>,
}

impl ViewFs {
    pub(crate) fn new(view: View, monitor: Arc<dyn Monitor>) -> Self {
        let known = Known::new(view.root());
        ViewFs { view, known, files: Files::new(), folders: Folders::new(), monitor }
    }

    /// Tells what went wrong, and what the kernel hears of it.
    fn failed(&self, doing: &'static str, item: &Item, cause: tresor_snapshot::Error) -> Errno {
        let item = format!("inode {}", item.inode());
        self.monitor.problem(&Problem { item, doing, cause: Box::new(cause) });
        Errno::EIO
    }

    fn item(&self, inode: INodeNo) -> Result<Item, Errno> {
        self.known.get(inode.0).ok_or(Errno::ESTALE)
    }

    /// Looks for new snapshots before something is looked for above them. If that fails, the old ones are shown.
    fn refresh(&self, folder: &Item) {
        if folder.is_fixed() {
            return;
        }
        match self.view.refresh() {
            Ok(refreshed) => tell_unreadable(&*self.monitor, refreshed),
            Err(cause) => drop(self.failed("look for new snapshots of", folder, cause)),
        }
    }

    fn find(&self, parent: INodeNo, name: &OsStr) -> Result<Item, Errno> {
        let folder = self.item(parent)?;
        self.refresh(&folder);
        let found = self.view.lookup(&folder, name.as_bytes());
        found.map_err(|cause| self.failed("read the folder", &folder, cause))?.ok_or(Errno::ENOENT)
    }

    /// The entries of an open folder, with itself and the one above it in front.
    fn entries(&self, handle: FileHandle) -> Result<Arc<Vec<Entry>>, Errno> {
        self.folders.get(handle.0).ok_or(Errno::EBADF)
    }

    fn opened_folder(&self, inode: INodeNo) -> Result<u64, Errno> {
        let folder = self.item(inode)?;
        self.refresh(&folder);
        let listed =
            self.view.list(&folder).map_err(|cause| self.failed("read the folder", &folder, cause))?;
        // What it is in may be forgotten by now; then only its number is known.
        let above = self.known.get(folder.parent()).unwrap_or_else(|| self.view.root());
        let mut entries = vec![(Box::from(*b"."), folder), (Box::from(*b".."), above)];
        entries.extend(listed);
        Ok(self.folders.insert(entries))
    }

    fn opened_file(&self, inode: INodeNo) -> Result<u64, Errno> {
        let item = self.item(inode)?;
        match self.view.open(&item) {
            Ok(file) => Ok(self.files.insert(file)),
            Err(cause) => Err(self.failed("open the file", &item, cause)),
        }
    }
}

/// Tells of snapshots that cannot be read.
pub(crate) fn tell_unreadable(monitor: &dyn Monitor, refreshed: Refreshed) {
    for (id, error) in refreshed.unreadable {
        let item = format!("snapshot {}", id.short());
        monitor.problem(&Problem { item, doing: "load", cause: Box::new(error) });
    }
}

/// How long the kernel may believe what it is told of an entry.
fn lasts(item: &Item) -> Duration {
    if item.is_fixed() { FIXED } else { CHANGING }
}

/// How long the kernel may believe that a name means this entry.
fn name_lasts(parent_is_fixed: bool) -> Duration {
    if parent_is_fixed { FIXED } else { CHANGING }
}

impl Filesystem for ViewFs {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        let wanted = InitFlags::FUSE_ASYNC_READ
            | InitFlags::FUSE_DO_READDIRPLUS
            | InitFlags::FUSE_READDIRPLUS_AUTO
            | InitFlags::FUSE_PARALLEL_DIROPS
            | InitFlags::FUSE_CACHE_SYMLINKS;
        for flag in wanted.iter() {
            let _ = config.add_capabilities(flag); // an older kernel is slower, not wrong
        }
        let _ = config.set_max_background(MOST_AHEAD); // any number but 0 is taken
        Ok(())
    }

    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.find(parent, name) {
            Ok(item) => {
                self.known.tell(&item);
                let attr = file_attr(&self.view.attributes(&item));
                let fixed_parent = self.known.get(parent.0).is_some_and(|parent| parent.is_fixed());
                reply.entry_with_ttls(&lasts(&item), &name_lasts(fixed_parent), &attr, Generation(0));
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn forget(&self, _request: &Request, inode: INodeNo, times: u64) {
        self.known.forget(inode.0, times);
    }

    fn getattr(&self, _request: &Request, inode: INodeNo, _handle: Option<FileHandle>, reply: ReplyAttr) {
        match self.item(inode) {
            Ok(item) => reply.attr(&lasts(&item), &file_attr(&self.view.attributes(&item))),
            Err(errno) => reply.error(errno),
        }
    }

    fn readlink(&self, _request: &Request, inode: INodeNo, reply: ReplyData) {
        match self.item(inode) {
            Ok(item) => reply.data(item.link_target()),
            Err(errno) => reply.error(errno),
        }
    }

    fn open(&self, _request: &Request, inode: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        match self.opened_file(inode) {
            // The content of a number never changes: what the kernel has read before is still right.
            Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::FOPEN_KEEP_CACHE),
            Err(errno) => reply.error(errno),
        }
    }

    fn read(
        &self,
        _request: &Request,
        inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let Some(file) = self.files.get(handle.0) else { return reply.error(Errno::EBADF) };
        match self.view.read(&file, offset, size as usize) {
            Ok(bytes) => reply.data(&bytes),
            Err(cause) => {
                let item = self.known.get(inode.0).unwrap_or_else(|| self.view.root());
                reply.error(self.failed("read the file", &item, cause));
            }
        }
    }

    fn release(
        &self,
        _request: &Request,
        _inode: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.files.remove(handle.0);
        reply.ok();
    }

    fn opendir(&self, _request: &Request, inode: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        match self.opened_folder(inode) {
            Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::empty()),
            Err(errno) => reply.error(errno),
        }
    }

    fn readdir(
        &self,
        _request: &Request,
        _inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let entries = match self.entries(handle) {
            Ok(entries) => entries,
            Err(errno) => return reply.error(errno),
        };
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        for (number, (name, item)) in entries.iter().enumerate().skip(from) {
            let next = number as u64 + 1;
            if reply.add(INodeNo(item.inode()), next, file_type(item.kind()), OsStr::from_bytes(name)) {
                break;
            }
        }
        reply.ok();
    }

    fn readdirplus(
        &self,
        _request: &Request,
        _inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let entries = match self.entries(handle) {
            Ok(entries) => entries,
            Err(errno) => return reply.error(errno),
        };
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let fixed_parent = entries.first().is_some_and(|(_, folder)| folder.is_fixed());
        for (number, (name, item)) in entries.iter().enumerate().skip(from) {
            let attr = file_attr(&self.view.attributes(item));
            let (next, lasts) = (number as u64 + 1, lasts(item).min(name_lasts(fixed_parent)));
            if reply.add(attr.ino, next, OsStr::from_bytes(name), &lasts, &attr, Generation(0)) {
                break;
            }
            // The first two are the folder itself and the one above, which the kernel does not count.
            if number > 1 {
                self.known.tell(item);
            }
        }
        reply.ok();
    }

    fn releasedir(
        &self,
        _request: &Request,
        _inode: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.folders.remove(handle.0);
        reply.ok();
    }

    fn statfs(&self, _request: &Request, _inode: INodeNo, reply: ReplyStatfs) {
        // How large a repository is as a file system nobody knows.
        reply.statfs(0, 0, 0, 0, 0, 512, 255, 512);
    }

    fn getxattr(&self, _request: &Request, inode: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        let item = match self.item(inode) {
            Ok(item) => item,
            Err(errno) => return reply.error(errno),
        };
        let Some(mut attributes) = item.extended_attributes() else { return reply.error(Errno::EOPNOTSUPP) };
        match attributes.find(|(found, _)| *found == name.as_bytes()) {
            Some((_, value)) => answer(value, size, reply),
            None => reply.error(Errno::ENODATA),
        }
    }

    fn listxattr(&self, _request: &Request, inode: INodeNo, size: u32, reply: ReplyXattr) {
        let item = match self.item(inode) {
            Ok(item) => item,
            Err(errno) => return reply.error(errno),
        };
        let Some(attributes) = item.extended_attributes() else { return reply.error(Errno::EOPNOTSUPP) };
        let mut names = Vec::new();
        for (name, _) in attributes.filter(|(name, _)| !name.is_empty() && !name.contains(&0)) {
            names.extend_from_slice(name);
            names.push(0);
        }
        answer(&names, size, reply);
    }
}

/// Answers with the size when nothing else was asked, and with the bytes when there is room for them.
fn answer(bytes: &[u8], room: u32, reply: ReplyXattr) {
    match u32::try_from(bytes.len()) {
        Ok(size) if room == 0 => reply.size(size),
        Ok(size) if size <= room => reply.data(bytes),
        _ => reply.error(Errno::ERANGE),
    }
}
