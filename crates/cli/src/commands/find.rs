//! `find`: which snapshots hold a path, or a blob or tree.

mod moment;
pub(crate) mod packs;

use tresor_repo::Repository;
use tresor_repo::handle::Right;
use tresor_repo::index::Index;
use tresor_snapshot::filter::Case;
use tresor_snapshot::find::{ObjectFinder, PathFinder, Query, Wanted};
use tresor_snapshot::select::{self, Listed};

use super::selection::{self, SelectFlags};
use crate::exit::{Failure, Result};
use crate::session::Session;
use crate::ui::find::{ObjectsView, PathsView};

/// Find files by their names, or blobs and trees by their ids
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The words are ids of blobs
    #[arg(long)]
    blob: bool,
    #[command(flatten)]
    select: SelectFlags,
    /// Print sizes with units in long lines
    #[arg(long)]
    human_readable: bool,
    /// Do not tell upper from lower case
    #[arg(short, long)]
    ignore_case: bool,
    /// Print mode, owner, size and time too
    #[arg(short, long)]
    long: bool,
    /// Not modified after this
    #[arg(short = 'N', long, value_name = "TIME")]
    newest: Option<String>,
    /// Not modified before this
    #[arg(short = 'O', long, value_name = "TIME")]
    oldest: Option<String>,
    /// The words are ids of packs, whose blobs and trees are looked for
    #[arg(long)]
    pack: bool,
    /// Print the oldest snapshot first
    #[arg(short = 'R', long)]
    reverse: bool,
    /// Print the pack of each blob or tree as well
    #[arg(long)]
    show_pack_id: bool,
    /// Only in this snapshot (repeatable)
    #[arg(short, long, value_name = "SNAPSHOT")]
    snapshot: Vec<String>,
    /// The words are ids of trees
    #[arg(long)]
    tree: bool,
    /// Patterns, or ids in full or by their first 8 digits
    #[arg(value_name = "PATTERN")]
    words: Vec<String>,
}

/// Finds what was asked for.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    if args.words.is_empty() {
        return Err(Failure::fatal("wrong number of arguments"));
    }
    let query = query(args, session)?;
    if [args.blob, args.tree, args.pack].into_iter().filter(|is_set| *is_set).count() > 1 {
        return Err(Failure::fatal("cannot have several ID types"));
    }
    let opened = session.open_to_read()?;
    let ended = find(args, &query, session, &opened.repository);
    opened.close(session);
    ended
}

/// What is asked of paths.
fn query(args: &Args, session: &Session) -> Result<Query> {
    let time = |text: &Option<String>| match text.as_deref().filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => moment::parse(text, &session.zone)
            .map(Some)
            .ok_or_else(|| Failure::fatal(format!("unable to parse time: {text:?}"))),
    };
    let (oldest, newest) = (time(&args.oldest)?, time(&args.newest)?);
    if let (Some(oldest), Some(newest)) = (oldest, newest)
        && oldest > newest
        && !oldest.same_instant(&newest)
    {
        return Err(Failure::fatal("--oldest must specify a time before --newest"));
    }
    let case = if args.ignore_case { Case::Insensitive } else { Case::Sensitive };
    let is_pattern = !(args.blob || args.tree || args.pack);
    let patterns = if is_pattern { args.words.as_slice() } else { &[] };
    let mut query = Query::new(patterns, case).map_err(|(pattern, _)| {
        Failure::fatal(format!("invalid pattern {:?}", String::from_utf8_lossy(&pattern)))
    })?;
    (query.oldest, query.newest) = (oldest, newest);
    Ok(query)
}

fn find<R: Right>(args: &Args, query: &Query, session: &Session, repository: &Repository<R>) -> Result<()> {
    let ignored = &mut |ignored| selection::tell_ignored(session, &ignored);
    let snapshots = selection::choose(session, repository, &args.select, &args.snapshot, ignored)?;
    let snapshots = in_order(snapshots, args.reverse);
    let index = session.load_index(repository)?;
    match args.blob || args.tree || args.pack {
        false => find_paths(args, query, session, repository, &index, &snapshots),
        true => find_objects(args, session, repository, &index, &snapshots),
    }
}

fn in_order(mut snapshots: Vec<Listed>, reverse: bool) -> Vec<Listed> {
    select::sort_newest_first(&mut snapshots);
    if reverse {
        snapshots.reverse();
    }
    snapshots
}

fn find_paths<R: Right>(
    args: &Args,
    query: &Query,
    session: &Session,
    repository: &Repository<R>,
    index: &Index,
    snapshots: &[Listed],
) -> Result<()> {
    let mut view = PathsView::new(&session.ui, &session.zone, args.long, args.human_readable);
    let mut finder = PathFinder::new(repository, index, query);
    for snapshot in snapshots {
        view.begin(snapshot);
        finder.search(snapshot.1.tree, &mut view)?;
        view.end();
    }
    view.finish();
    Ok(())
}

fn find_objects<R: Right>(
    args: &Args,
    session: &Session,
    repository: &Repository<R>,
    index: &Index,
    snapshots: &[Listed],
) -> Result<()> {
    let (mut blobs, mut trees) = (Wanted::default(), Wanted::default());
    if args.pack {
        packs::blobs_of(&args.words, repository, index, &mut blobs, &mut trees)?;
    } else {
        let wanted = if args.blob { &mut blobs } else { &mut trees };
        args.words.iter().for_each(|word| wanted.add_text(word));
    }
    let mut view = ObjectsView::new(&session.ui, &session.zone);
    let mut finder = ObjectFinder::new(repository, index, &blobs, &trees);
    for snapshot in snapshots {
        finder.search(snapshot.1.tree, &mut |object| view.object(snapshot, &object))?;
    }
    view.finish();
    if args.show_pack_id {
        packs::show(session, index, &blobs, view.blobs(), &trees)?;
    }
    Ok(())
}
