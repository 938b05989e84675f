//! What the storey does as a whole, seen from outside.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod backup;
mod backup_race;
mod backup_restic;
mod check;
mod dump;
mod files_cache;
mod restore;
mod restore_escape;
mod restore_fixtures;
mod restore_hostile;
mod restore_many;
mod restore_restic;
mod store;
mod stored_forms;
mod trust_year;
mod used;
mod vfs;
mod walk;
