//! What stops an operation on a repository.

use crate::blob::BlobHandle;
use crate::holder::Holder;
use crate::id::{BlobId, LockId, PackId};
use std::error::Error as StdError;
use tresor_backend::{FileKind, FileName};

/// The answer of every operation on a repository.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A cause from another storey or library.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// What was found where a repository was to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Existing {
    /// A repository.
    #[error("config file already exists")]
    Config,
    /// Key files without a config.
    #[error("repository already contains keys")]
    Keys,
    /// Snapshots without a config.
    #[error("repository already contains snapshots")]
    Snapshots,
}

/// What stops an operation on a repository.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The backend failed.
    #[error(transparent)]
    Backend(#[from] tresor_backend::Error),
    /// The kernel gave no random bytes.
    #[error("cannot draw random bytes")]
    Random {
        /// Why.
        source: Cause,
    },
    /// There is no config file: no repository here.
    #[error("repository does not exist: unable to open config file")]
    NoRepository {
        /// Where it was looked for.
        location: String,
        /// Why the config could not be loaded.
        source: Cause,
    },
    /// There is one already (or parts of one).
    #[error("cannot create a repository at {location}: {found}")]
    RepositoryExists {
        /// Where.
        location: String,
        /// What is there.
        found: Existing,
    },
    /// No key file opens with this password.
    #[error("wrong password or no key found")]
    WrongPassword,
    /// Key files were tried in vain, and there are more than there was time for.
    #[error("maximum number of keys reached")]
    TooManyKeys,
    /// A key file cannot be used, whatever the password.
    #[error("key file {file} is not usable: {what}")]
    BadKeyFile {
        /// Which.
        file: FileName,
        /// What is wrong with it.
        what: String,
    },
    /// The config file cannot be used.
    #[error("config file is not usable: {what}")]
    BadConfig {
        /// What is wrong with it.
        what: String,
    },
    /// Sealed bytes do not authenticate under the key.
    #[error("{file} is damaged: {what}")]
    Damaged {
        /// Which file.
        file: FileName,
        /// What is wrong.
        what: String,
    },
    /// A blob is wrong in the pack where the index says it is.
    #[error("{blob} in pack {pack} is damaged: {what}")]
    DamagedBlob {
        /// Which blob.
        blob: BlobHandle,
        /// In which pack.
        pack: PackId,
        /// What is wrong.
        what: String,
    },
    /// No index file knows the blob.
    #[error("{blob} is not in the index")]
    UnknownBlob {
        /// Which blob.
        blob: BlobHandle,
    },
    /// An index file or pack breaks a rule of the format.
    #[error("{file} breaks the format: {what}")]
    Format {
        /// Which file.
        file: FileName,
        /// Which rule.
        what: String,
    },
    /// What we just made does not come back as it was: memory or processor is failing.
    #[error(
        "blob {id} failed its verification before upload: {what}; the memory or processor of this machine may be failing"
    )]
    Verification {
        /// Which blob.
        id: BlobId,
        /// What was wrong.
        what: &'static str,
    },
    /// The same, of a file that is no pack.
    #[error("a new {} file failed its verification before upload; the memory or processor of this machine may be failing", kind.word())]
    FileVerification {
        /// Of which kind.
        kind: FileKind,
    },
    /// The header of a pack that we just sealed does not come back as it was: memory or processor is failing.
    #[error(
        "a pack's header failed its verification before upload; the memory or processor of this machine may be failing"
    )]
    HeaderVerification,
    /// A blob is larger than the format can say.
    #[error("{what} is too large for the format: {size} bytes")]
    TooLarge {
        /// What.
        what: String,
        /// Its size in bytes.
        size: u64,
    },
    /// Somebody else's lock is in the way.
    #[error("unable to create lock in backend: {holder}")]
    Locked {
        /// Whose.
        holder: Box<Holder>,
    },
    /// A lock file cannot be read, so nobody can say whether it is in the way.
    #[error("lock {lock} cannot be read")]
    UnreadableLock {
        /// Which.
        lock: LockId,
        /// Why.
        source: Cause,
    },
    /// Our own lock is gone or could not be kept.
    #[error("failed to refresh lock in time")]
    LockLost,
    /// The operation was told to stop.
    #[error("interrupted")]
    Cancelled,
    /// A local file (temporary, cache) failed.
    #[error("cannot {doing} {path}", path = path.display())]
    Local {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: std::path::PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A file that must go before anything else may go cannot be removed; who removed it was told why.
    #[error("{file} cannot be removed")]
    NotRemoved {
        /// Which.
        file: FileName,
    },
    /// The wish cannot be granted for a reason in words (removing the key in use, say).
    #[error("{0}")]
    Refused(String),
}

impl Error {
    /// Whether the repository itself is at fault: something in it is damaged or missing. Then no second try,
    /// other connection or other right can help.
    pub fn is_damage(&self) -> bool {
        use tresor_backend::ErrorKind::{NotFound, WrongSize};
        match self {
            Error::Backend(error) => matches!(error.kind(), NotFound | WrongSize),
            Error::Damaged { .. } | Error::DamagedBlob { .. } => true,
            Error::UnknownBlob { .. } | Error::Format { .. } => true,
            _ => false,
        }
    }
}
