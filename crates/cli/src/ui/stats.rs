//! How far a count is: snapshots, and what was met in the one that is counted.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tresor_snapshot::stats::Counted;

use super::progress::Status;
use crate::units;

/// A count that is under way.
pub(crate) struct Scanning {
    start: Instant,
    snapshots: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    done: u64,
    counted: Counted,
}

impl Scanning {
    /// A count of so many snapshots.
    pub(crate) fn new(snapshots: usize) -> Self {
        Scanning { start: Instant::now(), snapshots: snapshots as u64, state: Mutex::default() }
    }

    /// The next snapshot begins.
    pub(crate) fn begin(&self) {
        self.state().counted = Counted::default();
    }

    /// So much was met.
    pub(crate) fn at(&self, counted: Counted) {
        self.state().counted = counted;
    }

    /// A snapshot is done.
    pub(crate) fn end(&self) {
        self.state().done += 1;
    }

    /// The line at the end.
    pub(crate) fn last_line(&self) -> String {
        let state = self.state();
        let (elapsed, share) =
            (units::elapsed(self.start.elapsed()), units::percent(state.done, self.snapshots));
        let line = format!("[{elapsed}] {share}  {} / {} snapshots", state.done, self.snapshots);
        let Counted { files, blobs, bytes } = state.counted;
        let counts = [(files, "files"), (blobs, "blobs")].into_iter().filter(|(count, _)| *count > 0);
        let counts: String = counts.map(|(count, what)| format!(", {count} {what}")).collect();
        format!("{line}{counts}, {}", units::bytes(bytes))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Status for Scanning {
    fn lines(&self, _elapsed: Duration) -> Vec<String> {
        vec![self.last_line()]
    }

    fn json(&self, _elapsed: Duration) -> Option<Vec<u8>> {
        None
    }
}
