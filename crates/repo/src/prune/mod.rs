//! Prune: remove blobs that no snapshot uses.
//!
//! What snapshots need is a value ([`Used`]) that the storey above finds. [`Repository::plan_prune`] decides
//! from it and from the index what becomes of every pack (`pack_use` counts, `decide` chooses) and answers
//! with a [`PrunePlan`], which is all that a dry run needs; [`Repository::execute_prune`] carries it out.
//!
//! [`Repository`]: crate::Repository
//! [`Repository::plan_prune`]: crate::Repository::plan_prune
//! [`Repository::execute_prune`]: crate::Repository::execute_prune

mod options;
mod stats;
mod pack_use;
mod decide;
mod plan;
mod repack;
mod execute;

pub use options::{MaxUnused, PruneOptions};
pub use plan::{NoPlan, PrunePlan, Used};
pub use stats::{Amount, PackCounts, PruneStats};
