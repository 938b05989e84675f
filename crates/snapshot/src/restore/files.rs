//! Makes, fills and finishes the regular files of a restore; several workers may fill one file.

use crate::restore::details::Details;
use crate::restore::dirs::OpenDirs;
use crate::restore::failure::Failure;
use crate::restore::items::{Decision, Item, ItemNumber};
use crate::restore::metadata::{Dresser, Subject};
use crate::restore::options::Action;
use crate::restore::plan::RestorePlan;
use crate::restore::progress::Progress;
use crate::restore::remove::make_way;
use crate::restore::sparse::write_around_zeros;
use crate::restore::target::{Dir, Name};
use hashbrown::HashMap;
use rustix::fs::{FallocateFlags, FileType, Mode, Stat, chmod, fallocate, fstat, ftruncate};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Files with several blobs that stay open between them.
const OPEN_AT_ONCE: usize = 64;

/// All files being written.
pub(crate) struct Files<'a> {
    plan: &'a RestorePlan,
    dresser: &'a Dresser<'a>,
    progress: &'a Progress<'a>,
    /// Files that want several blobs, from the first to the last one.
    parts: Mutex<HashMap<ItemNumber, Arc<Mutex<Part>>>>,
    /// Those of them that are open, in the order in which they were opened.
    open: Mutex<VecDeque<ItemNumber>>,
}

/// A file that wants several blobs.
struct Part {
    /// How many are still to come.
    missing: u32,
    file: Option<Arc<File>>,
    /// Device and inode, once it was made or found.
    identity: Option<(u64, u64)>,
    failed: bool,
}

impl<'a> Files<'a> {
    pub(crate) fn new(plan: &'a RestorePlan, dresser: &'a Dresser<'a>, progress: &'a Progress<'a>) -> Self {
        Files { plan, dresser, progress, parts: Mutex::default(), open: Mutex::default() }
    }

    /// What is known of a file that wants several blobs; nothing of others.
    fn part(&self, item: &Item) -> Option<Arc<Mutex<Part>>> {
        let part = || Part { missing: item.wanted, file: None, identity: None, failed: false };
        (item.wanted > 1).then(|| {
            let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(parts.entry(item.number).or_insert_with(|| Arc::new(Mutex::new(part()))))
        })
    }

    /// Writes a blob of a file; with its last one the file is finished.
    pub(crate) fn write(&self, dirs: &mut OpenDirs<'_>, number: ItemNumber, offset: u64, bytes: &[u8]) {
        let Some(item) = &self.item(number) else { return };
        if let Some(part) = self.part(item) {
            let written =
                self.open_part(dirs, item, &part).and_then(|file| self.put(item, &file, offset, bytes));
            return self.arrived(dirs, item, &part, written);
        }
        let finished = self.first_open(dirs, item).and_then(|(file, dir, details)| {
            self.put(item, &file, offset, bytes)?;
            self.finish(item, &file, &dir, &details)
        });
        self.judge(item, finished);
    }

    /// Notes that a blob of a file cannot be had.
    pub(crate) fn miss(&self, dirs: &mut OpenDirs<'_>, number: ItemNumber, failure: Failure) {
        let Some(item) = &self.item(number) else { return };
        match self.part(item) {
            Some(part) => self.arrived(dirs, item, &part, Err(failure)),
            None => self.judge(item, Err(failure)),
        }
    }

    /// Makes a file for which no blob is wanted: an empty one, or one of which only the size is wrong.
    pub(crate) fn write_bare(&self, dirs: &mut OpenDirs<'_>, number: ItemNumber) {
        let Some(item) = &self.item(number) else { return };
        let finished = self.first_open(dirs, item).and_then(|(file, dir, details)| {
            self.resize(item, &file)?;
            self.finish(item, &file, &dir, &details)
        });
        self.judge(item, finished);
    }

    /// The item; none, and the file has failed, if a temporary file cannot be read.
    fn item(&self, number: ItemNumber) -> Option<Item> {
        match self.plan.table.items.get(number) {
            Ok(item) => Some(item),
            Err(failure) => {
                if self.progress.fail(number) {
                    self.progress.problem(b"?", "restore", failure);
                }
                None
            }
        }
    }

    /// Tells of a file's first failure.
    fn judge(&self, item: &Item, outcome: Result<(), Failure>) {
        if let Err(failure) = outcome
            && self.progress.fail(item.number)
        {
            self.progress.item_problem(item, failure);
        }
    }

    fn put(&self, item: &Item, file: &File, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        let written = match self.is_sparse(item) {
            true => write_around_zeros(file, offset, bytes),
            false => file.write_all_at(bytes, offset),
        };
        written.map_err(Failure::io("write the file"))?;
        self.progress.bytes(bytes.len() as u64);
        Ok(())
    }

    /// Only new files: in old ones something may be where the hole should be.
    fn is_sparse(&self, item: &Item) -> bool {
        self.plan.options.sparse && item.decision != Decision::Update
    }

    /// Gives the file its size where its blobs do not.
    fn resize(&self, item: &Item, file: &File) -> Result<(), Failure> {
        ftruncate(file, item.size).map_err(Failure::step("set the size"))
    }

    fn finish(&self, item: &Item, file: &File, dir: &Dir, details: &Details) -> Result<(), Failure> {
        if item.odd {
            self.resize(item, file)?;
        }
        let updated = item.decision == Decision::Update;
        let subject = Subject::Open(file.as_fd());
        let metadata = &details.metadata;
        let dressed = match updated || dir.hands_down_acl() {
            true => self.dresser.dress(subject, metadata),
            false => self.dresser.dress_new(subject, metadata),
        };
        let action = if updated { Action::Updated } else { Action::Restored };
        self.progress.file(action, item, details.name());
        // The content is right all the same, so the file has not failed.
        if let Err(failure) = dressed {
            self.progress.item_problem(item, failure);
        }
        Ok(())
    }

    /// Opens or makes a file for the first time.
    fn first_open(&self, dirs: &mut OpenDirs<'_>, item: &Item) -> Result<(File, Arc<Dir>, Details), Failure> {
        let table = &self.plan.table;
        let dir = dirs.get(table, item.dir).map_err(Failure::step("open the directory"))?;
        let details = table.details(item)?;
        let name = details.name();
        let file = match item.decision {
            Decision::Update => open_existing(&dir, name, item)?,
            decision => {
                if decision == Decision::Replace {
                    make_way(&dir, name, self.plan.options.delete)?;
                }
                let file = dir.create_file(name).map_err(Failure::step("make the file"))?;
                if self.is_sparse(item) {
                    self.resize(item, &file)?;
                }
                file
            }
        };
        Ok((file, dir, details))
    }

    /// The open file; it is made when its first blob comes, and opened again after it was put aside.
    fn open_part(
        &self,
        dirs: &mut OpenDirs<'_>,
        item: &Item,
        part: &Mutex<Part>,
    ) -> Result<Arc<File>, Failure> {
        let mut part = lock(part);
        if part.failed {
            return Err(Failure::Displaced);
        }
        if let Some(file) = &part.file {
            return Ok(Arc::clone(file));
        }
        let opened = match part.identity {
            None => self.first_open(dirs, item).and_then(|(file, ..)| {
                self.reserve(item, &file)?;
                Ok(file)
            }),
            Some(identity) => self.open_again(dirs, item, identity),
        };
        let identified = opened.and_then(|file| {
            let stat = fstat(&file).map_err(Failure::step("look at the file"))?;
            Ok((Arc::new(file), (stat.st_dev, stat.st_ino)))
        });
        let (file, identity) = identified.inspect_err(|_| part.failed = true)?;
        part.identity = Some(identity);
        part.file = Some(Arc::clone(&file));
        drop(part);
        self.put_aside_others(item.number);
        Ok(file)
    }

    /// Reserves the space of a new file, so that it lies together and a full disk shows at once.
    fn reserve(&self, item: &Item, file: &File) -> Result<(), Failure> {
        let is_new = item.decision != Decision::Update;
        if !is_new || self.is_sparse(item) || item.odd {
            return Ok(());
        }
        match fallocate(file, FallocateFlags::empty(), 0, item.size) {
            Err(Errno::NOSPC) => Err(Failure::step("reserve space for the file")(Errno::NOSPC)),
            // Where space cannot be reserved the file is written all the same.
            _ => Ok(()),
        }
    }

    fn open_again(
        &self,
        dirs: &mut OpenDirs<'_>,
        item: &Item,
        identity: (u64, u64),
    ) -> Result<File, Failure> {
        let table = &self.plan.table;
        let dir = dirs.get(table, item.dir).map_err(Failure::step("open the directory"))?;
        let details = table.details(item)?;
        let file = dir.open_to_write(details.name()).map_err(Failure::step("open the file again"))?;
        let stat = fstat(&file).map_err(Failure::step("look at the file"))?;
        if (stat.st_dev, stat.st_ino) == identity { Ok(file) } else { Err(Failure::Displaced) }
    }

    /// Closes the file that was opened first, if there are too many; it is opened again when needed.
    fn put_aside_others(&self, number: ItemNumber) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.push_back(number);
        let oldest = if open.len() > OPEN_AT_ONCE { open.pop_front() } else { None };
        drop(open);
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let part = oldest.and_then(|oldest| parts.get(&oldest).cloned());
        drop(parts);
        if let Some(part) = part {
            lock(&part).file = None;
        }
    }

    /// Notes that one blob less is missing; finishes the file if it was the last.
    fn arrived(
        &self,
        dirs: &mut OpenDirs<'_>,
        item: &Item,
        part: &Mutex<Part>,
        outcome: Result<(), Failure>,
    ) {
        let (is_last, failed) = {
            let mut part = lock(part);
            part.missing -= 1;
            part.failed |= outcome.is_err();
            (part.missing == 0, part.failed)
        };
        self.judge(item, outcome);
        if !is_last {
            return;
        }
        self.judge(item, self.finish_part(dirs, item, part, failed));
        self.open.lock().unwrap_or_else(PoisonError::into_inner).retain(|open| *open != item.number);
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).remove(&item.number);
        lock(part).file = None;
    }

    fn finish_part(
        &self,
        dirs: &mut OpenDirs<'_>,
        item: &Item,
        part: &Mutex<Part>,
        failed: bool,
    ) -> Result<(), Failure> {
        if failed {
            if let Some(file) = &lock(part).file {
                let metadata = self.plan.table.details(item)?.metadata;
                self.dresser.dress_damaged(Subject::Open(file.as_fd()), &metadata);
            }
            return Ok(());
        }
        let file = self.open_part(dirs, item, part)?;
        let dir = dirs.get(&self.plan.table, item.dir).map_err(Failure::step("open the directory"))?;
        self.finish(item, &file, &dir, &self.plan.table.details(item)?)
    }
}

fn lock(part: &Mutex<Part>) -> MutexGuard<'_, Part> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens the file that the plan found, if it is still such a file.
fn open_existing(dir: &Dir, name: Name<'_>, item: &Item) -> Result<File, Failure> {
    let opened = match dir.open_to_write(name) {
        Err(Errno::ACCESS) => make_writable(dir, name).and_then(|()| dir.open_to_write(name)),
        opened => opened,
    };
    let file = opened.map_err(Failure::step("open the file"))?;
    let stat: Stat = fstat(&file).map_err(Failure::step("look at the file"))?;
    if !FileType::from_raw_mode(stat.st_mode).is_file() || stat.st_nlink > 1 {
        return Err(Failure::Displaced);
    }
    if u64::try_from(stat.st_size).is_ok_and(|size| size > item.size) {
        ftruncate(&file, item.size).map_err(Failure::step("shorten the file"))?;
    }
    Ok(file)
}

/// Without root's rights a file's mode may be in the way, even of its owner.
fn make_writable(dir: &Dir, name: Name<'_>) -> rustix::io::Result<()> {
    let held = dir.open_as_place(name)?;
    if !FileType::from_raw_mode(fstat(&held)?.st_mode).is_file() {
        return Err(Errno::ACCESS);
    }
    chmod(format!("/proc/self/fd/{}", held.as_raw_fd()), Mode::RUSR | Mode::WUSR)
}
