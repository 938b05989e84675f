//! `check`: look for damage, in what is stored and in how it hangs together.

use std::collections::HashSet;
use std::sync::Arc;
use tempfile::TempDir;
use tresor_repo::check::{BadSubset, Finding, ReadSubset};
use tresor_repo::handle::Right;
use tresor_repo::index::Index;
use tresor_repo::{FileKind, PackId, Repository};
use tresor_snapshot::check::{check_trees, used_packs};
use tresor_snapshot::select::Listed;

use super::selection::{self, SelectFlags};
use crate::exit::{Failure, Result};
use crate::session::Session;
use crate::ui::check::CheckView;

/// Look for damage in the repository
#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(long, hide = true)]
    check_unused: bool,
    /// Read all packs and verify every byte
    #[arg(long)]
    read_data: bool,
    /// Read some packs: the n-th of t parts (n/t), a share (x%), or about so many bytes (nK, nM, nG, nT)
    #[arg(long, value_name = "SUBSET")]
    read_data_subset: Option<String>,
    #[command(flatten)]
    select: SelectFlags,
    /// Use the local cache, whose copies are not what is checked then
    #[arg(long)]
    with_cache: bool,
    /// Only these snapshots and what they need: ids, beginnings of ids, or `latest` (default: all)
    #[arg(value_name = "SNAPSHOT")]
    ids: Vec<String>,
}

/// Which packs to read.
enum Read {
    Nothing,
    Everything,
    Some(ReadSubset),
}

/// Checks, and fails if anything is damaged.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let read = read(args)?;
    let view = Arc::new(CheckView::new(&session.ui, session.program.name()));
    let ended = check(args, &read, session, &view);
    conclude(session, &view, ended)
}

/// Ends the report; fails if the check could not go on, or found something.
fn conclude(session: &Session, view: &CheckView, ended: Result<()>) -> Result<()> {
    if ended.is_ok() {
        view.conclusion();
    }
    if session.ui.is_json() {
        view.summary(ended.is_err());
    }
    match (ended, view.errors()) {
        (Ok(()), 0) => Ok(()),
        (Ok(()), _) => Err(Failure::fatal("repository contains errors")),
        (Err(failure), _) => Err(failure),
    }
}

/// Checks what is stored, without a look into the data, under a lock that is held already; fails if anything is
/// damaged.
pub(super) fn run_locked<R: Right>(session: &Session, repository: &Repository<R>) -> Result<()> {
    // No host, and none of the environment either: everything counts.
    let select = SelectFlags { host: vec![String::new()], ..SelectFlags::default() };
    let args = Args {
        check_unused: false,
        read_data: false,
        read_data_subset: None,
        select,
        with_cache: false,
        ids: Vec::new(),
    };
    let view = Arc::new(CheckView::new(&session.ui, session.program.name()));
    let ticker = view.ticker();
    let ended = check_repository(&args, &Read::Nothing, session, repository, &view);
    drop(ticker);
    conclude(session, &view, ended)
}

fn read(args: &Args) -> Result<Read> {
    let Some(subset) = args.read_data_subset.as_deref().filter(|subset| !subset.is_empty()) else {
        return Ok(if args.read_data { Read::Everything } else { Read::Nothing });
    };
    if args.read_data {
        return Err(Failure::fatal("check flags --read-data and --read-data-subset cannot be used together"));
    }
    let flag = "check flag --read-data-subset";
    subset.parse().map(Read::Some).map_err(|bad| {
        Failure::fatal(match bad {
            BadSubset::Form => format!("{flag} has invalid value, please see documentation"),
            BadSubset::Numbers => {
                format!(
                    "{flag}=n/t values must be positive integers, and n <= t, e.g. --read-data-subset=1/2"
                )
            }
            BadSubset::Groups => format!("{flag}=n/t t must be at most 256"),
            BadSubset::Percent => format!("{flag}=x% x must be above 0.0% and at most 100.0%"),
            BadSubset::Size => format!("{flag}=n n must be above 0"),
        })
    })
}

fn check(args: &Args, read: &Read, session: &Session, view: &Arc<CheckView>) -> Result<()> {
    if !session.global.no_lock {
        session.ui.print("create exclusive lock for repository");
    }
    let fresh = if args.with_cache { None } else { session.fresh_cache()? };
    if let Some(folder) = &fresh {
        session.ui.print(&format!("using temporary cache in {}", folder.path().display()));
    }
    let opened = session.open_to_check(args.with_cache, fresh.as_ref().map(TempDir::path))?;
    let ticker = view.ticker();
    let ended = check_repository(args, read, session, &opened.repository, view);
    drop(ticker);
    opened.close(session);
    ended
}

/// Four questions, each with more work than the one before; without a whole index the others have no answer.
fn check_repository<R: Right>(
    args: &Args,
    read: &Read,
    session: &Session,
    repository: &Repository<R>,
    view: &Arc<CheckView>,
) -> Result<()> {
    session.ui.print("load indexes");
    let (index, findings) = repository.check_index(&**view)?;
    view.index(&findings);
    if view.errors() > 0 {
        return Ok(());
    }
    session.ui.print("check all packs");
    view.packs(&repository.check_packs(&index, &**view)?);
    session.ui.print("check snapshots, trees and blobs");
    let mut not_found = |ignored: selection::Ignored| view.error(&format!("error: {}", ignored.why.message));
    let snapshots = selection::choose(session, repository, &args.select, &args.ids, &mut not_found)?;
    for finding in check_trees(repository, &index, &snapshots, &**view)? {
        view.tree(&finding);
    }
    read_packs(args, read, session, repository, &index, &snapshots, view)
}

fn read_packs<R: Right>(
    args: &Args,
    read: &Read,
    session: &Session,
    repository: &Repository<R>,
    index: &Index,
    snapshots: &[Listed],
    view: &Arc<CheckView>,
) -> Result<()> {
    if matches!(read, Read::Nothing) {
        return Ok(());
    }
    let filtered = !args.ids.is_empty() || !args.select.filter(session).is_empty();
    let mut packs: HashSet<PackId> = index.packs().map(|pack| Ok(pack?.0)).collect::<Result<_>>()?;
    if filtered {
        let used = used_packs(repository, index, snapshots)?;
        packs.retain(|pack| used.contains(pack));
    }
    let packs = chosen_packs(read, filtered, packs, session, repository)?;
    repository.check_pack_contents(index, &packs, &**view, &|finding: Finding| view.pack(&finding))?;
    Ok(())
}

/// Chooses the packs to read, and says which.
fn chosen_packs<R: Right>(
    read: &Read,
    filtered: bool,
    packs: HashSet<PackId>,
    session: &Session,
    repository: &Repository<R>,
) -> Result<Vec<PackId>> {
    let word = if filtered { "filtered " } else { "" };
    let Read::Some(subset) = read else {
        session.ui.print(&format!("read all {word}data"));
        return Ok(packs.into_iter().collect());
    };
    let sizes: Vec<(PackId, u64)> = match subset {
        ReadSubset::Bytes(_) => {
            let listed = repository.list(FileKind::Pack)?;
            let sizes = listed.iter().map(|file| (PackId::from_id(file.id), file.size));
            sizes.filter(|(pack, _)| packs.contains(pack)).collect()
        }
        _ => packs.into_iter().map(|pack| (pack, 0)).collect(),
    };
    let total = sizes.iter().map(|(_, size)| size).sum();
    let chosen = subset.choose(&sizes)?;
    let share = subset.percent(total).unwrap_or(100.0);
    session.ui.print(&match subset {
        ReadSubset::Group { number, of } => format!(
            "read group #{number} of {} {word}data packs (out of total {} packs in {of} groups",
            chosen.len(),
            sizes.len()
        ),
        ReadSubset::Percent(_) => format!("read {share:.1}% of {word}packfiles"),
        ReadSubset::Bytes(bytes) => {
            format!("read {} bytes ({share:.1}%) of {word}data packs", total.min(*bytes))
        }
    });
    Ok(chosen)
}
