//! How repairs are shown: what begins, how far it is, what is lost.

use std::sync::Arc;
use tresor_backend::{FileKind, FileName};
use tresor_repo::monitor::{Monitor, Note, Problem};
use tresor_repo::{Error as RepoError, Phase};

use super::Ui;
use super::backup::ErrorMessage;
use super::counters::Counting;
use super::progress::Ticker;
use crate::causes::chain;

/// Tells what a repair finds, as text or as JSON messages.
pub(crate) struct Teller {
    ui: Arc<Ui>,
    during: &'static str,
}

impl Teller {
    /// What is told through `ui` while a repair is `during` something.
    pub(crate) fn new(ui: &Arc<Ui>, during: &'static str) -> Teller {
        Teller { ui: Arc::clone(ui), during }
    }

    /// Something is wrong with `item`.
    pub(crate) fn tell(&self, item: &str, text: &str) {
        match self.ui.json_replaces_text() {
            true => self.ui.error_json(&ErrorMessage::new(text, self.during, item)),
            false => self.ui.error(text),
        }
    }

    /// Advice for people.
    pub(crate) fn advise(&self, text: &str) {
        if !self.ui.json_replaces_text() {
            self.ui.error(text);
        }
    }

    /// A result for people, even when quiet.
    pub(crate) fn result(&self, text: &str) {
        if !self.ui.json_replaces_text() {
            self.ui.important(text);
        }
    }
}

/// Says what begins, and counts it.
pub(crate) struct RepairView {
    ui: Arc<Ui>,
    counting: Counting,
    teller: Teller,
}

impl RepairView {
    /// A view that talks through `ui`, and what shows its counters for as long as it lives.
    pub(crate) fn start(ui: &Arc<Ui>, during: &'static str) -> (RepairView, Ticker) {
        let (counting, ticker) = Counting::start(ui);
        (RepairView { ui: Arc::clone(ui), counting, teller: Teller::new(ui, during) }, ticker)
    }

    /// A file was removed, or could not be.
    pub(crate) fn removed(&self, file: FileName, ended: Result<(), RepoError>) {
        let id = file.id();
        let name = if file.kind() == FileKind::Index { format!("index {id}") } else { format!("data/{id}") };
        match ended {
            Ok(()) if file.kind() == FileKind::Index => self.ui.very_verbose(&format!("removed {name}")),
            Ok(()) => {}
            Err(error) => {
                self.teller.tell(&name, &format!("failed to remove {name}: {}", chain(&error)));
            }
        }
    }
}

impl Monitor for RepairView {
    fn problem(&self, problem: &Problem) {
        self.counting.problem(problem);
    }

    fn begin(&self, phase: Phase, total: Option<u64>) {
        match phase {
            Phase::ReadPacks => self.ui.print("reading pack files"),
            Phase::Salvage => self.ui.print("salvaging intact data from specified pack files"),
            Phase::Reindex => self.ui.print("rebuilding index"),
            Phase::RemovePacks => self.ui.print("removing salvaged pack files"),
            _ => {}
        }
        self.counting.begin(phase, total);
    }

    fn advance(&self, phase: Phase, steps: u64) {
        self.counting.advance(phase, steps);
    }

    fn end(&self, phase: Phase) {
        self.counting.end(phase);
    }

    fn note(&self, note: &Note) {
        self.counting.note(note);
    }
}
