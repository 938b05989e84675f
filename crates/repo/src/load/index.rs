//! Load the index: the runs in the local cache, and the index files of which they do not know.

use crate::error::{Error, Result};
use crate::id::IndexId;
use crate::index::assemble::{Assembly, Gathering, Rebuilt};
use crate::index::file::{IndexFile, decode};
use crate::index::{Index, Rebuild};
use crate::monitor::{Monitor, Phase, Silent, tell_useless};
use crate::repository::{Repository, Turn};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use tresor_backend::handle::{Read, Right};
use tresor_backend::{Cancel, ErrorKind, FileKind};

impl<R: Right> Repository<R> {
    /// The index of exactly the index files that are listed now.
    ///
    /// What runs in the local cache know is not loaded again; all else is, in parallel, and kept there as a run.
    /// Whoever wants the blobs of snapshots lists those first: a backup stores its index before its snapshot.
    ///
    /// Index files that are damaged or none are told to the monitor as problems and left out: whoever may append can
    /// plant such, and must not stop reading and adding by it. By what is left nothing may be removed: see
    /// [`load_whole_index`](Self::load_whole_index).
    ///
    /// Memory: for every core an index file, and 30 MiB of rows that wait to be sorted.
    ///
    /// # Errors
    /// An index file that is there and cannot be had just now; those of the listing and of local files.
    pub fn load_index(&self, monitor: &dyn Monitor) -> Result<Index> {
        self.load(Strictness::Tolerant, monitor)
    }

    /// The same for whoever removes, or says what is lost.
    ///
    /// # Errors
    /// One index file that cannot be loaded and decoded stops it, as it stops restic.
    pub fn load_whole_index(&self, monitor: &dyn Monitor) -> Result<Index> {
        self.load(Strictness::Strict, monitor)
    }

    fn load(&self, strictness: Strictness, monitor: &dyn Monitor) -> Result<Index> {
        let listed = self.index_files()?;
        let assembled = |kept: Option<&Path>, listed| self.assembled(kept, listed, strictness, monitor);
        let index = match self.local_folder() {
            None => assembled(None, listed),
            Some(folder) => match assembled(Some(&folder), listed.clone()) {
                Err(Error::Local { .. }) => assembled(None, listed), // the cache is full, say
                Ok(index) => {
                    self.cache.iter().for_each(|cache| cache.drop_index_files());
                    Ok(index)
                }
                Err(error) => Err(error),
            },
        }?;
        self.tell_cache(&index);
        Ok(index)
    }

    /// The index of those index files that can be read, all of them loaded now; and the others, sorted.
    ///
    /// # Errors
    /// Those of the listing and of temporary files; cancellation.
    pub fn load_readable_index(&self, monitor: &dyn Monitor) -> Result<(Index, Vec<(IndexId, Error)>)> {
        let listed = self.index_files()?;
        let assembly = self.without_kept(listed.clone())?;
        let hearing =
            Hearing { unreadable: Some(Vec::new()), ..Hearing::of(assembly.gather(listed.clone())) };
        monitor.begin(Phase::Index, Some(listed.len() as u64));
        let heard = self.hear(hearing, &listed, monitor);
        monitor.end(Phase::Index);
        let (gathering, mut unreadable) = heard?;
        unreadable.sort_unstable_by_key(|(id, _)| *id);
        let index = assembly.finish(Some(gathering))?;
        Ok((index.without_files(|id| names(&unreadable, id)), unreadable))
    }

    fn without_kept(&self, listed: Vec<IndexId>) -> Result<Assembly> {
        let folder = self.options.temporary_folder.clone();
        Ok(Assembly::without_kept(folder, Arc::new(self.index_key()?), listed))
    }

    fn assembled(
        &self,
        kept: Option<&Path>,
        listed: Vec<IndexId>,
        strictness: Strictness,
        monitor: &dyn Monitor,
    ) -> Result<Index> {
        let all = listed.len();
        let assembly = match kept {
            Some(folder) => Assembly::with_kept(folder, Arc::new(self.index_key()?), listed)?,
            None => self.without_kept(listed)?,
        };
        monitor.begin(Phase::Index, Some(all as u64));
        let missing = assembly.missing();
        monitor.advance(Phase::Index, (all - missing.len()) as u64);
        let gathered = match strictness {
            _ if missing.is_empty() => Ok((None, Vec::new())),
            Strictness::Strict => {
                let gathered = self.gather(assembly.gather(missing.clone()), &missing, monitor);
                gathered.map(|gathering| (Some(gathering), Vec::new()))
            }
            Strictness::Tolerant => self.gather_readable(&assembly, missing, monitor),
        };
        monitor.end(Phase::Index);
        let (gathering, unreadable) = gathered?;
        let rebuild = Rebuilder { repository: self.read() };
        let index = assembly.finish(gathering)?.rebuilt_by(Box::new(rebuild));
        let index = index.without_files(|id| names(&unreadable, id));
        let useless = unreadable.into_iter().map(|(id, cause)| (id.file(), cause)).collect();
        tell_useless(monitor, "index files", useless, 0);
        Ok(index)
    }

    /// Gathers those of the index files that can be read, and only these are sources of what is kept: the others are
    /// looked at again each time. Answers with them.
    fn gather_readable(
        &self,
        assembly: &Assembly,
        mut files: Vec<IndexId>,
        monitor: &dyn Monitor,
    ) -> Result<(Option<Gathering>, Unreadable)> {
        let mut unreadable = Unreadable::new();
        while !files.is_empty() {
            let tolerant =
                Hearing { unreadable: Some(Vec::new()), ..Hearing::of(assembly.gather(files.clone())) };
            let (gathering, mut bad) = self.hear(tolerant, &files, monitor)?;
            if let Some(number) = bad.iter().position(|(_, error)| !is_the_files_fault(error)) {
                return Err(bad.swap_remove(number).1);
            }
            if bad.is_empty() {
                return Ok((Some(gathering), unreadable));
            }
            bad.sort_unstable_by_key(|(id, _)| *id);
            files.retain(|id| !names(&bad, id));
            unreadable.append(&mut bad);
            unreadable.sort_unstable_by_key(|(id, _)| *id);
        }
        Ok((None, unreadable))
    }

    /// Loads these index files into a gathering; no more are begun after the first failure.
    fn gather(&self, gathering: Gathering, files: &[IndexId], monitor: &dyn Monitor) -> Result<Gathering> {
        Ok(self.hear(Hearing::of(gathering), files, monitor)?.0)
    }

    /// Loads these index files as long as there is no failure; answers with those that could not be read, too.
    fn hear(
        &self,
        hearing: Hearing,
        files: &[IndexId],
        monitor: &dyn Monitor,
    ) -> Result<(Gathering, Vec<(IndexId, Error)>)> {
        let hearing = Mutex::new(hearing);
        self.each_index_file(files, &|id, file| {
            let goes_on = hearing.lock().unwrap_or_else(PoisonError::into_inner).take(id, file);
            monitor.advance(Phase::Index, 1);
            goes_on
        });
        let Hearing { gathering, unreadable, failed } =
            hearing.into_inner().unwrap_or_else(PoisonError::into_inner);
        failed.map_or(Ok((gathering, unreadable.unwrap_or_default())), Err)
    }

    /// Loads these index files in parallel and hands each to `each`, which says whether more are to be begun.
    pub(crate) fn each_index_file(
        &self,
        files: &[IndexId],
        each: &(dyn Fn(IndexId, Result<IndexFile>) -> bool + Sync),
    ) {
        let (next, cores) = (AtomicUsize::new(0), thread::available_parallelism().map_or(1, usize::from));
        // What waits to be opened is small beside what comes out of it.
        let gates: Vec<Mutex<()>> = std::iter::repeat_with(Mutex::default).take(cores).collect();
        let work = |gate: &Mutex<()>| {
            while let Some(&id) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                if !self.through(gate, id, each) {
                    next.store(files.len(), Ordering::Relaxed);
                }
            }
        };
        thread::scope(|scope| {
            let threads = self.parallel_loads().min(files.len());
            (1..threads).for_each(|number| {
                drop(scope.spawn({
                    let (work, gate) = (&work, &gates[number % cores]);
                    move || work(gate)
                }))
            });
            work(&gates[0]);
        });
    }

    /// Loads an index file, and decodes it when `gate` is free.
    fn through(
        &self,
        gate: &Mutex<()>,
        id: IndexId,
        each: &(dyn Fn(IndexId, Result<IndexFile>) -> bool + Sync),
    ) -> bool {
        let (stored, turn) = match not_cancelled(self.cancel()).and_then(|()| self.load_in_turn(id.file())) {
            Ok(loaded) => loaded,
            Err(error) => return each(id, Err(error)),
        };
        // Who has a turn has no gate: others may wait for the one with the other in their hands.
        let _gate = turn.is_none().then(|| gate.lock().unwrap_or_else(PoisonError::into_inner));
        match self.decode_index_file(id, stored, turn) {
            Ok((file, _turn)) => each(id, Ok(file)),
            Err(error) => each(id, Err(error)),
        }
    }

    /// Tells the local cache which copies of packs are not needed any more.
    pub(crate) fn tell_cache(&self, index: &Index) {
        if let Some(cache) = &self.cache {
            cache.retain_packs(|pack| index.contains_pack(pack).unwrap_or(true));
        }
    }

    /// Lists the index files, sorted.
    pub(crate) fn index_files(&self) -> Result<Vec<IndexId>> {
        let listed = self.list(FileKind::Index)?;
        let mut ids: Vec<IndexId> = listed.iter().map(|listed| IndexId::from_id(listed.id)).collect();
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// Loads and decodes one index file.
    pub(crate) fn load_index_file(&self, id: IndexId) -> Result<IndexFile> {
        not_cancelled(self.cancel())?;
        let (stored, turn) = self.load_in_turn(id.file())?;
        self.decode_index_file(id, stored, turn).map(|(file, _)| file)
    }

    fn decode_index_file<'a>(
        &'a self,
        id: IndexId,
        stored: Vec<u8>,
        turn: Option<Turn<'a>>,
    ) -> Result<(IndexFile, Option<Turn<'a>>)> {
        let (json, turn) = self.open_in_turn(id.file(), stored, turn)?;
        let bad = |cause: serde_json::Error| Error::Format { file: id.file(), what: cause.to_string() };
        Ok((decode(&json, self.config.version).map_err(bad)?, turn))
    }

    /// How many threads that load and open are of use: for every connection one, and for every core.
    pub fn parallel_loads(&self) -> usize {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        self.handle.capabilities().connections.max(cores)
    }
}

/// Index files that cannot be read, and why.
type Unreadable = Vec<(IndexId, Error)>;

/// Whether a file is among these, which are sorted by name: there are as many as somebody likes to plant.
fn names(unreadable: &[(IndexId, Error)], id: &IndexId) -> bool {
    unreadable.binary_search_by_key(id, |(id, _)| *id).is_ok()
}

/// What an index file means that is damaged or none.
#[derive(Clone, Copy)]
enum Strictness {
    /// It is told and left out.
    Tolerant,
    /// It stops everything.
    Strict,
}

/// Whether the file is wrong for good. One that is gone meanwhile is not: what it said is in another file.
fn is_the_files_fault(error: &Error) -> bool {
    match error {
        Error::Backend(error) => error.kind() == ErrorKind::WrongSize,
        error => matches!(error, Error::Damaged { .. } | Error::Format { .. }),
    }
}

/// A gathering, and what went wrong on the way to it.
struct Hearing {
    gathering: Gathering,
    /// Files that cannot be read, where they do not stop everything.
    unreadable: Option<Vec<(IndexId, Error)>>,
    failed: Option<Error>,
}

impl Hearing {
    /// One that any file that cannot be read stops.
    fn of(gathering: Gathering) -> Self {
        Hearing { gathering, unreadable: None, failed: None }
    }

    /// Takes a file, unless there was a failure before; whether there was none.
    fn take(&mut self, id: IndexId, file: Result<IndexFile>) -> bool {
        if self.failed.is_none() {
            self.failed = match (file, &mut self.unreadable) {
                (Ok(file), _) => self.gathering.add(id, &file).err(),
                (Err(error), Some(unreadable)) if !matches!(error, Error::Cancelled) => {
                    unreadable.push((id, error));
                    None
                }
                (Err(error), _) => Some(error),
            };
        }
        self.failed.is_none()
    }
}

/// Builds runs of an index again from the repository's index files.
struct Rebuilder {
    repository: Repository<Read>,
}

impl Rebuild for Rebuilder {
    fn rebuild(&self, sources: &[IndexId], bad: Option<&Path>) -> Result<Rebuilt> {
        let assembly = match bad.and_then(Path::parent) {
            Some(folder) => Assembly::to_rebuild(folder, Arc::new(self.repository.index_key()?)),
            None => self.repository.without_kept(Vec::new())?,
        };
        let gathered = self.repository.gather(assembly.gather(sources.to_vec()), sources, &Silent)?;
        assembly.rebuild(gathered, bad)
    }
}

fn not_cancelled(cancel: &Cancel) -> Result<()> {
    if cancel.is_set() { Err(Error::Cancelled) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Key;
    use crate::testing::index_file;

    #[test]
    fn a_failure_is_not_forgotten_for_the_file_after_it() {
        let ids = [1, 2, 3].map(|number| IndexId::from_bytes([number; 32]));
        let key = Arc::new(Key::random().unwrap());
        let assembly = Assembly::without_kept(std::env::temp_dir(), key, ids.to_vec());
        let hearing =
            || Hearing { unreadable: Some(Vec::new()), ..Hearing::of(assembly.gather(ids.to_vec())) };
        let broken = || Err(Error::Refused("it cannot be read".into()));
        let mut cancelled = hearing();
        assert!(cancelled.take(ids[0], broken()));
        assert!(!cancelled.take(ids[1], Err(Error::Cancelled)));
        assert!(!cancelled.take(ids[2], Ok(index_file(&[]))), "another thread was at work on it");
        assert!(matches!(cancelled.failed, Some(Error::Cancelled)));
        assert_eq!(cancelled.unreadable.map(|files| files.len()), Some(1));
        let mut strict = Hearing { unreadable: None, ..hearing() };
        assert!(!strict.take(ids[0], broken()) && !strict.take(ids[1], Ok(index_file(&[]))));
    }
}
