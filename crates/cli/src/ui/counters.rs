//! Counters of phases: a status line while a phase runs, restic's counter line at its end.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tresor_repo::Phase;

use super::Ui;
use super::progress::{Status, counter};

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
            Phase::Index => self.ui.print_on_terminal(&line),
            Phase::Packs => {}
            _ => self.ui.print(&line),
        }
    }

    fn line(&self, running: &Running) -> String {
        let what = match running.phase {
            Phase::Index => "index files loaded",
            Phase::Snapshots => "snapshots",
            Phase::Verify => "files",
            _ => "packs",
        };
        counter(running.start.elapsed(), self.done.load(Relaxed), running.total, what)
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
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
