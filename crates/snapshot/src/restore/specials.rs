//! Makes hard links, symbolic links, pipes and devices; after all files, so that nothing is written
//! through a link of the snapshot's own.

use crate::restore::dirs::OpenDirs;
use crate::restore::failure::Failure;
use crate::restore::items::{Decision, Item, Kind};
use crate::restore::metadata::{Dresser, Subject};
use crate::restore::options::Action;
use crate::restore::plan::RestorePlan;
use crate::restore::progress::Progress;
use crate::restore::remove::make_way;
use crate::restore::target::{Dir, Name};
use rustix::fs::FileType;

/// Makes one item that is no file, with its metadata.
pub(crate) fn make(
    plan: &RestorePlan,
    dresser: &Dresser<'_>,
    progress: &Progress<'_>,
    dirs: &mut OpenDirs<'_>,
    item: &Item,
) {
    let made = create(plan, dirs, item).and_then(|dir| {
        progress.item(Action::Restored, item);
        let details = plan.table.details(item)?;
        let name = details.name();
        let subject = match item.kind {
            Kind::Symlink => Subject::Link(&dir, name),
            _ => Subject::Entry(&dir, name),
        };
        dresser.dress(subject, &details.metadata)
    });
    if let Err(failure) = made {
        progress.item_problem(item, failure);
    }
}

/// Gives a file its metadata whose content was right already.
pub(crate) fn refresh(
    plan: &RestorePlan,
    dresser: &Dresser<'_>,
    progress: &Progress<'_>,
    dirs: &mut OpenDirs<'_>,
    item: &Item,
) {
    let dir = dirs.get(&plan.table, item.dir).map_err(Failure::step("open the directory"));
    let dressed = dir.and_then(|dir| {
        let details = plan.table.details(item)?;
        dresser.dress(Subject::Entry(&dir, details.name()), &details.metadata)
    });
    progress.item(Action::Unchanged, item);
    if let Err(failure) = dressed {
        progress.item_problem(item, failure);
    }
}

fn create(plan: &RestorePlan, dirs: &mut OpenDirs<'_>, item: &Item) -> Result<std::sync::Arc<Dir>, Failure> {
    let table = &plan.table;
    let dir = dirs.get(table, item.dir).map_err(Failure::step("open the directory"))?;
    let details = table.details(item)?;
    let name = details.name();
    if item.decision == Decision::Replace {
        make_way(&dir, name, plan.options.delete)?;
    }
    match item.kind {
        Kind::HardLink(first) => {
            let first = table.items.get(first)?;
            let from = dirs.get(table, first.dir).map_err(Failure::step("open the directory"))?;
            link(&from, table.details(&first)?.name(), &dir, name)?;
        }
        Kind::Symlink => {
            dir.symlink(&details.link_target, name).map_err(Failure::step("make the link"))?;
        }
        Kind::Fifo => special(&dir, name, FileType::Fifo, 0)?,
        Kind::Block(device) => special(&dir, name, FileType::BlockDevice, device)?,
        Kind::Character(device) => special(&dir, name, FileType::CharacterDevice, device)?,
        Kind::File { .. } => {}
    }
    Ok(dir)
}

fn special(dir: &Dir, name: Name<'_>, kind: FileType, device: u64) -> Result<(), Failure> {
    dir.make_special(name, kind, device).map_err(Failure::step("make the pipe or device"))
}

/// Only a regular file gets another name: what else stands there is not what we made.
fn link(from: &Dir, first: Name<'_>, dir: &Dir, name: Name<'_>) -> Result<(), Failure> {
    let stat = from.stat(first).map_err(Failure::step("look at the linked file"))?;
    if stat.is_some_and(|stat| !FileType::from_raw_mode(stat.st_mode).is_file()) {
        return Err(Failure::NotAFile);
    }
    dir.link(from, first, name).map_err(Failure::step("make the hard link"))
}
