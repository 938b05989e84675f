//! `repair snapshots`: new snapshots without what is damaged.

use tresor_repo::index::Index;
use tresor_snapshot::quote::quoted;
use tresor_snapshot::rewrite::{Repair, Repaired, Rewriter};
use tresor_snapshot::select::Listed;

use super::rewriting::{self, Changes, Mode, Rewriting};
use super::selection::{self, Ignored, SelectFlags};
use crate::exit::{Failure, Result};
use crate::session::Session;
use crate::ui::Ui;
use crate::ui::changes::Told;

/// Take what is damaged out of snapshots, after the index was repaired
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing, only show what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Remove the old snapshots, and those named whose file is damaged
    #[arg(long)]
    forget: bool,
    #[command(flatten)]
    select: SelectFlags,
    /// Ids, beginnings of ids, or `latest` (default: all)
    #[arg(value_name = "SNAPSHOT")]
    ids: Vec<String>,
}

/// Repairs the snapshots chosen, one after the other.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let mode = if args.dry_run { Mode::DryRun } else { Mode::Remove };
    let rewriting = Rewriting::open(session, mode)?;
    let modified = repair_all(args, session, &rewriting);
    rewriting.close(session);
    rewriting::conclude(session, modified?, args.dry_run);
    Ok(())
}

fn repair_all(args: &Args, session: &Session, rewriting: &Rewriting) -> Result<u64> {
    let mut in_vain = Vec::new();
    let ignored = &mut |ignored: Ignored| in_vain.push(ignored);
    let chosen = selection::choose(session, &rewriting.repository, &args.select, &args.ids, ignored)?;
    let (mut rewriter, mut modified) = (Rewriter::default(), 0);
    for ignored in &in_vain {
        modified += u64::from(remove_if_damaged(args, session, rewriting, ignored)?);
    }
    let index = session.load_whole_index(&rewriting.repository)?;
    for old in &chosen {
        session.ui.print(&format!("\n{}", old.1.describe(&old.0, &session.zone)));
        let repaired = repair(args, session, rewriting, &index, &mut rewriter, old);
        let was_modified = repaired.map_err(|failure| Failure {
            message: format!(
                "Fatal: unable to rewrite snapshot ID \"{}\": {}",
                old.0.short(),
                failure.message
            ),
            ..failure
        })?;
        modified += u64::from(was_modified);
    }
    Ok(modified)
}

/// Removes a snapshot that was asked for by its id if its file is damaged, so that nobody can ever read it;
/// tells of all else that was asked for in vain. Says whether it was removed, or would be.
fn remove_if_damaged(
    args: &Args,
    session: &Session,
    rewriting: &Rewriting,
    ignored: &Ignored,
) -> Result<bool> {
    let requested = args.ids.contains(&ignored.what);
    let id = match requested && args.forget {
        true => selection::damaged(&rewriting.repository, &ignored.what)?,
        false => None,
    };
    let Some(id) = id else {
        selection::tell_ignored(session, ignored);
        return Ok(false);
    };
    session.ui.print(&format!("\nsnapshot {}: {}", id.short(), ignored.why.message));
    session.ui.tell(&Told::Removed { snapshot_id: id, dry_run: args.dry_run });
    match args.dry_run {
        true => session.ui.print("would remove damaged snapshot"),
        false => {
            rewriting.remove(&id)?;
            session.ui.print(&format!("removed damaged snapshot {}", id.short()));
        }
    }
    Ok(true)
}

/// Repairs one snapshot; says whether there was anything to repair.
fn repair(
    args: &Args,
    session: &Session,
    rewriting: &Rewriting,
    index: &Index,
    rewriter: &mut Rewriter,
    old: &Listed,
) -> Result<bool> {
    let ui = &session.ui;
    let tell = &mut |repaired: Repaired, path: &[u8]| tell(ui, &repaired, path);
    let mut edit = Repair::new(index, tell);
    let short = old.0.short();
    let tree = rewriter.rewrite(&rewriting.repository, index, old.1.tree, &mut edit)?;
    if tree.is_none() {
        ui.tell(&Told::Removed { snapshot_id: old.0, dry_run: args.dry_run });
    }
    match tree {
        None if args.dry_run => ui.print("would delete empty snapshot"),
        None => {
            rewriting.remove(&old.0)?;
            ui.print(&format!("removed empty snapshot {short}"));
        }
        Some(tree) if tree == old.1.tree => return Ok(false),
        Some(tree) => {
            let changes = Changes { tree: Some(tree), tag: "repaired", ..Changes::default() };
            rewriting::replace(session, rewriting, old, changes, (args.dry_run, args.forget))?;
        }
    }
    Ok(true)
}

fn tell(ui: &Ui, repaired: &Repaired, path: &[u8]) {
    let item = String::from_utf8_lossy(path);
    let what = match repaired {
        Repaired::MissingContent => "missing_content",
        Repaired::WrongSize => "wrong_size",
        Repaired::InvalidKind(_) => "invalid_type",
        Repaired::UnreadableDirectory => "unreadable_directory",
        Repaired::UnreadableRoot => "unreadable_root",
    };
    ui.tell(&Told::Repaired { item: &item, what });
    let path = quoted(path);
    ui.print(&match repaired {
        Repaired::MissingContent => format!("  file {path}: removed missing content"),
        Repaired::WrongSize => format!("  file {path}: fixed incorrect size"),
        Repaired::InvalidKind(kind) => format!("  node {path}: removed, its type {kind:?} is invalid"),
        Repaired::UnreadableDirectory => format!("  dir {path}: replaced with empty directory"),
        Repaired::UnreadableRoot => format!("  dir {path}: not readable"),
    });
}
