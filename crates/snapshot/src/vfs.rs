//! A repository's snapshots as one read-only tree: what a mount and a browser show.
//!
//! [`View`] is the door: [`View::root`], [`View::lookup`], [`View::list`], [`View::attributes`], [`View::open`] and
//! [`View::read`]. Nothing here knows FUSE. What the repository holds is hostile: every name that comes out can
//! name an entry of a folder, and memory is bounded by the options.

mod gotime;
mod template;
mod structure;
mod names;
mod inode;
mod lru;
mod folder;
mod blobs;
mod file;
mod attributes;
mod view;

#[cfg(test)]
mod tests;

use crate::select::Filter;
use std::time::Duration;
use tresor_repo::time::Zone;

pub use attributes::{Attributes, Kind};
pub use file::OpenFile;
pub use view::{Entry, Item, Refreshed, View};

/// The paths under which a snapshot is shown unless others are asked for.
pub const PATH_TEMPLATES: [&str; 4] = ["ids/%i", "snapshots/%T", "hosts/%h/%T", "tags/%t/%T"];

/// How times are written in paths unless asked for otherwise.
pub const TIME_TEMPLATE: &str = "2006-01-02T15:04:05Z07:00";

/// What is shown, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which snapshots.
    pub filter: Filter,
    /// Under which paths: `%i %I %u %h %t %T` stand for short id, id, user, host, tags and time.
    pub path_templates: Vec<String>,
    /// How times are written: 2 January 2006, 15:04:05, 7 hours west of UTC, as it is to be written.
    pub time_template: String,
    /// The zone whose names of offsets are used.
    pub zone: Zone,
    /// Owner and group of what is in no snapshot.
    pub owner: (u32, u32),
    /// Whether everything belongs to root.
    pub owner_root: bool,
    /// New snapshots are looked for when the last look is so long ago.
    pub reload_after: Duration,
    /// Bytes of file content kept in memory, read-ahead included.
    pub content_memory: u64,
    /// Bytes of decoded folders kept in memory.
    pub folder_memory: u64,
}
