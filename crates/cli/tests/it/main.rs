//! The program as people and scripts meet it, beside the real restic on the same repositories.

mod cat;
mod check;
mod dump;
mod init;
mod key;
mod locks;
mod ls;
mod pair;
mod snapshots;
mod usage;
