//! Restore: a stored tree becomes files again, as a plan that is made first and then carried out.
//!
//! [`plan`] walks the stored tree (`collect`), compares it with the disk (`decide`) and groups the blobs by
//! pack. [`RestorePlan::execute`] makes directories, brings blobs from their packs into files (`content`,
//! `files`), makes links and special files (`specials`), removes what is not in the snapshot, and gives
//! directories their metadata, deepest first. Every change goes through `target`, which leads nowhere else.
//!
//! However many files there are, they cost no memory: what is known of each (`items`, `details`, `wants`, `links`)
//! lies in scratch files from some size on (`aside`), and sets of them are bits.

mod options;
mod target;
mod failure;
mod aside;
mod details;
mod items;
mod by_number;
mod links;
mod extra;
mod table;
mod owners;
mod trust;
mod parallel;
mod dirs;
mod metadata;
mod remove;
mod sparse;
mod collect;
mod decide;
mod wants;
mod plan;
mod progress;
mod files;
mod content;
mod specials;
mod execute;
mod verify;

pub use options::{
    Action, Overwrite, RestoreCounts, RestoreMonitor, RestoreOptions, RestoreReport, Selector, XattrFilter,
};
pub use plan::{RestorePlan, plan};
pub use verify::Verified;
