//! `find`: patterns, times, ids, forms.

use crate::pair::Pair;

#[test]
fn paths_are_found_as_restic_finds_them() {
    let pair = Pair::on("v2-special");
    for words in [
        "hard_a",
        "*a* -l",
        "*A* -i --human-readable -l",
        "/special/many -q",
        "/special/**/f1*",
        "sym* --json",
        "dev chardev --json",
        "nope",
        "nope --json",
        "-O 2026-11-24 hl",
        "-N 24.11.2026 hl",
        "!hl",
    ] {
        pair.same(&format!("find --no-lock {words}"));
    }
    pair.same_words(&["find", "", "--json"]);
    pair.same_words(&["find", "-s", "latest", "-s", "zz", "*with*blank*"]);
    let pair = Pair::on("v2-multi").variable("TZ", "America/New_York");
    for words in [
        "three --host gamma",
        "three -R --host alpha",
        "three --host alpha",
        "two sub -l --host alpha",
        "three --tag daily --json",
    ] {
        pair.same(&format!("find --no-lock {words}"));
    }
}

#[test]
fn blobs_trees_and_packs_are_found() {
    let pair = Pair::on("v2-multi");
    let file = "f6936912184481f5edd4c304ce27c5a1a827804fc7f329f43d273b8621870776";
    let tree = "f153993193db2fc37c92ce41cb01b619c4a9f3a095c265bf20c948e97ab94a58";
    for words in [
        &format!("--blob {file}"),
        "--blob f6936912 --json",
        "--blob f6936912 --show-pack-id",
        "--blob f69369 --show-pack-id",
        "--tree f1539931 --show-pack-id",
        &format!("--tree {tree} --show-pack-id -q"),
        &format!("--blob {tree} --show-pack-id"),
        &format!("--tree {tree} {file} --json"),
        "--pack b5d74561 --json",
        "--pack 89488aa6",
    ] {
        // Two snapshots of the fixture have the same time, and restic takes them in any order.
        pair.same(&format!("find --no-lock --host alpha {words}"));
    }
}

#[test]
fn packs_of_what_was_found_are_json_under_our_own_name() {
    let pair = Pair::on("v2-multi");
    let lines = pair.tresor.ok(["find", "--blob", "f6936912", "--json", "--show-pack-id"]).json_lines();
    assert_eq!((lines.len(), lines[1]["message_type"].as_str()), (2, Some("pack")));
    let lines = pair.tresor.ok(["find", "--tree", "f6936912", "--json", "--show-pack-id"]).json_lines();
    assert_eq!((lines[0].as_array().unwrap().len(), lines[1]["message_type"].as_str()), (0, Some("no_pack")));
}

#[test]
fn wrong_words_are_refused() {
    let pair = Pair::on("v2-multi");
    for line in [
        "find",
        "find --blob --tree x",
        "find -O 2025-01-01 -N 2024-01-01 x",
        "find -O zz x",
        "find --pack 00000000",
        "find --pack 00000000 --json",
    ] {
        pair.same(line).exits(1);
    }
    pair.tresor.run(["find", "["]).exits(1).errors().contains("invalid pattern");
}

#[test]
fn a_tree_that_is_lost_does_not_stop_the_search() {
    let pair = Pair::on("bad-missing-treepack");
    let found = pair.tresor.ok(["find", "x", "--json"]);
    assert_eq!(found.text(), "[]\n");
    assert!(found.errors().contains("\"message\":\"Unable to load tree "));
}
