//! Check that files, packs and index agree; returns findings.
//!
//! Three questions, each with more work than the one before: [`Repository::check_index`] (is every index
//! file readable, and do they agree?), [`Repository::check_packs`] (is every pack there, as long as it must
//! be?), [`Repository::check_pack_contents`] (is every byte right?). A damaged repository is their normal
//! input: what is wrong is a [`Finding`], and an error means that the check itself could not go on.

mod contents;
mod finding;
mod pieces;
mod subset;

pub use finding::{Finding, PackFault, Severity};
pub use subset::{BadSubset, ReadSubset};

use crate::error::{Error, Result};
use crate::id::{IndexId, PackId};
use crate::index::Index;
use crate::index::file::IndexFile;
use crate::index::merge::merge;
use crate::monitor::{Monitor, Phase};
use crate::repository::Repository;
use contents::PackReader;
use hashbrown::HashMap;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use tresor_backend::FileKind;
use tresor_backend::handle::Right;

impl<R: Right> Repository<R> {
    /// Loads every index file and merges those that can be read.
    ///
    /// Finds unreadable index files, packs that several of them name, and packs of both kinds of blobs.
    ///
    /// # Errors
    /// Those of the listing; cancellation.
    pub fn check_index(&self, monitor: &dyn Monitor) -> Result<(Index, Vec<Finding>)> {
        let (mut files, mut findings) = (Vec::new(), Vec::new());
        for (index, file) in self.load_index_files(monitor, false)? {
            match file {
                Ok(file) => files.push((index, file)),
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                Err(cause) => findings.push(Finding::IndexUnreadable { index, cause }),
            }
        }
        findings.extend(repeated_packs(&files));
        let index = merge(files).map_err(|bad| Error::Refused(bad.to_string()))?;
        self.tell_cache(&index);
        let mixed = index.pack_totals().filter(|(_, totals)| totals.is_mixed());
        findings.extend(mixed.map(|(pack, _)| Finding::MixedPack { pack }));
        Ok((index, findings))
    }

    /// Compares the packs that are stored with those that the index names.
    ///
    /// # Errors
    /// Those of the listing.
    pub fn check_packs(&self, index: &Index, monitor: &dyn Monitor) -> Result<Vec<Finding>> {
        let mut stored: HashMap<PackId, u64> =
            self.list(FileKind::Pack)?.iter().map(|pack| (PackId::from_id(pack.id), pack.size)).collect();
        let mut findings = Vec::new();
        monitor.begin(Phase::Packs, Some(index.packs().len() as u64));
        for (pack, totals) in index.pack_totals() {
            findings.extend(match stored.remove(&pack) {
                None => Some(Finding::PackMissing { pack }),
                Some(got) if got == totals.size => None,
                Some(got) => Some(Finding::PackSize { pack, got, expected: totals.size }),
            });
            monitor.advance(Phase::Packs, 1);
        }
        monitor.end(Phase::Packs);
        let mut unindexed: Vec<PackId> = stored.into_keys().collect();
        unindexed.sort_unstable();
        findings.extend(unindexed.into_iter().map(|pack| Finding::PackUnindexed { pack }));
        Ok(findings)
    }

    /// Reads whole packs and verifies every byte; `found` hears of each finding as it comes, on any thread.
    ///
    /// Costs one load of every pack. Memory: for each worker a few MiB, or twice its largest blob.
    ///
    /// Packs in an archive are brought back first, all of them.
    ///
    /// # Errors
    /// A pack that does not come back; cancellation.
    pub fn check_pack_contents(
        &self,
        index: &Index,
        packs: &[PackId],
        monitor: &dyn Monitor,
        found: &(dyn Fn(Finding) + Sync),
    ) -> Result<()> {
        self.bring_back(packs, monitor)?;
        let (by_pack, next) = (index.by_pack(), AtomicUsize::new(0));
        monitor.begin(Phase::ReadPacks, Some(packs.len() as u64));
        let work = || {
            let mut reader = PackReader::new(self);
            while let Some(&pack) = packs.get(next.fetch_add(1, Ordering::Relaxed)) {
                if self.cancel().is_set() {
                    return;
                }
                let entries: Vec<_> = by_pack.blobs(&pack).map(|(blob, place)| place.entry(blob)).collect();
                if let Some(finding) = reader.check(pack, &entries) {
                    found(finding);
                }
                monitor.advance(Phase::ReadPacks, 1);
            }
        };
        thread::scope(|scope| {
            let threads = self.parallel_loads().min(packs.len());
            (1..threads).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        monitor.end(Phase::ReadPacks);
        if self.cancel().is_set() { Err(Error::Cancelled) } else { Ok(()) }
    }
}

/// The packs that more than one index file names, in the order of their ids.
fn repeated_packs(files: &[(IndexId, IndexFile)]) -> Vec<Finding> {
    let mut named: Vec<(PackId, usize, usize)> = Vec::new();
    for (file, (_, index)) in files.iter().enumerate() {
        named.extend(index.packs().enumerate().map(|(number, pack)| (pack, file, number)));
    }
    named.sort_unstable();
    let of_one_pack = named.chunk_by(|(one, ..), (other, ..)| one == other);
    of_one_pack.filter_map(|named| repeated_pack(named, files)).collect()
}

/// What to tell of one pack, given by which file and at which position there it is named.
fn repeated_pack(named: &[(PackId, usize, usize)], files: &[(IndexId, IndexFile)]) -> Option<Finding> {
    let by_file: Vec<_> = named.chunk_by(|(_, one, _), (_, other, _)| one == other).collect();
    let ([(pack, ..), ..], 2..) = (named, by_file.len()) else { return None };
    let said = |named: &[(PackId, usize, usize)]| -> BTreeSet<_> {
        named.iter().flat_map(|&(_, file, number)| files[file].1.said_of(number)).collect()
    };
    let first = said(by_file[0]);
    let agree = by_file[1..].iter().all(|named| said(named) == first);
    let indexes = by_file.iter().map(|named| files[named[0].1].0).collect();
    Some(Finding::PackInSeveralIndexes { pack: *pack, indexes, agree })
}

#[cfg(test)]
mod tests;
