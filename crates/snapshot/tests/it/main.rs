//! What the storey does as a whole, seen from outside.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod backup;
mod backup_restic;
mod stored_forms;
