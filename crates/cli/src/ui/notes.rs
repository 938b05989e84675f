//! How notes and stray problems of the libraries are worded.

use std::sync::Arc;
use tresor_repo::monitor::{Monitor, Note, Problem};

use super::Ui;
use super::terminal::printable;
use crate::causes::chain;
use crate::units;

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
            ui.print(&format!(
                "repo already locked, waiting up to {} for the lock",
                units::go_duration(*at_most)
            ));
        }
        Note::NoCache { cause } => ui.error(&format!("unable to open cache: {cause}; going on without it")),
        Note::NewCache { folder } => {
            ui.print_on_terminal(&format!("created new cache in {}", folder.display()))
        }
        Note::LockNotRefreshed { cause } => ui.error(&format!("unable to refresh lock: {cause}")),
        Note::BringingBack { packs } => ui.print(&bringing_back(*packs)),
        _ => {}
    }
}

/// That packs are on their way from an archive, and that one waits.
pub(crate) fn bringing_back(packs: u64) -> String {
    format!("warming up {packs} packs from cold storage, this may take a while...")
}
