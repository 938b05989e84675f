//! `snapshots`: list snapshots, oldest first.

use tresor_repo::Repository;
use tresor_repo::handle::Right;
use tresor_snapshot::select::{self, GroupBy, GroupKey, Listed};

use super::selection::{self, SelectFlags};
use crate::exit::Result;
use crate::session::Session;
use crate::ui::snapshots as view;

/// List all snapshots
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Show no paths, and a tag a line
    #[arg(short, long)]
    compact: bool,
    /// Show groups of snapshots that agree in these: host, paths, tags
    #[arg(short, long, value_name = "GROUP", default_value = "", hide_default_value = true)]
    group_by: GroupBy,
    #[command(flatten)]
    select: SelectFlags,
    /// Show the newest snapshot of each host and set of paths
    #[arg(long, hide = true)]
    last: bool,
    /// Show the newest N of each group; ungrouped, of each host and set of paths
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = crate::gonumber::int)]
    latest: i64,
    /// Ids, beginnings of ids, or `latest` (default: all)
    #[arg(value_name = "SNAPSHOT")]
    ids: Vec<String>,
}

/// Lists the snapshots.
pub(crate) fn run(mut args: Args, session: &Session) -> Result<()> {
    if args.last && args.latest == 0 {
        args.latest = 1;
    }
    let opened = session.open_to_read()?;
    let ended = show(&args, session, &opened.repository);
    opened.close(session);
    ended
}

fn show<R: Right>(args: &Args, session: &Session, repository: &Repository<R>) -> Result<()> {
    let ignored = &mut |ignored| selection::tell_ignored(session, &ignored);
    let mut snapshots = selection::choose(session, repository, &args.select, &args.ids, ignored)?;
    snapshots.iter_mut().for_each(|(_, snapshot)| snapshot.paths.sort_unstable());
    let groups: Vec<_> = select::group(snapshots, args.group_by)
        .into_iter()
        .map(|(key, snapshots)| (key, oldest_first(snapshots, args)))
        .collect();
    if session.ui.is_json() {
        session.ui.text(&json(args.group_by, &groups));
        return Ok(());
    }
    for (key, snapshots) in &groups {
        if let Some(header) = key.header() {
            session.ui.important(&header);
        }
        session.ui.text(view::table(snapshots, args.compact, &session.zone).as_bytes());
    }
    Ok(())
}

/// Puts the oldest first; of a group the newest are kept if `--latest` says so, else those of each source.
fn oldest_first(mut snapshots: Vec<Listed>, args: &Args) -> Vec<Listed> {
    select::sort_newest_first(&mut snapshots);
    match usize::try_from(args.latest) {
        Ok(0) | Err(_) => {}
        Ok(newest) if args.group_by == GroupBy::default() => {
            select::keep_newest_of_each(&mut snapshots, newest)
        }
        Ok(newest) => snapshots.truncate(newest),
    }
    snapshots.reverse();
    snapshots
}

/// One array: of snapshots, or of groups of them.
fn json(by: GroupBy, groups: &[(GroupKey, Vec<Listed>)]) -> Vec<u8> {
    let mut out = vec![b'['];
    for (nr, (key, snapshots)) in groups.iter().enumerate() {
        if by == GroupBy::default() {
            view::write_list(snapshots, &mut out);
            continue;
        }
        out.extend_from_slice(if nr > 0 { b",{\"group_key\":" } else { b"{\"group_key\":" });
        key.write(&mut out);
        out.extend_from_slice(b",\"snapshots\":[");
        view::write_list(snapshots, &mut out);
        out.extend_from_slice(b"]}");
    }
    out.extend_from_slice(b"]\n");
    out
}
