//! Whole fixtures are listed, checked and restored, and restic does the same with them.

use crate::scene::Scene;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use tresor_testkit::{Client, Difference, compare_trees, fixtures, tree};

/// Everything the program has to say about a fixture agrees with its manifest, and with restic.
#[track_caller]
fn agrees(name: &str) {
    let scene = Scene::on(name);
    let facts = &fixtures::manifest().fixtures[name];
    let locks = scene.files("locks");
    let ours = snapshots(&scene.tresor);
    assert!(ours.keys().eq(facts.snapshots.keys()), "{name}: {ours:?}");
    assert_eq!(ours, snapshots(&scene.restic), "{name}");
    scene.tresor.ok(["check", "--read-data"]);
    for id in ours.keys().map(String::as_str) {
        let ls = ["ls", "--json", id];
        let mut lines = [&scene.tresor, &scene.restic].map(|program| program.ok(ls).json_lines());
        lines.iter_mut().for_each(|lines| lines.sort_by_key(|line| line["path"].to_string()));
        assert_eq!(lines[0], lines[1], "{name}: {id}");
        let [ours, theirs] = [scene.join(format!("ours-{id}")), scene.join(format!("theirs-{id}"))];
        // Only root can read, and so compare, what nobody may read.
        let flags = if tree::is_root() { &["--verify"][..] } else { &["--exclude", "mode_000"] };
        let restores = [(&scene.tresor, &ours), (&scene.restic, &theirs)].map(|(program, target)| {
            program.run(["restore", id, "--target", target.to_str().unwrap()].iter().chain(flags))
        });
        // Only root can make devices: both say so, and go on.
        assert_eq!(restores[0].code, restores[1].code, "{}\n{}", restores[0], restores[1]);
        assert!(restores[0].code == Some(0) || !tree::is_root(), "{}", restores[0]);
        let differences = compare_trees(&theirs, &ours);
        // restic cannot set a time beyond the year 2262.
        let late = |difference: &&Difference| difference.path() == Path::new("special/t_2446");
        let others: Vec<_> = differences.iter().filter(|difference| !late(difference)).collect();
        assert!(others.is_empty(), "{name}: {id}: {others:#?}");
    }
    assert_eq!(scene.files("locks"), locks, "{name}");
}

/// Snapshots by id: those of one moment come in no order.
fn snapshots(program: &Client) -> BTreeMap<String, Value> {
    let listed = program.ok(["snapshots", "--json"]).json();
    let by_id = |snapshot: &Value| (snapshot["id"].as_str().unwrap().to_owned(), snapshot.clone());
    listed.as_array().unwrap().iter().map(by_id).collect()
}

#[test]
fn one_source_in_format_1() {
    agrees("v1-basic");
}

#[test]
fn one_source_in_format_2() {
    agrees("v2-auto");
}

#[test]
fn one_source_compressed_as_far_as_possible_and_not_at_all() {
    agrees("v2-max");
    agrees("v2-off");
}

#[test]
fn many_snapshots() {
    agrees("v2-multi");
}

#[test]
fn blobs_and_packs_that_nobody_needs() {
    agrees("v2-garbage");
}

#[test]
fn what_restic_tolerates() {
    agrees("v2-odd");
}

#[test]
fn every_kind_of_node() {
    agrees("v2-special");
}

#[test]
fn every_password_of_a_repository_opens_it() {
    let scene = Scene::on("v2-keys");
    let passwords = &fixtures::manifest().fixtures["v2-keys"].passwords;
    for password in passwords {
        let tresor = scene.tresor.clone().password(password);
        let flag = if password.is_empty() { &["--insecure-no-password"][..] } else { &[] };
        let keys = tresor.ok(["key", "list", "--json"].iter().chain(flag)).json();
        assert_eq!(keys.as_array().unwrap().len(), passwords.len());
    }
}
