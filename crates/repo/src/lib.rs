//! Sealed, deduplicated blobs in packs: the repository storey.
//!
//! A [`Repository`] is opened over a backend handle with a password. Its [`Index`](index::Index) says which
//! blob is in which pack; [`Repository::upload`] takes new blobs and leaves packs with a matching index;
//! [`Repository::load_blob`] brings one back. Nothing here knows files, directories or terminals, and
//! nothing outside can seal or open: the crypto module is private.
//!
//! Reading order: from the ground up, as the list below.

mod hash;
pub mod id;
pub mod blob;
pub mod clock;
pub mod time;
mod holder;
pub mod error;
pub mod monitor;
pub mod random;
mod json;
pub mod codec;
mod crypto;
mod sealed;
pub mod config;
pub mod keyfile;
pub mod cache;
pub mod lock;
pub mod repository;
#[cfg(test)]
mod testing;
pub mod keys;
pub mod local;
mod locks;
pub mod trust;
pub mod budget;
pub mod scratch;
pub mod bits;
pub mod sort;
pub mod pack;
pub mod index;
pub mod load;
mod bring_back;
mod stored_packs;
pub mod upload;
pub mod check;
pub mod remove;
pub mod reindex;
pub mod prune;
pub mod repair_index;
pub mod salvage;
pub mod upgrade;
#[cfg(feature = "fuzzing")]
pub mod fuzz;

pub use blob::{BlobHandle, BlobKind};
pub use error::{Error, Existing, Result};
pub use id::{BlobId, IndexId, KeyId, LockId, PackId, RepoId, SnapshotId};
pub use monitor::{Monitor, Phase, Problem};
pub use repository::Repository;
pub use tresor_backend::{Cancel, FileKind, handle};
