//! How far a count is: snapshots, and what was met in the one that is counted.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tresor_snapshot::stats::{Counted, Mode};

use super::progress::Status;
use crate::units;

/// A count that is under way.
pub(crate) struct Scanning {
    start: Instant,
    what: &'static str,
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
    pub(crate) fn new(snapshots: usize, mode: Mode) -> Self {
        let what = if mode == Mode::RawData { "blobs" } else { "files" };
        let state = Mutex::default();
        Scanning { start: Instant::now(), what, snapshots: snapshots as u64, state }
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
        let Counted { items, bytes } = state.counted;
        let bytes = units::bytes(bytes);
        match items {
            0 => format!("{line}, {bytes}"),
            _ => format!("{line}, {items} {}, {bytes}", self.what),
        }
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
