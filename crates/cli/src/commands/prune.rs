//! `prune`: remove what no snapshot needs.

use tresor_backend::Full;
use tresor_repo::codec::Compression;
use tresor_repo::index::Index;
use tresor_repo::lock::ExclusiveLock;
use tresor_repo::prune::{MaxUnused, NoPlan, PruneOptions, PrunePlan};
use tresor_repo::{Error as RepoError, Repository, SnapshotId};
use tresor_snapshot::used;

use super::selection;
use crate::causes::chain;
use crate::exit::{Failure, Result};
use crate::session::{Opened, Session};
use crate::ui::counters::Counting;
use crate::ui::prune::{self as view, Complaints, PruneView};
use crate::units;

/// Remove the data that no snapshot needs
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Remove also from a repository that went back in time, and take it as it is from now on
    #[arg(long)]
    accept_rollback: bool,
    /// Change nothing, only show what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    flags: PruneFlags,
    /// With the full id of this repository, when it has no free space left: repack nothing, and remove the index
    /// before the packs and write it after; cut short, it leaves a repository that needs `repair index`
    #[arg(long, value_name = "ID", default_value = "")]
    unsafe_recover_no_free_space: String,
    #[arg(hide = true)]
    words: Vec<String>,
}

/// What may be repacked, and what may stay; shared by `prune` and `forget --prune`.
#[derive(clap::Args)]
pub(crate) struct PruneFlags {
    /// Repack at most so much (with k, m, g or t)
    #[arg(long, value_name = "SIZE", default_value = "", hide_default_value = true)]
    max_repack_size: String,
    /// Leave so much unused data where it is: a size, a share of the repository (x%), or `unlimited`
    #[arg(long, value_name = "LIMIT", default_value = "5%")]
    max_unused: String,
    /// Repack only what the local cache holds: packs of trees
    #[arg(long)]
    repack_cacheable_only: bool,
    #[arg(long, hide = true)]
    repack_small: bool,
    /// Repack packs that are smaller than this (with k, m, g or t)
    #[arg(long, value_name = "SIZE", default_value = "", hide_default_value = true)]
    repack_smaller_than: String,
    /// Repack packs with data that is not compressed
    #[arg(long)]
    repack_uncompressed: bool,
}

impl PruneFlags {
    /// The flags as options; to be called before anything is removed.
    ///
    /// # Errors
    /// A value that is none, or flags that contradict each other.
    pub(crate) fn options(&self, session: &Session) -> Result<PruneOptions> {
        let max_repack_bytes = match self.max_repack_size.as_str() {
            "" => None,
            size => Some(units::parse_size(size).map_err(Failure::plain)?),
        };
        let compression = session.options()?.compression;
        if self.repack_uncompressed && compression == Compression::Off {
            return Err(Failure::fatal(
                "disabled compression and `--repack-uncompressed` are mutually exclusive",
            ));
        }
        let repack_smaller_than = match self.repack_smaller_than.as_str() {
            "" => None,
            size => match units::parse_size(size) {
                Ok(0) => return Err(Failure::fatal("--repack-smaller-than must be larger than zero")),
                Ok(size) => Some(size),
                Err(cause) => {
                    let what = format!("invalid number of bytes {size:?} for --repack-smaller-than: {cause}");
                    return Err(Failure::fatal(what));
                }
            },
        };
        Ok(PruneOptions {
            max_unused: max_unused(&self.max_unused)?,
            max_repack_bytes,
            repack_cacheable_only: self.repack_cacheable_only,
            repack_uncompressed: self.repack_uncompressed,
            repack_smaller_than,
            recover_without_space: false,
        })
    }
}

fn max_unused(text: &str) -> Result<MaxUnused> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Failure::fatal(format!("invalid value for --max-unused: {text:?}")));
    }
    if text == "unlimited" {
        return Ok(MaxUnused::Unlimited);
    }
    let Some(percent) = text.strip_suffix('%') else {
        let bytes = units::parse_size(text).map_err(|cause| {
            Failure::fatal(format!("invalid number of bytes {text:?} for --max-unused: {cause}"))
        })?;
        return Ok(MaxUnused::Bytes(bytes));
    };
    match percent.parse::<f64>() {
        Err(_) => Err(Failure::fatal(format!(
            "invalid percentage {text:?} passed for --max-unused: strconv.ParseFloat: parsing {percent:?}: invalid syntax"
        ))),
        Ok(percent) if percent < 0.0 => Err(Failure::fatal("percentage for --max-unused must be positive")),
        Ok(percent) if percent < 100.0 => Ok(MaxUnused::Percent(percent)),
        Ok(_) => Err(Failure::fatal("percentage for --max-unused must be below 100%")),
    }
}

/// Opens the repository, then prunes it.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    if !session.program.is_restic() {
        super::refuse_arguments(session, "prune", &args.words)?;
    }
    let mut options = args.flags.options(session)?;
    let no_lock = session.global.no_lock;
    if no_lock && !args.dry_run {
        return Err(Failure::fatal(
            "--no-lock is only applicable in combination with --dry-run for prune command",
        ));
    }
    let opened = session.open_to_remove_maybe(!no_lock)?;
    let is_named = is_named_for_recovery(&opened.repository, &args.unsafe_recover_no_free_space);
    let ended = is_named.and_then(|is_named| {
        if args.dry_run {
            session.remember_nothing();
        }
        options.recover_without_space = is_named;
        let lock = opened.lock.as_ref().filter(|_| !args.dry_run);
        let accepts = Some(args.accept_rollback);
        let prune = Prune { session, repository: &opened.repository, options: &options, lock, accepts };
        prune.run(&[], session.ui.is_json() && !session.program.is_restic())
    });
    opened.close(session);
    ended
}

/// Whether this repository is to be recovered; its whole id must be given for that.
fn is_named_for_recovery(repository: &Repository<Full>, given: &str) -> Result<bool> {
    let id = repository.id().hex();
    if given.is_empty() || given == id {
        return Ok(!given.is_empty());
    }
    Err(Failure::fatal(format!("must pass id '{id}' to --unsafe-recover-no-free-space")))
}

/// Prunes under the lock that removed the snapshots, which a dry run may do without.
///
/// `ignored` are the snapshots that were removed, or would have been.
pub(crate) fn run_after_forget(
    session: &Session,
    opened: &Opened<Full, Option<ExclusiveLock>>,
    options: &PruneOptions,
    ignored: &[SnapshotId],
    dry_run: bool,
) -> Result<()> {
    let lock = opened.lock.as_ref().filter(|_| !dry_run);
    Prune { session, repository: &opened.repository, options, lock, accepts: None }.run(ignored, false)
}

/// A prune under way.
struct Prune<'a> {
    session: &'a Session,
    repository: &'a Repository<Full>,
    options: &'a PruneOptions,
    /// None in a dry run.
    lock: Option<&'a ExclusiveLock>,
    /// Whether a repository that went back in time is accepted; none where that was asked already.
    accepts: Option<bool>,
}

impl Prune<'_> {
    /// Finds what is needed, decides, shows the decision and carries it out.
    fn run(&self, ignored: &[SnapshotId], summary: bool) -> Result<()> {
        let (ui, repository) = (&self.session.ui, self.repository);
        if repository.cache_folder().is_none() {
            self.complaints().no_cache();
        }
        let may = repository.check_prune_options(self.options);
        may.map_err(|error| Failure::plain(error.to_string()))?;
        // Who works without a lock adds its index before its snapshot: so the snapshots are listed first.
        ui.print("loading all snapshots...");
        let roots = used::roots(repository, ignored).map_err(|error| match error.is_damage() {
            true => {
                Failure::while_doing("failed loading snapshot", error).unreadable(selection::REMOVE_DAMAGED)
            }
            false => Failure::while_doing("failed loading snapshot", error),
        })?;
        let index = self.session.load_whole_index(repository)?;
        // Everything that tells of it was listed by now.
        if let (Some(accepts), Some(_)) = (self.accepts, self.lock) {
            self.session.beware_of_rollback(repository, accepts)?;
        }
        ui.print(&format!("finding data that is still in use for {} snapshots", roots.len()));
        let plan = self.plan(&index, roots)?;
        if self.lock.is_none() {
            ui.print("\nWould have made the following changes:");
        }
        view::stats(ui, &plan.stats);
        let stats = plan.stats;
        match self.lock {
            None => view::dry_run(ui, &plan),
            Some(lock) => self.execute(plan, &index, lock)?,
        }
        if summary {
            view::summary(ui, &stats, self.lock.is_none());
        }
        Ok(())
    }

    fn plan<'i>(&self, index: &'i Index, roots: used::Roots) -> Result<PrunePlan<'i>> {
        let ui = &self.session.ui;
        let (monitor, ticker) = Counting::start(ui);
        let used = used::find(self.repository, index, roots, &monitor).map_err(failed_finding)?;
        drop(ticker);
        ui.print("searching used packs...");
        if used.unknown.is_empty() {
            ui.print("collecting packs for deletion and repacking");
        }
        let (monitor, ticker) = PruneView::start(self.complaints(), false);
        let plan = self.repository.plan_prune(used, self.options, &monitor);
        drop(ticker);
        let plan = plan.map_err(|why| refused(&self.complaints(), why))?;
        self.complaints().missing(&plan.missing);
        Ok(plan)
    }

    fn execute(&self, plan: PrunePlan<'_>, index: &Index, lock: &ExclusiveLock) -> Result<()> {
        let recovering = self.options.recover_without_space;
        let (monitor, ticker) = PruneView::start(self.complaints(), recovering);
        let removed = |file, ended| monitor.removed(file, ended);
        let ended = self.repository.execute_prune(plan, index, lock, &monitor, &removed);
        drop(ticker);
        ended?;
        self.session.ui.print("done");
        Ok(())
    }

    fn complaints(&self) -> Complaints {
        Complaints::new(&self.session.ui, self.session.program.is_restic())
    }
}

/// A tree cannot be had, so nobody knows what is needed.
fn failed_finding(error: tresor_snapshot::Error) -> Failure {
    match error {
        tresor_snapshot::Error::Repo(RepoError::UnknownBlob { blob }) => {
            let id = blob.id;
            Failure::fatal(format!("failed finding blobs: id {id} not found in repository"))
                .hint("`repair index` makes the index anew from the packs")
        }
        error => Failure::while_doing("failed finding blobs", error),
    }
}

/// Why there is no plan, told with all that belongs to it.
fn refused(complaints: &Complaints, why: NoPlan) -> Failure {
    let message = chain(&why);
    let repair = "`repair index` makes the index anew from the packs";
    match why {
        NoPlan::Repository(error) => error.into(),
        NoPlan::UnknownBlobs(blobs) => {
            complaints.unknown(&blobs);
            Failure::fatal(message)
        }
        NoPlan::PackSize { pack, calculated, real } => {
            complaints.wrong_size(&pack, calculated, real);
            Failure::fatal(message).hint(repair)
        }
        NoPlan::MissingPacks(packs) => {
            complaints.needed(&packs);
            Failure::fatal(message).hint(repair)
        }
    }
}
