//! How notes and stray problems of the libraries are worded.

use std::sync::Arc;
use std::time::Duration;
use tresor_repo::monitor::{Monitor, Note, Problem};

use super::Ui;
use super::terminal::printable;
use crate::exit::chain;

/// Tells notes and problems that belong to no operation with a view of its own.
pub(crate) struct Notes {
    ui: Arc<Ui>,
}

impl Notes {
    /// A teller that talks through `ui`.
    pub(crate) fn new(ui: Arc<Ui>) -> Self {
        Notes { ui }
    }
}

impl Monitor for Notes {
    fn problem(&self, problem: &Problem) {
        self.ui.error(&printable(&format!("{problem}: {}", chain(problem.cause.as_ref()))));
    }

    fn note(&self, note: &Note) {
        show(&self.ui, note);
    }
}

/// Shows a note.
pub(crate) fn show(ui: &Ui, note: &Note) {
    match note {
        Note::WaitingForLock { at_most } => {
            ui.print(&format!("repo already locked, waiting up to {} for the lock", go_duration(*at_most)));
        }
        Note::NoCache { cause } => ui.error(&format!("unable to open cache: {cause}; going on without it")),
        Note::NewCache { folder } => {
            ui.print_on_terminal(&format!("created new cache in {}", folder.display()))
        }
        Note::LockNotRefreshed { cause } => ui.error(&format!("unable to refresh lock: {cause}")),
        _ => {}
    }
}

/// A duration as Go prints it: `0s`, `1m30s`, `2h0m0s`, `3.848389288s`.
pub(crate) fn go_duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (h, m) = (seconds / 3600, seconds / 60 % 60);
    let fraction = match time.subsec_nanos() {
        0 => String::new(),
        nanos => format!(".{}", format!("{nanos:09}").trim_end_matches('0')),
    };
    match (h, m) {
        (0, 0) => format!("{seconds}{fraction}s"),
        (0, _) => format!("{m}m{}{fraction}s", seconds % 60),
        _ => format!("{h}h{m}m{}{fraction}s", seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (ms, text) in [(0, "0s"), (90_000, "1m30s"), (7_200_000, "2h0m0s"), (3_848, "3.848s")] {
            assert_eq!(go_duration(Duration::from_millis(ms)), text);
        }
    }
}
