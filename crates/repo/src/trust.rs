//! What this machine remembers of a repository, so that a storage that lies about it is found out.
//!
//! A [`Watch`] sees the listings that a command asks for anyway; what it saw is a [`View`]. [`judge`] compares that
//! with what is [`Known`] and answers with [`Findings`]; [`Known::record`] remembers. A [`Store`] keeps an [`Entry`]
//! for each address in a file. Why the rules give no false alarm is told in ADR 24.

mod names;
mod known;
mod view;
mod judge;
mod record;
mod entry;
mod store;

pub use entry::Entry;
pub use judge::{Findings, judge};
pub use known::{Identity, Known};
pub use names::Name;
pub use store::{Store, Unusable};
pub use view::{View, Watch};

#[cfg(test)]
mod tests;
