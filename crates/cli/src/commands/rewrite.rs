//! `rewrite`: make new snapshots out of old ones, without some items or with other metadata.

use tresor_repo::handle::Append;
use tresor_repo::index::Index;
use tresor_repo::time::Time;
use tresor_snapshot::quote::quoted;
use tresor_snapshot::rewrite::{Filtered, Rewriter, TreeFilter, Verdict};
use tresor_snapshot::select::Listed;
use tresor_snapshot::snapshot::SnapshotSummary;

use super::patterns::{ExcludeFlags, IncludeFlags};
use super::rewriting::{self, Changes, Mode, Rewriting};
use super::selection::{self, SelectFlags};
use crate::exit::{Failure, Result};
use crate::session::Session;
use crate::ui::Ui;

/// Make snapshots anew, without some of their items or with other metadata
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    excludes: ExcludeFlags,
    #[command(flatten)]
    includes: IncludeFlags,
    /// Remove the old snapshots
    #[arg(long)]
    forget: bool,
    /// Change nothing, only show what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Say that the backup was made on this host
    #[arg(long, value_name = "HOST", default_value = "", hide_default_value = true)]
    new_host: String,
    /// Say that the backup was made at this time (2006-01-02 15:04:05)
    #[arg(long, value_name = "TIME", default_value = "", hide_default_value = true)]
    new_time: String,
    /// Count files and bytes for snapshots that do not say
    #[arg(short, long)]
    snapshot_summary: bool,
    #[command(flatten)]
    select: SelectFlags,
    /// Ids, beginnings of ids, or `latest` (default: all)
    #[arg(value_name = "SNAPSHOT")]
    ids: Vec<String>,
}

/// Rewrites the snapshots chosen, one after the other.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    args.verify()?;
    if args.forget {
        session.ui.print("create exclusive lock for repository");
    }
    let mode = match (args.dry_run, args.forget) {
        (true, _) => Mode::DryRun,
        (false, false) => Mode::Add,
        (false, true) => Mode::Remove,
    };
    let rewriting = Rewriting::open(session, mode)?;
    let modified = rewrite_all(args, session, &rewriting);
    rewriting.close(session);
    rewriting::conclude(session, modified?, args.dry_run);
    Ok(())
}

fn rewrite_all(args: &Args, session: &Session, rewriting: &Rewriting) -> Result<u64> {
    let ignored = &mut |ignored| selection::tell_ignored(session, &ignored);
    let chosen = selection::choose(session, &rewriting.repository, &args.select, &args.ids, ignored)?;
    let index = match args.forget {
        true => session.load_whole_index(&rewriting.repository)?,
        false => session.load_index(&rewriting.repository)?,
    };
    let (mut rewriter, mut modified) = (Rewriter::default(), 0);
    for old in &chosen {
        session.ui.print(&format!("\n{}", old.1.describe(&old.0, &session.zone)));
        let rewritten = rewrite(args, session, rewriting, &index, &mut rewriter, old);
        let was_modified = rewritten.map_err(|failure| Failure {
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

/// Rewrites one snapshot; says whether anything about it changed.
fn rewrite(
    args: &Args,
    session: &Session,
    rewriting: &Rewriting,
    index: &Index,
    rewriter: &mut Rewriter,
    old: &Listed,
) -> Result<bool> {
    let filter = args.filter(session)?;
    let (time, hostname) = (args.time(session)?, args.hostname());
    let only_metadata = matches!(filter, TreeFilter::Everything) && !args.snapshot_summary;
    let mut changes = Changes { time, hostname, tag: "rewrite", ..Changes::default() };
    if !only_metadata {
        let tell = &mut |verdict, path: &[u8]| tell(&session.ui, verdict, path);
        let mut edit = Filtered::new(&filter, tell);
        let snapshot = &old.1;
        let repository: &tresor_repo::Repository<Append> = &rewriting.repository;
        let Some(tree) = rewriter.rewrite(repository, index, snapshot.tree, &mut edit)? else {
            return Ok(false);
        };
        changes.tree = (tree != snapshot.tree).then_some(tree);
        let summary = snapshot.summary.clone();
        let mut summary = summary.unwrap_or_else(|| SnapshotSummary::new(Time::ZERO, Time::ZERO));
        (summary.total_files_processed, summary.total_bytes_processed) = (edit.files, edit.bytes);
        let is_new = match &snapshot.summary {
            Some(old) => *old != summary,
            None => args.snapshot_summary || changes.tree.is_some(),
        };
        changes.summary = is_new.then_some(summary);
    }
    let unchanged = changes.tree.is_none() && changes.summary.is_none();
    if unchanged && changes.time.is_none() && changes.hostname.is_none() {
        return Ok(false);
    }
    rewriting::replace(session, rewriting, old, changes, (args.dry_run, args.forget))?;
    Ok(true)
}

fn tell(ui: &Ui, verdict: Verdict, path: &[u8]) {
    let verb = match verdict {
        Verdict::Excluded => "excluding",
        Verdict::Included => "including",
        Verdict::IncludedEmpty => "including directory",
    };
    ui.very_verbose(&format!("{verb} {}", quoted(path)));
}

impl Args {
    /// Whether there is anything to do, as far as that can be said before the patterns are read.
    fn verify(&self) -> Result<()> {
        let (excludes, includes) = (self.excludes.are_given(), self.includes.are_given());
        let metadata = !self.new_host.is_empty() || !self.new_time.is_empty();
        if !(self.snapshot_summary || excludes || includes || metadata) {
            return Err(Failure::fatal(
                "Nothing to do: no excludes/includes provided and no new metadata provided",
            ));
        }
        if excludes && includes {
            return Err(Failure::fatal("exclude and include patterns are mutually exclusive"));
        }
        Ok(())
    }

    fn filter(&self, session: &Session) -> Result<TreeFilter> {
        Ok(if self.excludes.are_given() {
            TreeFilter::Excludes(self.excludes.excludes(&session.environment)?)
        } else if self.includes.are_given() {
            TreeFilter::Includes(self.includes.includes(&session.environment)?)
        } else {
            TreeFilter::Everything
        })
    }

    fn time(&self, session: &Session) -> Result<Option<Time>> {
        if self.new_time.is_empty() {
            return Ok(None);
        }
        let time = session.zone.parse_local(&self.new_time);
        time.map(Some).ok_or_else(|| {
            Failure::fatal(format!(
                "error in time option: {:?} is not a time of the form \"2006-01-02 15:04:05\"",
                self.new_time
            ))
        })
    }

    fn hostname(&self) -> Option<String> {
        (!self.new_host.is_empty()).then(|| self.new_host.clone())
    }
}
