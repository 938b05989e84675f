//! What tests stand on: real peers, source trees, fixtures, and backends that stop.
//!
//! Everything here panics with a message when it cannot do its work: in a test, that is the report.
//! Read [`tree`] to build a source, [`client`] to run restic or tresor beside it, [`compare`] to see what
//! came back, [`fixtures`] for repositories made by the real restic. Nothing outside of tests and
//! development commands may depend on this crate.

pub mod random;
pub mod seal;
pub mod peers;
pub mod certificates;
pub mod servers;
pub mod fixtures;
pub mod client;
pub mod tree;
pub mod compare;
pub mod generate;
pub mod crash;
pub mod recorder;
pub mod locks;
pub mod table;
pub mod filters;
pub mod policies;
pub mod broken;
pub mod hostile;

pub use client::{Client, Run, secret_file};
pub use compare::{Difference, assert_same, compare_trees};
pub use crash::CrashBackend;
pub use generate::{Spec, generate, mutate};
pub use random::Random;
pub use recorder::Recorder;
pub use tree::TestTree;

/// Backends, for the tests of storeys that may not name them otherwise.
pub use tresor_backend as backend;

/// How much a test shall do: what a campaign asks for by a variable, else so much.
///
/// # Panics
/// If the variable is no number.
pub fn asked(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |number| number.parse().expect("a number"))
}
