//! The plan of a restore: what will be made, changed, left alone and removed.

use crate::error::{Error, Result};
use crate::restore::aside::Room;
use crate::restore::collect::Collector;
use crate::restore::decide::{Decided, Decider};
use crate::restore::extra::Extra;
use crate::restore::failure::Failure;
use crate::restore::items::{Decision, Item, Items};
use crate::restore::options::{RestoreMonitor, RestoreOptions};
use crate::restore::table::Table;
use crate::restore::target::Target;
use crate::restore::wants::{Collected, Want, Wants};
use crate::walk;
use hashbrown::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use tresor_repo::bits::Bits;
use tresor_repo::handle::Right;
use tresor_repo::index::{Index, Place};
use tresor_repo::scratch::Window;
use tresor_repo::{BlobHandle, BlobId, BlobKind, PackId, Repository};

/// What a restore will do; [`execute`](RestorePlan::execute) does it.
pub struct RestorePlan {
    pub(crate) path: PathBuf,
    pub(crate) options: RestoreOptions,
    pub(crate) table: Table,
    pub(crate) extra: Extra,
    /// In the order of their first use.
    pub(crate) packs: Vec<PackId>,
    pub(crate) wants: Wants,
    /// Files to be written for which no blob is wanted.
    pub(crate) bare: Bits,
    /// Items, and bytes of files, that are part of the total; directories come on top.
    pub(crate) total: (u64, u64),
    pub(crate) problems: u64,
    /// Bytes of files to be updated that are in place already.
    pub(crate) present_bytes: u64,
    /// Files that the execution could not make as they should be.
    pub(crate) failed: Bits,
    /// Selected directories: they are part of the total.
    pub(crate) selected_dirs: u64,
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
    let repo_options = repo.options();
    let room = Room { folder: &repo_options.temporary_folder, longest: repo_options.longest_in_memory() };
    let mut collector = Collector::new(on_disk.as_ref(), options, monitor, room);
    walk::walk(repo, index, root, &mut collector)?;
    let collected = collector.finish()?;
    let mut table = collected.table;
    // Only of what is on disk something can be in place.
    let blobs = if on_disk.is_some() { table.blob_count() } else { 0 };
    let decider = Decider {
        index,
        overwrite: options.overwrite,
        monitor,
        cancel: repo.cancel(),
        problems: AtomicU64::new(collected.problems),
        matches: Bits::new(blobs),
        room,
    };
    let decided = decider.decide(on_disk.as_ref(), &table, collected.firsts)?;
    let settling = Settling::new(&table, index, &decider.matches, room);
    let Settling { items, packs, wants, bare, total, present_bytes, .. } = settling.run(decided, monitor)?;
    table.items = items;
    Ok(RestorePlan {
        path: std::path::absolute(target).map_err(failed)?,
        options: options.clone(),
        failed: Bits::new(table.items.len().into()),
        table,
        extra: collected.extra,
        packs,
        wants: wants.finish()?,
        bare,
        total,
        problems: decider.problems.into_inner(),
        present_bytes,
        selected_dirs: collected.selected_dirs,
    })
}

/// What follows from the decisions.
struct Settling<'a> {
    table: &'a Table,
    index: &'a Index,
    /// Which of all blobs are in their place already.
    matches: &'a Bits,
    /// The items as they were decided.
    items: Items,
    packs: Vec<PackId>,
    pack_numbers: HashMap<PackId, u32>,
    wants: Collected,
    bare: Bits,
    total: (u64, u64),
    present_bytes: u64,
}

impl<'a> Settling<'a> {
    fn new(table: &'a Table, index: &'a Index, matches: &'a Bits, room: Room<'_>) -> Self {
        Settling {
            table,
            index,
            matches,
            items: Items::new(room),
            packs: Vec::new(),
            pack_numbers: HashMap::new(),
            wants: Collected::new(room),
            bare: Bits::new(table.items.len().into()),
            total: (0, 0),
            present_bytes: 0,
        }
    }

    fn run(mut self, mut decided: Decided, monitor: &dyn RestoreMonitor) -> Result<Self> {
        let mut window = Window::default();
        for item in self.table.items.iter() {
            let mut item = decided.of(item?)?;
            if item.is_counted() {
                monitor.planned(1, item.size);
                // Sizes are what the snapshot says, and it may say anything.
                self.total = (self.total.0 + 1, self.total.1.saturating_add(item.size));
            }
            if item.is_written() {
                let content = self.table.content_through(&mut window, &item).map_err(lost)?;
                self.want(&mut item, &content)?;
            }
            self.items.push(&item)?;
        }
        Ok(self)
    }

    /// Notes which blobs of a file are wanted.
    fn want(&mut self, item: &mut Item, content: &[BlobId]) -> Result<()> {
        let mut file_offset = 0;
        for (blob, id) in item.content().zip(content) {
            let Some(found) = self.index.find(BlobKind::Data, id)? else { break };
            if item.decision == Decision::Update && self.matches.contains(blob.into()) {
                self.present_bytes += u64::from(found.plain_length());
            } else {
                let pack = *self.pack_numbers.entry(found.pack).or_insert_with(|| {
                    self.packs.push(found.pack);
                    self.packs.len() as u32 - 1
                });
                self.wants.push(&Want {
                    pack,
                    offset: found.offset,
                    length: found.length,
                    uncompressed_length: found.uncompressed_length,
                    item: item.number,
                    file_offset,
                    blob,
                })?;
                item.wanted += 1;
            }
            file_offset += u64::from(found.plain_length());
        }
        item.odd = file_offset != item.size;
        if item.wanted == 0 {
            self.bare.insert(item.number.into());
        }
        Ok(())
    }
}

fn lost(failure: Failure) -> Error {
    Error::Scratch { source: std::io::Error::other(failure) }
}

impl RestorePlan {
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
