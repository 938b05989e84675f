//! What Linux alone has: getdents, opening without an access, attributes by way of /proc.

use std::io;
use std::io::Write;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{OFlags, RawDir};

use super::names::Names;

/// Opens a directory only to pass through it.
pub(super) const PASS: OFlags = OFlags::PATH;
/// Opens without changing the access time; refused to those who do not own the file.
pub(super) const QUIET: OFlags = OFlags::NOATIME;

/// Bytes asked of the kernel at once: some hundred names.
const LISTING: usize = 32 * 1024;

/// What this process may do, as bytes that are the same exactly if that is the same: it decides what of a file can
/// be read.
pub fn privileges() -> Vec<u8> {
    let uid = rustix::process::geteuid().as_raw();
    let capabilities = rustix::thread::capabilities(None).map_or(0, |sets| sets.effective.bits());
    [&uid.to_le_bytes()[..], &capabilities.to_le_bytes()].concat()
}

/// Adds the names in a directory.
pub(super) fn list(directory: BorrowedFd<'_>, names: &mut Names) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(LISTING);
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        names.push(entry?.file_name().to_bytes())?;
    }
    Ok(())
}

/// Writes a path that leads to an entry of an open directory without walking there.
///
/// Linux got calls for the attributes of an entry relative to a descriptor only in 6.13; the kernel's own
/// link to the open directory has done the same since ever. The last name is not followed by the `l…xattr` calls.
pub(super) fn entry_path(directory: BorrowedFd<'_>, name: &[u8], path: &mut Vec<u8>) {
    path.clear();
    // Writing to a vector cannot fail.
    let _ = write!(path, "/proc/self/fd/{}/", directory.as_raw_fd());
    path.extend_from_slice(name);
}
