//! Repository files of every kind that are cut off, empty, foreign or of another make.

use crate::scene::Scene;
use std::fs;
use std::path::{Path, PathBuf};
use tresor_testkit::{Random, TestTree};

/// Damages a file; the kinds of damage are `0..4`.
fn damage(path: &Path, how: u64) {
    let whole = fs::read(path).unwrap();
    let bytes = match how {
        0 => whole[..whole.len() - 10].to_vec(),
        1 => Vec::new(),
        2 => Random::new(how).bytes(whole.len()),
        _ => b"{\"version\":2}".to_vec(),
    };
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A fixture with the first file of a kind damaged: `config`, or a folder.
fn damaged(kind: &str, how: u64) -> (Scene, PathBuf) {
    let scene = Scene::on("v2-max");
    let file = match kind {
        "config" => scene.repository().join("config"),
        _ => scene.files(kind).remove(0),
    };
    damage(&file, how);
    let _source = TestTree::at(scene.join("source")).file("f", "contents");
    (scene, file)
}

/// Whatever the damage, these commands end with `code`, name the file, do not panic and leave no lock.
#[track_caller]
fn fail(kind: &str, commands: &[&[&str]], code: i32) {
    for how in 0..4 {
        let (scene, file) = damaged(kind, how);
        let name = file.file_name().unwrap().to_str().unwrap();
        let short = &name[..name.len().min(8)];
        for words in commands {
            let run = scene.tresor.run(*words);
            let said = format!("{}{}", run.text(), run.errors());
            assert!(said.contains(short) && !said.contains("panicked"), "{kind} {how}: {run}");
            assert_eq!(run.code, Some(code), "{kind} {how}: {run}");
            scene.has_no_lock();
        }
    }
}

const EVERYTHING: &[&[&str]] = &[
    &["snapshots"],
    &["ls", "latest"],
    &["restore", "latest", "-t", "out"],
    &["backup", "source"],
    &["check"],
];

#[test]
fn the_config() {
    fail("config", EVERYTHING, 1);
}

#[test]
fn the_only_key() {
    fail("keys", EVERYTHING, 12);
}

#[test]
fn a_snapshot() {
    fail("snapshots", &[EVERYTHING[1], EVERYTHING[2], EVERYTHING[4]], 1);
    fail("snapshots", &[&["prune"], &["forget", "--keep-last", "1"]], 20);
    fail("snapshots", &[EVERYTHING[0], EVERYTHING[3]], 0);
}

#[test]
fn an_index_file() {
    fail("index", &[EVERYTHING[1], EVERYTHING[2], EVERYTHING[4]], 1);
    fail("index", &[&["prune"]], 20);
    fail("index", &[EVERYTHING[3]], 0);
}

#[test]
fn a_pack() {
    fail("data", &[&["check", "--read-data"]], 1);
    for how in 1..4 {
        let (scene, _) = damaged("data", how);
        scene.tresor.run(["restore", "latest", "-t", "out"]).exits(1);
        assert_eq!(fs::read(scene.join("out/src/empty.txt")).unwrap(), b"");
        // A backup has no use for a pack that it cannot read; what it makes itself is whole.
        scene.tresor.ok(["backup", "source"]);
        scene.restores(&scene.tresor, "latest", &scene.join("source"));
    }
}

#[test]
fn foreign_files_are_left_alone_wherever_they_lie() {
    let scene = Scene::on("v2-max");
    let folders = ["", "data", "data/33", "index", "keys", "locks", "snapshots"];
    let names = ["junk", ".hidden", "lost+found", &"a".repeat(63), &"g".repeat(64), "tmp-123", "Thumbs.db"];
    let mut repository = TestTree::at(scene.repository());
    for folder in folders {
        for name in names {
            repository = repository.file(Path::new(folder).join(name), "junk");
        }
        repository = repository.dir(Path::new(folder).join("folder of somebody"));
        repository = repository.symlink(Path::new(folder).join("link"), "/nonexistent");
    }
    let source = TestTree::at(scene.join("source")).file("f", "contents");
    for words in EVERYTHING {
        scene.tresor.ok(*words);
    }
    scene.tresor.ok(["unlock", "--remove-all"]);
    scene.restores(&scene.tresor, "latest", source.path());
    // restic's listing of packs ends without a word at a link that leads nowhere.
    let repository = repository.remove("data/link");
    scene.restic.ok(["check", "--read-data"]);
    for folder in folders {
        for name in names {
            assert_eq!(fs::read(repository.join(folder).join(name)).unwrap(), b"junk", "{folder}/{name}");
        }
    }
}

#[test]
fn a_directory_or_pipe_in_the_place_of_a_file_hangs_nothing() {
    for kind in ["index", "snapshots", "keys"] {
        let scene = Scene::on("v2-max");
        let name = "0123456789abcdef".repeat(4);
        let path = Path::new(kind).join(&name);
        let _directory = TestTree::at(scene.repository()).dir(&path);
        scene.tresor.run(["snapshots"]);
        let _pipe = TestTree::at(scene.repository()).remove(&path).fifo(&path);
        for words in EVERYTHING {
            let run = scene.tresor.run(*words);
            assert!(!run.errors().contains("panicked"), "{kind}: {run}");
            scene.has_no_lock();
        }
    }
}
