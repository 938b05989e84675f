//! What more of the same costs: more files, more snapshots, more cores.
//!
//! Three tables, each a section of its own in the docs. What is measured, and how, is [`bench`](super)'s.

mod files;
mod run;
mod snapshots;
mod step;

use super::complain;
use super::contender::{self, Contender, Kind};
use super::data::Set;
use super::report::{self, Report};
use super::setup::{Comparison, Setup};
use crate::Result;
use run::Scaling;
use std::path::Path;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The tables to make.
    #[arg(long, value_delimiter = ',', default_value = "files,snapshots,cores")]
    tables: Vec<Scale>,
    /// How many small files are backed up, one number after the other.
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000,1000000")]
    files: Vec<usize>,
    /// How many snapshots the repository has, one number after the other.
    #[arg(long, value_delimiter = ',', default_value = "1,10,100,1000,10000")]
    snapshots: Vec<usize>,
    /// The data set of the table of cores.
    #[arg(long, default_value = "gib")]
    data: Set,
    /// How many cores the programs have, one number after the other, in the tables of files and of cores.
    #[arg(long, value_delimiter = ',', default_value = "2,1")]
    cores: Vec<usize>,
    #[command(flatten)]
    comparison: Comparison,
    #[command(flatten)]
    setup: Setup,
}

/// What there is more of from line to line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Scale {
    Files,
    Snapshots,
    Cores,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    arguments.refuse_impossible(std::thread::available_parallelism()?.get())?;
    let dir = arguments.setup.folder()?;
    let program = arguments.setup.program()?;
    let mut failures = Vec::new();
    for scale in arguments.tables.iter().copied() {
        let contenders = contender::find(&arguments.peers(scale), program.clone(), None, &dir)?;
        failures.append(&mut make_table(scale, arguments, &contenders, &dir)?);
    }
    complain(&failures)
}

/// Measures and publishes a table; the answer is what failed.
fn make_table(
    scale: Scale,
    arguments: &Arguments,
    contenders: &[Contender],
    dir: &Path,
) -> Result<Vec<String>> {
    let Arguments { setup, comparison, .. } = arguments;
    let scaling = Scaling { contenders, dir, pairs: comparison.pairs, key: setup.key };
    let steps = match scale {
        Scale::Files => scaling.files(&arguments.files, &arguments.cores)?,
        Scale::Snapshots => scaling.snapshots(&arguments.snapshots)?,
        Scale::Cores => scaling.cores(arguments.data, &arguments.cores)?,
    };
    let place = report::file_system(dir)?;
    let title = format!("{} on {place}", arguments.title(scale));
    let table = step::table(scale, contenders, &steps);
    Report::new(&title, &place, setup, &arguments.command_line(scale), &table)?
        .publish(comparison.no_docs)?;
    Ok(steps.into_iter().flat_map(|step| step.bench.failures).collect())
}

impl Arguments {
    fn refuse_impossible(&self, cores: usize) -> Result<()> {
        if self.cores.iter().any(|wanted| !(1..=cores).contains(wanted)) {
            return Err(format!("there are {cores} cores: say by `--cores` with how many to measure").into());
        }
        if self.files.contains(&0) || self.snapshots.contains(&0) {
            return Err("one file and one snapshot are the least".into());
        }
        Ok(())
    }

    /// Whom to compare with; one repository with all its snapshots can be given to restic's format only.
    fn peers(&self, scale: Scale) -> Vec<contender::Kind> {
        let may = |peer: &Kind| scale != Scale::Snapshots || peer.has_restics_format();
        self.comparison.peers.iter().copied().filter(may).collect()
    }

    fn title(&self, scale: Scale) -> String {
        match scale {
            Scale::Files => "scaling by files".to_owned(),
            Scale::Snapshots => "scaling by snapshots".to_owned(),
            Scale::Cores => format!("scaling by cores, {}", self.data.name()),
        }
    }

    /// How the table was made, as far as it does not depend on the setup.
    fn command_line(&self, scale: Scale) -> String {
        let cores = format!("--cores {}", list(&self.cores));
        let table = match scale {
            Scale::Files => format!("files --files {} {cores}", list(&self.files)),
            Scale::Snapshots => format!("snapshots --snapshots {}", list(&self.snapshots)),
            Scale::Cores => format!("cores --data {} {cores}", self.data.name()),
        };
        format!("scaling --tables {table} --pairs {}", self.comparison.pairs)
    }
}

/// As it is said in an argument.
fn list(numbers: &[usize]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, FromArgMatches};

    fn parsed(words: &[&str]) -> Arguments {
        let command = Arguments::augment_args(clap::Command::new("scaling").no_binary_name(true));
        Arguments::from_arg_matches(&command.get_matches_from(words)).unwrap()
    }

    #[test]
    fn a_section_tells_how_to_make_it_again() {
        let arguments = parsed(&["--files", "1000,2000", "--pairs", "3", "--data", "rand"]);
        let told = [Scale::Files, Scale::Snapshots, Scale::Cores].map(|scale| arguments.command_line(scale));
        assert_eq!(told[0], "scaling --tables files --files 1000,2000 --cores 2,1 --pairs 3");
        assert_eq!(told[1], "scaling --tables snapshots --snapshots 1,10,100,1000,10000 --pairs 3");
        assert_eq!(told[2], "scaling --tables cores --data rand --cores 2,1 --pairs 3");
    }

    #[test]
    fn more_cores_than_there_are_and_nothing_at_all_are_refused() {
        assert!(parsed(&[]).refuse_impossible(2).is_ok());
        assert!(parsed(&[]).refuse_impossible(1).is_err());
        for nothing in [["--cores", "0"], ["--files", "0"], ["--snapshots", "1,0"]] {
            assert!(parsed(&nothing).refuse_impossible(2).is_err());
        }
    }

    #[test]
    fn only_programs_of_one_format_share_snapshots() {
        let arguments = parsed(&["--peers", "restic,borg"]);
        assert_eq!(arguments.peers(Scale::Snapshots), [Kind::Restic]);
        assert_eq!(arguments.peers(Scale::Files), [Kind::Restic, Kind::Borg]);
    }
}
