//! What people get wrong: every case has its exit code, names what it is about, and loses nothing.

use crate::scene::Scene;
use std::time::{Duration, Instant};
use tresor_testkit::{Run, TestTree};

/// The exit code is `code`, and standard error has every one of the `words`; nobody panicked, no lock is left.
#[track_caller]
fn told(scene: &Scene, run: Run, code: i32, words: &[&str]) {
    for word in words {
        assert!(run.errors().contains(word), "{word:?} is missing: {run}");
    }
    assert!(!run.errors().contains("panicked"), "{run}");
    run.exits(code);
    scene.has_no_lock();
}

fn scene() -> (Scene, TestTree) {
    let scene = Scene::new();
    let source = TestTree::at(scene.join("source")).file("f", "contents").file("below/g", "more");
    (scene, source)
}

#[test]
fn a_wrong_password() {
    let (scene, _source) = scene();
    let tresor = scene.tresor.clone().password("wrong");
    for words in [&["snapshots"][..], &["backup", "source"], &["check"], &["unlock"], &["key", "list"]] {
        told(&scene, tresor.run(words), 12, &["Fatal: wrong password or no key found"]);
    }
}

#[test]
fn no_repository_at_the_location() {
    let (scene, _source) = scene();
    for words in [&["snapshots"][..], &["backup", "source"], &["check"], &["unlock"], &["ls", "latest"]] {
        let run = scene.tresor.run(["-r", "nowhere"].iter().chain(words));
        told(&scene, run, 10, &["repository does not exist", "nowhere", "hint: `init`"]);
        assert!(!scene.join("nowhere").exists());
    }
}

#[test]
fn a_location_that_can_never_be_a_repository_is_refused_at_once() {
    let (scene, _source) = scene();
    let start = Instant::now();
    for location in ["source/f", "source/f/below", "source/f/far/below"] {
        for words in [&["snapshots"][..], &["init"], &["backup", "source"], &["backup", "--init", "source"]] {
            let run = scene.tresor.run(["-r", location].iter().chain(words));
            told(&scene, run, 1, &[location, "not a directory"]);
        }
    }
    // restic tries again for ten minutes, each time.
    assert!(start.elapsed() < Duration::from_secs(120));
    assert_eq!(std::fs::read(scene.join("source/f")).unwrap(), b"contents");
}

#[test]
fn a_source_that_does_not_exist() {
    let (scene, _source) = scene();
    let all = scene.tresor.run(["backup", "missing", "gone"]);
    told(&scene, all, 1, &["missing does not exist, skipping", "all source directories/files do not exist"]);
    assert!(scene.files("snapshots").is_empty());
    let some = scene.tresor.run(["backup", "missing", "source"]);
    told(
        &scene,
        some,
        3,
        &["missing does not exist, skipping", "at least one source file could not be read"],
    );
    assert_eq!(scene.files("snapshots").len(), 1);
}

#[test]
fn a_target_that_is_a_file() {
    let (scene, _source) = scene();
    scene.tresor.ok(["backup", "source"]);
    for target in ["source/f", "source/f/below"] {
        let run = scene.tresor.run(["restore", "latest", "--target", target]);
        told(&scene, run, 1, &[target, "not a directory"]);
    }
    assert_eq!(std::fs::read(scene.join("source/f")).unwrap(), b"contents");
}

#[test]
fn ids_that_name_nothing_or_too_much() {
    let scene = Scene::on("v2-multi");
    let tresor = &scene.tresor;
    for id in ["ffff", "no-id", "12345678"] {
        for words in
            [&["ls", id][..], &["restore", id, "-t", "out"], &["cat", "snapshot", id], &["dump", id, "/"]]
        {
            told(&scene, tresor.run(words), 1, &[&format!("no matching ID found for prefix \"{id}\"")]);
        }
    }
    // Two of the snapshots begin with a zero.
    for words in [&["ls", "0"][..], &["restore", "0", "-t", "out"], &["cat", "snapshot", "0"]] {
        told(&scene, tresor.run(words), 1, &["multiple IDs with prefix \"0\" found"]);
    }
    assert!(!scene.join("out").exists());
    told(&scene, tresor.run(["restore", "latest:/no/such", "-t", "out"]), 1, &["no"]);
}

#[test]
fn a_repository_within_its_own_source() {
    let (scene, _source) = scene();
    for _ in 0..2 {
        scene.tresor.ok(["backup", "."]);
        scene.has_no_lock();
    }
    scene.is_whole();
    scene.tresor.ok(["restore", "latest", "--target", "out", "--include", "f"]);
}

#[test]
fn a_cache_that_cannot_be_written() {
    let (scene, source) = scene();
    for folder in ["source/f", "source/f/below", "/proc/no-such-folder"] {
        let backup = scene.tresor.run(["backup", "source", "--cache-dir", folder]);
        told(&scene, backup, 0, &["unable to open cache"]);
        let listed = scene.tresor.run(["snapshots", "--cache-dir", folder]);
        told(&scene, listed, 0, &["unable to open cache"]);
    }
    scene.is_whole();
    scene.restores(&scene.restic, "latest", source.path());
}
