//! The runs of each table, one step after the other.

use super::step::{Step, many};
use super::{files, snapshots};
use crate::Result;
use crate::bench::contender::Contender;
use crate::bench::data::{self, Set, Source};
use crate::bench::rounds::Bench;
use crate::bench::row::Row;
use crate::bench::template::{Key, Template};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// The rows of the table of snapshots in their order: first what makes the last one, last what adds another.
const WITH_SNAPSHOTS: [Row; 5] = [Row::Backup, Row::Snapshots, Row::Forget, Row::Check, Row::NoChange];

/// How old a source is before it is backed up: a folder changed within the last two seconds is none that tresor's
/// files cache remembers, and most folders are older.
const SETTLED: Duration = Duration::from_secs(3);

/// Whom to measure, how often, and where.
pub(super) struct Scaling<'a> {
    pub(super) contenders: &'a [Contender],
    pub(super) dir: &'a Path,
    pub(super) pairs: usize,
    pub(super) key: Key,
}

impl<'a> Scaling<'a> {
    /// A first backup of so many files, and one without changes.
    pub(super) fn files(&self, counts: &[usize], cores: &[usize]) -> Result<Vec<Step<'a>>> {
        let template = Template::empty(self.key, self.dir)?;
        let mut steps = Vec::new();
        for count in counts.iter().copied() {
            let source = self.small_files(count)?;
            for cores in cores.iter().copied() {
                let subject = format!("{}, {}", many(count, "file"), many(cores, "core"));
                let mut step = self.step(subject, count, &[Row::Backup, Row::NoChange], &source);
                step.bench.around.cores = Some(cores);
                steps.push(self.run(step, Row::all(), &template)?);
            }
            fs::remove_dir_all(&source.folder)?;
        }
        Ok(steps)
    }

    /// What is done with a repository that has so many snapshots, the newest made by the contender itself.
    pub(super) fn snapshots(&self, counts: &[usize]) -> Result<Vec<Step<'a>>> {
        let source = self.small_files(10)?;
        let mut steps = Vec::new();
        for count in counts.iter().copied() {
            let template = Template::empty(self.key, self.dir)?;
            snapshots::fill(&template, &source, count - 1)?;
            let step = self.step(many(count, "snapshot"), count, &WITH_SNAPSHOTS[1..], &source);
            steps.push(self.run(step, &WITH_SNAPSHOTS, &template)?);
        }
        fs::remove_dir_all(&source.folder)?;
        Ok(steps)
    }

    /// A backup of `set` and its restore on so many cores.
    pub(super) fn cores(&self, set: Set, cores: &[usize]) -> Result<Vec<Step<'a>>> {
        let template = Template::empty(self.key, self.dir)?;
        let source = data::prepare(set, self.dir)?;
        let mut steps = Vec::new();
        for cores in cores.iter().copied() {
            let mut step = self.step(many(cores, "core"), cores, &[Row::Backup, Row::Restore], &source);
            step.bench.around.cores = Some(cores);
            steps.push(self.run(step, Row::all(), &template)?);
        }
        fs::remove_dir_all(&source.folder)?;
        Ok(steps)
    }

    fn small_files(&self, count: usize) -> Result<Source> {
        let source = files::prepare(count, self.dir)?;
        thread::sleep(SETTLED);
        Ok(source)
    }

    fn step(&self, subject: String, count: usize, rows: &[Row], source: &Source) -> Step<'a> {
        let bench = Bench::new(self.contenders, rows.to_vec(), source.clone(), self.dir);
        Step { subject, count, bench }
    }

    fn run(&self, mut step: Step<'a>, order: &[Row], template: &Template) -> Result<Step<'a>> {
        eprintln!("{}", step.subject);
        step.bench.run(order, self.pairs, template)?;
        Ok(step)
    }
}
