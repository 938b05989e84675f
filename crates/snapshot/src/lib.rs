//! Files, trees and snapshots: the storey that knows what a backup is.
//!
//! A [`Snapshot`] names a root [`Tree`](tree::Tree), which holds a [`Node`] for each entry of a folder.
//! Their stored form must equal the peer's byte for byte, as it decides their ids.
//!
//! Reading order: from the ground up, as the list below.

pub mod gojson;
pub mod error;
pub mod filter;
pub mod quote;
pub mod mode;
pub mod node;
pub mod fs;
pub mod tree;
mod slots;
pub mod snapshot;
pub mod select;
pub mod policy;
pub mod snapshots;
pub mod trees;
pub mod walk;
pub mod rewrite;
pub mod used;
pub mod check;
pub mod dump;
pub mod diff;
pub mod find;
pub mod stats;
pub mod vfs;
pub mod recover;
pub mod restore;
pub mod backup;
pub mod copy;
#[cfg(feature = "fuzzing")]
pub mod fuzz;

pub use error::{Error, Result};
pub use node::{Node, NodeKind};
pub use snapshot::Snapshot;
