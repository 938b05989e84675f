//! Fixtures made by restic restore as their manifest says; of damaged ones what is undamaged.

use crate::store::{Store, Told};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use tresor_snapshot::restore::RestoreOptions;
use tresor_testkit::fixtures::{Entry, Fixture, PASSWORD, manifest, unpack};
use tresor_testkit::{compare, tree};

fn restored(name: &str) -> (tempfile::TempDir, Told) {
    let unpacked = unpack(name);
    let store = Store::open(&unpacked.path, &unpacked.facts.password);
    let folder = tempfile::tempdir().unwrap();
    let mut told = Told::default();
    for (number, root) in store.roots().into_iter().enumerate() {
        let target = folder.path().join(number.to_string());
        told = store.restore(root, &target, &RestoreOptions::default()).1;
    }
    (folder, told)
}

/// Where in the target the fixture's source lies: the directory of that name, however deep.
fn find(folder: &Path, first: &Path) -> Option<std::path::PathBuf> {
    if folder.join(first).symlink_metadata().is_ok() {
        return Some(folder.to_owned());
    }
    let below = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    below.filter(|path| path.is_dir()).find_map(|path| find(&path, first))
}

fn kind(metadata: &fs::Metadata) -> &'static str {
    let kind = metadata.file_type();
    match () {
        () if kind.is_file() => "file",
        () if kind.is_dir() => "dir",
        () if kind.is_symlink() => "symlink",
        () if kind.is_fifo() => "fifo",
        () if kind.is_char_device() => "chardev",
        () if kind.is_block_device() => "dev",
        () => "socket",
    }
}

fn compare(path: &Path, entry: &Entry) {
    let metadata = path.symlink_metadata().unwrap_or_else(|error| panic!("{path:?}: {error}"));
    assert_eq!(kind(&metadata), entry.kind, "{path:?}");
    let mtime = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    // Years after 2446 are more than ext4 can hold, and restic's own clock had wrapped around before.
    if (0..10_i128.pow(19)).contains(&entry.mtime_ns) {
        assert_eq!(mtime, entry.mtime_ns, "{path:?}");
    }
    if entry.kind != "symlink" {
        assert_eq!(metadata.mode() & 0o7777, entry.mode(), "{path:?}");
    }
    if tree::is_root() {
        assert_eq!((metadata.uid(), metadata.gid()), (entry.uid, entry.gid), "{path:?}");
        let expected: BTreeMap<Vec<u8>, Vec<u8>> =
            entry.xattrs().into_iter().map(|(name, value)| (name.into_bytes(), value)).collect();
        assert_eq!(compare::xattrs(path), expected, "{path:?}");
    }
    if let Some(target) = entry.target() {
        assert_eq!(fs::read_link(path).unwrap().as_os_str().as_bytes(), target, "{path:?}");
    }
    if let Some(device) = entry.rdev {
        assert_eq!(metadata.rdev(), device, "{path:?}");
    }
    if let Some(sha256) = &entry.sha256 {
        let digest = Sha256::digest(fs::read(path).unwrap());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(&hex, sha256, "{path:?}");
    }
    if entry.kind == "file" {
        assert_eq!((metadata.len(), metadata.nlink()), (entry.size.unwrap(), entry.nlink), "{path:?}");
    }
}

fn compare_all(folder: &Path, facts: &Fixture, spared: &[&str]) -> usize {
    let entries = &facts.source.as_ref().unwrap().entries;
    let stored = entries.iter().filter(|entry| entry.kind != "socket");
    let stored: Vec<_> =
        stored.filter(|entry| !spared.iter().any(|name| entry.path().ends_with(name))).collect();
    let longest = stored.iter().map(|entry| entry.path()).max_by_key(|path| path.components().count());
    let base = find(folder, &longest.unwrap()).expect("the source is in the target");
    stored.iter().for_each(|entry| compare(&base.join(entry.path()), entry));
    stored.len()
}

#[test]
fn sources_come_back_as_they_were() {
    let mut compared = 0;
    for (name, facts) in &manifest().fixtures {
        if facts.source.is_none() || (name == "v2-special" && !tree::is_root()) {
            continue;
        }
        let (folder, told) = restored(name);
        assert_eq!(told.problems(), [], "{name}");
        for snapshot in fs::read_dir(folder.path()).unwrap() {
            compared += compare_all(&snapshot.unwrap().path(), facts, &[]);
        }
    }
    assert!(compared > 400, "only {compared} entries");
}

#[test]
fn what_restic_tolerates_restores_without_a_problem() {
    for name in ["v2-multi", "v2-garbage", "v2-keys", "v2-odd"] {
        let (folder, told) = restored(name);
        assert_eq!(told.problems(), [], "{name}");
        assert!(folder.path().join("0").exists(), "{name}");
    }
}

#[test]
fn damage_costs_the_files_it_hit_and_no_other() {
    for name in ["bad-bitflip", "bad-truncated", "bad-missing-pack"] {
        let (folder, told) = restored(name);
        let based_on = manifest().fixtures[name].based_on.as_ref().unwrap();
        let troubled = told.troubled();
        // Of the truncated pack only the end is missing: its header, which a restore needs not.
        assert_eq!(troubled.is_empty(), name == "bad-truncated", "{name}");
        let lost: Vec<_> = troubled.iter().map(|path| path.rsplit('/').next().unwrap()).collect();
        let facts = &manifest().fixtures[based_on];
        let compared = compare_all(&folder.path().join("0"), facts, &lost);
        assert_eq!(compared + lost.len(), facts.source.as_ref().unwrap().entries.len(), "{name}: {lost:?}");
    }
    for name in ["bad-missing-treepack", "bad-no-index"] {
        let (_folder, told) = restored(name);
        assert_eq!(told.troubled(), ["/"], "{name}");
    }
    assert_eq!(PASSWORD, manifest().fixtures["bad-bitflip"].password);
}
