//! Load every index file and merge them.

use crate::error::{Error, Result};
use crate::id::IndexId;
use crate::index::Index;
use crate::index::file::{IndexFile, decode};
use crate::index::merge::merge;
use crate::monitor::{Monitor, Phase};
use crate::repository::Repository;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use tresor_backend::handle::Right;
use tresor_backend::{Cancel, FileKind};

impl<R: Right> Repository<R> {
    /// Loads every index file (in parallel) and merges them.
    ///
    /// Whoever wants the blobs of snapshots lists those first: a backup stores its index before its snapshot.
    ///
    /// # Errors
    /// One index file that cannot be loaded and decoded stops it, as it stops restic.
    pub fn load_index(&self, monitor: &dyn Monitor) -> Result<Index> {
        let mut files = Vec::new();
        for (id, file) in self.load_index_files(monitor, true)? {
            files.push((id, file?));
        }
        let index = merge(files).map_err(|bad| Error::Refused(bad.to_string()))?;
        self.tell_cache(&index);
        Ok(index)
    }

    /// Tells the local cache which packs are worth a copy, and which copies are not needed any more.
    pub(crate) fn tell_cache(&self, index: &Index) {
        if let Some(cache) = &self.cache {
            cache.retain_packs(|pack| index.contains_pack(pack));
            index.tree_packs().for_each(|pack| cache.note_tree_pack(pack));
        }
    }

    /// Loads every index file, in the order of their ids; with `stop` no more are begun after the first failure.
    pub(crate) fn load_index_files(
        &self,
        monitor: &dyn Monitor,
        stop: bool,
    ) -> Result<Vec<(IndexId, Result<IndexFile>)>> {
        let ids = self.index_files()?;
        monitor.begin(Phase::Index, Some(ids.len() as u64));
        let (next, loaded) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(ids.len())));
        let work = || {
            while let Some(&id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                let file = self.load_index_file(id);
                if file.is_err() && stop {
                    next.store(ids.len(), Ordering::Relaxed);
                }
                loaded.lock().unwrap_or_else(PoisonError::into_inner).push((id, file));
                monitor.advance(Phase::Index, 1);
            }
        };
        thread::scope(|scope| {
            let threads = self.parallel_loads().min(ids.len());
            (1..threads).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        monitor.end(Phase::Index);
        let mut loaded = loaded.into_inner().unwrap_or_else(PoisonError::into_inner);
        loaded.sort_unstable_by_key(|(id, _)| *id);
        Ok(loaded)
    }

    /// Lists the index files, sorted.
    pub(crate) fn index_files(&self) -> Result<Vec<IndexId>> {
        let listed = self.list(FileKind::Index)?;
        let mut ids: Vec<IndexId> = listed.iter().map(|listed| IndexId::from_id(listed.id)).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// Loads and decodes one index file.
    pub(crate) fn load_index_file(&self, id: IndexId) -> Result<IndexFile> {
        not_cancelled(self.cancel())?;
        let json = self.load_file(FileKind::Index, id.id())?;
        let bad = |cause: serde_json::Error| Error::Format { file: id.file(), what: cause.to_string() };
        decode(&json, self.config.version).map_err(bad)
    }

    /// How many threads that load and open are of use: for every connection one, and for every core.
    pub fn parallel_loads(&self) -> usize {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        self.handle.capabilities().connections.max(cores)
    }
}

fn not_cancelled(cancel: &Cancel) -> Result<()> {
    if cancel.is_set() { Err(Error::Cancelled) } else { Ok(()) }
}
