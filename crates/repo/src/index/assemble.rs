//! Assemble the index of exactly the listed index files, from kept runs and what those lack.

use crate::crypto::Key;
use crate::error::{Error, Result};
use crate::id::IndexId;
use crate::index::blocks::{self, BlockCache, Home};
use crate::index::gather::Gatherer;
use crate::index::merge::merge;
use crate::index::run::Run;
use crate::index::{Index, Rebuild};
use hashbrown::HashSet;
use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What a killed process left behind is removed when it is so old.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// A run that was built again.
pub(crate) struct Rebuilt(pub(super) Run);

/// An index being assembled.
pub(crate) struct Assembly {
    key: Arc<Key>,
    home: Home,
    cache: Arc<BlockCache>,
    /// Sorted.
    listed: Vec<IndexId>,
    runs: Vec<Run>,
}

impl Assembly {
    /// Begins with the runs that are kept in `folder`, as far as they are of use; those that are not go.
    ///
    /// New ones will be kept there too. `listed` are the index files that there are, sorted.
    ///
    /// # Errors
    /// Those of reading a run that was found good before.
    pub(crate) fn with_kept(folder: &Path, key: Arc<Key>, listed: Vec<IndexId>) -> Result<Assembly> {
        let cache = blocks::cache();
        let kept = kept_runs(folder, &key, &cache);
        let mut runs = choose(kept, &listed);
        runs.iter_mut().try_for_each(|run| run.mask(&listed))?;
        Ok(Assembly { key, home: Home::Kept(folder.to_owned()), cache, listed, runs })
    }

    /// For a run that will be kept in `folder` in the place of a bad one.
    pub(crate) fn to_rebuild(folder: &Path, key: Arc<Key>) -> Assembly {
        let home = Home::Kept(folder.to_owned());
        Assembly { key, home, cache: blocks::cache(), listed: Vec::new(), runs: Vec::new() }
    }

    /// Begins with nothing; what does not fit into memory lies in unlinked files of `folder`.
    pub(crate) fn without_kept(folder: PathBuf, key: Arc<Key>, listed: Vec<IndexId>) -> Assembly {
        Assembly { key, home: Home::Unnamed(folder), cache: blocks::cache(), listed, runs: Vec::new() }
    }

    /// The listed index files of which no run knows, sorted.
    pub(crate) fn missing(&self) -> Vec<IndexId> {
        let known: HashSet<&IndexId> = self.runs.iter().flat_map(Run::sources).collect();
        self.listed.iter().filter(|file| !known.contains(file)).copied().collect()
    }

    /// Takes what these index files say, which are sorted.
    pub(crate) fn gather(&self, files: Vec<IndexId>) -> Gathering {
        Gathering(Gatherer::new(files, Arc::clone(&self.key), self.home.clone()))
    }

    /// The index, once what lacked was gathered.
    ///
    /// # Errors
    /// Those of reading and writing runs.
    pub(crate) fn finish(mut self, gathered: Option<Gathering>) -> Result<Index> {
        if let Some(Gathering(gatherer)) = gathered {
            self.runs.push(gatherer.finish(Arc::clone(&self.cache))?);
        }
        self.runs.sort_by_key(|run| Reverse(run.entries()));
        let mut runs: Vec<Arc<Run>> = self.runs.into_iter().map(Arc::new).collect();
        let several = runs.split_off(worth_merging(&runs));
        if !several.is_empty() {
            let cache = Arc::clone(&self.cache);
            match merge(&several, &self.listed, self.key, self.home.clone(), cache) {
                Ok(merged) => {
                    several.iter().for_each(|run| run.forget());
                    runs.push(Arc::new(merged));
                }
                Err(Error::Local { .. }) => runs.extend(several), // no space, say; they will do
                Err(error) => return Err(error),
            }
        }
        Ok(Index::of_runs(runs, self.listed, self.home.folder().to_owned()))
    }

    /// The one run of what was gathered, in the place of the one at `bad`.
    ///
    /// # Errors
    /// Those of writing it.
    pub(crate) fn rebuild(self, gathered: Gathering, bad: Option<&Path>) -> Result<Rebuilt> {
        let run = gathered.0.finish(self.cache)?;
        bad.into_iter().for_each(remove);
        Ok(Rebuilt(run))
    }
}

/// What index files say, on its way into a run.
pub(crate) struct Gathering(Gatherer);

impl Gathering {
    /// Hears what one of the index files says.
    ///
    /// # Errors
    /// Those of temporary files; too many packs.
    pub(crate) fn add(&mut self, id: IndexId, file: &super::file::IndexFile) -> Result<()> {
        self.0.add(id, file)
    }
}

impl Index {
    /// The same index, whose runs are built again by `rebuild` when they cannot be read.
    pub(crate) fn rebuilt_by(mut self, rebuild: Box<dyn Rebuild>) -> Index {
        self.rebuild = Some(rebuild);
        self
    }
}

/// All sound runs in a folder; others, and what killed processes left there, are removed.
fn kept_runs(folder: &Path, key: &Arc<Key>, cache: &Arc<BlockCache>) -> Vec<Run> {
    let mut runs = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let Some(name) = name.to_str() else { continue };
        if name.starts_with("tmp-") {
            let age = entry.metadata().ok().and_then(|meta| meta.modified().ok()?.elapsed().ok());
            age.filter(|age| *age > STALE).into_iter().for_each(|_| remove(&path));
        } else if let Some(id) = blocks::id_of(name) {
            match Run::open(&path, id, Arc::clone(key), Arc::clone(cache)) {
                Ok(run) => runs.push(run),
                Err(_) => remove(&path), // of another version, cut, damaged: what it said is gathered anew
            }
        }
    }
    runs
}

/// Chooses runs that together know most of the listed files; removes those of no use beside them.
fn choose(mut kept: Vec<Run>, listed: &[IndexId]) -> Vec<Run> {
    let is_listed = |source: &&IndexId| listed.binary_search(source).is_ok();
    kept.sort_by_cached_key(|run| Reverse(run.sources().iter().filter(is_listed).count()));
    let mut known: HashSet<IndexId> = HashSet::new();
    let (chosen, useless): (Vec<Run>, Vec<Run>) = kept.into_iter().partition(|run| {
        let before = known.len();
        known.extend(run.sources().iter().filter(is_listed));
        known.len() > before
    });
    useless.iter().for_each(Run::forget);
    chosen
}

/// From which run on, largest first, all are worth merging into one: each is at least twice as large as all smaller ones
/// together, so that no look-up asks many and no entry is written often; none has much that is masked.
fn worth_merging(runs: &[Arc<Run>]) -> usize {
    let mut smaller = 0;
    let mut from = runs.len();
    for (number, run) in runs.iter().enumerate().rev() {
        let is_small = smaller > 0 && run.entries() < smaller * 2;
        if is_small || run.masked() * 4 > run.packs().len() {
            from = number;
        }
        smaller += run.entries();
    }
    from
}

fn remove(path: &Path) {
    drop(fs::remove_file(path)); // who cannot remove it will find it again
}

impl Run {
    /// Number of rows.
    fn entries(&self) -> u64 {
        crate::blob::BlobKind::ALL.into_iter().map(|kind| self.rows(kind).len()).sum()
    }

    /// Removes its file; whoever has it open goes on reading.
    fn forget(&self) {
        self.path().into_iter().for_each(remove);
    }
}
