//! The view's attributes in FUSE's form.

use fuser::{FileAttr, FileType, INodeNo};
use std::time::{Duration, SystemTime};
use tresor_repo::time::Time;
use tresor_snapshot::vfs::{Attributes, Kind};

/// The unit in which space is counted.
const BLOCK: u64 = 512;

/// The kind in FUSE's words.
pub(crate) fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::File => FileType::RegularFile,
        Kind::Dir => FileType::Directory,
        Kind::Symlink => FileType::Symlink,
        Kind::BlockDevice => FileType::BlockDevice,
        Kind::CharDevice => FileType::CharDevice,
        Kind::Fifo => FileType::NamedPipe,
        Kind::Socket => FileType::Socket,
    }
}

/// Attributes in FUSE's form.
pub(crate) fn file_attr(of: &Attributes) -> FileAttr {
    FileAttr {
        ino: INodeNo(of.inode),
        size: of.size,
        blocks: of.size.div_ceil(BLOCK),
        atime: system_time(&of.atime),
        mtime: system_time(&of.mtime),
        ctime: system_time(&of.ctime),
        crtime: SystemTime::UNIX_EPOCH,
        kind: file_type(of.kind),
        perm: (of.permissions & 0o7777) as u16,
        nlink: of.links,
        uid: of.uid,
        gid: of.gid,
        rdev: (of.device & u64::from(u32::MAX)) as u32,
        blksize: if of.kind == Kind::File { BLOCK as u32 } else { 4096 },
        flags: 0,
    }
}

/// 1970 for what the system cannot say.
fn system_time(time: &Time) -> SystemTime {
    let whole = Duration::from_secs(time.seconds().unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    let second = if time.seconds() < 0 { epoch.checked_sub(whole) } else { epoch.checked_add(whole) };
    let moment =
        second.and_then(|second| second.checked_add(Duration::from_nanos(time.nanoseconds().into())));
    moment.unwrap_or(epoch)
}
