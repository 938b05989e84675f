//! Mend the index from what its files say and what packs say of themselves.

use crate::error::{Error, Result};
use crate::id::{IndexId, PackId};
use crate::index::{ByPack, Index};
use crate::monitor::{Monitor, Phase};
use crate::pack::Entry;
use crate::reindex::Reindex;
use crate::repository::Repository;
use crate::stored_packs::Known;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use tresor_backend::handle::Right;

/// A stored pack of which the index says nothing, or something that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misnamed {
    /// Which.
    pub pack: PackId,
    /// Its size in bytes.
    pub size: u64,
    /// The size that follows from the index, if that names it.
    pub expected: Option<u64>,
}

/// What index and packs do not agree about; each list is sorted.
#[derive(Debug, Default)]
pub struct Disagreement {
    /// Packs whose header is to be read.
    pub misnamed: Vec<Misnamed>,
    /// Packs that the index names and that are not there.
    pub missing: Vec<PackId>,
}

/// A pack whose header cannot be read.
#[derive(Debug)]
pub struct Headless {
    /// Which.
    pub pack: PackId,
    /// Why.
    pub cause: Error,
    /// Whether the index goes on naming it, as some of its blobs may still be there.
    pub is_kept: bool,
}

/// How the index is to be mended.
#[derive(Default)]
pub struct IndexRepair {
    /// What is to be done.
    pub reindex: Reindex,
    /// Packs that say nothing of themselves; sorted.
    pub headless: Vec<Headless>,
}

impl<R: Right> Repository<R> {
    /// Compares the packs that are stored with those that `index` names, by their sizes; and looks whether the
    /// blobs of each follow one another from its beginning, as they do in every pack.
    ///
    /// Memory: 16 bytes for each pack.
    ///
    /// # Errors
    /// Those of the listing.
    pub fn compare_packs(&self, index: &Index) -> Result<Disagreement> {
        let (totals, by_pack) = (index.pack_totals()?, index.by_pack()?);
        let mut found = Disagreement::default();
        for known in self.stored_packs()?.beside(index)? {
            let Known { pack, size, slot } = known?;
            let said = slot.map(|slot| totals.of(slot)).filter(|totals| totals.blobs != [0; 2]);
            match (size, said.map(|totals| totals.size)) {
                (None, None) => {}
                (None, Some(_)) => found.missing.push(pack),
                (Some(size), expected) => {
                    if expected != Some(size) || !is_contiguous(&by_pack, &pack)? {
                        found.misnamed.push(Misnamed { pack, size, expected });
                    }
                }
            }
        }
        Ok(found)
    }

    /// Decides how the index is mended: it names no pack that is missing, and of the misnamed ones it says what
    /// their headers say.
    ///
    /// Where no header can be read, what index files have said of a pack stays, as far as its file is long
    /// enough for a blob of it: [`salvage`](Self::salvage) needs that. `index` is what they have said,
    /// `unread` the files that are to go without a look into them.
    ///
    /// Progress: [`Phase::ReadPacks`] for each misnamed pack. Costs a small request or two for each.
    ///
    /// # Errors
    /// A header that cannot be had just now: nobody knows what it says. Cancellation.
    pub fn plan_index_repair(
        &self,
        index: &Index,
        disagreement: &Disagreement,
        unread: Vec<IndexId>,
        monitor: &dyn Monitor,
    ) -> Result<IndexRepair> {
        let Disagreement { misnamed, missing } = disagreement;
        let mut repair = IndexRepair::default();
        repair.reindex.drop = missing.iter().copied().collect();
        repair.reindex.unread = unread.into_iter().collect();
        if misnamed.is_empty() {
            return Ok(repair);
        }
        let by_pack = index.by_pack()?;
        monitor.begin(Phase::ReadPacks, Some(misnamed.len() as u64));
        let read = self.read_headers(misnamed, monitor);
        monitor.end(Phase::ReadPacks);
        for (&Misnamed { pack, size, .. }, header) in misnamed.iter().zip(read?) {
            match header {
                Ok(entries) => repair.reindex.add.push((pack, entries)),
                Err(cause) => {
                    let kept = may_hold(&by_pack, &pack, size)?;
                    repair.headless.push(Headless { pack, cause, is_kept: !kept.is_empty() });
                    match kept.is_empty() {
                        true => drop(repair.reindex.drop.insert(pack)),
                        false => repair.reindex.add.push((pack, kept)),
                    }
                }
            }
        }
        Ok(repair)
    }

    /// The headers of these packs in their order, or what is wrong with them.
    fn read_headers(&self, packs: &[Misnamed], monitor: &dyn Monitor) -> Result<Vec<Result<Vec<Entry>>>> {
        let next = AtomicUsize::new(0);
        let (read, failed) = (Mutex::new(Vec::with_capacity(packs.len())), Mutex::new(None));
        let work = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(&Misnamed { pack, size, .. }) = packs.get(number) else { return };
                let header = match self.cancel().is_set() {
                    true => Err(Error::Cancelled),
                    false => {
                        self.load_pack_header(pack, size).and_then(|entries| self.fit_to_index(pack, entries))
                    }
                };
                match header {
                    Err(error) if !error.is_damage() => {
                        next.store(packs.len(), Ordering::Relaxed);
                        failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                        return;
                    }
                    header => read.lock().unwrap_or_else(PoisonError::into_inner).push((number, header)),
                }
                monitor.advance(Phase::ReadPacks, 1);
            }
        };
        thread::scope(|scope| {
            let threads = self.parallel_loads().min(packs.len());
            (1..threads).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        let mut read = read.into_inner().unwrap_or_else(PoisonError::into_inner);
        read.sort_unstable_by_key(|(number, _)| *number);
        Ok(read.into_iter().map(|(_, header)| header).collect())
    }

    /// An index file of version 1 that names a compressed blob is one that nobody can read.
    fn fit_to_index(&self, pack: PackId, entries: Vec<Entry>) -> Result<Vec<Entry>> {
        let is_compressed = |entry: &Entry| entry.uncompressed_length != 0;
        if self.config.version > 1 || !entries.iter().any(is_compressed) {
            return Ok(entries);
        }
        let what = "compressed blobs are not part of repository version 1".into();
        Err(Error::Format { file: pack.file(), what })
    }
}

/// Whether the index has every blob of a pack begin where the one before it ends.
fn is_contiguous(by_pack: &ByPack<'_>, pack: &PackId) -> Result<bool> {
    let mut end = 0;
    Ok(by_pack.blobs(pack)?.iter().all(|(_, place)| {
        let follows = u64::from(place.offset) == end;
        end += u64::from(place.length);
        follows
    }))
}

/// What the index says of a pack of `size` bytes, without the blobs for which it is too short.
fn may_hold(by_pack: &ByPack<'_>, pack: &PackId, size: u64) -> Result<Vec<Entry>> {
    let entries = by_pack.blobs(pack)?.into_iter().map(|(blob, place)| place.entry(blob));
    Ok(entries.filter(|entry| u64::from(entry.offset) + u64::from(entry.length) <= size).collect())
}
