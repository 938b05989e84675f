//! Measures tresor beside its peers: the same data, alternating, with keys of the same cost.
//!
//! Every row is run `--pairs` times for each contender, one after the other, in turned order; what counts
//! is the median of the ratios within a round, for a machine's speed moves from minute to minute.

pub(crate) mod measure;

mod cold;
mod contender;
mod data;
mod report;
mod row;
mod server;
mod verify;

use crate::{Result, process, project};
use contender::{Contender, Task};
use measure::Sample;
use report::Report;
use row::Row;
use server::Place;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How often each row is run by each contender.
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// The data sets.
    #[arg(long, value_delimiter = ',', default_value = "linux,rand")]
    data: Vec<data::Set>,
    /// The work folder, for data, repositories and restores; what it holds afterwards may be removed.
    #[arg(long, default_value = "target/bench")]
    dir: PathBuf,
    /// Whom to compare with; a peer that is not there is named and left out.
    #[arg(long, value_delimiter = ',', default_value = "restic,rustic,borg,limit")]
    peers: Vec<contender::Kind>,
    /// The server behind which each repository is; without it, they are in the work folder.
    #[arg(long)]
    server: Option<server::Kind>,
    /// How many milliseconds of round trip away the server is.
    #[arg(long, default_value_t = 0, requires = "server")]
    delay: u64,
    /// The rows to measure; all of them but the cold ones if not given.
    #[arg(long, value_delimiter = ',')]
    rows: Vec<Row>,
    /// `calibrated`: the key costs what restic makes it cost here. `cheap`: next to nothing.
    #[arg(long, value_enum, default_value_t = Key::Calibrated)]
    key: Key,
    /// The program to measure; built for release if not given.
    #[arg(long)]
    tresor: Option<PathBuf>,
    /// Print the tables only; do not write them to the docs.
    #[arg(long)]
    no_docs: bool,
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
        self.peers.iter().copied().filter(speaks).collect()
    }
}

/// What the key file of the repositories costs to open.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Key {
    Calibrated,
    Cheap,
}

/// What each contender did in each row, in the order of the rounds; `None` where a command failed.
type Samples = BTreeMap<(Row, usize), Vec<Option<Sample>>>;

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let dir = project::folder().join(&arguments.dir);
    fs::create_dir_all(&dir)?;
    let dir = dir.canonicalize()?;
    let program = program(arguments.tresor.as_deref())?;
    let contenders = contender::find(&arguments.comparable(), program, arguments.place(), &dir)?;
    let rows = Row::chosen(&arguments.rows);
    if rows.iter().any(|row| row.is_cold()) {
        cold::drop_page_cache()?; // better now than after hours that it may not
    }
    let mut failures = Vec::new();
    for set in &arguments.data {
        let source = data::prepare(*set, &dir)?;
        let mut bench = Bench {
            rows: rows.clone(),
            file: data::largest_file(&source)?,
            source,
            pattern: set.pattern(),
            contenders: &contenders,
            target: dir.join("restored"),
            key: arguments.key,
            samples: Samples::new(),
            failures: Vec::new(),
        };
        bench.run(arguments.pairs)?;
        let report = Report::new(&bench, *set, arguments)?;
        println!("\n{}", report.text());
        if !arguments.no_docs {
            report.write()?;
        }
        failures.append(&mut bench.failures);
        fs::remove_dir_all(&bench.source)?; // it was changed; the next run starts from the original
    }
    if failures.is_empty() {
        Ok(())
    } else {
        Err(format!("commands failed:\n{}", failures.join("\n")).into())
    }
}

/// tresor itself: `given`, or built for release.
pub(crate) fn program(given: Option<&Path>) -> Result<PathBuf> {
    if let Some(program) = given {
        return Ok(program.canonicalize()?);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.current_dir(project::folder()).args(["build", "--release", "--quiet", "--bin", "tresor"]);
    process::run(&mut build)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    Ok(project::folder().join(target).join("release/tresor").canonicalize()?)
}

/// One data set's run.
struct Bench<'a> {
    rows: Vec<Row>,
    contenders: &'a [Contender],
    source: PathBuf,
    pattern: &'static str,
    /// The file that is dumped.
    file: PathBuf,
    target: PathBuf,
    key: Key,
    samples: Samples,
    failures: Vec<String>,
}

impl Bench<'_> {
    fn run(&mut self, pairs: usize) -> Result<()> {
        let template = self.template()?;
        for contender in self.contenders {
            contender.clear()?;
        }
        for row in Row::all() {
            for round in 0..row.rounds(&self.rows, pairs) {
                self.round(*row, round, &template)?;
            }
            if !self.rows.contains(row) {
                self.samples.retain(|(other, _), _| other != row);
            }
        }
        Ok(())
    }

    /// An empty repository whose config and key file every contender of restic's format gets a copy of.
    fn template(&self) -> Result<Template> {
        if self.key == Key::Cheap {
            let fixture = tresor_testkit::fixtures::empty_repository();
            return Ok(Template { path: fixture.path.clone(), _folder: Box::new(fixture) });
        }
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("repository");
        let restic = tresor_testkit::Client::restic(&path);
        let run = restic.run(["init"]);
        if run.code != Some(0) {
            return Err(run.to_string().into());
        }
        Ok(Template { path, _folder: Box::new(folder) })
    }

    fn round(&mut self, row: Row, round: usize, template: &Template) -> Result<()> {
        if row.wants_changes() {
            tresor_testkit::mutate(&self.source, round as u64 + 1, 1.0);
        }
        let count = self.contenders.len();
        for place in (0..count).map(|turn| (turn + round) % count) {
            let contender = &self.contenders[place];
            if !contender.can(row) {
                continue;
            }
            let task = self.task(row, round);
            let outcome = attempt(contender, &task, &template.path);
            contender.after(&task)?;
            let told = outcome.as_ref().map_or_else(|e| format!("failed: {e}"), ToString::to_string);
            eprintln!("{row:>22} {}/{} {told}", round + 1, contender.name());
            if let Err(wrong) = &outcome {
                self.failures.push(format!("{row} by {}: {wrong}", contender.name()));
            }
            self.samples.entry((row, place)).or_default().push(outcome.ok());
            if row.starts_over() && round == 0 {
                contender.note_size()?;
            }
        }
        Ok(())
    }

    fn task(&self, row: Row, round: usize) -> Task<'_> {
        let Bench { source, target, pattern, file, .. } = self;
        Task { row, round, source, target, pattern, file }
    }
}

/// What `task` costs `contender`.
fn attempt(contender: &Contender, task: &Task<'_>, template: &Path) -> Result<Sample> {
    contender.before(task, template)?;
    rustix::fs::sync();
    if task.row.is_cold() {
        cold::drop_page_cache()?;
    }
    let sample = measure::measure(&mut contender.command(task))??;
    if task.round == 0 && contender.is_a_peer() {
        verify::verify(contender, task)?;
    }
    Ok(sample)
}

/// A repository to copy from, and what keeps it on disk.
struct Template {
    path: PathBuf,
    _folder: Box<dyn std::any::Any>,
}
