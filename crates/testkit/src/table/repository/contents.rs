//! All files of a repository, opened, verified and decoded into memory.

use crate::seal::Key;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// More than any blob of a scene decompresses to.
const LARGEST: usize = 64 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Data,
    Tree,
}

/// What a blob is called.
pub(super) type Handle = (Kind, String);

#[derive(Debug, Default)]
pub(super) struct Blob {
    pub(super) packs: Vec<String>,
    pub(super) compressed: bool,
    pub(super) indexed: bool,
}

/// Everything that was found.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) version: u64,
    /// The modes that folders and files have, each once.
    pub(super) modes: Vec<String>,
    pub(super) keys: BTreeSet<String>,
    pub(super) key_owners: Vec<String>,
    pub(super) locks: BTreeSet<String>,
    pub(super) lock_kinds: Vec<String>,
    pub(super) snapshots: BTreeMap<String, Value>,
    pub(super) indexes: BTreeSet<String>,
    pub(super) packs: BTreeSet<String>,
    pub(super) blobs: BTreeMap<Handle, Blob>,
    pub(super) trees: BTreeMap<String, Value>,
    /// What does not fit, in words.
    pub(super) problems: Vec<String>,
}

impl Contents {
    pub(super) fn read(path: &Path, passwords: &[&str]) -> Self {
        let mut contents = Contents { modes: modes(path), ..Contents::default() };
        let keys = files(&path.join("keys"));
        let Some(master) = contents.open(&keys, passwords) else {
            contents.problems.push("no password opens it".into());
            return contents;
        };
        let config = fs::read(path.join("config")).ok().and_then(|sealed| master.open(&sealed));
        let config: Value = serde_json::from_slice(&config.unwrap_or_default()).unwrap_or_default();
        contents.version = config["version"].as_u64().unwrap_or_default();
        contents.read_snapshots_and_locks(path, &master);
        let located = contents.read_packs(path, &master);
        contents.read_indexes(path, &master, &located);
        contents.problems.sort();
        contents
    }

    /// Notes the owners of the keys; the master key, by the cheapest key file that a password opens.
    fn open(&mut self, keys: &BTreeMap<String, Vec<u8>>, passwords: &[&str]) -> Option<Key> {
        let mut candidates = Vec::new();
        for (id, text) in keys {
            self.keys.insert(id.clone());
            let file: Value = serde_json::from_slice(text).unwrap_or_default();
            let word = |name: &str| file[name].as_str().unwrap_or("?").to_owned();
            self.key_owners.push(format!("{}@{}", word("username"), word("hostname")));
            let costs = ["N", "r", "p"].map(|name| file[name].as_u64().unwrap_or(u64::MAX));
            candidates.push((costs.iter().fold(1u64, |all, cost| all.saturating_mul(*cost)), text));
        }
        self.key_owners.sort();
        candidates.sort();
        candidates
            .iter()
            .find_map(|(_, text)| passwords.iter().find_map(|password| Key::of_file(text, password)))
    }

    fn read_snapshots_and_locks(&mut self, path: &Path, master: &Key) {
        for (id, sealed) in files(&path.join("snapshots")) {
            match decode(master, &id, &sealed) {
                Ok(snapshot) => drop(self.snapshots.insert(id, snapshot)),
                Err(what) => self.problems.push(format!("snapshot {id} {what}")),
            }
        }
        for (id, sealed) in files(&path.join("locks")) {
            let lock = decode(master, &id, &sealed).unwrap_or_default();
            let is_exclusive = lock["exclusive"].as_bool() == Some(true);
            self.lock_kinds.push(if is_exclusive { "exclusive" } else { "shared" }.into());
            self.locks.insert(id);
        }
    }

    /// Reads every pack; the answer tells where each blob lies, as an index has to say it.
    fn read_packs(&mut self, path: &Path, master: &Key) -> BTreeMap<String, BTreeSet<Place>> {
        let mut located = BTreeMap::new();
        let folders = fs::read_dir(path.join("data")).into_iter().flatten().flatten();
        let packs: BTreeMap<String, Vec<u8>> = folders.flat_map(|folder| files(&folder.path())).collect();
        for (id, pack) in packs {
            if hex(&pack) != id {
                self.problems.push(format!("pack {id} is not what its name says"));
            }
            match header(master, &pack) {
                None => self.problems.push(format!("pack {id} has no header that can be read")),
                Some(entries) => {
                    let places = entries.iter().map(|entry| self.read_blob(master, &id, &pack, entry));
                    located.insert(id.clone(), places.collect());
                }
            }
            self.packs.insert(id);
        }
        located
    }

    fn read_blob(&mut self, master: &Key, pack_id: &str, pack: &[u8], entry: &Entry) -> Place {
        let sealed = &pack[entry.offset..entry.offset + entry.length];
        let plain = master.open(sealed).and_then(|bytes| match entry.uncompressed {
            Some(_) => decompress(&bytes),
            None => Some(bytes),
        });
        match plain.filter(|bytes| hex(bytes) == entry.id) {
            None => self.problems.push(format!("blob {} in pack {pack_id} is damaged", entry.id)),
            Some(plain) => {
                if entry.kind == Kind::Tree {
                    let tree = serde_json::from_slice(&plain).unwrap_or_default();
                    self.trees.insert(entry.id.clone(), tree);
                }
                let blob = self.blobs.entry((entry.kind, entry.id.clone())).or_default();
                blob.packs.push(pack_id.to_owned());
                blob.compressed |= entry.uncompressed.is_some();
            }
        }
        entry.place()
    }

    fn read_indexes(&mut self, path: &Path, master: &Key, located: &BTreeMap<String, BTreeSet<Place>>) {
        let mut listed = BTreeSet::new();
        for (id, sealed) in files(&path.join("index")) {
            self.indexes.insert(id.clone());
            let index = match decode(master, &id, &sealed) {
                Ok(index) => index,
                Err(what) => {
                    self.problems.push(format!("index {id} {what}"));
                    continue;
                }
            };
            for pack in index["packs"].as_array().into_iter().flatten() {
                let name = pack["id"].as_str().unwrap_or_default().to_owned();
                let blobs = pack["blobs"].as_array().cloned().unwrap_or_default();
                self.note_indexed(&name, &blobs, located.get(&name));
                listed.insert(name);
            }
        }
        for pack in self.packs.difference(&listed) {
            self.problems.push(format!("pack {pack} is in no index"));
        }
    }

    fn note_indexed(&mut self, pack: &str, blobs: &[Value], located: Option<&BTreeSet<Place>>) {
        for blob in blobs {
            let kind = if blob["type"] == "tree" { Kind::Tree } else { Kind::Data };
            let id = blob["id"].as_str().unwrap_or_default().to_owned();
            if let Some(blob) = self.blobs.get_mut(&(kind, id)) {
                blob.indexed = true;
            }
        }
        match located {
            None => self.problems.push(format!("pack {pack} is in an index and cannot be read")),
            Some(located) if blobs.iter().any(|blob| !located.contains(&place(blob))) => {
                self.problems.push(format!("pack {pack} has other blobs than its index says"));
            }
            Some(_) => {}
        }
    }

    /// Every blob that a snapshot needs, there or not.
    pub(super) fn used(&self) -> BTreeSet<Handle> {
        let mut used = BTreeSet::new();
        let roots = self.snapshots.values().filter_map(|snapshot| snapshot["tree"].as_str());
        let mut waiting: Vec<String> = roots.map(str::to_owned).collect();
        while let Some(id) = waiting.pop() {
            let nodes = self.trees.get(&id).and_then(|tree| tree["nodes"].as_array());
            if !used.insert((Kind::Tree, id.clone())) {
                continue;
            }
            for node in nodes.into_iter().flatten() {
                waiting.extend(node["subtree"].as_str().map(str::to_owned));
                let content = node["content"].as_array().into_iter().flatten().filter_map(Value::as_str);
                used.extend(content.map(|id| (Kind::Data, id.to_owned())));
            }
        }
        used
    }

    /// All ids.
    pub(super) fn ids(&self) -> BTreeSet<String> {
        let files = self.keys.iter().chain(&self.locks).chain(&self.indexes).chain(&self.packs);
        let blobs = self.blobs.keys().map(|(_, id)| id);
        files.chain(self.snapshots.keys()).chain(blobs).cloned().collect()
    }
}

struct Entry {
    kind: Kind,
    id: String,
    offset: usize,
    length: usize,
    uncompressed: Option<u32>,
}

impl Entry {
    fn place(&self) -> Place {
        let whole = self.uncompressed.map_or(0, u64::from);
        (self.kind, self.id.clone(), [self.offset as u64, self.length as u64, whole])
    }
}

/// A blob, its offset in a pack, its length, and its length uncompressed if it is compressed.
type Place = (Kind, String, [u64; 3]);

/// The place that an index gives a blob.
fn place(blob: &Value) -> Place {
    let kind = if blob["type"] == "tree" { Kind::Tree } else { Kind::Data };
    let numbers = ["offset", "length", "uncompressed_length"];
    let id = blob["id"].as_str().unwrap_or_default().to_owned();
    (kind, id, numbers.map(|name| blob[name].as_u64().unwrap_or_default()))
}

/// The entries in a pack's header; none if it has no header that fits.
fn header(master: &Key, pack: &[u8]) -> Option<Vec<Entry>> {
    let (rest, length) = pack.split_last_chunk::<4>()?;
    let start = rest.len().checked_sub(u32::from_le_bytes(*length) as usize)?;
    let plain = master.open(&rest[start..])?;
    let (mut bytes, mut offset, mut entries) = (plain.as_slice(), 0, Vec::new());
    while let Some((&form, after)) = bytes.split_first() {
        let (&length, mut after) = after.split_first_chunk::<4>()?;
        let mut uncompressed = None;
        if form >= 2 {
            let (&whole, later) = after.split_first_chunk::<4>()?;
            (uncompressed, after) = (Some(u32::from_le_bytes(whole)), later);
        }
        let (id, after) = after.split_first_chunk::<32>()?;
        let (length, id) = (u32::from_le_bytes(length) as usize, hex_digits(id));
        let kind = if form % 2 == 1 { Kind::Tree } else { Kind::Data };
        entries.push(Entry { kind, id, offset, length, uncompressed });
        offset = offset.checked_add(length).filter(|end| *end <= start)?;
        bytes = after;
    }
    (offset == start).then_some(entries)
}

/// The JSON in a sealed file, compressed or not.
fn decode(master: &Key, id: &str, sealed: &[u8]) -> Result<Value, &'static str> {
    if hex(sealed) != id {
        return Err("is not what its name says");
    }
    let plain = master.open(sealed).ok_or("is damaged")?;
    let text = match plain.split_first() {
        Some((2, frame)) => decompress(frame).ok_or("cannot be decompressed")?,
        _ => plain,
    };
    serde_json::from_slice(&text).map_err(|_| "is no JSON")
}

fn decompress(frame: &[u8]) -> Option<Vec<u8>> {
    let mut capacity = 64 << 10;
    while capacity <= LARGEST {
        let mut plain = vec![0; capacity];
        if let Ok(length) = zstd_safe::decompress(plain.as_mut_slice(), frame) {
            plain.truncate(length);
            return Some(plain);
        }
        capacity *= 8;
    }
    None
}

/// The files directly in a folder that have an id for a name.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())));
    let ids = named.filter(|(name, _)| name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit()));
    ids.filter_map(|(name, path)| Some((name, fs::read(path).ok()?))).collect()
}

fn modes(root: &Path) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(path) = waiting.pop() {
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let kind = if metadata.is_dir() { "d" } else { "-" };
        found.insert(format!("{kind}{:o}", metadata.permissions().mode() & 0o7777));
        if metadata.is_dir() {
            waiting.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
    }
    found.into_iter().collect()
}

fn hex(bytes: &[u8]) -> String {
    hex_digits(&Sha256::digest(bytes))
}

fn hex_digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
