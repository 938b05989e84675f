//! The same directory backed up by each program gives the same root tree and comes back from each.

use crate::scene::Scene;
use std::path::Path;
use tresor_testkit::compare::What;
use tresor_testkit::generate::oddities;
use tresor_testkit::{Client, Difference, Random, Spec, TestTree, generate, mutate};

/// Each program backs up `source` into a repository of its own; the root trees are equal.
#[track_caller]
fn both_back_up(version: u32, flags: &[&str], source: &TestTree) -> (Scene, Scene) {
    let (ours, theirs) = (Scene::of_version(version), Scene::of_version(version));
    back_up(&ours.tresor, flags, source);
    back_up(&theirs.restic, flags, source);
    assert_eq!(ours.newest_tree(), theirs.newest_tree(), "version {version}, {flags:?}");
    (ours, theirs)
}

/// Backs up the folder under its own name alone, so that it lies in the snapshot's root.
#[track_caller]
fn back_up(program: &Client, flags: &[&str], source: &TestTree) {
    let (folder, name) = (source.path().parent().unwrap(), source.path().file_name().unwrap());
    program.clone().within(folder).ok(["backup", name.to_str().unwrap()].iter().chain(flags));
}

fn odd_source() -> (tempfile::TempDir, TestTree) {
    let folder = tempfile::tempdir().unwrap();
    let tree = oddities(folder.path().join("source"));
    (folder, tree)
}

#[test]
fn every_oddity_is_stored_alike_and_crosses_over_in_both_directions() {
    let (_folder, source) = odd_source();
    let (ours, theirs) = both_back_up(2, &[], &source);
    ours.is_whole();
    theirs.is_whole();
    ours.restores(&ours.tresor, "latest", source.path());
    theirs.restores(&theirs.tresor, "latest", source.path());
    only_late_times(&ours.restored(&ours.restic, "latest", source.path()));
    only_late_times(&theirs.restored(&theirs.restic, "latest", source.path()));
}

/// restic cannot set a time beyond the year 2262, whoever wrote it down.
#[track_caller]
fn only_late_times(differences: &[Difference]) {
    let others: Vec<_> = differences
        .iter()
        .filter(|difference| (difference.path(), difference.what()) != (Path::new("times/2400"), &What::Time))
        .collect();
    assert!(others.is_empty(), "{others:#?}");
}

/// Small, so that it can be stored in many ways: text, noise, a link, an attribute, a second level.
fn small_source() -> (tempfile::TempDir, TestTree) {
    let folder = tempfile::tempdir().unwrap();
    let tree = TestTree::at(folder.path().join("source"))
        .file("text", "a line that repeats itself\n".repeat(50_000))
        .file("below/noise", Random::new(3).bytes(3 << 20))
        .file("below/same noise", Random::new(3).bytes(3 << 20))
        .file("empty", "")
        .symlink("below/link", "../text")
        .xattr("text", "user.colour", "blue")
        .time("text", 1_700_000_000, 123_456_789)
        .time("below", 1_600_000_000, 100);
    (folder, tree)
}

#[test]
fn every_way_to_compress_crosses_over() {
    let (_folder, source) = small_source();
    for (version, level) in [(1, "auto"), (2, "off"), (2, "fastest"), (2, "better"), (2, "max")] {
        let (ours, theirs) = both_back_up(version, &["--compression", level], &source);
        ours.is_whole();
        theirs.is_whole();
        ours.restores(&ours.restic, "latest", source.path());
        theirs.restores(&theirs.tresor, "latest", source.path());
    }
}

#[test]
fn every_level_of_zstd_is_read_by_restic() {
    let (_folder, source) = small_source();
    for level in ["zstd:1", "zstd:9", "zstd:22"] {
        let scene = Scene::of_version(2);
        back_up(&scene.tresor, &["--compression", level], &source);
        scene.is_whole();
        scene.restores(&scene.restic, "latest", source.path());
    }
}

#[test]
fn the_peer_of_this_release_agrees_as_well() {
    let (_folder, source) = odd_source();
    // restic 0.14 stores neither targets that are not UTF-8 nor the attributes of links.
    let source = source.remove("link-raw").remove("link-relative");
    for version in [1, 2] {
        let (ours, theirs) = (Scene::of_version(version), Scene::of_version(version));
        back_up(&ours.tresor, &[], &source);
        back_up(&theirs.restic_old, &[], &source);
        assert_eq!(ours.newest_tree(), theirs.newest_tree(), "version {version}");
        ours.restic_old.ok(["check", "--read-data"]);
        theirs.tresor.ok(["check", "--read-data"]);
        only_late_times(&ours.restored(&ours.restic_old, "latest", source.path()));
        theirs.restores(&theirs.tresor, "latest", source.path());
    }
}

#[test]
fn a_changed_source_is_stored_alike_upon_each_others_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    let source = generate(folder.path().join("source"), 11, &Spec { files: 200, ..Spec::default() });
    let (ours, theirs) = both_back_up(2, &[], &source);
    for round in 0..3 {
        mutate(source.path(), round, 10.0);
        // Each program goes on with what the other one left.
        let (on_ours, on_theirs) =
            if round % 2 == 0 { (&ours.restic, &theirs.tresor) } else { (&ours.tresor, &theirs.restic) };
        back_up(on_ours, &[], &source);
        back_up(on_theirs, &[], &source);
        assert_eq!(ours.newest_tree(), theirs.newest_tree(), "round {round}");
    }
    ours.is_whole();
    theirs.is_whole();
    ours.restores(&ours.restic, "latest", source.path());
    theirs.restores(&theirs.tresor, "latest", source.path());
}

/// Long enough for what was changed to be settled: only then the files cache remembers it.
fn settle() {
    std::thread::sleep(std::time::Duration::from_secs(4));
}

#[test]
fn what_the_files_cache_remembers_is_stored_as_restic_stores_it() {
    let folder = tempfile::tempdir().unwrap();
    let source = generate(folder.path().join("source"), 5, &Spec { files: 300, ..Spec::default() });
    settle();
    let (ours, theirs) = both_back_up(2, &[], &source);
    for round in 0..3 {
        if round > 0 {
            mutate(source.path(), round, 3.0);
            settle();
        }
        back_up(&ours.tresor, &[], &source);
        back_up(&theirs.restic, &[], &source);
        assert_eq!(ours.newest_tree(), theirs.newest_tree(), "round {round}");
    }
    let files = std::fs::read_dir(ours.tresor.home()).unwrap().count();
    assert!(files > 0, "there is a cache");
    back_up(&ours.tresor, &["--no-files-cache"], &source);
    assert_eq!(ours.newest_tree(), theirs.newest_tree());
    ours.is_whole();
    ours.restores(&ours.restic, "latest", source.path());
}

/// Many entries in one folder, and as many in one below; long names, some attributes, a few folders.
fn wide_source() -> (tempfile::TempDir, TestTree) {
    let folder = tempfile::tempdir().unwrap();
    let mut tree = TestTree::at(folder.path().join("source")).symlink("0-link", "nowhere").dir("zz");
    for number in 0..500 {
        let long = "n".repeat(number % 170);
        tree = tree
            .file(format!("{number:04}-{long}"), format!("content {}", number % 7))
            .file(format!("below/{long}-{number:04}"), "");
        if number % 25 == 0 {
            tree = tree
                .dir(format!("{number:04}-folder/empty"))
                .symlink(format!("below/{number:04}"), format!("to-{long}"));
            tree = tree.xattr(format!("{number:04}-{long}"), "user.colour", "blue".repeat(number % 9));
        }
    }
    (folder, tree)
}

/// With so little memory every tree that is not tiny is long, and a folder comes in many portions.
const LITTLE: [&str; 2] = ["--memory", "64K"];

#[test]
fn folders_longer_than_the_memory_are_stored_alike_and_read_back() {
    for version in [1, 2] {
        let (folder, source) = wide_source();
        let (ours, theirs) = (Scene::of_version(version), Scene::of_version(version));
        back_up(&ours.tresor, &LITTLE, &source);
        back_up(&theirs.restic, &[], &source);
        assert_eq!(ours.newest_tree(), theirs.newest_tree(), "version {version}");
        ours.is_whole();
        ours.tresor.ok([&LITTLE[..], &["check", "--read-data"]].concat());

        let listed = |options: &[&str], scene: &Scene, program: &Client| {
            program.clone().within(scene.join("")).ok([options, &["ls", "latest"]].concat()).stdout
        };
        assert_eq!(listed(&LITTLE, &ours, &ours.tresor), listed(&[], &ours, &ours.tresor));
        let target = folder.path().join("target");
        ours.tresor.ok([&LITTLE[..], &["restore", "latest", "--target", target.to_str().unwrap()]].concat());
        tresor_testkit::assert_same(source.path(), &target.join("source"));

        // Something above is removed from the target, something below changes in the source.
        let target = TestTree::at(target).file("source/below/of nobody", "");
        let source = source.file("below/new", "new").remove("0-link").file("0007-nnnnnnn", "changed");
        back_up(&ours.tresor, &LITTLE, &source);
        back_up(&theirs.restic, &[], &source);
        assert_eq!(ours.newest_tree(), theirs.newest_tree(), "version {version}, once more");
        let restore = ["restore", "latest", "--delete", "--target", target.path().to_str().unwrap()];
        ours.tresor.ok([&LITTLE[..], &restore].concat());
        tresor_testkit::assert_same(source.path(), &target.path().join("source"));
        let differences = |options: &[&str]| {
            let snapshots = ours.tresor.ok(["snapshots", "--json"]).json();
            let ids: Vec<_> = snapshots
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["id"].as_str().unwrap().to_owned())
                .collect();
            ours.tresor.ok([options, &["diff", &ids[0], &ids[1]]].concat()).stdout
        };
        assert_eq!(differences(&LITTLE), differences(&[]));

        let rewrite = ["rewrite", "latest", "--forget", "--exclude", "below/n*"];
        ours.tresor.ok([&LITTLE[..], &rewrite].concat());
        theirs.tresor.ok(rewrite);
        assert_eq!(ours.newest_tree(), theirs.newest_tree(), "version {version}, rewritten");
        ours.tresor.ok([&LITTLE[..], &["prune", "--max-unused", "0", "--repack-small"]].concat());
        ours.is_whole();

        let copy = Scene::of_version(2);
        let (from, password) = (ours.repository(), copy.join("password"));
        tresor_testkit::secret_file(&password, tresor_testkit::fixtures::PASSWORD);
        let from =
            ["--from-repo", from.to_str().unwrap(), "--from-password-file", password.to_str().unwrap()];
        copy.tresor.ok([&LITTLE[..], &["copy"], &from].concat());
        assert_eq!(copy.newest_tree(), ours.newest_tree());
        copy.is_whole();
    }
}
