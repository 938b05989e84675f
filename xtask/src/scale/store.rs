//! What the server has: a synthetic repository, and what each client stored or removed.

use super::made::Made;
use super::sealed::{hex, parse_hex};
use super::shape;
use crate::Result;
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::iter::Peekable;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The folders that have real files.
const KINDS: [&str; 5] = ["data", "index", "keys", "locks", "snapshots"];

/// A file that is there.
#[derive(Debug, Clone)]
pub(super) enum Stored {
    InFolder { path: PathBuf, length: u64 },
    Index { number: u64, length: u64 },
    Pack { length: u64 },
    Uploaded(Bytes),
}

impl Stored {
    pub(super) fn length(&self) -> u64 {
        match self {
            Stored::InFolder { length, .. } | Stored::Index { length, .. } | Stored::Pack { length } => {
                *length
            }
            Stored::Uploaded(bytes) => bytes.len() as u64,
        }
    }
}

/// A repository for each client, all alike at first.
pub(super) struct Store {
    pub(super) made: Made,
    /// By kind and name; the config has no kind.
    files: BTreeMap<(String, String), Stored>,
    /// What clients changed: `None` where a file was removed.
    changes: Mutex<HashMap<String, Changes>>,
}

type Changes = BTreeMap<(String, String), Option<Bytes>>;

impl Store {
    pub(super) fn new(made: Made) -> Result<Self> {
        let mut files = BTreeMap::new();
        for kind in KINDS {
            for entry in fs::read_dir(made.folder.join(kind)).into_iter().flatten() {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let (path, length) = (entry.path(), entry.metadata()?.len());
                files.insert((kind.to_owned(), name), Stored::InFolder { path, length });
            }
        }
        let path = made.folder.join("config");
        let length = path.metadata()?.len();
        files.insert((String::new(), "config".to_owned()), Stored::InFolder { path, length });
        if !made.keeps_indexes {
            for (number, (name, length)) in (0..).zip(&made.facts.indexes) {
                let index = Stored::Index { number, length: *length };
                files.insert(("index".to_owned(), name.clone()), index);
            }
        }
        Ok(Store { made, files, changes: Mutex::default() })
    }

    pub(super) fn find(&self, client: &str, kind: &str, name: &str) -> Option<Stored> {
        let place = (kind.to_owned(), name.to_owned());
        if let Some(change) = self.changes().get(client).and_then(|changes| changes.get(&place)) {
            return change.clone().map(Stored::Uploaded);
        }
        let pack = || {
            let pack = self.made.names.find(&parse_hex(name).filter(|_| kind == "data")?)?;
            Some(Stored::Pack { length: shape::pack_length(pack) })
        };
        self.files.get(&place).cloned().or_else(pack)
    }

    /// A part of a file; an invented pack is nothing but zeros.
    pub(super) fn read(&self, file: &Stored, range: Range<u64>) -> Result<Bytes> {
        let part = usize::try_from(range.start)?..usize::try_from(range.end)?;
        Ok(match file {
            Stored::InFolder { path, .. } => {
                let mut bytes = vec![0; part.len()];
                File::open(path)?.read_exact_at(&mut bytes, range.start)?;
                bytes.into()
            }
            Stored::Index { number, .. } => Bytes::from(self.made.invent_index(*number)?).slice(part),
            Stored::Pack { .. } => vec![0; part.len()].into(),
            Stored::Uploaded(bytes) => bytes.slice(part),
        })
    }

    /// Stores a file; `false` if there is one of this name.
    pub(super) fn add(&self, client: &str, kind: &str, name: &str, bytes: Bytes) -> bool {
        let is_new = self.find(client, kind, name).is_none();
        if is_new {
            self.change(client, kind, name, Some(bytes));
        }
        is_new
    }

    pub(super) fn remove(&self, client: &str, kind: &str, name: &str) {
        self.change(client, kind, name, None);
    }

    fn change(&self, client: &str, kind: &str, name: &str, to: Option<Bytes>) {
        let place = (kind.to_owned(), name.to_owned());
        self.changes().entry(client.to_owned()).or_default().insert(place, to);
    }

    /// Removes the locks of a client that was killed.
    pub(super) fn unlock(&self, client: &str) {
        if let Some(changes) = self.changes().get_mut(client) {
            changes.retain(|(kind, _), _| kind != "locks");
        }
    }

    /// Names and lengths of all files of a kind, in the order of their names.
    pub(super) fn list(self: &Arc<Self>, client: &str, kind: &str) -> Listing {
        let first = (kind.to_owned(), String::new());
        let files = self.files.range(first..).take_while(|((other, _), _)| other == kind);
        let mut stored: BTreeMap<String, Option<u64>> =
            files.map(|((_, name), file)| (name.clone(), Some(file.length()))).collect();
        if let Some(changes) = self.changes().get(client) {
            let changed = changes.iter().filter(|((other, _), _)| other == kind);
            stored.extend(changed.map(|((_, name), to)| (name.clone(), to.as_ref().map(|b| b.len() as u64))));
        }
        let place = (kind == "data").then_some(0);
        Listing { store: Arc::clone(self), place, stored: stored.into_iter().peekable() }
    }

    fn changes(&self) -> MutexGuard<'_, HashMap<String, Changes>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Walks through names and lengths, real and invented ones.
pub(super) struct Listing {
    store: Arc<Store>,
    /// The next invented pack's, if those belong to it.
    place: Option<u64>,
    /// No length: the file was removed.
    stored: Peekable<std::collections::btree_map::IntoIter<String, Option<u64>>>,
}

impl Iterator for Listing {
    type Item = (String, u64);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let invented = self.place.and_then(|place| self.store.made.names.at(place));
            let Some((pack, id)) = invented else {
                let (name, length) = self.stored.next()?;
                match length {
                    Some(length) => return Some((name, length)),
                    None => continue,
                }
            };
            let name = hex(&id);
            if let Some((stored, length)) = self.stored.next_if(|(stored, _)| *stored <= name) {
                self.place = self.place.map(|place| place + u64::from(stored == name));
                match length {
                    Some(length) => return Some((stored, length)),
                    None => continue,
                }
            }
            self.place = self.place.map(|place| place + 1);
            return Some((name, shape::pack_length(pack)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sealed::name_of;
    use super::super::shape::Shape;
    use super::*;

    #[test]
    fn each_client_has_its_own_changes() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::new(Made::of_blobs(Shape::new(1000, 2), dir.path()).unwrap()).unwrap());
        let before: Vec<_> = store.list("one", "data").collect();
        assert!(before.is_sorted());
        assert_eq!(before.len(), 80 + 1);
        let (gone, _) = &before[40];
        store.remove("one", "data", gone);
        let new = "8".repeat(64);
        assert!(store.add("one", "data", &new, Bytes::from_static(b"pack")));
        assert!(!store.add("one", "data", &new, Bytes::new()));
        let after: Vec<_> = store.list("one", "data").collect();
        assert_eq!(after.len(), before.len());
        assert!(after.contains(&(new, 4)) && !after.iter().any(|(name, _)| name == gone));
        assert_eq!(store.list("other", "data").collect::<Vec<_>>(), before);
        assert!(store.find("one", "data", gone).is_none());
        assert!(
            before
                .iter()
                .all(|(name, length)| store.find("other", "data", name).unwrap().length() == *length)
        );
    }

    #[test]
    fn index_files_that_are_not_kept_are_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let mut made = Made::of_blobs(Shape::new(60_000, 1), dir.path()).unwrap();
        let indexes: Vec<(String, u64)> = made.facts.indexes.clone();
        for (name, _) in &indexes {
            fs::remove_file(made.folder.join("index").join(name)).unwrap();
        }
        made.keeps_indexes = false;
        let store = Arc::new(Store::new(made).unwrap());
        assert_eq!((indexes.len(), store.list("one", "index").count()), (2, 3));
        for (name, length) in indexes {
            let file = store.find("one", "index", &name).unwrap();
            assert_eq!(file.length(), length);
            assert_eq!(hex(&name_of(&store.read(&file, 0..length).unwrap())), name);
        }
    }

    #[test]
    fn locks_of_the_dead_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::new(Made::of_blobs(Shape::new(1, 1), dir.path()).unwrap()).unwrap());
        store.add("one", "locks", &"1".repeat(64), Bytes::from_static(b"lock"));
        assert_eq!(store.list("one", "locks").count(), 1);
        store.unlock("one");
        assert_eq!(store.list("one", "locks").count(), 0);
    }
}
