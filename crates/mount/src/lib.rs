//! Snapshots as a file system: FUSE over the view that `tresor_snapshot::vfs` gives of them.
//!
//! [`mount`] makes the mount and serves it with threads of its own; [`Mounted`] ends it. What is shown, under
//! which names, is decided in the view; here requests of the kernel become its questions.
//!
//! Reading order: from the ground up, as the list below.

mod attributes;
mod table;
mod filesystem;
mod session;

pub use session::{Error, Mounted, Options, mount};
