//! How a restore is shown: status, items, problems, summary.

use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tresor_repo::monitor::{Monitor, Note, Problem};
use tresor_snapshot::restore::{Action, RestoreCounts, RestoreMonitor};

use super::backup::{ErrorMessage, is_zero};
use super::progress::Status;
use super::terminal::printable;
use super::{Ui, json};
use crate::causes::chain;
use crate::units;

/// Receives what a restore tells, and shows it.
pub(crate) struct RestoreView {
    ui: Arc<Ui>,
    start: Instant,
    total_files: AtomicU64,
    total_bytes: AtomicU64,
    restored_files: AtomicU64,
    restored_bytes: AtomicU64,
    skipped_files: AtomicU64,
    skipped_bytes: AtomicU64,
    deleted: AtomicU64,
    problems: AtomicU64,
}

impl RestoreView {
    /// A view that talks through `ui`.
    pub(crate) fn new(ui: Arc<Ui>) -> Self {
        let zero = || AtomicU64::new(0);
        RestoreView {
            ui,
            start: Instant::now(),
            total_files: zero(),
            total_bytes: zero(),
            restored_files: zero(),
            restored_bytes: zero(),
            skipped_files: zero(),
            skipped_bytes: zero(),
            deleted: zero(),
            problems: zero(),
        }
    }

    /// Shows the result.
    pub(crate) fn summary(&self, counts: &RestoreCounts) {
        if self.ui.is_json() {
            self.ui.json(&StatusMessage {
                message_type: "summary",
                percent_done: None,
                ..StatusMessage::from(counts)
            });
            return;
        }
        let (done, total) = (counts.files_restored, counts.total_files);
        let (bytes, total_bytes) = (units::bytes(counts.bytes_restored), units::bytes(counts.total_bytes));
        let mut text = if done == total && counts.bytes_restored == counts.total_bytes {
            format!("Summary: Restored {done} files/dirs ({bytes}) in ")
        } else {
            format!("Summary: Restored {done} / {total} files/dirs ({bytes} / {total_bytes}) in ")
        };
        text.push_str(&units::elapsed(self.start.elapsed()));
        text.push_str(&extras(counts));
        self.ui.important(&text);
    }

    fn counts(&self) -> RestoreCounts {
        RestoreCounts {
            total_files: self.total_files.load(Relaxed),
            files_restored: self.restored_files.load(Relaxed),
            files_skipped: self.skipped_files.load(Relaxed),
            files_deleted: self.deleted.load(Relaxed),
            total_bytes: self.total_bytes.load(Relaxed),
            bytes_restored: self.restored_bytes.load(Relaxed),
            bytes_skipped: self.skipped_bytes.load(Relaxed),
        }
    }
}

fn extras(counts: &RestoreCounts) -> String {
    let mut text = String::new();
    if counts.files_skipped > 0 {
        let bytes = units::bytes(counts.bytes_skipped);
        text.push_str(&format!(", skipped {} files/dirs {bytes}", counts.files_skipped));
    }
    if counts.files_deleted > 0 {
        text.push_str(&format!(", deleted {} files/dirs", counts.files_deleted));
    }
    text
}

impl Monitor for RestoreView {
    fn problem(&self, problem: &Problem) {
        self.problems.fetch_add(1, Relaxed);
        let cause = chain(problem.cause.as_ref());
        if self.ui.is_json() {
            self.ui.error_json(&ErrorMessage::new(&cause, "restore", &problem.item));
        } else {
            self.ui.error(&printable(&format!("ignoring error for {}: {cause}", problem.item)));
        }
    }

    fn note(&self, note: &Note) {
        match note {
            Note::BringingBack { packs } => {
                self.ui.print(&format!("Info: {}", super::notes::bringing_back(*packs)));
            }
            note => super::notes::show(&self.ui, note),
        }
    }
}

impl RestoreMonitor for RestoreView {
    fn planned(&self, files: u64, bytes: u64) {
        self.total_files.fetch_add(files, Relaxed);
        self.total_bytes.fetch_add(bytes, Relaxed);
    }

    fn item(&self, action: Action, path: &[u8], size: Option<u64>) {
        match action {
            Action::Restored | Action::Updated => self.restored_files.fetch_add(1, Relaxed),
            Action::Unchanged => {
                self.skipped_bytes.fetch_add(size.unwrap_or(0), Relaxed);
                self.skipped_files.fetch_add(1, Relaxed)
            }
            Action::Deleted => self.deleted.fetch_add(1, Relaxed),
        };
        if self.ui.style.verbosity >= 3 {
            self.show_item(action, &String::from_utf8_lossy(path), size);
        }
    }

    fn restored_bytes(&self, bytes: u64) {
        self.restored_bytes.fetch_add(bytes, Relaxed);
    }

    fn warning(&self, text: &str) {
        self.ui.error(&printable(&format!("Warning: {text}")));
    }
}

impl RestoreView {
    fn show_item(&self, action: Action, path: &str, size: Option<u64>) {
        let word = match action {
            Action::Restored => "restored",
            Action::Updated => "updated",
            Action::Unchanged => "unchanged",
            Action::Deleted => "deleted",
        };
        if self.ui.is_json() {
            let size = size.unwrap_or(0);
            self.ui.json(&ItemMessage { message_type: "verbose_status", action: word, item: path, size });
        } else {
            let size = size.map(|size| format!(" with size {}", units::bytes(size))).unwrap_or_default();
            // restic shows names here as they are.
            let path = if self.ui.style.hints { printable(path) } else { path.to_owned() };
            self.ui.important(&format!("{word:<9} {path}{size}"));
        }
    }
}

impl Status for RestoreView {
    fn lines(&self, elapsed: Duration) -> Vec<String> {
        let counts = self.counts();
        let share = units::percent(counts.bytes_restored, counts.total_bytes);
        let rate = counts.bytes_restored as f64 / elapsed.as_secs_f64().max(0.1);
        vec![format!(
            "[{}] {share}  {} files/dirs {}, total {} files/dirs {}{}, {}/s",
            units::elapsed(elapsed),
            counts.files_restored,
            units::bytes(counts.bytes_restored),
            counts.total_files,
            units::bytes(counts.total_bytes),
            extras(&counts),
            units::bytes(rate as u64),
        )]
    }

    fn json(&self, elapsed: Duration) -> Option<Vec<u8>> {
        let counts = self.counts();
        let total = counts.total_bytes;
        let share = if total > 0 { (counts.bytes_restored as f64 / total as f64).min(1.0) } else { 0.0 };
        let message = StatusMessage {
            message_type: "status",
            seconds_elapsed: elapsed.as_secs(),
            percent_done: Some(share),
            ..StatusMessage::from(&counts)
        };
        Some(json::line(&message))
    }
}

#[derive(JsonSchema, Serialize, Default)]
pub(crate) struct StatusMessage {
    message_type: &'static str,
    #[serde(skip_serializing_if = "is_zero")]
    seconds_elapsed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent_done: Option<f64>,
    #[serde(skip_serializing_if = "is_zero")]
    total_files: u64,
    #[serde(skip_serializing_if = "is_zero")]
    files_restored: u64,
    #[serde(skip_serializing_if = "is_zero")]
    files_skipped: u64,
    #[serde(skip_serializing_if = "is_zero")]
    files_deleted: u64,
    #[serde(skip_serializing_if = "is_zero")]
    total_bytes: u64,
    #[serde(skip_serializing_if = "is_zero")]
    bytes_restored: u64,
    #[serde(skip_serializing_if = "is_zero")]
    bytes_skipped: u64,
}

impl From<&RestoreCounts> for StatusMessage {
    fn from(counts: &RestoreCounts) -> Self {
        StatusMessage {
            total_files: counts.total_files,
            files_restored: counts.files_restored,
            files_skipped: counts.files_skipped,
            files_deleted: counts.files_deleted,
            total_bytes: counts.total_bytes,
            bytes_restored: counts.bytes_restored,
            bytes_skipped: counts.bytes_skipped,
            ..StatusMessage::default()
        }
    }
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct ItemMessage<'a> {
    message_type: &'static str,
    action: &'static str,
    item: &'a str,
    size: u64,
}
