//! The ways in which a repository is broken on purpose.

use super::names;
use super::survivors::open;
use crate::Random;
use crate::fixtures::{self, Unpacked, noise};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tresor_backend::{FileKind, Id};
use tresor_repo::monitor::Silent;

/// One way in which a repository is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say what is done")]
pub enum Damage {
    NoIndex,
    IndexMissing,
    IndexFlipped,
    IndexTruncated,
    IndexEmpty,
    IndexJunk,
    IndexNoJson,
    IndexTwice,
    IndexForeign,
    IndexWrongOffset,
    IndexWrongLength,
    IndexWrongKind,
    IndexEntryMissing,
    PackMissing,
    TreePackMissing,
    PackFlippedBlob,
    TreePackFlipped,
    PackFlippedHeader,
    PackFlippedLength,
    PackTruncated,
    PackHalved,
    PackEmpty,
    PackZeroed,
    PackLonger,
    PackRenamed,
    PackTwice,
    PackJunk,
    PackAlien,
    IndexAlien,
    SnapshotAlien,
    SnapshotMissing,
    SnapshotFlipped,
    SnapshotEmpty,
    SnapshotNoJson,
    SnapshotJunk,
    SnapshotWithoutTree,
    KeyJunk,
    LockJunk,
    LockEmpty,
    JunkNames,
}

use Damage::*;

impl Damage {
    /// Every way.
    pub const ALL: [Damage; 40] = [
        NoIndex,
        IndexMissing,
        IndexFlipped,
        IndexTruncated,
        IndexEmpty,
        IndexJunk,
        IndexNoJson,
        IndexTwice,
        IndexForeign,
        IndexWrongOffset,
        IndexWrongLength,
        IndexWrongKind,
        IndexEntryMissing,
        PackMissing,
        TreePackMissing,
        PackFlippedBlob,
        TreePackFlipped,
        PackFlippedHeader,
        PackFlippedLength,
        PackTruncated,
        PackHalved,
        PackEmpty,
        PackZeroed,
        PackLonger,
        PackRenamed,
        PackTwice,
        PackJunk,
        PackAlien,
        IndexAlien,
        SnapshotAlien,
        SnapshotMissing,
        SnapshotFlipped,
        SnapshotEmpty,
        SnapshotNoJson,
        SnapshotJunk,
        SnapshotWithoutTree,
        KeyJunk,
        LockJunk,
        LockEmpty,
        JunkNames,
    ];

    /// Whether a snapshot that was there is lost by it.
    pub(super) fn is_of_snapshots(self) -> bool {
        matches!(self, SnapshotMissing | SnapshotFlipped | SnapshotEmpty)
    }

    /// Breaks the repository; says what was done. Where there is nothing left to be broken, nothing is done.
    pub(super) fn inflict(self, path: &Path, random: &mut Random) -> String {
        let target = self.target(path, random);
        if let Some(file) = &target {
            self.change_file(file, random);
        }
        match self {
            NoIndex => {
                names(&path.join("index")).iter().for_each(|name| remove(&path.join("index").join(name)))
            }
            IndexJunk | PackJunk | SnapshotJunk | KeyJunk | LockJunk | LockEmpty => {
                self.add_junk(path, random);
            }
            PackAlien => add_alien(path, packs, random),
            IndexAlien => add_alien(path, |path| files(path, "index"), random),
            SnapshotAlien => add_alien(path, |path| files(path, "snapshots"), random),
            IndexNoJson => plant(path, "index", b"{\"packs\":7}"),
            SnapshotNoJson => plant(path, "snapshots", b"{\"time\":7}"),
            SnapshotWithoutTree => plant(path, "snapshots", &snapshot_without_tree()),
            IndexTwice | IndexForeign | IndexWrongOffset | IndexWrongLength | IndexWrongKind
            | IndexEntryMissing => self.change_index(path, random),
            JunkNames => junk_names(path),
            _ => {}
        }
        format!("{self:?} {}", target.map(|file| file.display().to_string()).unwrap_or_default())
    }

    /// The file to be changed, if it is one.
    fn target(self, path: &Path, random: &mut Random) -> Option<PathBuf> {
        let files: Vec<PathBuf> = match self {
            IndexMissing | IndexFlipped | IndexTruncated | IndexEmpty => files(path, "index"),
            TreePackMissing | TreePackFlipped => tree_packs(path),
            PackMissing | PackFlippedBlob | PackFlippedHeader | PackFlippedLength | PackTruncated
            | PackHalved | PackEmpty | PackZeroed | PackLonger | PackRenamed | PackTwice => packs(path),
            SnapshotMissing | SnapshotFlipped | SnapshotEmpty => files(path, "snapshots"),
            _ => Vec::new(),
        };
        (!files.is_empty()).then(|| random.pick(&files).clone())
    }

    fn change_file(self, file: &Path, random: &mut Random) {
        let mut bytes = fs::read(file).expect("the file is there");
        let length = bytes.len() as u64;
        match self {
            IndexMissing | PackMissing | TreePackMissing | SnapshotMissing => return remove(file),
            PackRenamed | PackTwice => {
                let name = Id::from_bytes(random.bytes(32).try_into().expect("these are 32")).hex();
                let folder = file.ancestors().nth(2).expect("a pack lies two folders deep").join(&name[..2]);
                fs::create_dir_all(&folder).expect("a folder can be made");
                fs::write(folder.join(name), &bytes).expect("a file can be written");
                if self == PackRenamed {
                    remove(file);
                }
                return;
            }
            IndexFlipped | SnapshotFlipped => flip(&mut bytes, 0, length, random),
            PackFlippedBlob | TreePackFlipped => flip(&mut bytes, 0, header_start(file), random),
            PackFlippedHeader => flip(&mut bytes, header_start(file), length.saturating_sub(4), random),
            PackFlippedLength => flip(&mut bytes, length.saturating_sub(4), length, random),
            IndexTruncated | PackHalved => bytes.truncate(bytes.len() / 2),
            IndexEmpty | PackEmpty | SnapshotEmpty => bytes.clear(),
            PackTruncated => bytes.truncate(length.saturating_sub(random.within(1..=40)) as usize),
            PackZeroed => bytes.fill(0),
            PackLonger => {
                let more = random.within(1..=300) as usize;
                bytes.extend(random.bytes(more));
            }
            _ => {}
        }
        replace(file, &bytes);
    }

    fn add_junk(self, path: &Path, random: &mut Random) {
        let name = Id::from_bytes(random.bytes(32).try_into().expect("these are 32")).hex();
        let folder = match self {
            IndexJunk => path.join("index"),
            SnapshotJunk => path.join("snapshots"),
            KeyJunk => path.join("keys"),
            LockJunk | LockEmpty => path.join("locks"),
            _ => path.join("data").join(&name[..2]),
        };
        fs::create_dir_all(&folder).expect("a folder can be made");
        let length = if self == LockEmpty { 0 } else { random.within(0..=3000) as usize };
        fs::write(folder.join(name), random.bytes(length)).expect("a file can be written");
    }

    /// Replaces an index file by one that says something else, or adds such a one.
    fn change_index(self, path: &Path, random: &mut Random) {
        let files = files(path, "index");
        if files.is_empty() {
            return;
        }
        let file = random.pick(&files);
        let Some(mut index) = read_index(path, file) else { return };
        match self {
            IndexTwice => {}
            IndexForeign => foreign(&mut index, random),
            _ => {
                let packs = index["packs"].as_array_mut().expect("an index names packs");
                if packs.is_empty() {
                    return;
                }
                let number = random.below(packs.len() as u64) as usize;
                let blobs = packs[number]["blobs"].as_array_mut().expect("a pack has blobs");
                let number = random.below(blobs.len() as u64) as usize;
                let moved = |value: &Value, by| json!(value.as_u64().unwrap_or_default() + by);
                match self {
                    IndexWrongOffset => blobs[number]["offset"] = moved(&blobs[number]["offset"], 5),
                    IndexWrongLength => blobs[number]["length"] = moved(&blobs[number]["length"], 3),
                    IndexWrongKind => {
                        let is_data = blobs[number]["type"] == "data";
                        blobs[number]["type"] = json!(if is_data { "tree" } else { "data" });
                    }
                    _ => drop(blobs.remove(number)),
                }
                remove(file);
            }
        }
        plant(path, "index", index.to_string().as_bytes());
    }
}

/// Adds a whole file of another repository, which nobody here has the key for.
fn add_alien(path: &Path, list: impl Fn(&Path) -> Vec<PathBuf>, random: &mut Random) {
    let config = fs::read(path.join("config")).expect("a repository has a config");
    let others = ["v2-multi", "v2-special"].map(fixtures::unpack);
    let is_other =
        |other: &&Unpacked| fs::read(other.path.join("config")).is_ok_and(|theirs| theirs != config);
    let other = others.iter().find(is_other).expect("one of two repositories is another");
    let file = random.pick(&list(&other.path)).clone();
    let to = path.join(file.strip_prefix(&other.path).expect("it is below its repository"));
    fs::create_dir_all(to.parent().expect("a file lies in a folder")).expect("a folder can be made");
    fs::copy(file, to).expect("a file can be copied");
}

/// Entries of packs that do not exist, among them blobs that do.
fn foreign(index: &mut Value, random: &mut Random) {
    let packs = index["packs"].as_array_mut().expect("an index names packs");
    for pack in packs.iter_mut() {
        pack["id"] = json!(Id::from_bytes(random.bytes(32).try_into().expect("these are 32")).hex());
    }
}

fn read_index(path: &Path, file: &Path) -> Option<Value> {
    let name = file.file_name()?.to_str()?;
    let bytes = open(path).load_file(FileKind::Index, Id::from_hex(name.as_bytes())?).ok()?;
    let index: Value = serde_json::from_slice(&bytes).ok()?;
    index["packs"].is_array().then_some(index)
}

/// Seals `json` and stores it in `folder`, named by its hash.
fn plant(path: &Path, folder: &str, json: &[u8]) {
    // Every file that is no pack is sealed alike.
    let id = open(path).save_snapshot(json).expect("it can be saved").hex();
    let saved = path.join("snapshots").join(&id);
    fs::rename(saved, path.join(folder).join(id)).expect("it can be moved");
}

fn snapshot_without_tree() -> Vec<u8> {
    let tree = "5".repeat(64);
    json!({"time": "2024-01-01T00:00:00Z", "tree": tree, "paths": ["/x"], "hostname": "h"}).to_string().into()
}

/// Files whose names are none of a repository.
fn junk_names(path: &Path) {
    for folder in ["data", "data/00", "index", "snapshots", "keys", "locks", "."] {
        let folder = path.join(folder);
        fs::create_dir_all(&folder).expect("a folder can be made");
        for name in ["junk", ".hidden", "0123456789abcdef", "tmp-1-2"] {
            fs::write(folder.join(name), noise(7, 100)).expect("a file can be written");
        }
    }
}

fn files(path: &Path, folder: &str) -> Vec<PathBuf> {
    let folder = path.join(folder);
    names(&folder).into_iter().map(|name| folder.join(name)).collect()
}

fn packs(path: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(path.join("data")).expect("there is a folder of packs");
    let mut folders: Vec<PathBuf> = listed.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    folders.iter().filter(|folder| folder.is_dir()).flat_map(|folder| files(folder, "")).collect()
}

/// The packs with trees, as far as the index can still say.
fn tree_packs(path: &Path) -> Vec<PathBuf> {
    let Ok(index) = open(path).load_index(&Silent) else { return Vec::new() };
    let file = |id: String| path.join("data").join(&id[..2]).join(id);
    let packs = index.tree_packs().unwrap_or_default();
    packs.iter().map(|pack| file(pack.hex())).filter(|file| file.exists()).collect()
}

/// Where the header of a pack begins; in the middle if nobody can say.
fn header_start(file: &Path) -> u64 {
    let bytes = fs::read(file).expect("the file is there");
    let length = bytes.len() as u64;
    let field = bytes.last_chunk::<4>().map_or(0, |field| u64::from(u32::from_le_bytes(*field)));
    length.checked_sub(4 + field).unwrap_or(length / 2)
}

/// Flips a bit between two places.
fn flip(bytes: &mut [u8], from: u64, to: u64, random: &mut Random) {
    if from < to {
        let at = random.within(from..=to - 1) as usize;
        bytes[at] ^= 1 << random.below(8);
    }
}

fn replace(file: &Path, bytes: &[u8]) {
    remove(file);
    fs::write(file, bytes).expect("a file can be written");
}

fn remove(file: &Path) {
    fs::remove_file(file).expect("a file of a temporary folder can be removed");
}
