//! The file system of this machine, as a backup reads it: one list of functions for every platform.
//!
//! Everything is relative to the descriptor of an open [`Directory`]: no path is walked twice, and no name
//! that is swapped for a symbolic link leads elsewhere. What differs by platform stands in sibling files:
//! `unix` is common to all unixes, `linux` holds what Linux alone has.

mod names;
#[cfg(target_os = "linux")]
mod linux;
mod unix;
mod attributes;
mod accounts;
#[cfg(target_os = "linux")]
mod device;

#[cfg(test)]
mod tests;

#[cfg(target_os = "linux")]
use linux as platform;

pub use accounts::Accounts;
pub use attributes::AttributeReader;
#[cfg(target_os = "linux")]
pub use device::is_distant;
#[cfg(target_os = "linux")]
pub use linux::privileges;
pub use names::{Cursor, Names};
pub use unix::{Directory, Metadata, Stamp, bytes_of_path, path_of_bytes};
