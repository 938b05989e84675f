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
use crate::id::PackId;
use crate::index::{Index, RepeatedPack};
use crate::monitor::{Monitor, Phase};
use crate::repository::Repository;
use crate::stored_packs::Known;
use contents::PackReader;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use tresor_backend::handle::Right;

impl<R: Right> Repository<R> {
    /// Loads every index file and merges those that can be read.
    ///
    /// Finds unreadable index files, packs that several of them name, and packs of both kinds of blobs.
    ///
    /// # Errors
    /// Those of the listing; cancellation.
    pub fn check_index(&self, monitor: &dyn Monitor) -> Result<(Index, Vec<Finding>)> {
        let (index, unreadable) = self.load_readable_index(monitor)?;
        let unreadable = unreadable.into_iter();
        let mut findings: Vec<Finding> =
            unreadable.map(|(index, cause)| Finding::IndexUnreadable { index, cause }).collect();
        self.tell_cache(&index);
        for repeated in index.repeated_packs()? {
            let RepeatedPack { pack, files, agree } = repeated;
            findings.push(Finding::PackInSeveralIndexes { pack, indexes: files, agree });
        }
        for pack in index.pack_totals()?.iter() {
            let (pack, totals) = pack?;
            findings.extend(totals.is_mixed().then_some(Finding::MixedPack { pack }));
        }
        Ok((index, findings))
    }

    /// Compares the packs that are stored with those that the index names.
    ///
    /// # Errors
    /// Those of the listing.
    pub fn check_packs(&self, index: &Index, monitor: &dyn Monitor) -> Result<Vec<Finding>> {
        let (totals, stored) = (index.pack_totals()?, self.stored_packs()?);
        let (mut findings, mut unindexed) = (Vec::new(), Vec::new());
        monitor.begin(Phase::Packs, Some(index.pack_count()?));
        for known in stored.beside(index)? {
            let Known { pack, size, slot } = known?;
            let Some(slot) = slot else {
                unindexed.push(Finding::PackUnindexed { pack });
                continue;
            };
            let expected = totals.of(slot).size;
            findings.extend(match size {
                None => Some(Finding::PackMissing { pack }),
                Some(got) if got == expected => None,
                Some(got) => Some(Finding::PackSize { pack, got, expected }),
            });
            monitor.advance(Phase::Packs, 1);
        }
        monitor.end(Phase::Packs);
        findings.append(&mut unindexed);
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
        let (by_pack, next) = (index.by_pack()?, AtomicUsize::new(0));
        let failed = Mutex::new(None);
        monitor.begin(Phase::ReadPacks, Some(packs.len() as u64));
        let work = || {
            let mut reader = PackReader::new(self);
            while let Some(&pack) = packs.get(next.fetch_add(1, Ordering::Relaxed)) {
                if self.cancel().is_set() {
                    return;
                }
                let blobs = match by_pack.blobs(&pack) {
                    Ok(blobs) => blobs,
                    Err(error) => {
                        next.store(packs.len(), Ordering::Relaxed);
                        failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                        return;
                    }
                };
                let entries: Vec<_> = blobs.into_iter().map(|(blob, place)| place.entry(blob)).collect();
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
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None if self.cancel().is_set() => Err(Error::Cancelled),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
