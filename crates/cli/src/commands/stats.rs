//! `stats`: what snapshots hold, in numbers.

mod histogram;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;
use tresor_repo::Repository;
use tresor_repo::handle::Right;
use tresor_snapshot::select::Listed;
use tresor_snapshot::stats::{Counter, Mode, Stats};

use super::selection::{self, SelectFlags};
use crate::causes::chain;
use crate::exit::{Failure, Result};
use crate::session::Session;
use crate::ui::Ui;
use crate::ui::progress::Ticker;
use crate::ui::stats::Scanning;
use crate::units::bytes;

/// Count what snapshots hold
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    select: SelectFlags,
    /// What to count: restore-size, files-by-contents, blobs-per-file, raw-data or debug
    #[arg(long, value_name = "MODE", default_value = "restore-size")]
    mode: String,
    /// Ids, beginnings of ids, or `latest` (default: all)
    #[arg(value_name = "SNAPSHOT")]
    ids: Vec<String>,
}

/// The values of `--mode`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Counting {
    RestoreSize,
    FilesByContents,
    BlobsPerFile,
    RawData,
    Debug,
}

/// The numbers as one object; zeros are left out, but for size and snapshots.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Message {
    total_size: u64,
    #[serde(skip_serializing_if = "is_zero")]
    total_uncompressed_size: u64,
    #[serde(skip_serializing_if = "is_none")]
    compression_ratio: f64,
    #[serde(skip_serializing_if = "is_none")]
    compression_progress: f64,
    #[serde(skip_serializing_if = "is_none")]
    compression_space_saving: f64,
    #[serde(skip_serializing_if = "is_zero")]
    total_file_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    total_blob_count: u64,
    snapshots_count: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(number: &f64) -> bool {
    *number == 0.0
}

impl Message {
    fn new(stats: &Stats, snapshots: usize) -> Message {
        let (stored, plain) = (stats.compressed_size as f64, stats.compressed_plain_size as f64);
        let (any, all) = (stats.compressed_size > 0, stats.total_uncompressed_size as f64);
        Message {
            total_size: stats.total_size,
            total_uncompressed_size: stats.total_uncompressed_size,
            compression_ratio: if any { plain / stored } else { 0.0 },
            compression_progress: if any { plain / all * 100.0 } else { 0.0 },
            compression_space_saving: if any { (1.0 - stats.total_size as f64 / all) * 100.0 } else { 0.0 },
            total_file_count: stats.total_file_count,
            total_blob_count: stats.total_blob_count,
            snapshots_count: snapshots,
        }
    }
}

/// Counts.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let counting = Counting::from_str(&args.mode, false).map_err(|_| {
        Failure::plain(format!(
            "unknown counting mode: {} (use the -h flag to get a list of supported modes)",
            args.mode
        ))
    })?;
    let mode = match counting {
        Counting::RestoreSize => Mode::RestoreSize,
        Counting::FilesByContents => Mode::FilesByContents,
        Counting::BlobsPerFile => Mode::BlobsPerFile,
        Counting::RawData => Mode::RawData,
        Counting::Debug => return histogram::run(session),
    };
    let opened = session.open_to_read()?;
    let ended = count(args, mode, session, &opened.repository);
    opened.close(session);
    ended
}

fn count<R: Right>(args: &Args, mode: Mode, session: &Session, repository: &Repository<R>) -> Result<()> {
    let ui = &session.ui;
    let index = session.load_index(repository)?;
    if !ui.is_json() {
        ui.important("scanning...");
    }
    let ignored = &mut |ignored| selection::tell_ignored(session, &ignored);
    let snapshots = selection::choose(session, repository, &args.select, &args.ids, ignored)?;
    let scanning = Arc::new(Scanning::new(snapshots.len()));
    let ticker = Ticker::start(ui, Arc::clone(&scanning) as _);
    let mut counter = Counter::new(repository, &index, mode);
    for (_, snapshot) in &snapshots {
        scanning.begin();
        let counted = counter.add(snapshot.tree, &|counted| scanning.at(counted));
        counted.map_err(|error| Failure::plain(format!("error walking snapshot: {}", chain(&error))))?;
        scanning.end();
    }
    drop(ticker);
    let mut stats = counter.stats();
    if repository.config().version < 2 {
        stats.total_uncompressed_size = 0; // there is no compression to compare with
    }
    show(args, ui, &scanning, &stats, &snapshots);
    Ok(())
}

fn show(args: &Args, ui: &Ui, scanning: &Scanning, stats: &Stats, snapshots: &[Listed]) {
    let message = Message::new(stats, snapshots.len());
    if ui.is_json() {
        return ui.json(&message);
    }
    ui.important(&scanning.last_line());
    ui.important(&format!("Stats in {} mode:", args.mode));
    let line = |what: &str, value: String| ui.important(&format!("{what:>24}:  {value}"));
    line("Snapshots processed", format!("{:<5}", snapshots.len()).trim_end().to_owned());
    let counts =
        [("Total Blob Count", message.total_blob_count), ("Total File Count", message.total_file_count)];
    for (what, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        line(what, count.to_string());
    }
    if message.total_uncompressed_size > 0 {
        line("Total Uncompressed Size", bytes(message.total_uncompressed_size));
    }
    line("Total Size", format!("{:<5}", bytes(message.total_size)));
    if message.compression_progress > 0.0 {
        line("Compression Progress", format!("{:.2}%", message.compression_progress));
    }
    if message.compression_ratio > 0.0 {
        line("Compression Ratio", format!("{:.2}x", message.compression_ratio));
    }
    if message.compression_space_saving > 0.0 {
        line("Compression Space Saving", format!("{:.2}%", message.compression_space_saving));
    }
}
