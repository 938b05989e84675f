//! Prune: remove blobs that no snapshot uses.

mod options;

pub use options::{MaxUnused, PruneOptions};
