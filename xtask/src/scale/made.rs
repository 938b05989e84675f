//! A synthetic repository in a folder: what is real of it, and the names of what is invented.

use super::files::Files;
use super::forest;
use super::packs::Writer;
use super::sealed::{Entry, IndexText, Sealer, hex, name_of};
use super::shape::{self, PackNames, Shape, Stream};
use crate::{Result, process};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use tresor_testkit::fixtures::{PASSWORD, empty_repository};
use tresor_testkit::seal::Key;

/// As many index files are kept in the folder, 2.8 MB each; if there are more, all are invented when asked for.
const KEPT: u64 = 1000;
/// Written last, it says that all the rest is there.
const FACTS: &str = "facts.json";
/// Changes with what a repository of the same shape has in it.
const EDITION: u32 = 2;

/// A repository of which a server can tell everything.
pub(super) struct Made {
    pub(super) folder: PathBuf,
    pub(super) facts: Facts,
    pub(super) names: PackNames,
    /// Whether the index files about invented packs lie in the folder.
    pub(super) keeps_indexes: bool,
    key: Key,
}

/// What takes long to find out.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Facts {
    edition: u32,
    pub(super) shape: Shape,
    /// How many files its only snapshot has, and on which device and below which path they seem to lie.
    files: Option<(u64, u64, PathBuf)>,
    /// The id of the snapshot to work with: one of three files, or of all.
    pub(super) snapshot: String,
    /// Names and lengths of the index files about invented packs, in their order.
    pub(super) indexes: Vec<(String, u64)>,
}

impl Made {
    /// The repository of this shape below `dir`, which is made if it is not there.
    pub(super) fn of_blobs(shape: Shape, dir: &Path) -> Result<Self> {
        let folder = dir.join(format!("repository-{}-{}", shape.blobs, shape.snapshots));
        let facts =
            Facts { edition: EDITION, shape, files: None, snapshot: String::new(), indexes: Vec::new() };
        Made::find_or_make(facts, folder, |writer| forest::plant(shape, writer))
    }

    /// The repository below `dir` with one snapshot of the files that lie at `path`, on this device.
    pub(super) fn of_files(files: &Files, device: u64, path: &Path, dir: &Path) -> Result<Self> {
        let folder = dir.join(format!("repository-of-{}-files", files.count));
        let all = Some((files.count, device, path.to_owned()));
        let facts = Facts {
            edition: EDITION,
            shape: Shape::none(),
            files: all,
            snapshot: String::new(),
            indexes: Vec::new(),
        };
        Made::find_or_make(facts, folder, |writer| files.store(device, &path.display().to_string(), writer))
    }

    /// Finds the repository of `wanted` in `folder`, or makes it; `store` stores what is real and names the snapshot.
    fn find_or_make(
        wanted: Facts,
        folder: PathBuf,
        store: impl FnOnce(&mut Writer) -> Result<String>,
    ) -> Result<Self> {
        let keeps_indexes = wanted.shape.index_files() <= KEPT;
        let known = fs::read(folder.join(FACTS)).ok().and_then(|text| serde_json::from_slice(&text).ok());
        if let Some(facts) = known.filter(|known| wanted.are_of_the_same(known)) {
            let (key, names) = (master_key(&folder)?, PackNames::new(wanted.shape));
            return Ok(Made { folder, facts, names, keeps_indexes, key });
        }
        eprintln!("making {}", folder.display());
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let template = empty_repository();
        process::run(Command::new("cp").arg("-a").arg(&template.path).arg(&folder))?;
        fs::remove_dir_all(folder.join("data"))?;
        let key = master_key(&folder)?;
        let mut writer = Writer::new(&folder, Sealer::new(key.clone()))?;
        let snapshot = store(&mut writer)?;
        writer.finish()?;
        let names = PackNames::new(wanted.shape);
        let facts = Facts { snapshot, ..wanted };
        let mut made = Made { folder, facts, names, keeps_indexes, key };
        made.facts.indexes = made.make_indexes()?;
        fs::write(made.folder.join(FACTS), serde_json::to_vec(&made.facts)?)?;
        Ok(made)
    }

    /// Makes every index file of invented packs, to keep them or for their names only.
    fn make_indexes(&self) -> Result<Vec<(String, u64)>> {
        let next = AtomicU64::new(0);
        let count = self.facts.shape.index_files();
        let work = || {
            let mut done = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok(done);
                }
                let file = self.invent_index(number)?;
                let name = hex(&name_of(&file));
                if self.keeps_indexes {
                    fs::write(self.folder.join("index").join(&name), &file)?;
                }
                done.push((number, (name, file.len() as u64)));
            }
        };
        let threads = std::thread::available_parallelism()?.get();
        let parts: Result<Vec<Vec<_>>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let end = |worker: std::thread::ScopedJoinHandle<'_, _>| worker.join().expect("no panic there");
            workers.into_iter().map(end).collect()
        });
        let mut all: Vec<_> = parts?.into_iter().flatten().collect();
        all.sort_unstable_by_key(|(number, _)| *number);
        Ok(all.into_iter().map(|(_, file)| file).collect())
    }

    /// The index file with this number.
    pub(super) fn invent_index(&self, number: u64) -> Result<Vec<u8>> {
        let mut text = IndexText::default();
        for pack in self.facts.shape.packs_of(number) {
            let entry =
                |blob: shape::Blob| Entry { id: blob.id, length: blob.length, plain: Some(blob.plain) };
            text.pack(&self.names.name(pack), "data", shape::blobs_in(pack).map(entry))?;
        }
        Sealer::new(self.key.clone()).file(Stream::IndexNonces, number, &text.take())
    }
}

impl Facts {
    fn are_of_the_same(&self, other: &Facts) -> bool {
        (self.edition, self.shape, &self.files) == (other.edition, other.shape, &other.files)
    }
}

/// The key of the fixture that every such repository is made from.
fn master_key(folder: &Path) -> Result<Key> {
    let file = fs::read_dir(folder.join("keys"))?.next().ok_or("there is no key")??;
    let key = Key::of_file(&fs::read(file.path())?, PASSWORD);
    key.ok_or_else(|| "the password does not open the key".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Names and lengths of everything in a folder, two levels deep.
    fn listing(folder: &Path) -> BTreeMap<PathBuf, u64> {
        let mut files = BTreeMap::new();
        for kind in ["snapshots", "index", "data", "keys"] {
            for entry in fs::read_dir(folder.join(kind)).unwrap() {
                let entry = entry.unwrap();
                let name = Path::new(kind).join(entry.file_name());
                files.insert(name, entry.metadata().unwrap().len());
            }
        }
        files
    }

    #[test]
    fn the_same_repository_is_made_each_time_and_found_again() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let shape = Shape::new(1000, 20);
        let first = Made::of_blobs(shape, one.path()).unwrap();
        let again = Made::of_blobs(shape, other.path()).unwrap();
        assert_eq!(first.facts, again.facts);
        assert_eq!(listing(&first.folder), listing(&again.folder));
        let found = Made::of_blobs(shape, one.path()).unwrap();
        assert_eq!(found.facts, first.facts);
        let kept = fs::read(first.folder.join("index").join(&first.facts.indexes[0].0)).unwrap();
        assert_eq!(found.invent_index(0).unwrap(), kept);
    }
}
