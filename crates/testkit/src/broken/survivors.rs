//! Which files of which snapshots of a repository can be read to their last byte.

use super::names;
use crate::fixtures;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use tresor_backend::{FileKind, Full};

use tresor_repo::index::Index;
use tresor_repo::keyfile::{KeyCost, NewKey, Password};
use tresor_repo::monitor::Silent;
use tresor_repo::time::Time;
use tresor_repo::{BlobId, BlobKind, Repository};

/// Opens a repository with the fixtures' password.
pub(super) fn open(path: &Path) -> Repository<Full> {
    fixtures::open(path).expect("the repository is there and has this password")
}

/// Replaces the keys of a repository by one that costs no time, as it is opened a dozen times in a round.
pub(super) fn cheapen(path: &Path) {
    let keys = path.join("keys");
    let dear = names(&keys);
    let new = NewKey {
        username: "u".into(),
        hostname: "h".into(),
        created: Time::utc(0, 0),
        cost: KeyCost::Exact { n: 2, r: 1, p: 1 },
    };
    let password = Password::new(fixtures::PASSWORD.into());
    open(path).add_key(&password, &new).expect("a key can be added");
    dear.iter().for_each(|key| fs::remove_file(keys.join(key)).expect("a key can be removed"));
}

/// The files of a repository: of which snapshot, where, and with which content.
#[derive(Default)]
pub(super) struct Survivors {
    in_snapshots: BTreeSet<String>,
    /// By name and content alone: what `recover` brings back has no snapshot of its own.
    anywhere: BTreeSet<String>,
    /// What `recover` brought back, with its place and without.
    recovered: BTreeSet<(String, String)>,
}

impl Survivors {
    /// Reads everything that can be read.
    pub(super) fn of(path: &Path) -> Survivors {
        let (repository, mut found) = (open(path), Survivors::default());
        let Ok(index) = repository.load_index(&Silent) else { return found };
        let mut reader = Reader { repository: &repository, index: &index, good: HashMap::new() };
        for listed in repository.list(FileKind::Snapshot).expect("a listing can be had") {
            let Ok(bytes) = repository.load_file(FileKind::Snapshot, listed.id) else { continue };
            let Ok(snapshot) = serde_json::from_slice::<Value>(&bytes) else { continue };
            let Some(tree) = id(&snapshot["tree"]) else { continue };
            let recovered = snapshot["paths"][0] == "/recover";
            let name = format!("{} {}", snapshot["time"], snapshot["hostname"]);
            let mut files = Vec::new();
            reader.tree(&tree, "", &mut files);
            for (place, file) in files {
                found.anywhere.insert(file.clone());
                match recovered {
                    true => drop(found.recovered.insert((place, file))),
                    false => drop(found.in_snapshots.insert(format!("{name} {place} {file}"))),
                }
            }
        }
        found
    }

    /// Those that a sound repository had as well.
    pub(super) fn of_those_in(&self, sound: &Survivors) -> BTreeSet<String> {
        let whole = self.in_snapshots.intersection(&sound.in_snapshots).cloned();
        let recovered = self.recovered.iter().filter(|(_, file)| sound.anywhere.contains(file));
        whole.chain(recovered.map(|(place, file)| format!("recovered {place} {file}"))).collect()
    }
}

struct Reader<'a> {
    repository: &'a Repository<Full>,
    index: &'a Index,
    good: HashMap<BlobId, bool>,
}

impl Reader<'_> {
    /// Collects the files below a tree: their folder, and their name, kind and content.
    fn tree(&mut self, tree: &BlobId, folder: &str, files: &mut Vec<(String, String)>) {
        let Ok(bytes) = self.repository.load_blob(self.index, BlobKind::Tree, tree) else { return };
        let Ok(tree) = serde_json::from_slice::<Value>(&bytes) else { return };
        for node in tree["nodes"].as_array().into_iter().flatten() {
            if node["type"] == "dir" {
                let below = format!("{folder}/{}", node["name"]);
                if let Some(subtree) = id(&node["subtree"]) {
                    self.tree(&subtree, &below, files);
                }
                continue;
            }
            let content: Vec<BlobId> =
                node["content"].as_array().into_iter().flatten().filter_map(id).collect();
            if content.iter().all(|blob| self.is_good(blob)) {
                let file = format!("{} {} {}", node["name"], node["type"], node["content"]);
                files.push((folder.to_owned(), file));
            }
        }
    }

    fn is_good(&mut self, blob: &BlobId) -> bool {
        let (repository, index) = (self.repository, self.index);
        let load = || repository.load_blob(index, BlobKind::Data, blob).is_ok();
        *self.good.entry(*blob).or_insert_with(load)
    }
}

fn id(value: &Value) -> Option<BlobId> {
    BlobId::from_hex(value.as_str()?.as_bytes())
}
