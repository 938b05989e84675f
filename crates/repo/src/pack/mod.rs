//! Pack files: sealed blobs followed by a sealed header, in one repository file.
//!
//! [`header`] is the table at a pack's end. `writer` collects sealed blobs until a pack is full; `body`
//! holds their bytes in memory or, beyond the budget, in an unlinked file; `open` brings a blob back, `long`
//! one that is too long for memory. A pack never changes once it is saved. Format: "Pack file".

pub(crate) mod body;
pub mod header;
pub(crate) mod long;
pub(crate) mod open;
pub(crate) mod writer;

pub use header::Entry;
