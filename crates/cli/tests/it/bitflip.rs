//! One bit of a file of the repository flips: it is found, and nothing wrong comes back in silence.

use crate::pair::TRESOR;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tresor_testkit::{Client, Random, Spec, asked, compare_trees, fixtures, generate};

/// The files below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn bitflip() {
    let scene = TempDir::new().unwrap();
    let repository = fixtures::empty_repository();
    let (source, target) = (scene.path().join("source"), scene.path().join("target"));
    generate(&source, 5, &Spec { files: 40, directories: 6, largest: 1 << 16 });
    let client = Client::tresor(TRESOR, &repository.path).within(scene.path());
    client.ok(["backup", "source"]);
    let files = files(&repository.path);
    for kind in ["config", "keys/", "index/", "snapshots/", "data/"] {
        assert!(files.iter().any(|file| file.to_str().unwrap().contains(kind)), "{kind}");
    }
    let (mut random, mut harmed) = (Random::new(3), 0);
    for number in 0..asked("TRESOR_BITFLIPS", 24) as usize {
        let file = &files[number % files.len()];
        let good = fs::read(file).unwrap();
        let (at, bit) = (random.below(good.len() as u64) as usize, random.below(8));
        let mut bad = good.clone();
        bad[at] ^= 1 << bit;
        fs::write(file, bad).unwrap();
        let what = format!("bit {bit} of byte {at} of {}", file.display());
        let checked = client.run(["--no-cache", "check", "--read-data", "--no-lock"]);
        assert_ne!(checked.code, Some(0), "{what} is not found: {checked}");
        let restored = client.run(["--no-cache", "restore", "latest", "--no-lock", "--target", "target"]);
        if restored.code == Some(0) {
            let differences = compare_trees(&source, &target.join("source"));
            assert!(differences.is_empty(), "{what}: {} differences in silence", differences.len());
        } else {
            harmed += 1;
        }
        drop(fs::remove_dir_all(&target)); // there may be none
        fs::write(file, good).unwrap();
    }
    assert!(harmed > 3, "only {harmed} did harm");
    client.ok(["--no-cache", "check", "--read-data"]);
}
