//! Check that files, packs and index agree; returns findings.
//!
//! Three questions, each with more work than the one before: [`Repository::check_index`] (is every index
//! file readable, and do they agree?), [`Repository::check_packs`] (is every pack there, as long as it must
//! be?), [`Repository::check_pack_contents`] (is every byte right?). A damaged repository is their normal
//! input: what is wrong is a [`Finding`], and an error means that the check itself could not go on.

mod contents;
mod finding;
mod nonces;
mod pieces;
mod subset;

pub use finding::{Finding, PackFault, Reuse, Severity};
pub use subset::{BadSubset, ReadSubset};

use crate::error::{Error, Result};
use crate::id::PackId;
use crate::index::{Index, RepeatedPack};
use crate::monitor::{Monitor, Phase};
use crate::repository::Repository;
use crate::sealed;
use crate::stored_packs::Known;
use contents::PackReader;
use nonces::{Nonces, Sealed, Seen};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use tresor_backend::handle::Right;
use tresor_backend::{FileKind, FileName};

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
    /// Finds nonces that were used twice as well: among what is read of these packs, and the files beside them.
    ///
    /// Costs one load of every pack. Memory: for each worker a few MiB, or twice its largest blob; 4 MiB for the nonces,
    /// of which a temporary file takes 37 bytes for each blob.
    ///
    /// Packs in an archive are brought back first, all of them.
    ///
    /// # Errors
    /// A pack that does not come back; a temporary file that cannot be written; cancellation.
    pub fn check_pack_contents(
        &self,
        index: &Index,
        packs: &[PackId],
        monitor: &dyn Monitor,
        found: &(dyn Fn(Finding) + Sync),
    ) -> Result<()> {
        self.bring_back(packs, monitor)?;
        let (by_pack, next) = (index.by_pack()?, AtomicUsize::new(0));
        let (failed, nonces) = (Mutex::new(None), Nonces::new(self.options.temporary_folder.clone()));
        monitor.begin(Phase::ReadPacks, Some(packs.len() as u64));
        let fail = |error| {
            next.store(packs.len(), Ordering::Relaxed);
            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        };
        let work = || {
            let mut reader = PackReader::new(self);
            while let Some(&pack) = packs.get(next.fetch_add(1, Ordering::Relaxed)) {
                if self.cancel().is_set() {
                    return;
                }
                let blobs = match by_pack.blobs(&pack) {
                    Ok(blobs) => blobs,
                    Err(error) => return fail(error),
                };
                let entries: Vec<_> = blobs.into_iter().map(|(blob, place)| place.entry(blob)).collect();
                if let Some(finding) = reader.check(pack, &entries) {
                    found(finding);
                }
                if let Err(error) = nonces.note(pack.file(), &mut reader.seen) {
                    return fail(error);
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
            None => self.judge_nonces(nonces, found),
        }
    }

    /// Adds the files that are no packs, and tells which nonces were used twice.
    fn judge_nonces(&self, nonces: Nonces, found: &(dyn Fn(Finding) + Sync)) -> Result<()> {
        let mut files = vec![FileName::CONFIG];
        for kind in [FileKind::Snapshot, FileKind::Index, FileKind::Lock] {
            files.extend(self.list(kind)?.iter().map(|listed| FileName::new(kind, listed.id)));
        }
        let (next, failed) = (AtomicUsize::new(0), OnceLock::new());
        let work = || {
            while let Some(&file) = files.get(next.fetch_add(1, Ordering::Relaxed))
                && failed.get().is_none()
            {
                if let Err(error) = self.note_file(file, &nonces) {
                    let _ = failed.set(error); // the first one counts
                }
            }
        };
        thread::scope(|scope| {
            let threads = self.handle.capabilities().connections.min(files.len());
            (1..threads).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        failed.into_inner().map_or_else(|| nonces.judge(found), Err)
    }

    /// Notes the nonce of a file that is no pack. What cannot be read or opened is another finding's.
    fn note_file(&self, file: FileName, nonces: &Nonces) -> Result<()> {
        if self.cancel().is_set() {
            return Err(Error::Cancelled);
        }
        let Ok(mut stored) = sealed::load_any(&self.handle, file) else { return Ok(()) };
        let mut seen = Seen::default();
        seen.add(&stored, Sealed::File);
        match self.key.open_in_place(&mut stored) {
            Ok(_) => nonces.note(file, &mut seen),
            Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
