//! The rounds: each row by each contender, one after the other, in turned order.

use super::cold;
use super::contender::{Contender, Task};
use super::data::Source;
use super::measure::{self, Around, Sample};
use super::row::Row;
use super::template::Template;
use super::verify;
use crate::Result;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What each contender did in each row, in the order of the rounds; `None` where a command failed.
pub(super) type Samples = BTreeMap<(Row, usize), Vec<Option<Sample>>>;

/// One source's run.
pub(super) struct Bench<'a> {
    /// What is to be measured.
    pub(super) rows: Vec<Row>,
    pub(super) contenders: &'a [Contender],
    pub(super) source: Source,
    target: PathBuf,
    /// What is put around the commands that are measured.
    pub(super) around: Around,
    pub(super) samples: Samples,
    pub(super) failures: Vec<String>,
}

impl<'a> Bench<'a> {
    /// A run below `dir`, of which nothing is measured yet.
    pub(super) fn new(contenders: &'a [Contender], rows: Vec<Row>, source: Source, dir: &Path) -> Self {
        Bench {
            rows,
            contenders,
            source,
            target: dir.join("restored"),
            around: Around::default(),
            samples: Samples::new(),
            failures: Vec::new(),
        }
    }

    /// Runs the wanted rows of `order`, and those that they stand on, from repositories like `template`.
    pub(super) fn run(&mut self, order: &[Row], pairs: usize, template: &Template) -> Result<()> {
        for contender in self.contenders {
            contender.clear()?;
        }
        for row in order {
            for round in 0..row.rounds(&self.rows, pairs) {
                self.round(*row, round, template.path())?;
            }
            if !self.rows.contains(row) {
                self.samples.retain(|(other, _), _| other != row);
            }
        }
        Ok(())
    }

    /// What the contender at this place did in this row.
    pub(super) fn samples(&self, row: Row, place: usize) -> &[Option<Sample>] {
        self.samples.get(&(row, place)).map_or(&[], Vec::as_slice)
    }

    fn round(&mut self, row: Row, round: usize, template: &Path) -> Result<()> {
        if row.wants_changes() {
            tresor_testkit::mutate(&self.source.folder, round as u64 + 1, 1.0);
        }
        let count = self.contenders.len();
        for place in (0..count).map(|turn| (turn + round) % count) {
            let contender = &self.contenders[place];
            if !contender.can(row) {
                continue;
            }
            let task = self.task(row, round);
            let outcome = self.attempt(contender, &task, template);
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
        let Source { folder, pattern, file } = &self.source;
        Task { row, round, source: folder, target: &self.target, pattern, file }
    }

    /// What `task` costs `contender`.
    fn attempt(&self, contender: &Contender, task: &Task<'_>, template: &Path) -> Result<Sample> {
        contender.before(task, template)?;
        rustix::fs::sync();
        if task.row.is_cold() {
            cold::drop_page_cache()?;
        }
        let plain = Around::default();
        let around = if self.rows.contains(&task.row) { &self.around } else { &plain };
        let sample = measure::measure(&mut contender.command(task), around)??;
        if task.round == 0 && contender.is_a_peer() {
            verify::verify(contender, task)?;
        }
        Ok(sample)
    }
}
