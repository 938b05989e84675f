//! The runs on one repository: each row by each program, then once more in little memory.

use super::client::{Client, Task};
use super::files::Files;
use super::mounted::Mounted;
use super::row::Row;
use super::server::Server;
use crate::Result;
use crate::bench::measure::{self, Around, Sample};
use crate::group::Group;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// What a program did in a row.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// In the order of the rounds; `None` where it failed.
    pub(super) samples: Vec<Option<Sample>>,
    /// How many requests the last round took.
    pub(super) requests: u64,
    /// The bytes of the cache after the last round.
    pub(super) cache: u64,
    /// In little memory, or why that was not possible.
    pub(super) caged: Option<Result<Sample, String>>,
}

/// Where there is what commands work on.
pub(super) struct Places {
    /// A folder of three files, which is made.
    pub(super) few: PathBuf,
    /// Where many files are mounted, and which.
    pub(super) many: PathBuf,
    pub(super) files: Option<Files>,
    /// Where restored files are thrown away.
    pub(super) target: PathBuf,
}

pub(super) struct Rounds<'a> {
    pub(super) clients: &'a [Client],
    pub(super) server: &'a Server,
    pub(super) pairs: usize,
    /// How many MiB the programs have when it is little.
    pub(super) memory: u64,
    places: &'a Places,
    changes: Cell<u64>,
    /// By row and by the place of the program.
    pub(super) outcomes: BTreeMap<(Row, usize), Outcome>,
    pub(super) failures: Vec<String>,
}

impl<'a> Rounds<'a> {
    pub(super) fn new(
        clients: &'a [Client],
        server: &'a Server,
        pairs: usize,
        memory: u64,
        places: &'a Places,
    ) -> Self {
        let (outcomes, failures) = (BTreeMap::new(), Vec::new());
        Rounds { clients, server, pairs, memory, places, changes: Cell::new(0), outcomes, failures }
    }

    pub(super) fn run(&mut self, rows: &[Row]) -> Result<()> {
        for client in self.clients {
            client.clear()?;
        }
        for row in rows.iter().copied() {
            for round in 0..self.pairs {
                let count = self.clients.len();
                for place in (0..count).map(|turn| (turn + round) % count) {
                    self.measure(row, round, place)?;
                }
            }
            if Group::of_this_process("tried", self.memory).is_ok() {
                for place in 0..self.clients.len() {
                    self.measure_caged(row, place)?;
                }
            }
        }
        Ok(())
    }

    fn measure(&mut self, row: Row, round: usize, place: usize) -> Result<()> {
        let client = &self.clients[place];
        let around = Around { anonymous: true, ..Around::default() };
        if round == 0 && row.is_warm() {
            let warmed = self.attempt(row, client, &Around::default())?;
            eprintln!("{row:>22} warm {}: {}", client.name, told(&warmed));
        }
        let sample = self.attempt(row, client, &around)?;
        eprintln!("{row:>22} {}/{} {}", round + 1, client.name, told(&sample));
        if let Err(wrong) = &sample {
            self.failures.push(format!("{row} by {}: {wrong}", client.name));
        }
        let (requests, cache) = (self.server.take_requests(), client.cache_bytes()?);
        let outcome = self.outcomes.entry((row, place)).or_default();
        outcome.samples.push(sample.ok());
        (outcome.requests, outcome.cache) = (requests, cache);
        Ok(())
    }

    fn measure_caged(&mut self, row: Row, place: usize) -> Result<()> {
        let client = &self.clients[place];
        client.forget_pages()?;
        let around = Around { memory: Some(self.memory), ..Around::default() };
        let sample = self.attempt(row, client, &around)?;
        eprintln!("{row:>22} in {} MiB {}: {}", self.memory, client.name, told(&sample));
        self.outcomes.entry((row, place)).or_default().caged = Some(sample);
        Ok(())
    }

    /// Has `client` do the work of `row` once.
    fn attempt(&self, row: Row, client: &Client, around: &Around) -> Result<Result<Sample, String>> {
        client.prepare(row)?;
        let places = self.places;
        let folder = match row {
            Row::Unchanged => &places.many,
            Row::Restore => &places.target,
            _ => &places.few,
        };
        if row == Row::Backup {
            self.change_source()?;
        }
        let discarding = places.files.as_ref().filter(|_| row == Row::Restore);
        let _target = discarding.map(|files| Mounted::discarding(files, folder)).transpose()?;
        self.server.store.unlock(client.name); // one that was killed leaves its lock
        let task = Task {
            row,
            location: &self.server.location(client.name),
            snapshot: &self.server.store.made.facts.snapshot,
            folder,
        };
        self.server.take_requests();
        measure::measure(&mut client.command(&task), around)
    }

    /// Puts three small files into the source, one of them new.
    fn change_source(&self) -> Result<()> {
        fs::create_dir_all(&self.places.few)?;
        let change = self.changes.replace(self.changes.get() + 1);
        for (name, contents) in
            [("new", format!("change {change}\n")), ("a", "a\n".into()), ("b", "b\n".into())]
        {
            let path = self.places.few.join(name);
            if name == "new" || !path.exists() {
                fs::write(path, contents)?;
            }
        }
        Ok(())
    }
}

fn told(sample: &Result<Sample, String>) -> String {
    sample.as_ref().map_or_else(|wrong| format!("failed: {wrong}"), ToString::to_string)
}
