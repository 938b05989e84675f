//! The plan of a restore: what will be made, changed, left alone and removed.

use crate::error::{Error, Result};
use crate::restore::collect::Collector;
use crate::restore::decide::{Decider, Matches};
use crate::restore::failure::Failure;
use crate::restore::options::{RestoreMonitor, RestoreOptions};
use crate::restore::table::{Decision, DirNumber, Item, ItemNumber, Kind, Table, content_range};
use crate::restore::target::Target;
use crate::walk;
use hashbrown::{HashMap, HashSet};
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use tresor_repo::handle::Right;
use tresor_repo::index::{Index, Place};
use tresor_repo::{BlobHandle, BlobId, BlobKind, PackId, Repository};

/// What a restore will do; [`execute`](RestorePlan::execute) does it.
pub struct RestorePlan {
    pub(crate) path: PathBuf,
    pub(crate) options: RestoreOptions,
    pub(crate) table: Table,
    pub(crate) extra: Vec<(DirNumber, CString)>,
    /// For files to be updated: which of their blobs are in place already.
    pub(crate) matches: Matches,
    /// In the order of their first use.
    pub(crate) packs: Vec<PackId>,
    /// Sorted by pack and place in the pack.
    pub(crate) wants: Vec<Want>,
    /// Files to be written for which no blob is wanted.
    pub(crate) bare: Vec<ItemNumber>,
    /// How many blobs are wanted for each file, where it is more than one.
    pub(crate) parts: HashMap<ItemNumber, u32>,
    /// Files whose blobs are together not as long as the file shall be.
    pub(crate) odd: HashSet<ItemNumber>,
    pub(crate) problems: u64,
    /// Bytes of files to be updated that are in place already.
    pub(crate) present_bytes: u64,
    /// Files that the execution could not make as they should be.
    pub(crate) failed: HashSet<ItemNumber>,
    /// Selected directories: they are part of the total.
    pub(crate) selected_dirs: u64,
}

/// A blob that a file wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Want {
    /// Which pack, by its place in [`RestorePlan::packs`].
    pub(crate) pack: u32,
    /// Where in the pack, and how long there.
    pub(crate) offset: u32,
    pub(crate) length: u32,
    pub(crate) uncompressed_length: u32,
    /// Which file, and where in it.
    pub(crate) item: ItemNumber,
    pub(crate) file_offset: u64,
    /// Which blob, by its place in the table.
    pub(crate) blob: u32,
}

/// Plans to restore the tree `root` to the folder `target`. Reads the disk and changes nothing.
///
/// The problems met while planning are told to the monitor and counted in the report of the execution.
///
/// # Errors
/// [`Error::Target`] if the target is there and no directory; that the operation was cancelled.
pub fn plan<R: Right>(
    repo: &Repository<R>,
    index: &Index,
    root: BlobId,
    target: &Path,
    options: &RestoreOptions,
    monitor: &dyn RestoreMonitor,
) -> Result<RestorePlan> {
    let failed = |source| Error::Target { path: target.to_owned(), source };
    let on_disk = match Target::open(target) {
        Ok(open) => Some(open),
        Err(rustix::io::Errno::NOENT) => None,
        Err(errno) => return Err(failed(errno.into())),
    };
    let mut collector = Collector::new(
        on_disk.as_ref(),
        options,
        monitor,
        (&repo.options().temporary_folder, repo.options().longest_in_memory()),
    );
    walk::walk(repo, index, root, &mut collector)?;
    let collected = collector.finish();
    let mut table = collected.table;
    let decider = Decider {
        index,
        overwrite: options.overwrite,
        monitor,
        cancel: repo.cancel(),
        problems: AtomicU64::new(collected.problems),
        matches: Mutex::default(),
    };
    decider.decide(on_disk.as_ref(), &mut table)?;
    let counted = table.items.iter().filter(|item| is_counted(item));
    counted.for_each(|item| monitor.planned(1, item.size));
    let mut plan = RestorePlan {
        path: std::path::absolute(target).map_err(failed)?,
        options: options.clone(),
        table,
        extra: collected.extra,
        matches: decider.matches.into_inner().unwrap_or_else(PoisonError::into_inner),
        packs: Vec::new(),
        wants: Vec::new(),
        bare: Vec::new(),
        parts: HashMap::new(),
        odd: HashSet::new(),
        failed: HashSet::new(),
        present_bytes: 0,
        problems: decider.problems.into_inner(),
        selected_dirs: collected.selected_dirs,
    };
    plan.collect_wants(index)?;
    Ok(plan)
}

/// Files that need not be written are not part of the total; all else is, as restic has it.
pub(crate) fn is_counted(item: &Item) -> bool {
    let is_file = matches!(item.kind, Kind::File { .. });
    !(is_file && matches!(item.decision, Decision::Unchanged | Decision::Skip))
}

fn lost(failure: Failure) -> Error {
    Error::Scratch { source: std::io::Error::other(failure) }
}

impl RestorePlan {
    fn collect_wants(&mut self, index: &Index) -> Result<()> {
        let mut pack_numbers = HashMap::new();
        for (number, item) in self.table.items.iter().enumerate() {
            let is_written = matches!(item.decision, Decision::Create | Decision::Replace | Decision::Update);
            if !is_written || !matches!(item.kind, Kind::File { .. }) {
                continue;
            }
            let number = number as ItemNumber;
            let matches = self.matches.get(&number);
            let before = self.wants.len();
            let mut file_offset = 0;
            let content = self.table.content(item).map_err(lost)?;
            for ((place, blob), id) in content_range(item).enumerate().zip(&content) {
                let found = index.find(BlobKind::Data, id)?;
                let Some(found) = found else { break };
                let is_there = matches.is_some_and(|matches| matches[place]);
                if !is_there {
                    let pack = *pack_numbers.entry(found.pack).or_insert_with(|| {
                        self.packs.push(found.pack);
                        self.packs.len() as u32 - 1
                    });
                    self.wants.push(Want {
                        pack,
                        offset: found.offset,
                        length: found.length,
                        uncompressed_length: found.uncompressed_length,
                        item: number,
                        file_offset,
                        blob: blob as u32,
                    });
                } else {
                    self.present_bytes += u64::from(found.plain_length());
                }
                file_offset += u64::from(found.plain_length());
            }
            if file_offset != item.size {
                self.odd.insert(number);
            }
            match self.wants.len() - before {
                0 => self.bare.push(number),
                1 => {}
                more => {
                    self.parts.insert(number, more as u32);
                }
            }
        }
        self.wants.sort_unstable();
        Ok(())
    }

    /// The blob of a want, and where it lies.
    pub(crate) fn place(&self, want: &Want) -> Result<Option<(BlobHandle, Place)>, Failure> {
        let place = Place {
            pack: self.packs[want.pack as usize],
            offset: want.offset,
            length: want.length,
            uncompressed_length: want.uncompressed_length,
        };
        let id = self.table.blob(want.blob)?;
        Ok(id.map(|id| (BlobHandle { kind: BlobKind::Data, id }, place)))
    }
}
