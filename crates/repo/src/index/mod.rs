//! The index: which blob is in which pack, where, and how long.
//!
//! [`Index`] answers. It is a few runs (`run`): sorted tables of what index files say, in sealed blocks on disk
//! (`blocks`, `table`), so that nothing of the repository's size is held in memory. `assemble` keeps runs in the
//! local cache and makes those that lack: `gather` from index files (`file`), `merge` from other runs, both with
//! `sort`. [`Marks`] is a set of an index's blobs, [`ByPack`] the same entries grouped by pack. `pending` collects
//! the packs of an upload for the next index file. Nothing outside of this folder knows how entries are kept.

mod row;
mod blocks;
mod table;
pub(crate) mod file;
mod filter;
mod run;
mod gather;
mod merge;
pub(crate) mod assemble;
mod merged;
mod repeated;
mod by_pack;
mod marks;
mod later;
pub(crate) mod pending;

pub use by_pack::{ByPack, PackTotals, Totals};
pub use later::MarkLater;
pub(crate) use marks::Copies;
pub use marks::Marks;
pub(crate) use repeated::RepeatedPack;
use row::Row;
pub(crate) use row::Spot;

use crate::blob::{BlobHandle, BlobKind};
use crate::error::{Error, Result};
use crate::id::{BlobId, IndexId, PackId};
use crate::pack::Entry;
use hashbrown::HashMap;
use merged::{Merged, What};
use run::Run;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Where a copy of a blob lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// In which pack.
    pub pack: PackId,
    /// Byte offset in the pack.
    pub offset: u32,
    /// Length in the pack, sealed.
    pub length: u32,
    /// Length of the plaintext if it is compressed, else 0.
    pub uncompressed_length: u32,
}

impl Place {
    /// Length of the plaintext in bytes.
    pub fn plain_length(&self) -> u32 {
        match self.uncompressed_length {
            0 => self.length.saturating_sub(32),
            length => length,
        }
    }

    /// The same as an entry of the pack's header.
    pub fn entry(&self, blob: BlobHandle) -> Entry {
        let Place { offset, length, uncompressed_length, .. } = *self;
        Entry { blob, offset, length, uncompressed_length }
    }
}

impl Entry {
    /// Where the entry's blob lies, if it is one of this pack's header.
    pub(crate) fn place_in(&self, pack: PackId) -> Place {
        let Entry { offset, length, uncompressed_length, .. } = *self;
        Place { pack, offset, length, uncompressed_length }
    }
}

/// Every blob of the repository and where its copies lie, as index files say; it never changes.
///
/// On disk 49 bytes a blob and 37 a pack; in memory 16 MiB of blocks at most, and some bytes for every thousand
/// blobs. A look-up reads two blocks of 4 KiB or finds them in memory. Every block is authenticated when it is read;
/// one that is not as it was written has its run built again from the index files. These are believed: a place may
/// be wrong, and who loads from it verifies what comes.
///
/// A pack has a *slot*, a number below [`slots`](Index::slots), by which tables of packs are kept.
///
/// Every answer is an error if a run cannot be read, nor built again.
#[derive(Default)]
pub struct Index {
    members: Vec<Member>,
    /// Sorted.
    files: Vec<IndexId>,
    /// Rows of all members.
    rows: u64,
    slots: u64,
    /// Whether there are index files whose say is not in it.
    lacks_files: bool,
    /// Whether several index files name the same pack in any run.
    repeats: bool,
    /// Slots of packs that have another slot, which counts: known once somebody has asked.
    other_slots: Mutex<Option<Arc<HashMap<u64, u64>>>>,
    /// For temporary files.
    scratch: PathBuf,
    rebuild: Option<Box<dyn Rebuild>>,
}

/// A run, and which numbers its rows and packs have in the index.
struct Member {
    run: RwLock<Arc<Run>>,
    /// For each kind.
    first_row: [u64; 2],
    first_slot: u64,
}

/// Builds runs again.
pub(crate) trait Rebuild: Send + Sync {
    /// The run of exactly these index files, kept in the place of the one at `bad`.
    fn rebuild(&self, sources: &[IndexId], bad: Option<&std::path::Path>) -> Result<assemble::Rebuilt>;
}

impl Index {
    /// The index of these runs, which say what the index files `files` say.
    fn of_runs(runs: Vec<Arc<Run>>, files: Vec<IndexId>, scratch: PathBuf) -> Index {
        let mut index = Index { files, scratch, ..Index::default() };
        for run in runs {
            let mut first_row = [0; 2];
            for kind in BlobKind::ALL {
                first_row[kind as usize] = index.rows;
                index.rows += run.rows(kind).len();
            }
            let first_slot = index.slots;
            index.slots += run.packs().len();
            index.repeats |= run.has_repeated_packs();
            index.members.push(Member { run: RwLock::new(run), first_row, first_slot });
        }
        index
    }

    /// The index files that say this, sorted.
    pub fn files(&self) -> &[IndexId] {
        &self.files
    }

    /// The same index, said to come from fewer files: these said nothing.
    pub(crate) fn without_files(mut self, silent: impl Fn(&IndexId) -> bool) -> Index {
        let all = self.files.len();
        self.files.retain(|file| !silent(file));
        self.lacks_files |= self.files.len() < all;
        self
    }

    /// Whether it says what every index file says, so that what it does not name is in none.
    pub fn is_whole(&self) -> bool {
        !self.lacks_files
    }

    /// Whether the repository has the blob.
    pub fn contains(&self, kind: BlobKind, id: &BlobId) -> Result<bool> {
        for number in 0..self.members.len() {
            let is_there = self.ask(number, |run| {
                Ok(run.may_hold(kind, id.as_bytes())? && run.first(kind, id.as_bytes())?.is_some())
            })?;
            if is_there {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The first copy of a blob.
    pub fn find(&self, kind: BlobKind, id: &BlobId) -> Result<Option<Place>> {
        if self.repeats {
            return Ok(self.copies(kind, id)?.first().copied());
        }
        let mut least: Option<Place> = None;
        for number in 0..self.members.len() {
            // Within a run copies are in the order of their packs.
            let first = self.ask(number, |run| {
                run.first(kind, id.as_bytes())?.map(|(_, spot)| run.place(spot)).transpose()
            })?;
            least = least.into_iter().chain(first).min();
        }
        Ok(least)
    }

    /// All copies of a blob, sorted.
    pub fn copies(&self, kind: BlobKind, id: &BlobId) -> Result<Vec<Place>> {
        let mut places = Vec::new();
        for member in 0..self.members.len() {
            places.extend(self.ask(member, |run| {
                let mut spots = Vec::new();
                run.find(kind, id.as_bytes(), |_, spot| {
                    spots.push(spot);
                    true
                })?;
                spots.into_iter().map(|spot| run.place(spot)).collect::<Result<Vec<_>>>()
            })?);
        }
        if places.len() > 1 {
            places.sort_unstable();
            places.dedup();
        }
        Ok(places)
    }

    /// Plaintext length of a blob, without loading it.
    pub fn plain_length(&self, kind: BlobKind, id: &BlobId) -> Result<Option<u32>> {
        Ok(self.find(kind, id)?.map(|place| place.plain_length()))
    }

    /// Number of entries (copies count each); costs a pass over the index.
    pub fn len(&self) -> Result<u64> {
        let (mut blobs, mut entries) = (merged::Blobs::new(self)?, 0);
        while let Some(copies) = blobs.next()? {
            entries += copies.spots.len() as u64;
        }
        Ok(entries)
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Every entry, sorted by kind and id.
    pub fn iter(&self) -> impl Iterator<Item = Result<(BlobHandle, Place)>> + '_ {
        self.kinds(BlobKind::ALL.to_vec())
    }

    /// Every entry of a kind, sorted by id.
    pub fn of_kind(&self, kind: BlobKind) -> impl Iterator<Item = Result<(BlobHandle, Place)>> + '_ {
        self.kinds(vec![kind])
    }

    fn kinds(&self, kinds: Vec<BlobKind>) -> impl Iterator<Item = Result<(BlobHandle, Place)>> + '_ {
        let mut blobs = None;
        let mut ready = Vec::new().into_iter();
        std::iter::from_fn(move || {
            loop {
                if let Some(entry) = ready.next() {
                    return Some(Ok(entry));
                }
                let more = (|| {
                    let blobs = match &mut blobs {
                        Some(blobs) => blobs,
                        none => none.insert(merged::Blobs::of_kinds(self, kinds.clone())?),
                    };
                    let Some(copies) = blobs.next()? else { return Ok(None) };
                    let placed = copies.spots.iter().map(|(slot, spot)| {
                        let Spot { offset, length, uncompressed_length, .. } = *spot;
                        let place = Place { pack: self.pack_at(*slot)?, offset, length, uncompressed_length };
                        Ok((copies.blob, place))
                    });
                    placed.collect::<Result<Vec<_>>>().map(Some)
                })();
                match more {
                    Ok(Some(entries)) => ready = entries.into_iter(),
                    Ok(None) => return None,
                    Err(error) => return Some(Err(error)),
                }
            }
        })
    }

    /// Every pack named by an index file, with its slot, sorted by id.
    pub fn packs(&self) -> impl Iterator<Item = Result<(PackId, u64)>> + '_ {
        let (mut merged, mut before) = (None, None);
        std::iter::from_fn(move || {
            loop {
                let next = (|| {
                    let merged = match &mut merged {
                        Some(merged) => merged,
                        none => none.insert(Merged::new(self, What::Packs)?),
                    };
                    merged.next()
                })();
                let (member, number, record) = match next {
                    Ok(next) => next?,
                    Err(error) => return Some(Err(error)),
                };
                let pack = run::pack_of(&record);
                if before.replace(pack) != Some(pack) {
                    return Some(Ok((pack, self.members[member].first_slot + number)));
                }
            }
        })
    }

    /// The slots of packs are below this.
    pub fn slots(&self) -> u64 {
        self.slots
    }

    /// How many packs index files name.
    pub fn pack_count(&self) -> Result<u64> {
        let masked = (0..).map_while(|member| self.run(member)).map(|run| run.masked()).sum::<u64>();
        Ok(self.slots - masked - self.other_slots()?.len() as u64)
    }

    /// Whether an index file names the pack.
    pub fn contains_pack(&self, pack: &PackId) -> Result<bool> {
        Ok(self.slot_of(pack)?.is_some())
    }

    /// Every pack that holds a tree blob, sorted; costs a pass over the trees.
    pub fn tree_packs(&self) -> Result<Vec<PackId>> {
        let mut packs = Vec::new();
        for entry in self.of_kind(BlobKind::Tree) {
            packs.push(entry?.1.pack);
        }
        packs.sort_unstable();
        packs.dedup();
        Ok(packs)
    }

    /// The slot of a pack, if an index file names it.
    pub fn slot_of(&self, pack: &PackId) -> Result<Option<u64>> {
        for (number, member) in self.members.iter().enumerate() {
            if let Some(found) = self.ask(number, |run| run.number_of(pack))? {
                return Ok(Some(member.first_slot + u64::from(found)));
            }
        }
        Ok(None)
    }

    /// The pack of a slot.
    ///
    /// # Panics
    /// If it is no slot of this index.
    fn pack_at(&self, slot: u64) -> Result<PackId> {
        let number = self.members.partition_point(|member| member.first_slot <= slot) - 1;
        let pack = (slot - self.members[number].first_slot) as u32;
        self.ask(number, |run| run.pack(pack))
    }

    /// The number of the first row of a blob among all rows.
    fn first_row(&self, kind: BlobKind, id: &BlobId) -> Result<Option<u64>> {
        for (number, member) in self.members.iter().enumerate() {
            if let Some((row, _)) = self.ask(number, |run| run.first(kind, id.as_bytes()))? {
                return Ok(Some(member.first_row[kind as usize] + row));
            }
        }
        Ok(None)
    }

    /// The slots that do not count, and which does instead; costs a pass over the packs the first time.
    fn other_slots(&self) -> Result<Arc<HashMap<u64, u64>>> {
        let mut known = self.other_slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*known {
            return Ok(Arc::clone(known));
        }
        let mut others = HashMap::new();
        if self.members.len() > 1 || self.repeats {
            let (mut packs, mut before) = (Merged::new(self, What::Packs)?, None);
            while let Some((member, number, record)) = packs.next()? {
                let (pack, slot) = (run::pack_of(&record), self.members[member].first_slot + number);
                match before {
                    Some((same, first)) if same == pack => drop(others.insert(slot, first)),
                    _ => before = Some((pack, slot)),
                }
            }
        }
        Ok(Arc::clone(known.insert(Arc::new(others))))
    }

    fn run(&self, member: usize) -> Option<Arc<Run>> {
        let member = self.members.get(member)?;
        Some(Arc::clone(&member.run.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Asks a run; if that cannot be read, it is built again and asked once more.
    fn ask<T>(&self, member: usize, ask: impl Fn(&Run) -> Result<T>) -> Result<T> {
        let Some(run) = self.run(member) else { unreachable!("members are asked by their numbers") };
        match ask(&run) {
            Err(error @ Error::Local { .. }) => match self.rebuilt(member, &run)? {
                ControlFlow::Continue(run) => ask(&run),
                ControlFlow::Break(()) => Err(error),
            },
            answer => answer,
        }
    }

    /// A good run in the place of a bad one, unless that cannot be.
    fn rebuilt(&self, member: usize, bad: &Arc<Run>) -> Result<ControlFlow<(), Arc<Run>>> {
        let mut run = self.members[member].run.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&run, bad) {
            return Ok(ControlFlow::Continue(Arc::clone(&run))); // somebody else was first
        }
        let Some(rebuild) = &self.rebuild else { return Ok(ControlFlow::Break(())) };
        let is_gone = |source| self.files.binary_search(source).is_err();
        if bad.sources().iter().any(is_gone) {
            bad.path().map(std::fs::remove_file).map(drop).unwrap_or_default(); // the next command builds another
            return Ok(ControlFlow::Break(()));
        }
        let assemble::Rebuilt(built) = rebuild.rebuild(bad.sources(), bad.path())?;
        // The same index files make the same run: all positions stay what they were.
        let has_same = |kind| built.rows(kind).len() == bad.rows(kind).len();
        if !BlobKind::ALL.into_iter().all(has_same) || built.packs().len() != bad.packs().len() {
            return Ok(ControlFlow::Break(()));
        }
        *run = Arc::new(built);
        Ok(ControlFlow::Continue(Arc::clone(&run)))
    }
}

#[cfg(test)]
mod tests;
