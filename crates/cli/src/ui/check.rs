//! How a check is shown: steps, findings, counters, what to do next.

use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use tresor_repo::check::{Finding, Severity};
use tresor_repo::monitor::{Monitor, Note, Problem};
use tresor_repo::{PackId, Phase};
use tresor_snapshot::check::{Finding as TreeFinding, TreeProblem};

use super::counters::Counters;
use super::progress::Ticker;
use super::schema::Id;
use super::terminal::printable;
use super::{Ui, notes};
use crate::causes::chain;

/// Receives what a check finds, shows and counts it.
pub(crate) struct CheckView {
    ui: Arc<Ui>,
    program: &'static str,
    counters: Arc<Counters>,
    errors: AtomicU64,
    broken_packs: Mutex<BTreeSet<PackId>>,
    index_is_damaged: AtomicBool,
    suggest_repair_index: AtomicBool,
    suggest_prune: AtomicBool,
}

impl CheckView {
    /// A view that talks through `ui`; commands it recommends are those of `program`.
    pub(crate) fn new(ui: &Arc<Ui>, program: &'static str) -> Self {
        CheckView {
            ui: Arc::clone(ui),
            program,
            counters: Arc::new(Counters::new(Arc::clone(ui))),
            errors: AtomicU64::new(0),
            broken_packs: Mutex::default(),
            index_is_damaged: AtomicBool::new(false),
            suggest_repair_index: AtomicBool::new(false),
            suggest_prune: AtomicBool::new(false),
        }
    }

    /// Shows the counters for as long as the answer lives.
    pub(crate) fn ticker(&self) -> Ticker {
        Ticker::start(&self.ui, Arc::clone(&self.counters) as _)
    }

    /// Errors so far.
    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Relaxed)
    }

    /// Something that fails the check, in words.
    pub(crate) fn error(&self, text: &str) {
        self.errors.fetch_add(1, Relaxed);
        self.say(&printable_lines(text));
    }

    /// What is wrong with index files, and hints; a damaged index file ends the check.
    pub(crate) fn index(&self, findings: &[Finding]) {
        let hint = |finding: &&Finding| finding.severity() == Severity::Hint;
        for finding in findings.iter().filter(hint) {
            self.important(&words(finding));
        }
        if findings.iter().filter(hint).any(|finding| matches!(finding, Finding::PackInSeveralIndexes { .. }))
        {
            self.suggest_repair_index.store(true, Relaxed);
            let program = self.program;
            self.important(&format!("That does no harm; `{program} repair index` writes each pack once."));
        }
        if findings.iter().any(|finding| matches!(finding, Finding::MixedPack { .. })) {
            self.suggest_prune.store(true, Relaxed);
            self.important(&format!("Mixed packs do no harm; `{} prune` sorts them out.", self.program));
        }
        for finding in findings.iter().filter(|finding| !hint(finding)) {
            self.index_is_damaged.store(true, Relaxed);
            self.suggest_repair_index.store(true, Relaxed);
            self.error(&format!("error: {}", words(finding)));
        }
    }

    /// What is wrong with the packs as files.
    pub(crate) fn packs(&self, findings: &[Finding]) {
        let (unindexed, errors): (Vec<_>, Vec<_>) =
            findings.iter().partition(|finding| matches!(finding, Finding::PackUnindexed { .. }));
        for finding in &unindexed {
            self.ui.verbose(&words(finding));
        }
        if !unindexed.is_empty() {
            self.suggest_prune.store(true, Relaxed);
            self.ui.print(&format!(
                "{} additional files were found in the repo, which likely contain duplicate data.",
                unindexed.len()
            ));
            self.ui.print(&format!("That does no harm; `{} prune` removes them.", self.program));
        }
        for finding in errors {
            self.pack(finding);
        }
    }

    /// What is wrong with one pack.
    pub(crate) fn pack(&self, finding: &Finding) {
        if let Some(pack) = finding.broken_pack() {
            self.broken_packs.lock().unwrap_or_else(PoisonError::into_inner).insert(pack);
        }
        self.error(&words(finding));
    }

    /// What is wrong with a tree.
    pub(crate) fn tree(&self, finding: &TreeFinding) {
        self.error(&format!("error for tree {}:", finding.tree.short()));
        for problem in &finding.problems {
            let words = match problem {
                TreeProblem::Unreadable { tree, cause } => format!("tree {tree}: {}", chain(cause)),
                problem => problem.to_string(),
            };
            self.say(&printable_lines(&format!("  {words}")));
        }
    }

    /// Ends the report in words: fine, or how to go on.
    pub(crate) fn conclusion(&self) {
        if self.errors() == 0 {
            self.ui.print("no errors were found");
            return;
        }
        let (program, broken) = (self.program, self.broken());
        if !broken.is_empty() {
            let packs: Vec<String> = broken.iter().map(PackId::hex).collect();
            self.say(
                "\nPacks are damaged. What can be saved of them is saved, and the rest is given up, by:\n",
            );
            self.say(&format!(
                "{program} repair packs {}\n{program} repair snapshots --forget\n",
                packs.join(" ")
            ));
            self.say("Copy the damaged packs first, and find out why they are: storage, memory, transfer.");
        } else if self.index_is_damaged.load(Relaxed) {
            self.say(&format!(
                "\nThe index is damaged. `{program} repair index` makes it anew from the packs.\n"
            ));
        } else {
            self.say(
                "\nThe repository is damaged. Copy it before you repair it; the guide on repair says how.\n",
            );
        }
    }

    /// Ends the report for programs; `failed` if the check itself could not go on.
    pub(crate) fn summary(&self, failed: bool) {
        let broken = self.broken();
        self.ui.json(&Summary {
            message_type: "summary",
            num_errors: if failed { self.errors().max(1) } else { self.errors() },
            broken_packs: (!broken.is_empty()).then_some(broken),
            suggest_repair_index: self.suggest_repair_index.load(Relaxed),
            suggest_prune: self.suggest_prune.load(Relaxed),
        });
    }

    fn broken(&self) -> Vec<PackId> {
        self.broken_packs.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    fn important(&self, text: &str) {
        if !self.ui.is_json() {
            self.ui.important(text);
        }
    }

    /// A line for people on stderr, or the same in a message.
    fn say(&self, text: &str) {
        if self.ui.is_json() {
            self.ui.error_json(&Message { message_type: "error", message: &format!("{text}\n") });
        } else {
            self.ui.error(text);
        }
    }
}

/// A finding in restic's words; causes as we say them everywhere.
fn words(finding: &Finding) -> String {
    match finding {
        Finding::IndexUnreadable { index, cause } => format!("error loading index {index}: {}", chain(cause)),
        Finding::PackUnreadable { cause, .. } => format!("download error: {}", chain(cause)),
        finding => finding.to_string(),
    }
}

/// Control characters escaped, line ends left alone.
fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

impl Monitor for CheckView {
    fn problem(&self, problem: &Problem) {
        self.error(&format!("error: {problem}: {}", chain(problem.cause.as_ref())));
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
        notes::show(&self.ui, note);
    }
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct Message<'a> {
    message_type: &'static str,
    message: &'a str,
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct Summary {
    message_type: &'static str,
    num_errors: u64,
    #[schemars(with = "Option<Vec<Id>>")]
    broken_packs: Option<Vec<PackId>>,
    suggest_repair_index: bool,
    suggest_prune: bool,
}
