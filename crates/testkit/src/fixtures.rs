//! The repositories in `fixtures/`, made by the real restic, and what their manifest says of them.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tempfile::TempDir;
use tresor_backend::local::{CONNECTIONS, Local};
use tresor_backend::{Cancel, Full, Handle};
use tresor_repo::Repository;
use tresor_repo::codec::Compression;
use tresor_repo::keyfile::Password;
use tresor_repo::monitor::Silent;
use tresor_repo::repository::Options;

/// The folder `fixtures/` of the project.
pub fn folder() -> PathBuf {
    crate::peers::project().join("fixtures")
}

/// The manifest, read once.
pub fn manifest() -> &'static Manifest {
    static MANIFEST: OnceLock<Manifest> = OnceLock::new();
    MANIFEST.get_or_init(|| {
        let path = folder().join("manifest.json");
        let text =
            fs::read_to_string(&path).unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()));
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("cannot understand {}: {e}", path.display()))
    })
}

/// Unpacks the fixture `name` into a temporary folder; the repository is [`Unpacked::path`].
pub fn unpack(name: &str) -> Unpacked {
    let facts = manifest().fixtures.get(name).unwrap_or_else(|| panic!("there is no fixture {name:?}"));
    let archive = folder().join(&facts.archive);
    let file = File::open(&archive).unwrap_or_else(|e| panic!("cannot open {}: {e}", archive.display()));
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    tar::Archive::new(flate2::read::GzDecoder::new(file))
        .unpack(folder.path())
        .unwrap_or_else(|e| panic!("cannot unpack {}: {e}", archive.display()));
    let path = folder.path().join(&facts.extract_dir);
    Unpacked { path, facts, _folder: folder }
}

/// An empty repository of format 2 with a cheap key, made without running restic; its chunker polynomial
/// is the one of `v2-max`, its password [`PASSWORD`].
pub fn empty_repository() -> Unpacked {
    let unpacked = unpack("v2-max");
    for kind in ["index", "snapshots", "data"] {
        clear(&unpacked.path.join(kind));
    }
    unpacked
}

/// The password of every fixture unless its manifest says otherwise.
pub const PASSWORD: &str = "fixture-password";

/// Opens a repository with this password, to be used through the library.
///
/// # Errors
/// Those of opening it.
pub fn open(path: &Path) -> tresor_repo::Result<Repository<Full>> {
    let handle = Handle::new(Arc::new(Local::open(path, CONNECTIONS)?));
    let options = Options {
        compression: Compression::Auto,
        pack_size: 16 << 20,
        verify_before_upload: false,
        memory: 48 << 20,
        temporary_folder: std::env::temp_dir(),
        cancel: Cancel::new(),
    };
    Repository::open(handle, &Password::new(PASSWORD.into()), None, options, &Silent)
}

fn clear(folder: &Path) {
    for entry in fs::read_dir(folder).expect("the fixture has this folder").flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => clear(&path),
            false => fs::remove_file(&path).expect("a file of a temporary folder can be removed"),
        }
    }
}

/// The noise of the chunker's vector: `manifest().random20` says into which chunks restic cut it.
pub fn random20() -> Vec<u8> {
    noise(manifest().random20.seed, manifest().random20.length)
}

/// `length` bytes: SHA-256 of the seed and a counter, one digest after the other.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 32);
    for counter in 0u64.. {
        if bytes.len() >= length {
            break;
        }
        bytes.extend(
            Sha256::new().chain_update(seed.to_le_bytes()).chain_update(counter.to_le_bytes()).finalize(),
        );
    }
    bytes.truncate(length);
    bytes
}

/// A fixture unpacked to a folder that goes away with this value.
#[derive(Debug)]
pub struct Unpacked {
    /// The repository.
    pub path: PathBuf,
    /// What the manifest says of it.
    pub facts: &'static Fixture,
    _folder: TempDir,
}

/// The whole answer sheet.
#[derive(Debug, Deserialize)]
pub struct Manifest {
    /// The restic that made the fixtures, in its own words.
    pub restic: String,
    /// The chunker's vector.
    pub random20: Random20,
    /// Every fixture by name.
    pub fixtures: BTreeMap<String, Fixture>,
}

/// Into which chunks restic cut 20 MiB of noise.
#[derive(Debug, Deserialize)]
pub struct Random20 {
    /// For [`noise`].
    pub seed: u64,
    /// In bytes.
    pub length: usize,
    /// Of the noise, in hex.
    pub sha256: String,
    /// In hex, as in a config file.
    pub chunker_polynomial: String,
    /// In the order of the file.
    pub chunks: Vec<Chunk>,
}

/// One chunk of the vector.
#[derive(Debug, Deserialize)]
pub struct Chunk {
    /// SHA-256 of its bytes, in hex.
    pub id: String,
    /// In bytes.
    pub length: usize,
}

/// What is known of one fixture. Fields are empty where the manifest has nothing to say (`bad-*`).
#[derive(Debug, Deserialize)]
pub struct Fixture {
    /// The first password.
    pub password: String,
    /// Every password (only `v2-keys`).
    #[serde(default)]
    pub passwords: Vec<String>,
    /// The archive's file name.
    pub archive: String,
    /// The folder inside of the archive.
    pub extract_dir: String,
    /// How it was made, in steps.
    pub made_with: Vec<String>,
    /// 1 or 2; 0 where unsaid.
    #[serde(default)]
    pub repo_version: u32,
    /// In hex.
    #[serde(default)]
    pub repo_id: String,
    /// In hex.
    #[serde(default)]
    pub chunker_polynomial: String,
    /// The config's JSON, byte for byte.
    #[serde(default)]
    pub config_plaintext: String,
    /// The master key as its JSON.
    #[serde(default)]
    pub master_key: serde_json::Value,
    /// By id: kdf, N, r, p, names, time.
    #[serde(default)]
    pub key_files: BTreeMap<String, serde_json::Value>,
    /// Names of the index files.
    #[serde(default)]
    pub index_files: Vec<String>,
    /// By id: the snapshot's JSON.
    #[serde(default)]
    pub snapshots: BTreeMap<String, serde_json::Value>,
    /// By id: what the pack's header says.
    #[serde(default)]
    pub packs: BTreeMap<String, Pack>,
    #[serde(default, rename = "trees_b64")]
    trees: BTreeMap<String, String>,
    /// What the source held.
    pub source: Option<Source>,
    /// The fixture this one was damaged from (`bad-*`).
    pub based_on: Option<String>,
    /// What a check should say, in words.
    pub expect: Option<String>,
    /// The exit code of restic's `check --read-data` (`bad-*`).
    pub restic_check_exit: Option<i32>,
    /// What it printed (`bad-*`).
    pub restic_check_output: Option<String>,
}

impl Fixture {
    /// Every tree blob: its id and its plaintext.
    pub fn trees(&self) -> impl Iterator<Item = (&str, Vec<u8>)> {
        self.trees.iter().map(|(id, text)| (id.as_str(), decode(text)))
    }
}

/// A pack of a fixture.
#[derive(Debug, Deserialize)]
pub struct Pack {
    /// The file's length in bytes.
    #[serde(default)]
    pub size: u64,
    /// In the order of the header.
    #[serde(default)]
    pub blobs: Vec<Blob>,
    /// Why the header could not be read (only strays).
    pub error: Option<String>,
}

/// One line of a pack's header.
#[derive(Debug, Deserialize)]
pub struct Blob {
    /// `data`, `tree`, `data-compressed` or `tree-compressed`.
    #[serde(rename = "type")]
    pub kind: String,
    /// In bytes from the start of the pack.
    pub offset: u64,
    /// Of the sealed bytes.
    pub length: u64,
    /// Of the plaintext, if the blob is compressed.
    pub uncompressed_length: Option<u64>,
    /// SHA-256 of the plaintext, in hex.
    pub id: String,
}

/// What a fixture's source held.
#[derive(Debug, Deserialize)]
pub struct Source {
    /// How the source was named on the command line.
    pub backed_up_as: String,
    /// Everything below it.
    pub entries: Vec<Entry>,
}

/// One file, directory, link or device of a fixture's source.
#[derive(Debug, Deserialize)]
pub struct Entry {
    #[serde(rename = "path_b64")]
    path: String,
    /// `file`, `dir`, `symlink`, `fifo`, `chardev`, `dev` or `socket`.
    #[serde(rename = "type")]
    pub kind: String,
    mode: String,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// In ns since 1970.
    pub mtime_ns: i128,
    /// How many names the file has.
    pub nlink: u64,
    /// The same for every name of one file.
    pub inode: u64,
    /// In bytes, of a file.
    pub size: Option<u64>,
    /// Of a file's contents, in hex.
    pub sha256: Option<String>,
    /// The device number, of a device.
    pub rdev: Option<u64>,
    #[serde(rename = "target_b64")]
    target: Option<String>,
    #[serde(default, rename = "xattrs_b64")]
    xattrs: BTreeMap<String, String>,
}

impl Entry {
    /// The path, relative to the source's root (for the four encodings of one source: beginning with `src/`).
    pub fn path(&self) -> PathBuf {
        PathBuf::from(OsString::from_vec(decode(&self.path)))
    }

    /// Permission bits, with set-uid, set-gid and sticky.
    pub fn mode(&self) -> u32 {
        u32::from_str_radix(&self.mode, 8).expect("the manifest's modes are octal")
    }

    /// What a symlink points to.
    pub fn target(&self) -> Option<Vec<u8>> {
        self.target.as_deref().map(decode)
    }

    /// Extended attributes by name.
    pub fn xattrs(&self) -> BTreeMap<String, Vec<u8>> {
        self.xattrs.iter().map(|(name, value)| (name.clone(), decode(value))).collect()
    }
}

fn decode(text: &str) -> Vec<u8> {
    BASE64_STANDARD.decode(text).expect("the manifest's base64 is well-formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn every_archive_holds_the_packs_of_its_manifest() {
        for name in manifest().fixtures.keys() {
            let fixture = unpack(name);
            for (id, pack) in fixture.facts.packs.iter().filter(|(_, pack)| pack.error.is_none()) {
                let bytes = fs::read(fixture.path.join("data").join(&id[..2]).join(id)).unwrap();
                assert_eq!(bytes.len() as u64, pack.size, "{name}: pack {id}");
                assert_eq!(hex(&Sha256::digest(&bytes)), *id, "{name}");
            }
        }
    }

    #[test]
    fn tree_ids_are_the_hashes_of_their_plaintext() {
        let trees = manifest().fixtures.values().flat_map(Fixture::trees);
        for (id, plaintext) in trees {
            assert_eq!(hex(&Sha256::digest(&plaintext)), id);
        }
    }

    #[test]
    fn the_noise_is_cut_as_the_manifest_says() {
        let (noise, facts) = (random20(), &manifest().random20);
        assert_eq!(hex(&Sha256::digest(&noise)), facts.sha256);
        let mut rest = noise.as_slice();
        for chunk in &facts.chunks {
            let (head, tail) = rest.split_at(chunk.length);
            assert_eq!(hex(&Sha256::digest(head)), chunk.id);
            rest = tail;
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn an_empty_repository_has_a_key_and_nothing_else() {
        let empty = empty_repository();
        let count = |kind: &str| fs::read_dir(empty.path.join(kind)).unwrap().count();
        assert_eq!((count("keys"), count("snapshots"), count("index")), (1, 0, 0));
    }
}
