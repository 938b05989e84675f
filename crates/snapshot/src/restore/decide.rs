//! Compares what is to be restored with what is on disk, and decides for each item.

use crate::error::Result;
use crate::restore::dirs::OpenDirs;
use crate::restore::failure::Failure;
use crate::restore::options::{Overwrite, RestoreMonitor};
use crate::restore::parallel::{cores, parallel};
use crate::restore::table::{Decision, Item, ItemNumber, Kind, Table};
use crate::restore::target::{Dir, Name, Target};
use hashbrown::HashMap;
use rustix::fs::{FileType, Stat};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use tresor_repo::index::Index;
use tresor_repo::{BlobId, BlobKind, Cancel, Problem};

/// Items that a worker takes at once.
const PORTION: usize = 64;

/// For files to be updated: which of their blobs are in their place already.
pub(crate) type Matches = HashMap<ItemNumber, Box<[bool]>>;

/// What decisions need to know.
pub(crate) struct Decider<'a> {
    pub(crate) index: &'a Index,
    pub(crate) overwrite: Overwrite,
    pub(crate) monitor: &'a dyn RestoreMonitor,
    pub(crate) cancel: &'a Cancel,
    pub(crate) problems: AtomicU64,
    pub(crate) matches: Mutex<Matches>,
}

impl Decider<'_> {
    /// Decides for every item of the table; existing files are read by several threads.
    ///
    /// # Errors
    /// Only that the operation was cancelled.
    pub(crate) fn decide(&self, target: Option<&Target>, table: &mut Table) -> Result<()> {
        let decided = Mutex::new(Vec::new());
        let ranges: Vec<_> = (0..table.items.len()).step_by(PORTION).collect();
        parallel(
            &ranges,
            cores(),
            self.cancel,
            || target.map(OpenDirs::new),
            |dirs, start| {
                let items = start..table.items.len().min(start + PORTION);
                let mut portion = Vec::new();
                for number in items {
                    let item = &table.items[number];
                    let (decision, size) = self.item(dirs, table, number as ItemNumber, item);
                    if (decision, size) != (item.decision, item.size) {
                        portion.push((number, decision, size));
                    }
                }
                decided.lock().unwrap_or_else(PoisonError::into_inner).append(&mut portion);
            },
        )?;
        for (number, decision, size) in decided.into_inner().unwrap_or_else(PoisonError::into_inner) {
            (table.items[number].decision, table.items[number].size) = (decision, size);
        }
        Ok(())
    }

    fn item(
        &self,
        dirs: &mut Option<OpenDirs<'_>>,
        table: &Table,
        number: ItemNumber,
        item: &Item,
    ) -> (Decision, u64) {
        let decided = self.length(table, item).and_then(|length| {
            // A size that is too small would cost content; one that is too large asks for zeros.
            let size = item.size.max(length);
            let decision = match dirs {
                Some(dirs) if table.dirs[item.dir as usize].exists => {
                    self.on_disk(dirs, table, number, item, size)?
                }
                _ => Decision::Create,
            };
            Ok((decision, size))
        });
        decided.unwrap_or_else(|failure: Failure| {
            self.problems.fetch_add(1, Ordering::Relaxed);
            let path = String::from_utf8_lossy(&table.item_path(item)).into_owned();
            self.monitor.problem(&Problem { item: path, doing: "restore", cause: Box::new(failure) });
            (Decision::Impossible, item.size)
        })
    }

    /// How long the blobs of a file are together; each must be known, or nobody knows where the next one goes.
    fn length(&self, table: &Table, item: &Item) -> Result<u64, Failure> {
        table.content(item)?.iter().try_fold(0, |sum, id| {
            let length =
                self.index.plain_length(BlobKind::Data, id)?.ok_or(Failure::UnknownBlob { id: *id })?;
            Ok(sum + u64::from(length))
        })
    }

    fn on_disk(
        &self,
        dirs: &mut OpenDirs<'_>,
        table: &Table,
        number: ItemNumber,
        item: &Item,
        size: u64,
    ) -> Result<Decision, Failure> {
        let details = table.details(item)?;
        let (name, wanted) = (details.name(), details.metadata.mtime());
        let dir = dirs.get(table, item.dir).map_err(Failure::step("open the directory"))?;
        let Some(stat) = dir.stat(name).map_err(Failure::step("look at what is there"))? else {
            return Ok(Decision::Create);
        };
        let leave = match self.overwrite {
            Overwrite::Always | Overwrite::IfChanged => false,
            Overwrite::IfNewer => wanted <= mtime(&stat),
            Overwrite::Never => true,
        };
        if leave {
            return Ok(Decision::Skip);
        }
        if !matches!(item.kind, Kind::File { .. }) || !FileType::from_raw_mode(stat.st_mode).is_file() {
            return Ok(Decision::Replace);
        }
        let same_size = u64::try_from(stat.st_size) == Ok(size);
        if self.overwrite == Overwrite::IfChanged && same_size && wanted == mtime(&stat) {
            return Ok(Decision::Unchanged);
        }
        Ok(self.compare(&dir, name, number, &table.content(item)?, same_size, &stat))
    }

    /// Reads the file that is there, as long as it may be what we want.
    fn compare(
        &self,
        dir: &Dir,
        name: Name<'_>,
        number: ItemNumber,
        content: &[BlobId],
        same_size: bool,
        stat: &Stat,
    ) -> Decision {
        // What cannot be read is written anew.
        let Ok(file) = dir.open_to_read(name) else { return Decision::Replace };
        let length = |id| self.index.plain_length(BlobKind::Data, id).ok().flatten().unwrap_or(0); // they were known before
        let lengths = content.iter().map(length);
        let matches = matching(&file, content, lengths);
        if same_size && matches.iter().all(|matches| *matches) {
            return Decision::Unchanged;
        }
        if stat.st_nlink > 1 {
            // Its other names are not ours to change.
            return Decision::Replace;
        }
        self.matches.lock().unwrap_or_else(PoisonError::into_inner).insert(number, matches);
        Decision::Update
    }
}

/// Says for each blob whether the file holds it in its place.
fn matching(file: &File, content: &[BlobId], lengths: impl Iterator<Item = u32>) -> Box<[bool]> {
    let mut buffer = Vec::new();
    let mut offset = 0;
    let mut is_there = |(id, length): (&BlobId, u32)| {
        buffer.resize(length as usize, 0);
        let same = file.read_exact_at(&mut buffer, offset).is_ok() && BlobId::of(&buffer) == *id;
        offset += u64::from(length);
        same
    };
    content.iter().zip(lengths).map(&mut is_there).collect()
}

fn mtime(stat: &Stat) -> (i64, u32) {
    (stat.st_mtime, u32::try_from(stat.st_mtime_nsec).unwrap_or(0))
}
