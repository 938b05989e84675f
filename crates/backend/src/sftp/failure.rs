//! What can go wrong between us and an SFTP server, and what the caller can do about it.

use crate::ErrorKind;
use std::io;
use std::sync::Arc;

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The server says no.
    #[error("the server says: {}", says(*code, text))]
    Status {
        /// The number by which it says so.
        code: u32,
        /// Its words, made fit to be shown.
        text: String,
    },
    /// What came is not SFTP.
    #[error("the server does not keep to SFTP: {0}")]
    Malformed(&'static str),
    /// The connection is gone.
    #[error("the connection is lost: {0}")]
    Lost(Arc<str>),
    /// No conversation could be begun.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// Something on our side, or the content to be saved, could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file ends before the wanted range does, or is longer than allowed.
    #[error("its size is not the expected one")]
    WrongSize,
    /// There is something else than a file or a folder in the place of one.
    #[error("it is not a {0}")]
    NotA(&'static str),
    /// A file of that name is there.
    #[error("it exists already")]
    Exists,
    /// There is no room for it.
    #[error("the storage is full")]
    Full,
}

impl Failure {
    /// What the caller can do about it.
    pub(super) fn kind(&self) -> ErrorKind {
        match self {
            Failure::Status { code: 2 | 10, .. } => ErrorKind::NotFound,
            Failure::Status { code: 3 | 12, .. } => ErrorKind::Denied,
            Failure::Status { code: 5 | 8, .. } | Failure::NotA(_) => ErrorKind::Unusable,
            Failure::Status { code: 11, .. } | Failure::Exists => ErrorKind::AlreadyExists,
            Failure::Status { code: 14 | 15, .. } | Failure::Full => ErrorKind::NoSpace,
            Failure::Status { text, .. } if tells_of_space(text) => ErrorKind::NoSpace,
            Failure::Status { .. } | Failure::Malformed(_) | Failure::Lost(_) | Failure::Unreachable(_) => {
                ErrorKind::Temporary
            }
            Failure::Io(error) => ErrorKind::of(error),
            Failure::WrongSize => ErrorKind::WrongSize,
        }
    }

    /// The server's word for whatever has no number of its own: a full disk, or a name that is taken.
    pub(super) fn is_unspecific(&self) -> bool {
        matches!(self, Failure::Status { code: 4, .. })
    }

    pub(super) fn is_not_found(&self) -> bool {
        self.kind() == ErrorKind::NotFound
    }
}

/// Servers that have no number for a full disk say so in words.
fn tells_of_space(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["no space left", "quota exceeded", "disk full", "not enough space", "out of space"]
        .iter()
        .any(|hint| text.contains(hint))
}

fn says(code: u32, text: &str) -> String {
    if text.is_empty() { format!("status {code}") } else { format!("{text} (status {code})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_says_decides_whether_to_try_again() {
        let kind = |code, text: &str| Failure::Status { code, text: text.into() }.kind();
        use ErrorKind::{AlreadyExists, Denied, NoSpace, NotFound, Temporary, Unusable};
        assert_eq!(
            [2, 3, 5, 8, 11].map(|code| kind(code, "")),
            [NotFound, Denied, Unusable, Unusable, AlreadyExists]
        );
        assert_eq!(
            [4, 6, 7, 99, 14, 15].map(|code| kind(code, "Failure")),
            [Temporary, Temporary, Temporary, Temporary, NoSpace, NoSpace]
        );
        assert_eq!(kind(4, "write: No space left on device"), NoSpace);
        assert_eq!(Failure::Lost("x".into()).kind(), Temporary);
    }

    #[test]
    fn a_server_that_says_nothing_is_quoted_by_number() {
        assert_eq!(Failure::Status { code: 4, text: String::new() }.to_string(), "the server says: status 4");
    }
}
