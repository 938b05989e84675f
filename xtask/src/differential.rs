//! The table: every command line of it by the real restic and by ours, compared.

use crate::{Result, generate};
use std::path::PathBuf;
use tresor_testkit::table::{self, Options};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only cases with this in `table: title`.
    #[arg(long)]
    filter: Option<String>,
    /// The second table: what differs under our own name.
    #[arg(long)]
    own: bool,
    /// Only each so-manieth case.
    #[arg(long, default_value_t = 1)]
    slice: usize,
    /// Cases at a time (default: two for each processor, as most of the time is spent waiting for locks).
    #[arg(long)]
    jobs: Option<usize>,
    /// The program to compare with restic; built if not given.
    #[arg(long)]
    tresor: Option<PathBuf>,
}

/// Runs the table, prints what differs, and fails if the manual does not know of it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let program = match &arguments.tresor {
        Some(program) => program.clone(),
        None => generate::build()?,
    };
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    let report = table::run(&Options {
        program,
        filter: arguments.filter.clone(),
        own: arguments.own,
        slice: arguments.slice,
        jobs: arguments.jobs.unwrap_or(2 * processors),
    });
    print!("{report}");
    if report.is_good() { Ok(()) } else { Err("the table is not green".into()) }
}
