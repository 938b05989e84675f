//! Opaque repository files by kind and name: the lowest storey.
//!
//! A [`Backend`] keeps whole files under a [`FileName`] (a kind and a 32-byte id). It knows nothing of
//! keys, ids or contents. Start with [`Backend`], then [`handle`], which says who may do what with one,
//! then [`local`]. Decorators ([`retry`], [`limit`], [`count`], [`dry_run`], [`fault`]) wrap a backend in
//! another; [`conformance`] is the suite each of them passes.

mod backend;
pub mod cancel;
pub mod conformance;
pub mod count;
pub mod dry_run;
pub mod error;
pub mod fault;
pub mod file;
pub mod handle;
pub mod id;
pub mod layout;
pub mod limit;
pub mod local;
pub mod location;
pub mod memory;
pub mod payload;
pub mod retry;

pub use backend::{Backend, ByteRange, Capabilities, Listed};
pub use cancel::Cancel;
pub use error::{Error, ErrorKind, Result};
pub use file::{FileKind, FileName};
pub use handle::{Append, Full, Handle, LockHandle, Read};
pub use id::Id;
pub use payload::Payload;
