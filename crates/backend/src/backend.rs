//! The contract of a backend.

use crate::{FileKind, FileName, Id, Payload, Result};
use std::time::Duration;

/// So many files are told once each by a listing, whatever happens on the way.
pub(crate) const TOLD_ONCE: usize = 500_000;

/// Keeps opaque files by kind and name.
///
/// Every call blocks. Calls may come from as many threads at once as
/// [`Capabilities::connections`] says; more are allowed and may queue. Nothing is retried here: that is
/// the work of [`crate::retry`]. What a backend returns is not to be trusted: the repository
/// authenticates it.
pub trait Backend: Send + Sync {
    /// What this backend can do.
    fn capabilities(&self) -> Capabilities;

    /// The location as it may be shown to people: no password in it.
    fn location(&self) -> String;

    /// Makes the place ready for a new repository (folders, buckets); doing it again changes nothing.
    ///
    /// # Errors
    /// [`crate::ErrorKind::AlreadyExists`] if a config file is there.
    fn create(&self) -> Result<()>;

    /// Saves a whole file so that it is either there entirely and durably, or not at all.
    ///
    /// A failed call leaves nothing that a listing shows as a whole file, as far as the storage allows;
    /// with [`crate::ErrorKind::Temporary`] the outcome may be unknown and the caller settles it.
    /// A file of the same name is replaced where [`Capabilities::atomic_replace`] holds.
    fn save(&self, file: FileName, payload: &Payload<'_>) -> Result<()>;

    /// Loads exactly `range` into `into` (cleared first).
    ///
    /// # Errors
    /// [`crate::ErrorKind::WrongSize`] if the file ends before the range does.
    fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> Result<()>;

    /// Loads the whole file into `into` (cleared first).
    ///
    /// # Errors
    /// [`crate::ErrorKind::WrongSize`] if it is longer than `at_most` bytes; no more than that is read.
    fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Result<()>;

    /// The file's length in bytes.
    fn stat(&self, file: FileName) -> Result<u64>;

    /// Tells `each` of every file of `kind`, in any order, each once. If there are more than half a
    /// million, and the listing had to be begun again, some may be told twice.
    ///
    /// Names that are no ids are left out, and so the config is never listed. A listing is complete or an
    /// error; a kind whose folder is missing is empty. An error of `each` ends the listing and is returned.
    fn list(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] if it is not there, where the storage can tell.
    fn remove(&self, file: FileName) -> Result<()>;

    /// Says whether a file can be loaded; if it lies in an archive, has it brought back.
    ///
    /// Worth a call only where there is an [`Capabilities::archive`]; elsewhere everything can be loaded.
    /// What is on its way already is not ordered twice. See [`crate::archive`] for many files.
    fn bring_back(&self, _file: FileName) -> Result<Availability> {
        Ok(Availability::Now)
    }
}

/// Whether a file can be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// It can.
    Now,
    /// It is being brought back from an archive, which takes from minutes to days.
    Later,
}

/// What a backend can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// How many calls may usefully run at once; at least 1.
    pub connections: usize,
    /// Whether saving over an existing name replaces it atomically.
    pub atomic_replace: bool,
    /// Whether a listing tells of every file that can be loaded, even if the server died while saving it.
    pub lists_all: bool,
    /// Whether a request costs no more than a system call, so that many small ones are as good as a large one.
    pub near: bool,
    /// How long to wait for a file that has to be brought back from an archive before it can be loaded;
    /// nothing if none has to, or we are not to pay for that.
    pub archive: Option<Duration>,
}

/// A stretch of a file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub length: u64,
}

impl ByteRange {
    /// The first byte past the range, unless no file can be that long.
    pub const fn end(&self) -> Option<u64> {
        self.offset.checked_add(self.length)
    }

    /// The range as indices into a slice, where this machine can count that far.
    pub fn indices(&self) -> Option<std::ops::Range<usize>> {
        Some(usize::try_from(self.offset).ok()?..usize::try_from(self.end()?).ok()?)
    }
}

/// One file of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub id: Id,
    /// Its length in bytes.
    pub size: u64,
}

impl<B: Backend + ?Sized> Backend for std::sync::Arc<B> {
    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }
    fn location(&self) -> String {
        (**self).location()
    }
    fn create(&self) -> Result<()> {
        (**self).create()
    }
    fn save(&self, file: FileName, payload: &Payload<'_>) -> Result<()> {
        (**self).save(file, payload)
    }
    fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> Result<()> {
        (**self).load(file, range, into)
    }
    fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Result<()> {
        (**self).load_whole(file, at_most, into)
    }
    fn stat(&self, file: FileName) -> Result<u64> {
        (**self).stat(file)
    }
    fn list(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        (**self).list(kind, each)
    }
    fn remove(&self, file: FileName) -> Result<()> {
        (**self).remove(file)
    }
    fn bring_back(&self, file: FileName) -> Result<Availability> {
        (**self).bring_back(file)
    }
}
