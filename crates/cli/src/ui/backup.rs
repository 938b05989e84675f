//! How a backup is shown: status, items, problems, summary.

use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tresor_repo::monitor::{Monitor, Note, Problem};
use tresor_snapshot::backup::{Added, BackupMonitor, BackupReport, Change, FinishedItem};
use tresor_snapshot::quote::shown;

use super::progress::Status;
use super::schema::{Id, Moment};
use super::terminal::printable;
use super::{Ui, json};
use crate::causes::chain;
use crate::units;

/// Receives what a backup tells, and shows it.
pub(crate) struct BackupView {
    ui: Arc<Ui>,
    start: Instant,
    total_files: AtomicU64,
    total_bytes: AtomicU64,
    scan_done: AtomicBool,
    files: AtomicU64,
    bytes: AtomicU64,
    problems: AtomicU64,
    current: Mutex<BTreeSet<Vec<u8>>>,
}

impl BackupView {
    /// A view that talks through `ui`.
    pub(crate) fn new(ui: Arc<Ui>) -> Self {
        BackupView {
            ui,
            start: Instant::now(),
            total_files: AtomicU64::new(0),
            total_bytes: AtomicU64::new(0),
            scan_done: AtomicBool::new(false),
            files: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            problems: AtomicU64::new(0),
            current: Mutex::new(BTreeSet::new()),
        }
    }

    /// Shows the result.
    pub(crate) fn summary(&self, report: &BackupReport, dry_run: bool) {
        if self.ui.is_json() {
            self.json_summary(report, dry_run);
        } else {
            self.text_summary(report, dry_run);
        }
    }

    fn json_summary(&self, report: &BackupReport, dry_run: bool) {
        let s = &report.summary;
        self.ui.json(&SummaryMessage {
            message_type: "summary",
            files_new: s.files_new,
            files_changed: s.files_changed,
            files_unmodified: s.files_unmodified,
            dirs_new: s.dirs_new,
            dirs_changed: s.dirs_changed,
            dirs_unmodified: s.dirs_unmodified,
            data_blobs: s.data_blobs,
            tree_blobs: s.tree_blobs,
            data_added: s.data_added,
            data_added_packed: s.data_added_packed,
            total_files_processed: s.total_files_processed,
            total_bytes_processed: s.total_bytes_processed,
            total_duration: s.backup_end.since(&s.backup_start).as_secs_f64(),
            backup_start: s.backup_start.to_string(),
            backup_end: s.backup_end.to_string(),
            snapshot_id: report.snapshot.map(|id| id.hex()),
            dry_run,
        });
    }

    fn text_summary(&self, report: &BackupReport, dry_run: bool) {
        let (ui, s) = (&self.ui, &report.summary);
        ui.print("");
        ui.print(&format!(
            "Files:       {:5} new, {:5} changed, {:5} unmodified",
            s.files_new, s.files_changed, s.files_unmodified
        ));
        ui.print(&format!(
            "Dirs:        {:5} new, {:5} changed, {:5} unmodified",
            s.dirs_new, s.dirs_changed, s.dirs_unmodified
        ));
        ui.verbose(&format!("Data Blobs:  {:5} new", s.data_blobs));
        ui.verbose(&format!("Tree Blobs:  {:5} new", s.tree_blobs));
        let verb = if dry_run { "Would add" } else { "Added" };
        let (added, stored) = (units::bytes(s.data_added), units::bytes(s.data_added_packed));
        ui.print(&format!("{verb} to the repository: {added:<5} ({stored:<5} stored)"));
        ui.print("");
        let time = units::elapsed(self.start.elapsed());
        let bytes = units::bytes(s.total_bytes_processed);
        ui.print(&format!("processed {} files, {bytes} in {time}", s.total_files_processed));
        match report.snapshot {
            _ if dry_run => {}
            Some(id) => ui.print(&format!("snapshot {} saved", id.short())),
            None => ui.print("skipped creating snapshot"),
        }
    }

    /// Seconds that are left at the average rate so far; none before the estimate is known.
    fn remaining(&self, elapsed: Duration) -> Option<u64> {
        let (done, total) = (self.bytes.load(Relaxed), self.total_bytes.load(Relaxed));
        if !self.scan_done.load(Relaxed) || done == 0 || total <= done {
            return None;
        }
        Some((elapsed.as_secs_f64() * (total - done) as f64 / done as f64) as u64)
    }

    fn current_files(&self) -> Vec<String> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.iter().map(|path| String::from_utf8_lossy(path).into_owned()).collect()
    }
}

impl Monitor for BackupView {
    fn problem(&self, problem: &Problem) {
        self.problems.fetch_add(1, Relaxed);
        let scan = problem.doing == "scan";
        let cause = chain(problem.cause.as_ref());
        if self.ui.is_json() {
            let during = if scan { "scan" } else { "archival" };
            self.ui.error_json(&ErrorMessage::new(&cause, during, &problem.item));
        } else if !scan {
            self.ui.error(&printable(&format!("error: {} {}: {cause}", problem.doing, problem.item)));
        } else {
            self.ui.verbose(&printable(&format!("scan: {}: {cause}", problem.item)));
        }
    }

    fn note(&self, note: &Note) {
        super::notes::show(&self.ui, note);
    }
}

impl BackupMonitor for BackupView {
    fn scanned(&self, files: u64, bytes: u64) {
        self.total_files.fetch_add(files, Relaxed);
        self.total_bytes.fetch_add(bytes, Relaxed);
    }

    fn scan_finished(&self) {
        self.scan_done.store(true, Relaxed);
        let (files, bytes) = (self.total_files.load(Relaxed), self.total_bytes.load(Relaxed));
        if self.ui.is_json() && self.ui.style.verbosity >= 2 {
            self.ui.json(&ItemMessage {
                action: "scan_finished",
                duration: self.start.elapsed().as_secs_f64(),
                data_size: bytes,
                total_files: files,
                ..ItemMessage::default()
            });
        } else {
            let seconds = self.start.elapsed().as_secs_f64();
            let text = format!("scan finished in {seconds:.3}s: {files} files, {}", units::bytes(bytes));
            self.ui.verbose(&text);
        }
    }

    fn started(&self, path: &[u8]) {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_vec());
    }

    fn read(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Relaxed);
    }

    fn finished(&self, item: &FinishedItem<'_>) {
        if !item.is_dir {
            self.files.fetch_add(1, Relaxed);
            self.current.lock().unwrap_or_else(PoisonError::into_inner).remove(item.path);
        }
        if !item.is_dir && item.change == Change::Unmodified {
            self.bytes.fetch_add(item.size, Relaxed);
        }
        let wanted = if self.ui.is_json() { 2 } else { 3 };
        if self.ui.style.verbosity >= wanted {
            self.show_item(item);
        }
    }

    fn excluded(&self, path: &[u8]) {
        // What the next restic shows; the one we stand in for does not.
        if !self.ui.style.hints {
            return;
        }
        if !self.ui.is_json() {
            self.ui.very_verbose(&format!("excluded  {}", shown(path)));
        } else if self.ui.style.verbosity >= 2 {
            let item = &String::from_utf8_lossy(path);
            self.ui.json(&ExcludedMessage { message_type: "excluded_item", item });
        }
    }

    fn unsigned_tag(&self, path: &[u8], cause: &io::Error) {
        let path = String::from_utf8_lossy(path);
        let text = match cause.kind() {
            io::ErrorKind::InvalidData => format!("invalid signature in exclusion tagfile {path:?}"),
            io::ErrorKind::UnexpectedEof => {
                format!("could not read signature from exclusion tagfile {path:?}: unexpected EOF")
            }
            _ => format!("could not open exclusion tagfile {path:?}: {cause}"),
        };
        self.ui.error(&printable(&text));
    }
}

impl BackupView {
    fn show_item(&self, item: &FinishedItem<'_>) {
        let path = [item.path, if item.is_dir { b"/" } else { b"" }].concat();
        let (data, tree) =
            if item.is_dir { (Added::default(), item.added) } else { (item.added, Added::default()) };
        let action = match item.change {
            Change::New => "new",
            Change::Changed => "modified",
            Change::Unmodified => "unchanged",
        };
        if self.ui.is_json() {
            self.ui.json(&ItemMessage {
                action,
                item: String::from_utf8_lossy(&path).into_owned(),
                duration: item.seconds,
                data_size: data.plain_bytes,
                data_size_in_repo: data.stored_bytes,
                metadata_size: tree.plain_bytes,
                metadata_size_in_repo: tree.stored_bytes,
                ..ItemMessage::default()
            });
            return;
        }
        let path = shown(&path);
        let sizes = || {
            let text = format!(
                "{} added, {} stored",
                units::bytes(data.plain_bytes),
                units::bytes(data.stored_bytes)
            );
            if item.is_dir { format!("{text}, {} metadata", units::bytes(tree.stored_bytes)) } else { text }
        };
        self.ui.very_verbose(&match item.change {
            Change::Unmodified => format!("unchanged {path}"),
            _ => format!("{action:<9} {path}, saved in {:.3}s ({})", item.seconds, sizes()),
        });
    }
}

impl Status for BackupView {
    fn lines(&self, elapsed: Duration) -> Vec<String> {
        let (files, bytes) = (self.files.load(Relaxed), units::bytes(self.bytes.load(Relaxed)));
        let (total_files, total) = (self.total_files.load(Relaxed), self.total_bytes.load(Relaxed));
        let problems = self.problems.load(Relaxed);
        let time = units::elapsed(elapsed);
        let mut line = if total_files == 0 {
            format!("[{time}] {files} files, {bytes}, {problems} errors")
        } else if self.scan_done.load(Relaxed) && total > 0 {
            let share = units::percent(self.bytes.load(Relaxed), total);
            format!(
                "[{time}] {share}  {files} files {bytes}, total {total_files} files {}, {problems} errors",
                units::bytes(total)
            )
        } else {
            format!(
                "[{time}] {files} files {bytes}, total {total_files} files {}, {problems} errors",
                units::bytes(total)
            )
        };
        let rate = self.bytes.load(Relaxed) as f64 / elapsed.as_secs_f64().max(0.1);
        line.push_str(&format!(", {}/s", units::bytes(rate as u64)));
        if let Some(seconds) = self.remaining(elapsed) {
            line.push_str(&format!(" ETA {}", units::elapsed(Duration::from_secs(seconds))));
        }
        std::iter::once(line).chain(self.current_files()).collect()
    }

    fn json(&self, elapsed: Duration) -> Option<Vec<u8>> {
        let (done, total) = (self.bytes.load(Relaxed), self.total_bytes.load(Relaxed));
        Some(json::line(&StatusMessage {
            message_type: "status",
            seconds_elapsed: elapsed.as_secs(),
            seconds_remaining: self.remaining(elapsed).unwrap_or(0),
            percent_done: if total > 0 { (done as f64 / total as f64).min(1.0) } else { 0.0 },
            total_files: self.total_files.load(Relaxed),
            files_done: self.files.load(Relaxed),
            total_bytes: total,
            bytes_done: done,
            error_count: self.problems.load(Relaxed),
            current_files: self.current_files(),
        }))
    }
}

/// For fields that are left out when zero.
pub(crate) fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct StatusMessage {
    message_type: &'static str,
    #[serde(skip_serializing_if = "is_zero")]
    seconds_elapsed: u64,
    #[serde(skip_serializing_if = "is_zero")]
    seconds_remaining: u64,
    percent_done: f64,
    #[serde(skip_serializing_if = "is_zero")]
    total_files: u64,
    #[serde(skip_serializing_if = "is_zero")]
    files_done: u64,
    #[serde(skip_serializing_if = "is_zero")]
    total_bytes: u64,
    #[serde(skip_serializing_if = "is_zero")]
    bytes_done: u64,
    #[serde(skip_serializing_if = "is_zero")]
    error_count: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    current_files: Vec<String>,
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct ItemMessage {
    message_type: &'static str,
    action: &'static str,
    item: String,
    duration: f64,
    data_size: u64,
    data_size_in_repo: u64,
    metadata_size: u64,
    metadata_size_in_repo: u64,
    total_files: u64,
}

impl Default for ItemMessage {
    fn default() -> Self {
        ItemMessage {
            message_type: "verbose_status",
            action: "",
            item: String::new(),
            duration: 0.0,
            data_size: 0,
            data_size_in_repo: 0,
            metadata_size: 0,
            metadata_size_in_repo: 0,
            total_files: 0,
        }
    }
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct ExcludedMessage<'a> {
    message_type: &'static str,
    item: &'a str,
}

/// An error about one item, as `backup` and `restore` report it.
#[derive(JsonSchema, Serialize)]
pub(crate) struct ErrorMessage<'a> {
    message_type: &'static str,
    error: ErrorText<'a>,
    during: &'static str,
    item: &'a str,
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct ErrorText<'a> {
    message: &'a str,
}

impl<'a> ErrorMessage<'a> {
    /// The message about `item`, met `during` a phase.
    pub(crate) fn new(message: &'a str, during: &'static str, item: &'a str) -> Self {
        ErrorMessage { message_type: "error", error: ErrorText { message }, during, item }
    }
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct SummaryMessage {
    message_type: &'static str,
    files_new: u64,
    files_changed: u64,
    files_unmodified: u64,
    dirs_new: u64,
    dirs_changed: u64,
    dirs_unmodified: u64,
    data_blobs: u64,
    tree_blobs: u64,
    data_added: u64,
    data_added_packed: u64,
    total_files_processed: u64,
    total_bytes_processed: u64,
    total_duration: f64,
    #[schemars(with = "Moment")]
    backup_start: String,
    #[schemars(with = "Moment")]
    backup_end: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Id>")]
    snapshot_id: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Style;
    use tresor_backend::Cancel;

    fn status(found: &[(u64, u64)]) -> String {
        let style = Style::plain(1);
        let view = BackupView::new(Arc::new(Ui::new(style, Cancel::new())));
        found.iter().for_each(|(files, bytes)| view.scanned(*files, *bytes));
        view.scan_finished();
        view.read(256);
        view.lines(Duration::from_secs(2)).remove(0)
    }

    #[test]
    fn a_stream_of_unknown_size_has_no_share() {
        let [file, stream] = [(3, 1024), (1, 0)].map(|found| status(&[found]));
        assert!(
            file.starts_with("[0:02] 25.00%  0 files 256 B, total 3 files 1.000 KiB, 0 errors"),
            "{file}"
        );
        assert!(stream.starts_with("[0:02] 0 files 256 B, total 1 files 0 B, 0 errors"), "{stream}");
    }
}
