//! `forget`: remove snapshots, by a policy or by their ids.

use tresor_backend::Full;
use tresor_repo::SnapshotId;
use tresor_repo::lock::ExclusiveLock;
use tresor_repo::prune::PruneOptions;
use tresor_snapshot::policy::{self, Count, KeepDuration, Policy};
use tresor_snapshot::select::{self, GroupBy, Listed};

use super::prune::{self, PruneFlags};
use super::removal;
use super::selection::{self, Ignored, SelectFlags};
use crate::exit::{Failure, Result};
use crate::session::{Opened, Session};
use crate::ui::changes::Told;
use crate::ui::forget::{self as view, Group};

/// Remove snapshots, by a policy or by their ids
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Remove also from a repository that went back in time, and take it as it is from now on
    #[arg(long)]
    accept_rollback: bool,
    #[command(flatten)]
    keep: KeepFlags,
    /// Let a policy that keeps nothing remove all snapshots that the filters choose
    #[arg(long)]
    unsafe_allow_remove_all: bool,
    #[arg(long, value_name = "HOST", hide = true)]
    hostname: Vec<String>,
    /// Only snapshots of this host (repeatable; default: $RESTIC_HOST)
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    /// Only snapshots with all of these tags, tag[,tag,…] (repeatable: with any of the lists)
    #[arg(long, value_name = "TAGS")]
    tag: Vec<String>,
    /// Only snapshots that include this path (repeatable: all of the paths)
    #[arg(long, value_name = "PATH")]
    path: Vec<String>,
    /// Show no paths and no reasons, and a tag a line
    #[arg(short, long)]
    compact: bool,
    /// Apply the policy to each group of snapshots that agree in these: host, paths, tags
    #[arg(short, long, value_name = "GROUP", default_value = "host,paths")]
    group_by: GroupBy,
    /// Remove nothing, only show what would be removed
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Afterwards remove the data that no snapshot needs any more, as `prune` does
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    prune_flags: PruneFlags,
    /// Remove just these: ids, beginnings of ids, or `latest` (default: apply the policy)
    #[arg(value_name = "SNAPSHOT")]
    ids: Vec<String>,
}

/// What the policy keeps.
#[derive(clap::Args)]
struct KeepFlags {
    /// Keep the newest N snapshots, or `unlimited`
    #[arg(short = 'l', long, value_name = "N", default_value = "0")]
    keep_last: Count,
    /// Keep the newest snapshot of each of the last N hours that have one
    #[arg(short = 'H', long, value_name = "N", default_value = "0")]
    keep_hourly: Count,
    /// Keep the newest snapshot of each of the last N days that have one
    #[arg(short = 'd', long, value_name = "N", default_value = "0")]
    keep_daily: Count,
    /// Keep the newest snapshot of each of the last N weeks that have one
    #[arg(short = 'w', long, value_name = "N", default_value = "0")]
    keep_weekly: Count,
    /// Keep the newest snapshot of each of the last N months that have one
    #[arg(short = 'm', long, value_name = "N", default_value = "0")]
    keep_monthly: Count,
    /// Keep the newest snapshot of each of the last N years that have one
    #[arg(short = 'y', long, value_name = "N", default_value = "0")]
    keep_yearly: Count,
    /// Keep all snapshots within this span before the newest (1y5m7d2h)
    #[arg(long, value_name = "SPAN", default_value = "", hide_default_value = true)]
    keep_within: KeepDuration,
    /// Keep one snapshot an hour within this span before the newest
    #[arg(long, value_name = "SPAN", default_value = "", hide_default_value = true)]
    keep_within_hourly: KeepDuration,
    /// Keep one snapshot a day within this span before the newest
    #[arg(long, value_name = "SPAN", default_value = "", hide_default_value = true)]
    keep_within_daily: KeepDuration,
    /// Keep one snapshot a week within this span before the newest
    #[arg(long, value_name = "SPAN", default_value = "", hide_default_value = true)]
    keep_within_weekly: KeepDuration,
    /// Keep one snapshot a month within this span before the newest
    #[arg(long, value_name = "SPAN", default_value = "", hide_default_value = true)]
    keep_within_monthly: KeepDuration,
    /// Keep one snapshot a year within this span before the newest
    #[arg(long, value_name = "SPAN", default_value = "", hide_default_value = true)]
    keep_within_yearly: KeepDuration,
    /// Keep snapshots with all of these tags, tag[,tag,…] (repeatable: with any of the lists)
    #[arg(long, value_name = "TAGS")]
    keep_tag: Vec<String>,
}

impl KeepFlags {
    /// The flags as a policy.
    fn policy(&self) -> Result<Policy> {
        let policy = Policy {
            counts: [
                self.keep_last,
                self.keep_hourly,
                self.keep_daily,
                self.keep_weekly,
                self.keep_monthly,
                self.keep_yearly,
            ],
            periods_within: [
                self.keep_within_hourly,
                self.keep_within_daily,
                self.keep_within_weekly,
                self.keep_within_monthly,
                self.keep_within_yearly,
            ],
            tags: self.keep_tag.iter().map(|list| select::parse_tag_list(list)).collect(),
            within: self.keep_within,
        };
        if policy.periods_within.iter().chain([&policy.within]).any(KeepDuration::is_negative) {
            return Err(Failure::fatal(
                "durations containing negative values are not allowed for --keep-within*",
            ));
        }
        Ok(policy)
    }
}

/// Decides, shows, removes.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let policy = args.keep.policy()?;
    let prune = args.prune_flags.options(session)?;
    let no_lock = session.global.no_lock;
    if no_lock && !args.dry_run {
        return Err(Failure::fatal(
            "--no-lock is only applicable in combination with --dry-run for forget command",
        ));
    }
    let opened = session.open_to_remove_maybe(!no_lock)?;
    let ended = forget(args, session, &opened, &policy, &prune);
    opened.close(session);
    ended
}

fn forget(
    args: &Args,
    session: &Session,
    opened: &Opened<Full, Option<ExclusiveLock>>,
    policy: &Policy,
    prune: &PruneOptions,
) -> Result<()> {
    let ui = &session.ui;
    let flags = args.select();
    let mut damaged = 0;
    let ignored = &mut |ignored: Ignored| {
        damaged += usize::from(ignored.is_damaged);
        selection::tell_ignored(session, &ignored);
    };
    let mut chosen = selection::choose(session, &opened.repository, &flags, &args.ids, ignored)?;
    if damaged > 0 && !args.dry_run && !session.program.is_restic() {
        let why = format!("refusing to remove snapshots while {damaged} of them cannot be read");
        return Err(Failure::fatal(why).unreadable(selection::REMOVE_DAMAGED));
    }
    chosen.iter_mut().for_each(|(_, snapshot)| snapshot.paths.sort_unstable());
    let groups = match args.ids.is_empty() {
        true => decide(args, session, &flags, chosen, policy)?,
        false => vec![removing_all(chosen)],
    };
    if args.ids.is_empty() {
        groups.iter().for_each(|group| view::print(ui, group, args.compact, &session.zone));
    }
    let removed = |group: &Group| group.decision.remove.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    let remove: Vec<SnapshotId> = groups.iter().flat_map(removed).collect();
    match args.dry_run {
        true => session.remember_nothing(),
        false => session.beware_of_rollback(&opened.repository, args.accept_rollback)?,
    }
    let failed = match &opened.lock {
        Some(lock) if !args.dry_run => removal::remove(session, &opened.repository, &remove, lock)?,
        _ if remove.is_empty() => 0,
        _ => {
            view::print_would_remove(ui, &remove);
            0
        }
    };
    if !args.ids.is_empty() {
        let dry_run = args.dry_run;
        remove.iter().for_each(|id| ui.tell(&Told::Removed { snapshot_id: *id, dry_run }));
    }
    if ui.is_json() && args.ids.is_empty() && !groups.is_empty() {
        ui.text(&view::json(&groups));
        ui.flush();
    }
    if failed > 0 {
        return Err(removal::failure());
    }
    if args.prune && !remove.is_empty() {
        ui.print(&match args.dry_run {
            true => format!("{} snapshots would be removed, running prune dry run", remove.len()),
            false => format!("{} snapshots have been removed, running prune", remove.len()),
        });
        prune::run_after_forget(session, opened, prune, &remove, args.dry_run)?;
    }
    Ok(())
}

/// What is named on the command line goes, whatever a policy would say.
fn removing_all(snapshots: Vec<Listed>) -> Group {
    let decision = policy::Decision { keep: Vec::new(), remove: snapshots };
    Group { key: select::GroupKey::default(), decision }
}

/// Applies the policy to every group, before anything is shown or removed.
///
/// # Errors
/// There is no policy, or it keeps nothing of a group.
fn decide(
    args: &Args,
    session: &Session,
    flags: &SelectFlags,
    chosen: Vec<Listed>,
    policy: &Policy,
) -> Result<Vec<Group>> {
    if policy.is_empty() && !args.unsafe_allow_remove_all {
        return Err(Failure::fatal("no policy was specified, no snapshots will be removed"));
    }
    if policy.is_empty() && flags.filter(session).is_empty() {
        return Err(Failure::fatal(
            "--unsafe-allow-remove-all is not allowed unless a snapshot filter option is specified",
        ));
    }
    session.ui.print(&format!("Applying Policy: {policy}"));
    let now = session.now();
    let groups = select::group(chosen, args.group_by).into_iter().map(|(key, snapshots)| {
        let decision = policy::apply(snapshots, policy, now, &session.zone);
        if decision.keep.is_empty() && !policy.is_empty() {
            return Err(Failure::plain(format!(
                "refusing to delete last snapshot of snapshot group \"{key}\""
            )));
        }
        Ok(Group { key, decision })
    });
    groups.collect()
}

impl Args {
    fn select(&self) -> SelectFlags {
        SelectFlags {
            host: self.host.iter().chain(&self.hostname).cloned().collect(),
            tag: self.tag.clone(),
            path: self.path.clone(),
        }
    }
}
