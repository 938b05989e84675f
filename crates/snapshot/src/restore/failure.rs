//! Why one item could not be restored.

use rustix::io::Errno;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// A step that failed; the item's path is told beside it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("cannot {doing}")]
    Step {
        doing: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("invalid child node name {name:?}")]
    BadName { name: String },
    #[error("node type {kind:?} cannot be restored")]
    UnknownKind { kind: String },
    #[error("blob {id} not found in index", id = .id.hex())]
    UnknownBlob { id: tresor_repo::BlobId },
    #[error(transparent)]
    Index(#[from] tresor_repo::Error),
    #[error("the target of the link holds a NUL")]
    NulInTarget,
    #[error("something else has taken the place of the file")]
    Displaced,
    #[error("is no regular file")]
    NotAFile,
    #[error("has {found} bytes, expected {expected}")]
    WrongSize { expected: u64, found: u64 },
    #[error("unexpected content, starting at offset {offset}")]
    WrongContent { offset: u64 },
    #[error("what is known of it cannot be read")]
    Aside(#[source] Arc<tresor_repo::Error>),
    #[error(transparent)]
    Blob(SharedCause),
}

impl Failure {
    /// Makes a failure of a system call's error.
    pub(crate) fn step(doing: &'static str) -> impl Fn(Errno) -> Failure {
        move |errno| Failure::Step { doing, source: errno.into() }
    }

    /// Makes a failure of an error of the standard library.
    pub(crate) fn io(doing: &'static str) -> impl Fn(std::io::Error) -> Failure {
        move |source| Failure::Step { doing, source }
    }
}

/// The cause of several problems: each file that wants a blob needs to say why it lacks it.
#[derive(Debug, Clone)]
pub(crate) struct SharedCause(pub(crate) Arc<tresor_repo::Error>);

impl fmt::Display for SharedCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for SharedCause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
