//! What stops an operation on snapshots.

use tresor_repo::SnapshotId;

use crate::gojson;

/// The answer of every operation on snapshots.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What stops an operation on snapshots.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The repository failed.
    #[error(transparent)]
    Repo(#[from] tresor_repo::Error),
    /// A tree blob holds no tree.
    #[error("cannot decode tree")]
    DecodeTree {
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A snapshot file holds no snapshot.
    #[error("cannot decode snapshot")]
    DecodeSnapshot {
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A tree being written already has a node of this name.
    #[error("tree already has a node named {name:?}")]
    DuplicateNode {
        /// The name, made readable.
        name: String,
    },
    /// A tree being written has a node that should come after this one.
    #[error("node {name:?} comes after its place in the tree")]
    UnsortedNode {
        /// The name, made readable.
        name: String,
    },
    /// A prefix fits no snapshot.
    #[error("no matching ID found for prefix {prefix:?}")]
    UnknownId {
        /// The prefix asked for.
        prefix: String,
    },
    /// A prefix fits more than one snapshot.
    #[error("multiple IDs with prefix {prefix:?} found")]
    AmbiguousId {
        /// The prefix asked for.
        prefix: String,
    },
    /// A full id was asked for that is not among the snapshots.
    #[error("snapshot {id} does not exist", id = id.short())]
    NoSuchSnapshot {
        /// The id asked for.
        id: SnapshotId,
    },
    /// `latest` was asked for and nothing passes the filter.
    #[error("snapshot filter ({filter}): no snapshot found")]
    NoLatest {
        /// The filter in words.
        filter: String,
    },
    /// Nothing that passes the filter has the name asked for: a date, or a place before the latest.
    #[error("snapshot filter ({filter}): no snapshot is {name}")]
    NoneNamed {
        /// The name asked for.
        name: String,
        /// The filter in words.
        filter: String,
    },
    /// `latest` was among several snapshots asked for and nothing passes the filter.
    #[error("no snapshot matched given filter ({filter})")]
    NoneMatched {
        /// The filter in words.
        filter: String,
    },
    /// Filters were given together with ids, which need none.
    #[error("explicit snapshot ids are given")]
    FilterUnused,
    /// A part of a snapshot was asked for where only whole ones can be taken.
    #[error("<snapshot>:<subfolder> syntax not allowed")]
    SubfolderNotAllowed,
    /// Snapshots cannot be grouped by this.
    #[error("unknown grouping option: {option:?}")]
    UnknownGrouping {
        /// The word that is unknown.
        option: String,
    },
    /// A path is in no directory of the snapshot.
    #[error("path {path}: not found")]
    NotInSnapshot {
        /// As far as it was looked for.
        path: String,
    },
    /// A path in the snapshot names something else than a directory.
    #[error("path {path}: not a directory")]
    NotADirectory {
        /// As far as it was looked for.
        path: String,
    },
    /// A path asked for is not in the snapshot.
    #[error("path {path:?} not found in snapshot")]
    NotFound {
        /// As it was asked for.
        path: String,
    },
    /// A path asked for, or a part of it, is of another kind than it must be.
    #[error("{path:?} should be a {wanted}, but is a {found:?}")]
    WrongKind {
        /// The path up to what is wrong.
        path: String,
        /// `file` or `dir`.
        wanted: &'static str,
        /// The kind's stored word.
        found: String,
    },
    /// A name in a tree would lead out of its directory.
    #[error("invalid child node name {name:?}")]
    BadName {
        /// The name, made readable.
        name: String,
    },
    /// A node says it is a directory and names no tree.
    #[error("directory has no subtree")]
    NoSubtree,
    /// There is more to restore than one plan can hold.
    #[error("too many files: one restore can hold four thousand million")]
    TooManyItems,
    /// The target of a restore cannot be made or opened.
    #[error("cannot restore to {path:?}")]
    Target {
        /// The path as it was given.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What is written (an archive, a file) could not be written.
    #[error("cannot write")]
    Write {
        /// Why.
        source: std::io::Error,
    },
    /// A temporary file of our own cannot be read.
    #[error("cannot read a temporary file")]
    Scratch {
        /// Why.
        source: std::io::Error,
    },
    /// A folder has more in it than one tree can say.
    #[error(
        "folder {path:?} cannot be stored: what is kept of its entries takes more than 4 GiB, the most that a \
         repository can hold of one folder; move some of them into folders of their own"
    )]
    FolderTooLarge {
        /// Where it is in the snapshot, made readable.
        path: String,
    },
    /// Everything in the source is left out.
    #[error("snapshot is empty")]
    EmptySnapshot,
    /// A directory that targets start from, or that stands for its entries, cannot be read.
    #[error("cannot read {path:?}", path = gojson::lossy(path))]
    ReadSource {
        /// Which.
        path: Vec<u8>,
        /// Why.
        source: std::io::Error,
    },
    /// The stream that was to be backed up did not end well.
    #[error("cannot read the stream to its end")]
    Stream {
        /// Why.
        source: tresor_repo::error::Cause,
    },
    /// A file seems unchanged, but not all of its blobs are stored.
    #[error("parts of it are not in the repository's index; storing the file again")]
    MissingContent,
    /// The files cache names a tree that cannot be read; without it, the backup goes on.
    #[error("the files cache names a tree that cannot be read")]
    FilesCache,
    /// A tree holds what we do not know or would write in another way, so that a new one would lose it.
    #[error("cannot encode tree at {path} without losing information")]
    LossyTree {
        /// Where it is, quoted.
        path: String,
    },
}

impl Error {
    /// Whether something stored is damaged or missing, as [`tresor_repo::Error::is_damage`].
    pub fn is_damage(&self) -> bool {
        match self {
            Error::Repo(error) => error.is_damage(),
            Error::DecodeTree { .. } | Error::DecodeSnapshot { .. } | Error::NoSubtree => true,
            _ => false,
        }
    }
}
