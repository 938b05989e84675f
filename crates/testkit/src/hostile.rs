//! What an attacker plants in a repository: junk, bombs and lies, with its key and without.

mod frame;
mod packs;

pub use frame::{Part, bomb, frame, packed};
pub use packs::{Blob, Kind};

use crate::Random;
use crate::fixtures::{self, PASSWORD};
use crate::seal::Key;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// Where something is planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the format")]
pub enum Place {
    Index,
    Snapshot,
    Key,
    Lock,
    Pack,
    /// Under names that no repository has.
    Unknown,
}

impl Place {
    /// Every place.
    pub const ALL: [Place; 6] =
        [Place::Index, Place::Snapshot, Place::Key, Place::Lock, Place::Pack, Place::Unknown];

    fn folder(self) -> &'static str {
        match self {
            Place::Index => "index",
            Place::Snapshot => "snapshots",
            Place::Key => "keys",
            Place::Lock => "locks",
            Place::Pack => "data",
            Place::Unknown => "",
        }
    }
}

/// What is no file of the place where it is planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Junk {
    /// Noise.
    Random,
    /// A half of a true file of the repository.
    Truncated,
    /// A true file of another repository.
    Foreign,
    /// A true file of this repository, of another kind.
    OtherKind,
}

impl Junk {
    /// Every kind of junk.
    pub const ALL: [Junk; 4] = [Junk::Random, Junk::Truncated, Junk::Foreign, Junk::OtherKind];
}

/// Somebody who may write to a repository, and perhaps has its key.
pub struct Attacker {
    repository: PathBuf,
    key: Option<Key>,
    random: Random,
}

impl Attacker {
    /// One whose every move follows from `seed`.
    pub fn on(repository: &Path, seed: u64) -> Attacker {
        let keys = files(&repository.join("keys"));
        let key = keys.iter().find_map(|file| Key::of_file(&read(file), PASSWORD));
        Attacker { repository: repository.to_owned(), key, random: Random::new(seed) }
    }

    /// `plain` sealed with the repository's key.
    pub fn sealed(&mut self, plain: &[u8]) -> Vec<u8> {
        let nonce = self.random.bytes(16).try_into().expect("these are 16");
        self.key.as_ref().expect("the repository has a key file with the password").seal(nonce, plain)
    }

    /// Stores bytes under the name that is their hash.
    pub fn plant(&mut self, place: Place, bytes: &[u8]) -> PathBuf {
        let name: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = self.repository.join(place.folder());
        let path = match place {
            Place::Pack => folder.join(&name[..2]).join(name),
            Place::Unknown => folder.join(format!("{name}.tmp")),
            _ => folder.join(name),
        };
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder can be made");
        fs::write(&path, bytes).expect("a file can be written");
        path
    }

    /// Seals and stores a file that is no pack.
    pub fn plant_sealed(&mut self, place: Place, plain: &[u8]) -> PathBuf {
        let sealed = self.sealed(plain);
        self.plant(place, &sealed)
    }

    /// Stores junk; the repository needs a snapshot.
    pub fn plant_junk(&mut self, place: Place, junk: Junk) -> PathBuf {
        let bytes = match junk {
            Junk::Random => {
                let length = self.random.within(1..=3000) as usize;
                self.random.bytes(length)
            }
            Junk::Truncated => {
                let whole = read(&self.model(place));
                whole[..whole.len() / 2].to_vec()
            }
            Junk::Foreign => {
                // A key file of a foreign password would be as good as any; a sealed file is not.
                let unpacked = fixtures::unpack("v2-special");
                let model = if place == Place::Key { Place::Snapshot } else { place };
                read(&Attacker { repository: unpacked.path.clone(), ..self.without_key() }.model(model))
            }
            Junk::OtherKind => match place {
                Place::Index | Place::Pack | Place::Key => read(&self.model(Place::Snapshot)),
                Place::Snapshot | Place::Lock | Place::Unknown => read(&self.model(Place::Index)),
            },
        };
        self.plant(place, &bytes)
    }

    fn without_key(&self) -> Attacker {
        Attacker { repository: self.repository.clone(), key: None, random: Random::new(0) }
    }

    /// A true file of the kind; of locks and unknown files another.
    fn model(&self, place: Place) -> PathBuf {
        let folder = match place {
            Place::Lock | Place::Unknown => Place::Snapshot.folder(),
            place => place.folder(),
        };
        files(&self.repository.join(folder)).into_iter().next().expect("the repository has such a file")
    }
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// The files in a folder and those below it, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = listed.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
