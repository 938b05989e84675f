//! Saving a file so that it is there entirely and durably, or not at all; and removing one.

use super::{Modes, make_folder, open_folder, sync_folder};
use crate::random::Random;
use crate::{FileKind, FileName, Payload, layout};
use rustix::fs::{AtFlags, FallocateFlags, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Small parts are gathered into writes of this size.
const WRITE_SIZE: usize = 256 * 1024;

/// The content may be there now and gone after a power failure: trying again would only hide that.
#[derive(Debug, thiserror::Error)]
#[error("cannot make it durable")]
pub(super) struct NotDurable(#[source] io::Error);

/// Saves under a temporary name in the same folder, makes it durable, then gives it its name.
pub(super) fn save(
    root: BorrowedFd<'_>,
    file: FileName,
    payload: &Payload<'_>,
    modes: Modes,
) -> io::Result<()> {
    let folder = folder_of(root, file, modes)?;
    let name = layout::name(file);
    let (opened, temporary) = Temporary::create(folder.as_fd(), &name)?;
    let opened = write(opened, payload)?;
    let can_sync = sync_file(&opened)?;
    protect(&opened, modes)?;
    drop(opened);
    retry_on_intr(|| rustix::fs::renameat(&folder, &temporary.name, &folder, &name))?;
    temporary.keep();
    if can_sync { sync_folder(&folder).map_err(not_durable) } else { Ok(()) }
}

/// Removes a file.
pub(super) fn remove(root: BorrowedFd<'_>, file: FileName) -> io::Result<()> {
    retry_on_intr(|| rustix::fs::unlinkat(root, layout::path(file), AtFlags::empty()))?;
    // Packs are removed after the index files that name them, and must not vanish before those do.
    if file.kind() == FileKind::Index {
        sync_folder(open_folder(root, layout::parent(file))?)?;
    }
    Ok(())
}

/// Opens the folder a file belongs into, and makes it when it is missing.
fn folder_of(root: BorrowedFd<'_>, file: FileName, modes: Modes) -> io::Result<OwnedFd> {
    let folder = layout::parent(file);
    if folder.is_empty() {
        return open_folder(root, ".");
    }
    match open_folder(root, &folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    make_folder(root, layout::folder(file.kind()), modes)?;
    sync_folder(root)?;
    if folder != layout::folder(file.kind()) {
        make_folder(root, &folder, modes)?;
        sync_folder(open_folder(root, layout::folder(file.kind()))?)?;
    }
    open_folder(root, &folder)
}

fn write(file: File, payload: &Payload<'_>) -> io::Result<File> {
    if !payload.is_empty() {
        // Only a wish: where it cannot be fulfilled, writing tells whether there is room.
        let _ = rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, 0, payload.len());
    }
    let mut writer = BufWriter::with_capacity(WRITE_SIZE, file);
    let mut written = 0;
    payload.for_each_piece(|piece| {
        written += piece.len() as u64;
        writer.write_all(piece)
    })?;
    let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    if written != payload.len() {
        return Err(io::Error::other("the content is not as long as announced"));
    }
    Ok(file)
}

/// Makes the content durable; returns whether this file system can do that at all.
fn sync_file(file: &File) -> io::Result<bool> {
    match retry_on_intr(|| rustix::fs::fsync(file)) {
        Ok(()) => Ok(true),
        Err(Errno::NOTSUP | Errno::NOTTY) => Ok(false),
        Err(error) => Err(not_durable(error.into())),
    }
}

/// Takes the right to write away. Done by descriptor before the file has its name: no other can be hit.
fn protect(file: &File, modes: Modes) -> io::Result<()> {
    match rustix::fs::fchmod(file, modes.file) {
        // Many network and foreign file systems know no such modes; the content is safe all the same.
        Ok(()) | Err(Errno::PERM | Errno::NOTSUP | Errno::NOSYS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A full disk keeps its own kind: it is found out late on some file systems, but it is nothing worse.
fn not_durable(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => error,
        _ => io::Error::other(NotDurable(error)),
    }
}

/// A file under a name that no listing shows; unlinked when dropped, unless it was renamed.
struct Temporary<'a> {
    folder: BorrowedFd<'a>,
    name: String,
    renamed: bool,
}

impl<'a> Temporary<'a> {
    fn create(folder: BorrowedFd<'a>, name: &str) -> io::Result<(File, Self)> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mut random = Random::fresh();
        loop {
            let name = format!("{name}-tmp-{:016x}", random.next());
            match rustix::fs::openat(folder, &name, flags, Mode::RUSR | Mode::WUSR) {
                Ok(file) => return Ok((File::from(file), Temporary { folder, name, renamed: false })),
                Err(Errno::EXIST | Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn keep(mut self) {
        self.renamed = true;
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.renamed {
            // The save's own error is the one to report; a left-over is invisible and harmless.
            let _ = rustix::fs::unlinkat(self.folder, &self.name, AtFlags::empty());
        }
    }
}
