//! tresor and the real restic on the same repositories, and on damage of every kind.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod scene;

mod good_fixtures;
mod bad_fixtures;
mod same_tree;
mod roles;
mod interrupted;
mod locks;
mod crash;
mod killed;
mod wrong_input;
mod damaged_files;
mod full_disk;
mod shared_prune;
mod hostile;
mod trust;
