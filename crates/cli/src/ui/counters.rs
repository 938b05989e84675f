//! Counters of phases: a status line while a phase runs, restic's counter line at its end.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tresor_repo::Phase;
use tresor_repo::monitor::{Monitor, Note, Problem};

use super::Ui;
use super::notes::Notes;
use super::progress::{Status, Ticker, counter};

/// Counts the steps of the phase that is under way.
pub(crate) struct Counters {
    ui: Arc<Ui>,
    running: Mutex<Option<Running>>,
    done: AtomicU64,
}

struct Running {
    phase: Phase,
    total: Option<u64>,
    start: Instant,
}

impl Counters {
    /// Counters that talk through `ui`.
    pub(crate) fn new(ui: Arc<Ui>) -> Self {
        Counters { ui, running: Mutex::new(None), done: AtomicU64::new(0) }
    }

    /// A phase begins.
    pub(crate) fn begin(&self, phase: Phase, total: Option<u64>) {
        self.done.store(0, Relaxed);
        *self.running() = Some(Running { phase, total, start: Instant::now() });
    }

    /// Steps are done.
    pub(crate) fn advance(&self, steps: u64) {
        self.done.fetch_add(steps, Relaxed);
    }

    /// The phase ends: its line is printed, that of a phase without interest of its own only on a terminal.
    pub(crate) fn end(&self) {
        let Some(running) = self.running().take() else { return };
        let line = self.line(&running);
        self.ui.end_status();
        match running.phase {
            Phase::Index | Phase::BringBack => self.ui.print_on_terminal(&line),
            Phase::Packs => {}
            _ => self.ui.print(&line),
        }
    }

    fn line(&self, running: &Running) -> String {
        let what = match running.phase {
            Phase::Index => "index files loaded",
            Phase::Snapshots => "snapshots",
            Phase::Verify => "files",
            Phase::Copy => "packs copied",
            Phase::BringBack => "packs brought back",
            Phase::Salvage => "pack files",
            Phase::Trees => "trees loaded",
            Phase::PlanPacks | Phase::SaveIndex => "packs processed",
            Phase::Repack => "packs repacked",
            Phase::Reindex => "indexes processed",
            Phase::RemoveIndex => "old indexes deleted",
            Phase::RemoveWholeIndex | Phase::RemoveUnindexed | Phase::RemovePacks => "files deleted",
            _ => "packs",
        };
        counter(running.start.elapsed(), self.done.load(Relaxed), running.total, what)
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows the phases of an operation that has no view of its own; its notes and problems as everywhere.
pub(crate) struct Counting {
    counters: Arc<Counters>,
    notes: Notes,
}

impl Counting {
    /// A monitor that talks through `ui`, and what shows its counters for as long as it lives.
    pub(crate) fn start(ui: &Arc<Ui>) -> (Counting, Ticker) {
        let counters = Arc::new(Counters::new(Arc::clone(ui)));
        let ticker = Ticker::start(ui, Arc::clone(&counters) as _);
        (Counting { counters, notes: Notes::new(Arc::clone(ui)) }, ticker)
    }
}

impl Monitor for Counting {
    fn problem(&self, problem: &Problem) {
        self.notes.problem(problem);
    }

    fn begin(&self, phase: Phase, total: Option<u64>) {
        self.counters.begin(phase, total);
    }

    fn advance(&self, _phase: Phase, steps: u64) {
        self.counters.advance(steps);
    }

    fn end(&self, _phase: Phase) {
        self.counters.end();
    }

    fn note(&self, note: &Note) {
        self.notes.note(note);
    }
}

impl Status for Counters {
    fn lines(&self, _elapsed: Duration) -> Vec<String> {
        self.running().as_ref().map(|running| self.line(running)).into_iter().collect()
    }

    fn json(&self, _elapsed: Duration) -> Option<Vec<u8>> {
        None
    }
}
