//! Opaque repository files by kind and name: the lowest storey.
//!
//! A [`Backend`] keeps whole files under a [`FileName`] (a kind and a 32-byte id). It knows nothing of
//! keys, of what ids mean, or of contents. Start with [`Backend`], then [`handle`], which says who may do
//! what with one, then [`local`]. Decorators ([`retry`], [`limit`], [`count`], [`dry_run`], [`fault`])
//! wrap a backend in another; [`conformance`] is the suite each of them passes. [`open()`] makes a
//! backend of a [`Location`].
//!
//! The usual stack, outermost first, is retry, limit, count, backend: every try is limited and counted, and
//! settling a save costs no upload rate.
//!
//! The list of modules is in reading order: a module uses only those above it.

pub mod id;
pub mod file;
pub mod error;
pub mod cancel;
pub mod clock;
mod random;
pub mod payload;
mod backend;
pub mod handle;
pub mod archive;
pub mod layout;
pub mod local;
pub mod memory;
pub mod location;
pub mod shown;
pub mod child;
pub mod net;
mod served;
pub mod rest;
pub mod rclone;
pub mod sftp;
pub mod object;
pub mod b2;
pub mod webdav;
pub mod open;
pub mod operation;
pub mod count;
pub mod limit;
pub mod dry_run;
pub mod fault;
pub mod retry;
pub mod conformance;
#[cfg(feature = "fuzzing")]
pub mod fuzz;

pub use backend::{Availability, Backend, ByteRange, Capabilities, Listed};
pub use cancel::{Cancel, Reason};
pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{Error, ErrorKind, Result};
pub use file::{FileKind, FileName};
pub use handle::{Append, Full, Handle, LockHandle, Read};
pub use id::{Id, NotAnId};
pub use location::Location;
pub use open::{Options, open};
pub use operation::Operation;
pub use payload::{Part, Payload};
