//! The program as people and scripts meet it, beside the real restic on the same repositories.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod bitflip;
mod cat;
mod check;
mod completion;
mod copy;
mod diff;
mod dump;
mod filters;
mod find;
mod forget;
mod init;
mod key;
mod locks;
mod ls;
mod memory;
mod messages;
mod mount;
mod pair;
mod passwords;
mod prune;
mod repair;
mod reference;
mod rewrite;
mod snapshots;
mod stats;
mod table;
mod trust;
mod tty_fuzz;
mod usage;
