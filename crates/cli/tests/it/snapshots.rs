//! `snapshots`: tables, JSON, selection.

use crate::pair::Pair;
use std::fs;
use tresor_testkit::TestTree;
use tresor_testkit::fixtures;

#[test]
fn tables_and_json_are_those_of_restic() {
    let pair = Pair::on("v2-multi");
    // Two snapshots of the fixture have the same time, and restic lists them in any order.
    for flags in
        ["--host alpha --host beta -c", "--host gamma --json", "--tag daily -q", "--path /fixture-work/m/two"]
    {
        pair.same(&format!("snapshots --no-lock {flags}"));
    }
    for flags in ["--latest 1", "--last -c", "--latest -1"] {
        pair.same_lines(&format!("snapshots --no-lock {flags}"));
    }
    pair.same("snapshots -g host --host alpha");
    pair.same("snapshots --group-by nope").exits(1);
}

#[test]
fn groups_are_those_of_restic() {
    let pair = Pair::on("v2-multi");
    for by in ["host", "tags", "host,paths"] {
        let words = ["snapshots", "--no-lock", "--json", "--latest", "1", "-g", by];
        let groups = |run: tresor_testkit::Run| {
            let mut groups = run.json().as_array().unwrap().clone();
            groups.sort_by_key(|group| group["group_key"].to_string());
            groups
        };
        assert_eq!(groups(pair.tresor.ok(words)), groups(pair.restic.ok(words)), "{by}");
    }
}

#[test]
fn ids_and_filters_choose() {
    let pair = Pair::on("v2-multi");
    for line in [
        "snapshots 18231c9c 18231c9c FFFF",
        "snapshots latest zzz --host nohost",
        "snapshots latest:foo",
        "snapshots 1 0",
        "snapshots 18231c9c --host x",
        "snapshots latest latest --host alpha --path /fixture-work/../fixture-work/m",
        "snapshots --path /fixture-work/../fixture-work/m",
        "snapshots --host none",
        "snapshots --host none --json -g host",
    ] {
        pair.same(&format!("{line} --no-lock"));
    }
    pair.same_words(&["snapshots", ""]);
    pair.same_words(&["snapshots", "--tag", "", "-c"]);
    pair.same_words(&["snapshots", "--host", "", "--host", "alpha"]);
    pair.same_words(&["snapshots", "--tag", "rewrite, a<b>&c"]);
    let pair = pair.variable("RESTIC_HOST", "alpha");
    pair.same("snapshots");
    pair.same("snapshots 18231c9c");
    pair.same_lines("snapshots --host=");
}

#[test]
fn times_are_shown_in_the_zone_of_the_environment() {
    for zone in ["", "America/New_York", "Nowhere/Nothing"] {
        Pair::on("v2-multi").variable("TZ", zone).same("snapshots --no-lock --host alpha");
    }
    Pair::on("v2-multi").variable("TZ", "Asia/Kolkata").same("key list");
}

#[test]
fn a_relative_path_counts_from_here_for_the_latest_alone() {
    let (repository, source) =
        (fixtures::empty_repository(), TestTree::new().file("b/f", "1").file("a", "2"));
    let pair = Pair::at(&repository.path).within(source.path());
    pair.restic.ok(["backup", "b", "a", "--host", "h"]);
    pair.same("snapshots latest --path b --path ./a/");
    pair.same("snapshots --path b");
    pair.same("snapshots --json");
}

#[test]
fn a_snapshot_that_cannot_be_read_is_named_and_spoils_nothing() {
    let pair = Pair::on("v2-multi");
    let folder = pair.tresor.repository().join("snapshots");
    let broken = fs::read_dir(folder).unwrap().flatten().find(|file| file.file_name() == *SPOILT).unwrap();
    fs::remove_file(broken.path()).unwrap();
    fs::write(broken.path(), "short").unwrap();
    let listed = pair.stand_in().ok(["snapshots", "--json"]);
    assert_eq!(listed.json().as_array().unwrap().len(), 7);
    assert!(
        listed.errors().starts_with(&format!("Ignoring \"{SPOILT}\": failed to load snapshot f0f8ef62: "))
    );
    let latest = pair.tresor.ok(["snapshots", "latest", "--json"]);
    assert_eq!(latest.json().as_array().unwrap().len(), 1);
    for told in [latest, pair.tresor.ok(["ls", "latest"]), pair.stand_in().ok(["ls", "latest"])] {
        assert!(told.errors().contains("failed to load snapshot f0f8ef62: "), "{told}");
    }
    pair.tresor.ok(["ls", "18231c9c"]);
}

/// A snapshot of the fixture `v2-multi`.
const SPOILT: &str = "f0f8ef62cce2bab968849690fb026aa4f3c3443fa000f908de64f3641f1874d9";
