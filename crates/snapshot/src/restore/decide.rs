//! Compares what is to be restored with what is on disk, and decides for each item.

use crate::error::Result;
use crate::restore::aside::Room;
use crate::restore::by_number::{ByNumber, Found};
use crate::restore::dirs::OpenDirs;
use crate::restore::failure::Failure;
use crate::restore::items::{Decision, Item, Kind};
use crate::restore::links::Firsts;
use crate::restore::options::{Overwrite, RestoreMonitor};
use crate::restore::parallel::{cores, parallel};
use crate::restore::table::Table;
use crate::restore::target::{Dir, Name, Target};
use rustix::fs::{FileType, Stat};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use tresor_repo::bits::Bits;
use tresor_repo::index::Index;
use tresor_repo::scratch::Window;
use tresor_repo::{BlobId, BlobKind, Cancel, Problem};

/// Items that a worker takes at once.
const PORTION: usize = 64;

/// What was decided of an item, where that is not what it was taken for while collecting: its number, the
/// decision, the size, the first name of the same file.
type Record = [u8; 17];

/// What was decided, in the order of the items.
pub(crate) struct Decided(ByNumber<17>);

/// What decisions need to know.
pub(crate) struct Decider<'a> {
    pub(crate) index: &'a Index,
    pub(crate) overwrite: Overwrite,
    pub(crate) monitor: &'a dyn RestoreMonitor,
    pub(crate) cancel: &'a Cancel,
    pub(crate) problems: AtomicU64,
    /// For files to be updated: which of all blobs are in their place already.
    pub(crate) matches: Bits,
    pub(crate) room: Room<'a>,
}

impl Decider<'_> {
    /// Decides for every item of the table; existing files are read by several threads.
    ///
    /// # Errors
    /// Those of temporary files; that the operation was cancelled.
    pub(crate) fn decide(
        &self,
        target: Option<&Target>,
        table: &Table,
        mut firsts: Firsts,
    ) -> Result<Decided> {
        let decided = Mutex::new(Found::new(self.room));
        let mut items = table.items.iter();
        let portion = || {
            let some = items.by_ref().take(PORTION).map(|item| firsts.apply(item?));
            let some = some.collect::<Result<Vec<Item>>>()?;
            Ok((!some.is_empty()).then_some(some))
        };
        let worker = || (target.map(OpenDirs::new), Window::default());
        parallel(portion, cores(), self.cancel, worker, |(dirs, window), items| {
            let news = items.into_iter().filter_map(|item| {
                let (decision, size) = self.item(dirs, window, table, &item);
                let taken_for = (Decision::Create, item.size);
                let is_news = matches!(item.kind, Kind::HardLink(_)) || (decision, size) != taken_for;
                is_news.then(|| record(&Item { decision, size, ..item }))
            });
            let news: Vec<Record> = news.collect();
            let mut decided = decided.lock().unwrap_or_else(PoisonError::into_inner);
            news.into_iter().try_for_each(|record| decided.push(record))
        })?;
        Ok(Decided(decided.into_inner().unwrap_or_else(PoisonError::into_inner).finish()?))
    }

    fn item(
        &self,
        dirs: &mut Option<OpenDirs<'_>>,
        window: &mut Window,
        table: &Table,
        item: &Item,
    ) -> (Decision, u64) {
        let content = table.content_through(window, item);
        let decided = content.and_then(|content| {
            let length = self.length(&content)?;
            // A size that is too small would cost content; one that is too large asks for zeros.
            let size = item.size.max(length);
            let decision = match dirs {
                Some(dirs) if table.dirs[item.dir as usize].exists => {
                    self.on_disk(dirs, table, item, &content, size)?
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
    fn length(&self, content: &[BlobId]) -> Result<u64, Failure> {
        content.iter().try_fold(0, |sum, id| {
            let length =
                self.index.plain_length(BlobKind::Data, id)?.ok_or(Failure::UnknownBlob { id: *id })?;
            Ok(sum + u64::from(length))
        })
    }

    fn on_disk(
        &self,
        dirs: &mut OpenDirs<'_>,
        table: &Table,
        item: &Item,
        content: &[BlobId],
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
        if !item.is_file() || !FileType::from_raw_mode(stat.st_mode).is_file() {
            return Ok(Decision::Replace);
        }
        let same_size = u64::try_from(stat.st_size) == Ok(size);
        if self.overwrite == Overwrite::IfChanged && same_size && wanted == mtime(&stat) {
            return Ok(Decision::Unchanged);
        }
        Ok(self.compare(&dir, name, item, content, same_size, &stat))
    }

    /// Reads the file that is there, as long as it may be what we want.
    fn compare(
        &self,
        dir: &Dir,
        name: Name<'_>,
        item: &Item,
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
        for (blob, _) in item.content().zip(&matches).filter(|(_, matches)| **matches) {
            self.matches.insert(blob.into());
        }
        Decision::Update
    }
}

impl Decided {
    /// The item with what was decided of it; items are asked for in their order.
    pub(crate) fn of(&mut self, item: Item) -> Result<Item> {
        let Some(record) = self.0.of(item.number)? else { return Ok(item) };
        let size = u64::from_be_bytes(*record[5..].first_chunk().expect("a size"));
        let first = u32::from_be_bytes(*record[13..].first_chunk().expect("a number"));
        let kind = if first == NONE { item.kind } else { Kind::HardLink(first) };
        Ok(Item { decision: Decision::of_number(record[4]), size, kind, ..item })
    }
}

/// No item has this number.
const NONE: u32 = u32::MAX;

fn record(item: &Item) -> Record {
    let first = if let Kind::HardLink(first) = item.kind { first } else { NONE };
    let mut record = [0; 17];
    record[..4].copy_from_slice(&item.number.to_be_bytes());
    record[4] = item.decision as u8;
    record[5..13].copy_from_slice(&item.size.to_be_bytes());
    record[13..].copy_from_slice(&first.to_be_bytes());
    record
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
