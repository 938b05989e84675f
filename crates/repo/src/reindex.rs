//! Rewrite the index: without some packs, with others, in few files; then remove the old files.

use crate::error::{Error, Result};
use crate::id::{IndexId, PackId};
use crate::index::Index;
use crate::index::file::{IndexFile, encode};
use crate::index::pending::{MANY_BLOBS, Pending};
use crate::lock::ExclusiveLock;
use crate::monitor::{Monitor, Phase};
use crate::pack::Entry;
use crate::pack::header::MOST_ENTRIES;
use crate::remove::Removed;
use crate::repository::Repository;
use hashbrown::{HashMap, HashSet};
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use tresor_backend::{FileKind, FileName, Full};

/// What the index is to say from now on.
#[derive(Default)]
pub struct Reindex {
    /// Packs that no index file is to name any more.
    pub drop: HashSet<PackId>,
    /// Packs and their blobs to name, in place of whatever is said of these packs now. They must be stored.
    pub add: Vec<(PackId, Vec<Entry>)>,
    /// Index files to remove without a look into them: those that cannot be read, or are not to be believed.
    pub unread: HashSet<IndexId>,
    /// The index files to go through, where they are known; if not, all that there are.
    pub files: Option<Vec<IndexId>>,
}

impl Repository<Full> {
    /// Writes new index files and, once all of them are stored, removes those they replace.
    ///
    /// Index files that are full and name no pack that is dropped stay as they are; all others are merged
    /// into full ones. What several files say of one pack is kept once if they agree, and all of it if not.
    /// A kill at any moment leaves at worst the same said twice: whoever comes next merges it again.
    ///
    /// Progress: [`Phase::Reindex`] for each old file, then [`Phase::RemoveIndex`] for each that goes; `removed`
    /// hears of these, on any thread. Memory: some index files, and 48 bytes for each pack.
    ///
    /// # Errors
    /// An index file cannot be read (and is not `unread`) or saved: nothing was removed then. An old file
    /// cannot be removed: the others are, the new ones are there, and packs must not be removed, as the old
    /// file may name them.
    pub fn reindex(
        &self,
        reindex: Reindex,
        lock: &ExclusiveLock,
        monitor: &dyn Monitor,
        removed: &Removed<'_>,
    ) -> Result<()> {
        let Reindex { drop, add, unread, files } = reindex;
        let mut old = match files {
            Some(known) => known,
            None => self.index_files()?,
        };
        old.sort_unstable();
        let (obsolete, read): (Vec<IndexId>, _) = old.into_iter().partition(|id| unread.contains(id));
        let rewriting = Rewriting::new(self, drop, obsolete);
        rewriting.add(add)?;
        monitor.begin(Phase::Reindex, Some(read.len() as u64));
        rewriting.rewrite(&read, monitor)?;
        monitor.end(Phase::Reindex);
        let obsolete = rewriting.finish()?;
        self.remove_index_files(&obsolete, Phase::RemoveIndex, lock, monitor, removed)
    }

    /// Removes index files, of which `removed` hears; those that cannot be removed do not stop the others.
    ///
    /// # Errors
    /// [`Error::NotRemoved`] names the first of these.
    pub(crate) fn remove_index_files(
        &self,
        obsolete: &[IndexId],
        phase: Phase,
        lock: &ExclusiveLock,
        monitor: &dyn Monitor,
        removed: &Removed<'_>,
    ) -> Result<()> {
        let failed = Mutex::new(None);
        let files: Vec<FileName> = obsolete.iter().map(IndexId::file).collect();
        monitor.begin(phase, Some(files.len() as u64));
        self.remove_files(&files, lock, &|file, ended| {
            monitor.advance(phase, 1);
            if ended.is_err() {
                failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(file);
            }
            removed(file, ended);
        })?;
        monitor.end(phase);
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(file) => Err(Error::NotRemoved { file }),
            None => Ok(()),
        }
    }
}

impl Repository<Full> {
    /// Saves index files that say of the packs that stay what `index` says of them; without a look at other files.
    ///
    /// Progress: [`Phase::SaveIndex`] for each pack.
    pub(crate) fn save_index_of(
        &self,
        index: &Index,
        stays: &dyn Fn(&PackId) -> bool,
        monitor: &dyn Monitor,
    ) -> Result<()> {
        let by_pack = index.by_pack()?;
        let (mut pending, mut staying) = (Pending::default(), 0);
        for pack in index.packs() {
            staying += u64::from(stays(&pack?.0));
        }
        monitor.begin(Phase::SaveIndex, Some(staying));
        for pack in index.packs() {
            let (pack, _) = pack?;
            if !stays(&pack) {
                continue;
            }
            let entries: Vec<Entry> =
                by_pack.blobs(&pack)?.into_iter().map(|(blob, place)| place.entry(blob)).collect();
            if !entries.is_empty()
                && let Some(due) = pending.add(pack, entries, 0)
            {
                self.save_index_file(&due)?;
            }
            monitor.advance(Phase::SaveIndex, 1);
        }
        self.save_index_file(&pending.take())?;
        monitor.end(Phase::SaveIndex);
        Ok(())
    }

    /// Saves an index file, if there is anything to say.
    fn save_index_file(&self, packs: &[(PackId, Vec<Entry>)]) -> Result<()> {
        if packs.is_empty() {
            return Ok(());
        }
        if self.cancel().is_set() {
            return Err(Error::Cancelled);
        }
        let mut json = Vec::new();
        encode(packs, &mut json);
        self.save_file(FileKind::Index, &json).map(drop)
    }
}

/// A rewrite under way, shared by its threads.
struct Rewriting<'a> {
    repository: &'a Repository<Full>,
    state: Mutex<State>,
}

struct State {
    /// Packs not to be named (again), and a hash of what was said of those that are named already.
    said: HashMap<PackId, Option<[u8; 16]>>,
    pending: Pending,
    obsolete: Vec<IndexId>,
}

impl<'a> Rewriting<'a> {
    fn new(repository: &'a Repository<Full>, drop: HashSet<PackId>, obsolete: Vec<IndexId>) -> Self {
        let said = drop.into_iter().map(|pack| (pack, None)).collect();
        let state = Mutex::new(State { said, pending: Pending::default(), obsolete });
        Rewriting { repository, state }
    }

    /// Names packs; from now on, what files say of them is not heard.
    fn add(&self, packs: Vec<(PackId, Vec<Entry>)>) -> Result<()> {
        for (pack, entries) in packs {
            let due = self.with(|state| {
                state.said.insert(pack, None);
                state.pending.add(pack, entries, 0)
            });
            self.repository.save_index_file(&due.unwrap_or_default())?;
        }
        Ok(())
    }

    /// Goes through the old files, several at a time.
    fn rewrite(&self, files: &[IndexId], monitor: &dyn Monitor) -> Result<()> {
        let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
        let work = || {
            while let Some(&id) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(error) = self.repository.load_index_file(id).and_then(|file| self.merge(id, &file))
                {
                    next.store(files.len(), Ordering::Relaxed);
                    failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    return;
                }
                monitor.advance(Phase::Reindex, 1);
            }
        };
        thread::scope(|scope| {
            let threads = self.repository.parallel_loads().min(files.len());
            (1..threads).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    /// Hears what one old file says that is to be said from now on.
    fn merge(&self, id: IndexId, file: &IndexFile) -> Result<()> {
        let said: Vec<(PackId, Vec<Entry>, [u8; 16])> = file
            .packs()
            .enumerate()
            .map(|(number, pack)| (pack, file.entries_of(number)))
            .filter(|(_, entries)| !entries.is_empty())
            .map(|(pack, entries)| (pack, digest(&entries), entries))
            .map(|(pack, digest, entries)| (pack, entries, digest))
            .collect();
        let due = self.with(|state| {
            let named: usize = said.iter().map(|(_, entries, _)| entries.len()).sum();
            let is_full = (MANY_BLOBS..=MANY_BLOBS + MOST_ENTRIES).contains(&named);
            if is_full && said.iter().all(|(pack, ..)| !state.said.contains_key(pack)) {
                state.said.extend(said.iter().map(|(pack, _, digest)| (*pack, Some(*digest))));
                return Vec::new(); // it stays
            }
            state.obsolete.push(id);
            state.take_over(said)
        });
        due.into_iter().try_for_each(|packs| self.repository.save_index_file(&packs))
    }

    /// Saves the last file; answers with the files that are of no use any more.
    fn finish(self) -> Result<Vec<IndexId>> {
        let packs = self.with(|state| state.pending.take());
        self.repository.save_index_file(&packs)?;
        Ok(self.with(|state| std::mem::take(&mut state.obsolete)))
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// Names the packs of a file; answers with what is to be saved now.
    fn take_over(&mut self, said: Vec<(PackId, Vec<Entry>, [u8; 16])>) -> Vec<Vec<(PackId, Vec<Entry>)>> {
        let mut due = Vec::new();
        for (pack, entries, digest) in said {
            match self.said.get(&pack) {
                Some(None) => continue,
                Some(Some(before)) if *before == digest => continue,
                _ => drop(self.said.insert(pack, Some(digest))),
            }
            due.extend(self.pending.add(pack, entries, 0));
        }
        due
    }
}

fn digest(entries: &[Entry]) -> [u8; 16] {
    let mut hasher = Sha256::new();
    for Entry { blob, offset, length, uncompressed_length } in entries {
        hasher.update(blob.id.as_bytes());
        for number in [blob.kind as u32, *offset, *length, *uncompressed_length] {
            hasher.update(number.to_le_bytes());
        }
    }
    *hasher.finalize().first_chunk().expect("a digest is longer")
}

#[cfg(test)]
mod tests;
