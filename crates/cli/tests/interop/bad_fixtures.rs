//! Damaged repositories: the check finds what was planted, and what is whole comes back.

use crate::scene::Scene;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tresor_testkit::fixtures;

/// The pack of the data blobs and the one of the trees, in the fixture that was damaged.
const DATA: &str = "3309eb0ea6edca3fb77547d54aae33913f2b7def1f5fdc92c6c5bec7dc35d8de";
const TREES: &str = "dcb8781206bfd12eb4b875f101121166564342228cd21c215b900d814d6261cf";

/// Every file of the source that was backed up, and the SHA-256 of what it holds.
fn originals() -> BTreeMap<PathBuf, String> {
    let source = fixtures::manifest().fixtures["v2-max"].source.as_ref().unwrap();
    let files = source.entries.iter().filter(|entry| entry.kind == "file");
    files.map(|entry| (entry.path(), entry.sha256.clone().unwrap())).collect()
}

fn sha256(path: &Path) -> String {
    Sha256::digest(std::fs::read(path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What `check` says with `flags`, and its exit code, are as expected; both programs agree on the code.
#[track_caller]
fn finds(scene: &Scene, flags: &[&str], findings: &[&str]) {
    let arguments = || ["check"].iter().chain(flags);
    let check = scene.tresor.run(arguments());
    let expect = i32::from(!findings.is_empty());
    let said = format!("{}{}", check.text(), check.errors());
    for finding in findings {
        assert!(said.contains(finding), "{finding} is missing: {check}");
    }
    check.exits(expect);
    scene.restic.run(arguments()).exits(expect);
    scene.has_no_lock();
}

/// Everything but the `lost` files comes back, and the lost ones are named.
#[track_caller]
fn saves_all_but(scene: &Scene, lost: &[&str]) {
    let restore = scene.tresor.run(["restore", "latest", "--target", "target"]);
    for (path, expect) in originals() {
        let file = scene.join("target").join(&path);
        match lost.contains(&path.to_str().unwrap()) {
            true => assert!(restore.errors().contains(path.to_str().unwrap()), "{path:?}: {restore}"),
            false => assert_eq!(sha256(&file), expect, "{path:?}: {restore}"),
        }
    }
    let told = restore.errors().matches("ignoring error for ").count();
    assert_eq!(told, lost.len(), "{restore}");
    restore.exits(i32::from(!lost.is_empty()));
}

#[test]
fn a_flipped_bit_costs_one_file() {
    let scene = Scene::on("bad-bitflip");
    finds(&scene, &[], &[]);
    finds(&scene, &["--read-data"], &[DATA, "a948904f", "ciphertext verification failed", "repair packs"]);
    saves_all_but(&scene, &["src/hello.txt"]);
}

#[test]
fn a_pack_that_lost_its_end_costs_nothing() {
    let scene = Scene::on("bad-truncated");
    let size = "unexpected file size: got 1032481, expected 1032501";
    finds(&scene, &[], &[DATA, size]);
    finds(&scene, &["--read-data"], &[DATA, size, "repair packs"]);
    saves_all_but(&scene, &[]);
}

#[test]
fn a_lost_pack_costs_the_files_in_it() {
    let scene = Scene::on("bad-missing-pack");
    for flags in [&[][..], &["--read-data"]] {
        finds(&scene, flags, &[&format!("pack {DATA}: does not exist")]);
    }
    let lost =
        ["src/hello.txt", "src/docs/a.txt", "src/docs/b.bin", "src/docs/text.log", "src/docs/two_chunks.bin"];
    saves_all_but(&scene, &lost);
}

#[test]
fn lost_trees_are_found_and_named() {
    let scene = Scene::on("bad-missing-treepack");
    for flags in [&[][..], &["--read-data"]] {
        finds(&scene, flags, &[&format!("pack {TREES}: does not exist"), "error for tree 7b4c81ff"]);
    }
    for words in [&["restore", "latest", "--target", "target"][..], &["ls", "latest"]] {
        let run = scene.tresor.run(words).exits(1);
        assert!(run.errors().contains(&format!("<data/{}>", &TREES[..10])), "{run}");
    }
}

#[test]
fn an_index_that_is_gone_is_missed_and_no_pack_is_blamed() {
    let scene = Scene::on("bad-no-index");
    let found = ["2 additional files were found in the repo", "7b4c81ff", "not found in repository"];
    for flags in [&[][..], &["--read-data"]] {
        finds(&scene, flags, &found);
    }
    let ls = scene.tresor.run(["ls", "latest"]).exits(1);
    assert!(ls.errors().contains("tree blob 7b4c81ff is not in the index"), "{ls}");
}
