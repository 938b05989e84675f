//! The local backend: a repository in a folder of this machine.
//!
//! Every file is reached from the descriptor of the repository's folder, so that moving the folder, or
//! unmounting what it lies on, cannot send half of a backup elsewhere. Format: "Local backend save".

use crate::{
    Backend, ByteRange, Capabilities, Error, ErrorKind, FileKind, FileName, Id, Listed, Payload, Result,
    layout,
};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};
use std::fs::{DirBuilder, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

mod save;
#[cfg(test)]
mod tests;

/// How many calls run at once unless told otherwise.
pub const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(2).expect("two is not zero");

/// A repository in a folder.
pub struct Local {
    path: PathBuf,
    /// Opened once; empty until the folder exists.
    root: OnceLock<OwnedFd>,
    modes: Modes,
    connections: NonZeroUsize,
}

/// The modes of what is made: for the owner alone, or also for the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Modes {
    folder: Mode,
    /// A finished file's: nobody may write, since repository files never change.
    file: Mode,
}

impl Modes {
    const PRIVATE: Modes = Modes { folder: Mode::RWXU, file: Mode::RUSR };
    const GROUP: Modes = Modes { folder: Mode::RWXU.union(Mode::RWXG), file: Mode::RUSR.union(Mode::RGRP) };

    /// Those of an existing repository: its config shows whether the group may read.
    fn of(root: impl AsFd) -> io::Result<Modes> {
        match rustix::fs::statat(root, layout::name(FileName::CONFIG), AtFlags::empty()) {
            Ok(stat) if Mode::from_raw_mode(stat.st_mode).contains(Mode::RGRP) => Ok(Modes::GROUP),
            Ok(_) | Err(Errno::NOENT) => Ok(Modes::PRIVATE),
            Err(error) => Err(error.into()),
        }
    }
}

impl Local {
    /// The repository in the folder `path`, which need not exist yet.
    ///
    /// # Errors
    /// [`ErrorKind::Unusable`] if the path is or lies below something that is no folder.
    pub fn open(path: impl Into<PathBuf>, connections: NonZeroUsize) -> Result<Self> {
        let path = path.into();
        let (root, modes) = match open_folder(CWD, &path) {
            Ok(folder) => {
                let modes = Modes::of(&folder).map_err(|error| about("open", &path, error))?;
                (OnceLock::from(folder), modes)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => (OnceLock::new(), Modes::PRIVATE),
            Err(error) => return Err(about("open", &path, error)),
        };
        Ok(Local { path, root, modes, connections })
    }

    fn root(&self) -> io::Result<BorrowedFd<'_>> {
        if let Some(folder) = self.root.get() {
            return Ok(folder.as_fd());
        }
        let folder = open_folder(CWD, &self.path)?;
        Ok(self.root.get_or_init(|| folder).as_fd())
    }

    fn create_folders(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(self.modes.folder.as_raw_mode()).create(&self.path);
        made.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => io::ErrorKind::NotADirectory.into(), // a link to nowhere, say
            _ => error,
        })?;
        let root = self.root()?;
        let config = layout::name(FileName::CONFIG);
        match rustix::fs::statat(root, config, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        layout::folders().try_for_each(|folder| make_folder(root, &folder, self.modes))?;
        // What was made must not vanish with the power while the config that is saved next stays.
        sync_folder(open_folder(root, layout::folder(FileKind::Pack))?)?;
        sync_folder(root)?;
        match open_folder(root, "..") {
            Ok(above) => sync_folder(above),
            Err(_) => Ok(()), // a folder we may not read, and so have not made either
        }
    }

    /// Opens a file for reading, with its length.
    fn open_file(&self, file: FileName) -> io::Result<(File, u64)> {
        // Without waiting: a pipe in the place of a file must not hold us up.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let root = self.root()?;
        let opened = retry_on_intr(|| rustix::fs::openat(root, layout::path(file), flags, Mode::empty()))?;
        let stat = rustix::fs::fstat(&opened)?;
        Ok((File::from(opened), regular_size(&stat)?))
    }

    fn list_folder(&self, folder: BorrowedFd<'_>, each: &mut Each<'_>, kind: FileKind) -> Result<()> {
        let failed = |error: Errno| about("list", kind.word(), error.into());
        for entry in Dir::read_from(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Some(id) = Id::from_hex(entry.file_name().to_bytes()) else { continue };
            if entry.file_type() == FileType::Directory {
                continue;
            }
            match rustix::fs::statat(folder, entry.file_name(), AtFlags::empty()) {
                Ok(stat) => {
                    if let Ok(size) = regular_size(&stat) {
                        each(Listed { id, size })?;
                    }
                }
                Err(Errno::NOENT) => {} // removed since: locks come and go
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }

    /// Packs lie in 256 folders. One in the wrong folder could not be loaded, and so does not exist.
    fn list_packs(&self, packs: BorrowedFd<'_>, each: &mut Each<'_>) -> Result<()> {
        for first in 0..=u8::MAX {
            match open_folder(packs, format!("{first:02x}")) {
                Ok(folder) => self.list_folder(
                    folder.as_fd(),
                    &mut |listed| if listed.id.as_bytes()[0] == first { each(listed) } else { Ok(()) },
                    FileKind::Pack,
                )?,
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                Err(error) => return Err(about("list", FileKind::Pack.word(), error)),
            }
        }
        Ok(())
    }
}

type Each<'a> = dyn FnMut(Listed) -> Result<()> + 'a;

impl Backend for Local {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            connections: self.connections.get(),
            atomic_replace: true,
            lists_all: true,
            near: true,
            archive: None,
        }
    }

    fn location(&self) -> String {
        self.path.display().to_string()
    }

    fn create(&self) -> Result<()> {
        self.create_folders().map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::new(ErrorKind::AlreadyExists, "create", FileName::CONFIG),
            _ => about("create", &self.path, error),
        })
    }

    fn save(&self, file: FileName, payload: &Payload<'_>) -> Result<()> {
        let root = self.root().map_err(|error| failed("save", file, error))?;
        save::save(root, file, payload, self.modes).map_err(|error| failed("save", file, error))
    }

    fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> Result<()> {
        into.clear();
        let (opened, size) = self.open_file(file).map_err(|error| failed("load", file, error))?;
        match range.end() {
            Some(end) if end <= size => {}
            _ => return Err(Error::new(ErrorKind::WrongSize, "load", file)),
        }
        read(&opened, range, into).map_err(|error| failed("load", file, error))
    }

    fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Result<()> {
        into.clear();
        let (opened, length) = self.open_file(file).map_err(|error| failed("load", file, error))?;
        if length > at_most {
            return Err(Error::new(ErrorKind::WrongSize, "load", file));
        }
        read(&opened, ByteRange { offset: 0, length }, into).map_err(|error| failed("load", file, error))
    }

    fn stat(&self, file: FileName) -> Result<u64> {
        let root = self.root().map_err(|error| failed("stat", file, error))?;
        let stat = rustix::fs::statat(root, layout::path(file), AtFlags::empty());
        stat.map_err(io::Error::from)
            .and_then(|stat| regular_size(&stat))
            .map_err(|error| failed("stat", file, error))
    }

    fn list(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        if kind == FileKind::Config {
            return Ok(());
        }
        let folder = match self.root().and_then(|root| open_folder(root, layout::folder(kind))) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(about("list", kind.word(), error)),
        };
        match kind {
            FileKind::Pack => self.list_packs(folder.as_fd(), each),
            _ => self.list_folder(folder.as_fd(), each, kind),
        }
    }

    fn remove(&self, file: FileName) -> Result<()> {
        self.root().and_then(|root| save::remove(root, file)).map_err(|error| failed("remove", file, error))
    }
}

fn failed(doing: &'static str, file: FileName, error: io::Error) -> Error {
    Error::new(kind_of(&error), doing, file).caused_by(error)
}

fn about(doing: &'static str, what: impl AsRef<Path>, error: io::Error) -> Error {
    Error::about(kind_of(&error), doing, what.as_ref().display().to_string()).caused_by(error)
}

/// Like [`ErrorKind::of`], for what the standard library has no name for too.
fn kind_of(error: &io::Error) -> ErrorKind {
    let not_durable = error.get_ref().is_some_and(|inner| inner.is::<save::NotDurable>());
    if not_durable || Errno::from_io_error(error) == Some(Errno::LOOP) {
        return ErrorKind::Unusable;
    }
    ErrorKind::of(error)
}

fn open_folder(from: impl AsFd, path: impl AsRef<Path>) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(retry_on_intr(|| rustix::fs::openat(&from, path.as_ref(), flags, Mode::empty()))?)
}

/// Makes one folder; that it exists already is fine.
fn make_folder(root: BorrowedFd<'_>, folder: &str, modes: Modes) -> io::Result<()> {
    match retry_on_intr(|| rustix::fs::mkdirat(root, folder, modes.folder)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Makes a folder's entries durable, where the file system has a way to do that.
fn sync_folder(folder: impl AsFd) -> io::Result<()> {
    match retry_on_intr(|| rustix::fs::fsync(&folder)) {
        Ok(()) | Err(Errno::NOTSUP | Errno::NOENT | Errno::INVAL) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn regular_size(stat: &rustix::fs::Stat) -> io::Result<u64> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => u64::try_from(stat.st_size).map_err(io::Error::other),
        _ => Err(io::Error::new(io::ErrorKind::Unsupported, "not a regular file")),
    }
}

/// Reads a range that the file was seen to have, so that the memory it takes is no surprise.
fn read(mut file: &File, range: ByteRange, into: &mut Vec<u8>) -> io::Result<()> {
    into.reserve_exact(usize::try_from(range.length).map_err(io::Error::other)?);
    if range.offset > 0 {
        file.seek(SeekFrom::Start(range.offset))?;
    }
    // Unlike `resize` and `read_exact_at`, this writes no zeros first.
    let read = file.take(range.length).read_to_end(into);
    let all = read.and_then(|read| match read as u64 == range.length {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    });
    all.inspect_err(|_| into.clear())
}
