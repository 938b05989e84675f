//! `diff`: what differs between two snapshots.

use schemars::JsonSchema;
use serde::Serialize;
use tresor_repo::Repository;
use tresor_repo::handle::Right;
use tresor_snapshot::diff::{DiffSummary, OneSided, diff};
use tresor_snapshot::walk::find_subtree;

use super::selection::{self, One};
use crate::exit::{Failure, Result};
use crate::session::Session;
use crate::ui::Ui;
use crate::units::bytes;

/// Show what differs between two snapshots
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Show changed metadata too
    #[arg(long)]
    metadata: bool,
    /// Two snapshots (ids or beginnings of ids), each perhaps with `:subfolder`
    #[arg(value_name = "SNAPSHOT")]
    ids: Vec<String>,
}

/// A path that differs.
#[derive(JsonSchema, Serialize)]
pub(crate) struct ChangeMessage<'a> {
    message_type: &'static str,
    path: &'a str,
    modifier: &'static str,
}

/// The differences in numbers.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Statistics<'a> {
    message_type: &'static str,
    source_snapshot: &'a str,
    target_snapshot: &'a str,
    changed_files: u64,
    added: Side,
    removed: Side,
}

/// What is on one side only.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Side {
    files: u64,
    dirs: u64,
    others: u64,
    data_blobs: u64,
    tree_blobs: u64,
    bytes: u64,
}

impl From<OneSided> for Side {
    fn from(side: OneSided) -> Side {
        let OneSided { files, dirs, others, data_blobs, tree_blobs, bytes } = side;
        Side { files, dirs, others, data_blobs, tree_blobs, bytes }
    }
}

/// Compares two snapshots.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let [first, second] = args.ids.as_slice() else {
        return Err(Failure::fatal("specify two snapshot IDs"));
    };
    let opened = session.open_to_read()?;
    let ended = compare(args, session, &opened.repository, [first, second]);
    opened.close(session);
    ended
}

fn compare<R: Right>(
    args: &Args,
    session: &Session,
    repository: &Repository<R>,
    names: [&str; 2],
) -> Result<()> {
    let find = |name| selection::find_unfiltered(session, repository, name).map_err(fatal);
    let [first, second] = [find(names[0])?, find(names[1])?];
    let ui = &session.ui;
    ui.print(&format!("comparing snapshot {} to {}:\n", first.id.short(), second.id.short()));
    let index = session.load_index(repository)?;
    let tree = |one: &One| {
        let subfolder = one.subfolder.as_deref().unwrap_or_default();
        find_subtree(repository, &index, one.snapshot.tree, subfolder.as_bytes())
    };
    let trees = [tree(&first)?, tree(&second)?];
    let summary = diff(repository, &index, trees, args.metadata, &mut |path, change| {
        let (path, modifier) = (String::from_utf8_lossy(path), change.as_str());
        if ui.style.verbosity == 0 {
        } else if ui.is_json() {
            ui.json(&ChangeMessage { message_type: "change", path: &path, modifier });
        } else {
            ui.print(&format!("{modifier:<5}{path}"));
        }
    })?;
    match ui.is_json() {
        true => ui.json(&Statistics {
            message_type: "statistics",
            source_snapshot: names[0],
            target_snapshot: names[1],
            changed_files: summary.changed_files,
            added: summary.added.into(),
            removed: summary.removed.into(),
        }),
        false => print(&summary, ui),
    }
    Ok(())
}

/// A snapshot that is not found is the user's error.
fn fatal(why: Failure) -> Failure {
    match why.message.starts_with("Fatal: ") {
        true => why,
        false => Failure { message: format!("Fatal: {}", why.message), ..why },
    }
}

fn print(summary: &DiffSummary, ui: &Ui) {
    let DiffSummary { changed_files, added, removed } = summary;
    let line = |what: &str, new: u64, gone: u64| format!("{what:<12} {new:>5} new, {gone:>5} removed");
    let files = line("Files:", added.files, removed.files);
    ui.important(&format!("\n{files}, {changed_files:>5} changed"));
    ui.important(&line("Dirs:", added.dirs, removed.dirs));
    ui.important(&line("Others:", added.others, removed.others));
    ui.important(&line("Data Blobs:", added.data_blobs, removed.data_blobs));
    ui.important(&line("Tree Blobs:", added.tree_blobs, removed.tree_blobs));
    ui.important(&format!("  Added:   {:<5}", bytes(added.bytes)));
    ui.important(&format!("  Removed: {:<5}", bytes(removed.bytes)));
}
