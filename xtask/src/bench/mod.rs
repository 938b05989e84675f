//! Measures tresor beside its peers: the same data, alternating, with keys of the same cost.
//!
//! Every row is run `--pairs` times for each contender, one after the other, in turned order; what counts
//! is the median of the ratios within a round, for a machine's speed moves from minute to minute.
//! [`scaling`] does so for more and more of the same, [`profile`] looks where the time of a row goes.

pub(crate) mod measure;
pub(crate) mod profile;
pub(crate) mod scaling;

mod anonymous;
mod cold;
mod contender;
mod data;
pub(crate) mod report;
mod rounds;
mod row;
mod server;
mod setup;
pub(crate) mod table;
mod template;
mod verify;

pub(crate) use anonymous::Watch;
pub(crate) use contender::version;
pub(crate) use data::unpack_kernel;
pub(crate) use setup::program;

use crate::Result;
use report::Report;
use rounds::Bench;
use row::Row;
use server::Place;
use setup::{Comparison, Setup};
use std::fs;
use std::time::Duration;
use template::Template;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The data sets.
    #[arg(long, value_delimiter = ',', default_value = "linux,rand")]
    data: Vec<data::Set>,
    #[command(flatten)]
    comparison: Comparison,
    /// The server behind which each repository is; without it, they are in the work folder.
    #[arg(long)]
    server: Option<server::Kind>,
    /// How many milliseconds of round trip away the server is.
    #[arg(long, default_value_t = 0, requires = "server")]
    delay: u64,
    /// The rows to measure; all of them but the cold ones and `forget` if not given.
    #[arg(long, value_delimiter = ',')]
    rows: Vec<Row>,
    #[command(flatten)]
    setup: Setup,
}

impl Arguments {
    /// Where the repositories are, if not in folders.
    fn place(&self) -> Option<Place> {
        let round_trip = Duration::from_millis(self.delay);
        self.server.map(|kind| Place { kind, round_trip })
    }

    /// Whom to compare with: restic alone speaks to every server.
    fn comparable(&self) -> Vec<contender::Kind> {
        let speaks = |peer: &contender::Kind| self.server.is_none() || *peer == contender::Kind::Restic;
        self.comparison.peers.iter().copied().filter(speaks).collect()
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let dir = arguments.setup.folder()?;
    let program = arguments.setup.program()?;
    let contenders = contender::find(&arguments.comparable(), program, arguments.place(), &dir)?;
    let rows = Row::chosen(&arguments.rows);
    if rows.iter().any(|row| row.is_cold()) {
        cold::drop_page_cache()?; // better now than after hours that it may not
    }
    let mut failures = Vec::new();
    for set in &arguments.data {
        let source = data::prepare(*set, &dir)?;
        let mut bench = Bench::new(&contenders, rows.clone(), source, &dir);
        let template = Template::empty(arguments.setup.key, &dir)?;
        bench.run(Row::all(), arguments.comparison.pairs, &template)?;
        Report::of_set(&bench, *set, arguments)?.publish(arguments.comparison.no_docs)?;
        failures.append(&mut bench.failures);
        fs::remove_dir_all(&bench.source.folder)?; // it was changed; the next run starts from the original
    }
    complain(&failures)
}

/// An error that names what failed.
fn complain(failures: &[String]) -> Result<()> {
    if failures.is_empty() {
        Ok(())
    } else {
        Err(format!("commands failed:\n{}", failures.join("\n")).into())
    }
}
