//! `restore`: bring a snapshot, or a part of it, back to disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use tresor_repo::Repository;
use tresor_repo::handle::Read;
use tresor_snapshot::filter::{Case, PatternList};
use tresor_snapshot::restore::{Overwrite, RestoreOptions, Selector, XattrFilter, plan};
use tresor_snapshot::walk::find_subtree;

use super::patterns::{ExcludeFlags, IncludeFlags};
use super::selection::{self, SelectFlags};
use crate::exit::{Failure, Result};
use crate::session::Session;
use crate::ui::progress::Ticker;
use crate::ui::restore::RestoreView;

/// Bring a snapshot back to disk
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    excludes: ExcludeFlags,
    #[command(flatten)]
    includes: IncludeFlags,
    #[command(flatten)]
    selection: SelectFlags,
    /// Remove what is in restored folders and not in the snapshot
    #[arg(long)]
    delete: bool,
    /// Write nothing, only show what would be done
    #[arg(long)]
    dry_run: bool,
    /// Do not restore extended attributes that match (repeatable)
    #[arg(long, value_name = "PATTERN")]
    exclude_xattr: Vec<String>,
    /// Restore only extended attributes that match (repeatable)
    #[arg(long, value_name = "PATTERN")]
    include_xattr: Vec<String>,
    /// Leave out set-id bits, devices, owners, and the system's own extended attributes
    #[arg(long)]
    no_trust_metadata: bool,
    /// What to do with files that exist: always, if-changed, if-newer or never replace
    #[arg(long, value_name = "BEHAVIOR", value_parser = parse_overwrite, default_value = "always")]
    overwrite: Overwrite,
    /// Restore owners by name, not by number
    #[arg(long)]
    ownership_by_name: bool,
    /// Leave holes where files are zero
    #[arg(long)]
    sparse: bool,
    /// Restore into this folder
    #[arg(short, long, value_name = "DIRECTORY")]
    target: Option<PathBuf>,
    /// Read back what was written and compare
    #[arg(long)]
    verify: bool,
    /// Which snapshot: an id, a prefix of one, latest; with :FOLDER only a part
    #[arg(value_name = "SNAPSHOT")]
    snapshots: Vec<String>,
}

fn parse_overwrite(text: &str) -> std::result::Result<Overwrite, String> {
    match text {
        "always" => Ok(Overwrite::Always),
        "if-changed" => Ok(Overwrite::IfChanged),
        "if-newer" => Ok(Overwrite::IfNewer),
        "never" => Ok(Overwrite::Never),
        _ => Err(format!(
            "invalid overwrite behavior {text:?}, must be one of (always|if-changed|if-newer|never)"
        )),
    }
}

/// Restores and shows the result; code 1 if an item could not be restored.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let (id, target) = args.what_and_where()?;
    let options = args.options(session)?;
    let opened = session.open_to_read()?;
    let outcome = restore(args, session, &opened.repository, id, &target, &options);
    opened.close(session);
    match outcome? {
        0 => Ok(()),
        problems => Err(Failure::fatal(format!("There were {problems} errors"))),
    }
}

/// The restore itself; returns how many problems were noted.
fn restore(
    args: &Args,
    session: &Session,
    repository: &Repository<Read>,
    id: &str,
    target: &Path,
    options: &RestoreOptions,
) -> Result<u64> {
    let ui = &session.ui;
    let found = selection::find_one(session, repository, &args.selection, id)
        .map_err(|failure| Failure::while_doing("failed to find snapshot", failure))?;
    let index = session.load_index(repository)?;
    session.compare();
    let root = match &found.subfolder {
        Some(folder) => find_subtree(repository, &index, found.snapshot.tree, folder.as_bytes())?,
        None => found.snapshot.tree,
    };
    ui.print(&format!(
        "restoring {} to {}",
        found.snapshot.describe(&found.id, &session.zone),
        target.display()
    ));

    let view = Arc::new(RestoreView::new(Arc::clone(ui)));
    let ticker = Ticker::start(ui, Arc::clone(&view) as _);
    let mut plan = plan(repository, &index, root, target, options, &*view)?;
    let report = plan.execute(repository, &index, &*view)?;
    drop(ticker);
    view.summary(&report.counts);
    let mut problems = report.problems;
    if args.verify {
        ui.print(&format!("verifying files in {}", target.display()));
        let start = std::time::Instant::now();
        let verified = plan.verify(repository, &index, &*view)?;
        problems += verified.problems;
        let took = crate::units::go_duration(std::time::Duration::from_secs(start.elapsed().as_secs()));
        ui.print(&format!(
            "finished verifying {} files in {} (took {took})",
            verified.files,
            target.display()
        ));
    }
    Ok(problems)
}

impl Args {
    fn what_and_where(&self) -> Result<(&str, PathBuf)> {
        let id = match &self.snapshots[..] {
            [] => return Err(Failure::fatal("no snapshot ID specified")),
            [id] => id,
            ids => {
                return Err(Failure::fatal(format!(
                    "more than one snapshot ID specified: [{}]",
                    ids.join(" ")
                )));
            }
        };
        let target = self.target.clone().filter(|target| !target.as_os_str().is_empty());
        let target =
            target.ok_or_else(|| Failure::fatal("please specify a directory to restore to (--target)"))?;
        Ok((id, target))
    }

    fn options(&self, session: &Session) -> Result<RestoreOptions> {
        let excludes = self.excludes.excludes(&session.environment)?;
        let includes = self.includes.includes(&session.environment)?;
        let select = match (excludes.is_empty(), includes.is_empty()) {
            (true, true) => Selector::Everything,
            (false, true) => Selector::Excludes(excludes),
            (true, false) => Selector::Includes(includes),
            (false, false) => {
                return Err(Failure::fatal("exclude and include patterns are mutually exclusive"));
            }
        };
        if self.dry_run && self.verify {
            return Err(Failure::fatal("--dry-run and --verify are mutually exclusive"));
        }
        let is_root = self.target.as_deref().is_some_and(|target| target == Path::new("/"));
        if self.delete && is_root && matches!(select, Selector::Everything) {
            return Err(Failure::fatal(
                "'--target / --delete' must be combined with an include or exclude filter",
            ));
        }
        Ok(RestoreOptions {
            overwrite: self.overwrite,
            delete: self.delete,
            dry_run: self.dry_run,
            sparse: self.sparse,
            distrust_metadata: self.no_trust_metadata,
            ownership_by_name: self.ownership_by_name,
            select,
            xattrs: self.xattrs()?,
        })
    }

    fn xattrs(&self) -> Result<XattrFilter> {
        let list = |flag: &str, patterns: &[String]| -> Result<PatternList> {
            let mut list = PatternList::new(Case::Sensitive);
            list.add(patterns).map_err(|bad| Failure::fatal(format!("{flag}: {bad}")))?;
            Ok(list)
        };
        match (self.exclude_xattr.is_empty(), self.include_xattr.is_empty()) {
            (true, true) => Ok(XattrFilter::Everything),
            (false, true) => Ok(XattrFilter::Excludes(list("--exclude-xattr", &self.exclude_xattr)?)),
            (true, false) => Ok(XattrFilter::Includes(list("--include-xattr", &self.include_xattr)?)),
            (false, false) => {
                Err(Failure::fatal("exclude and include xattr patterns are mutually exclusive"))
            }
        }
    }
}
