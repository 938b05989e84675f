//! What can go wrong in a backend, sorted by what the caller can do about it.

use crate::FileName;
use std::error::Error as StdError;
use std::{fmt, io};

/// The answer of every backend call.
pub type Result<T> = std::result::Result<T, Error>;

/// What a caller has to know of a failure: whether to retry, and what to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such file. Permanent.
    NotFound,
    /// A file of that name exists and this backend does not replace. Permanent.
    AlreadyExists,
    /// We are not allowed to. Permanent.
    Denied,
    /// The storage is full. Permanent.
    NoSpace,
    /// The file ends before the wanted range does, or is longer than the caller's limit. Permanent.
    WrongSize,
    /// The location or the request can never work (a path below a regular file, say). Permanent.
    Unusable,
    /// The operation was told to stop. Permanent.
    Cancelled,
    /// May work the next time: a dropped connection, a busy server. Retried.
    Temporary,
}

impl ErrorKind {
    /// Whether trying again can help.
    pub const fn is_temporary(self) -> bool {
        matches!(self, ErrorKind::Temporary)
    }

    /// The kind of an error of the operating system; what it does not know may be temporary.
    pub fn of(error: &io::Error) -> ErrorKind {
        match error.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
            // A file grown past the user's limit or that of the file system: there is no room for it.
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                ErrorKind::NoSpace
            }
            io::ErrorKind::UnexpectedEof => ErrorKind::WrongSize,
            io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::InvalidFilename
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::Unsupported => ErrorKind::Unusable,
            _ => ErrorKind::Temporary,
        }
    }
}

/// A failed backend call: what was tried on which file, of what kind, and why.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    doing: &'static str,
    what: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error about one file; `doing` is a verb ("load", "save", "list"…).
    pub fn new(kind: ErrorKind, doing: &'static str, file: FileName) -> Self {
        Self::about(kind, doing, file.to_string())
    }

    /// An error about something else than one file (a listing, the location).
    pub fn about(kind: ErrorKind, doing: &'static str, what: impl Into<String>) -> Self {
        Error { kind, doing, what: what.into(), source: None }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the caller can do about it.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the file is simply not there.
    pub fn is_not_found(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}", self.doing, self.what)?;
        if self.source.is_some() {
            return Ok(()); // the cause says it better
        }
        match self.kind {
            ErrorKind::NotFound => write!(f, ": it does not exist"),
            ErrorKind::AlreadyExists => write!(f, ": it exists already"),
            ErrorKind::Denied => write!(f, ": not permitted"),
            ErrorKind::NoSpace => write!(f, ": the storage is full"),
            ErrorKind::WrongSize => write!(f, ": its size is not the expected one"),
            ErrorKind::Cancelled => write!(f, ": cancelled"),
            ErrorKind::Unusable | ErrorKind::Temporary => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_the_object_and_leaves_the_cause_to_the_chain() {
        let bare = Error::new(ErrorKind::NotFound, "load", FileName::CONFIG);
        assert_eq!(bare.to_string(), "cannot load <config/>: it does not exist");
        let caused = Error::about(ErrorKind::NoSpace, "list", "locks").caused_by(io::Error::other("why"));
        assert_eq!(caused.to_string(), "cannot list locks");
        assert_eq!(caused.source().map(ToString::to_string).as_deref(), Some("why"));
    }

    #[test]
    fn only_what_may_pass_is_temporary() {
        // Linux's numbers: EPERM, ENOENT, EIO, EACCES, EEXIST, ENOTDIR, EISDIR, EFBIG, ENOSPC, EROFS.
        let kinds = [1, 2, 5, 13, 17, 20, 21, 27, 28, 30]
            .map(|number| ErrorKind::of(&io::Error::from_raw_os_error(number)));
        use ErrorKind::{AlreadyExists, Denied, NoSpace, NotFound, Temporary, Unusable};
        assert_eq!(
            kinds,
            [
                Denied,
                NotFound,
                Temporary,
                Denied,
                AlreadyExists,
                Unusable,
                Unusable,
                NoSpace,
                NoSpace,
                Denied
            ]
        );
    }
}
