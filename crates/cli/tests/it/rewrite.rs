//! `tag`, `rewrite` and `repair snapshots`: what they say and what the repository then holds.

use crate::pair::Pair;
use serde_json::Value;
use std::fs;
use tresor_testkit::{Client, TestTree, fixtures};

/// Both programs, each on its own copy, do the same and say the same; ids of new snapshots are not compared,
/// and neither is the order of the snapshots, which restic takes as they come.
#[track_caller]
fn same(pair: &Pair, line: &str) {
    let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
    let (restic, tresor) = (pair.restic.run(&words), pair.stand_in().run(&words));
    let parts = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let mut parts: Vec<String> = text.split("\n\n").map(masked).collect();
        parts.sort();
        parts
    };
    assert_eq!(parts(&tresor.stdout), parts(&restic.stdout), "{line}\n{tresor}\n{restic}");
    assert_eq!(parts(&tresor.stderr), parts(&restic.stderr), "{line}\n{tresor}\n{restic}");
    assert_eq!(tresor.code, restic.code, "{line}\n{tresor}\n{restic}");
    assert_eq!(snapshots(&pair.tresor), snapshots(&pair.restic), "{line}\n{tresor}\n{restic}");
}

/// A text without its ids, the lines in order where each is of one snapshot.
fn masked(text: &str) -> String {
    let is_id = |word: &str| matches!(word.len(), 8 | 64) && word.bytes().all(|b| b.is_ascii_hexdigit());
    let lines = text.trim_matches('\n').lines().filter(|line| !line.starts_with("hint: "));
    let mut lines: Vec<String> = lines
        .map(|line| {
            let words = line.split(['"', ' ']);
            words.map(|word| if is_id(word) { "ID" } else { word }).collect::<Vec<_>>().join(" ")
        })
        .collect();
    if text.contains(" -> ") || text.contains("changed") {
        lines.sort();
    }
    lines.join("\n")
}

/// Everything the snapshots say but their ids, with the content of their trees; sorted.
fn snapshots(client: &Client) -> Vec<String> {
    let listed = client.ok(["snapshots", "--json"]).json();
    let mut all: Vec<String> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|snapshot| {
            let mut snapshot = snapshot.clone();
            let object = snapshot.as_object_mut().unwrap();
            for name in ["id", "short_id"] {
                object.remove(name);
            }
            if object.contains_key("original") {
                object.insert("original".into(), Value::from("some"));
            }
            snapshot.to_string()
        })
        .collect();
    all.sort();
    all
}

#[test]
fn tags_change_as_restic_changes_them() {
    let pair = Pair::apart("v2-multi");
    for line in [
        "tag",
        "tag --set a --add b",
        "tag --set= --host alpha",
        "tag --set q,q,z --host alpha",
        "tag --set q --host alpha --json",
        "tag --add z,m --host alpha -v",
        "tag --remove q --host alpha -vv",
        "tag --remove q -q",
        "tag --add= --tag z",
        "tag --add nn zzz",
        "tag --add nn latest:s",
        "tag --add m --host none --json",
        "tag --add new latest",
        "tag --add more --tag new --path /nowhere",
        "tag --remove daily,keep",
    ] {
        same(&pair, line);
    }
    is_whole(&pair);
}

/// restic finds no fault in our repository, nor any lock.
#[track_caller]
fn is_whole(pair: &Pair) {
    assert_eq!(pair.tresor.ok(["list", "locks"]).text(), "");
    Client::restic(pair.tresor.repository()).password(fixtures::PASSWORD).ok(["check", "--read-data"]);
}

#[test]
fn dry_rewrites_say_what_restic_says() {
    let pair = Pair::on("v2-multi");
    for line in [
        "",
        "-e two -i sub",
        "-e two --host alpha",
        "-e two --host alpha -vv --forget",
        "-e nope --host alpha -vv",
        "-e * --host alpha -vv",
        "-i two --host alpha -vv",
        "-i sub --host alpha -vv",
        "-i nope --host alpha -vv",
        "--iinclude SUB --host alpha -vv",
        "--iexclude TWO --host alpha --no-lock",
        "-e [ 18231c9c",
        "-e [ --host none",
        "-s --host alpha",
        "--new-host nh --host alpha",
        "--new-host nh --forget --host alpha -q",
        "--new-host= --new-time=",
        "-e two zzz latest:x",
    ] {
        same(&pair, &format!("rewrite -n {line}"));
    }
    pair.same_words(&[
        "rewrite",
        "-n",
        "--new-time",
        "2020-02-29 00:00:00",
        "--new-host",
        "x",
        "--forget",
        "18231c9c",
    ]);
    pair.tresor.run(["rewrite", "-n", "--new-time", "2020-02-30", "18231c9c"]).exits(1);
}

#[test]
fn rewritten_snapshots_are_those_of_restic() {
    let pair = Pair::apart("v2-multi");
    for line in [
        "rewrite -e two --host alpha -v",
        "rewrite -e two --host alpha",
        "rewrite --new-host nh --host beta --forget",
        "rewrite -i sub --tag daily --forget -vv",
        "rewrite -e * latest",
        "rewrite --new-host x --new-time= 18231c9c --json",
        "rewrite -s",
    ] {
        same(&pair, line);
    }
    is_whole(&pair);
}

#[test]
fn every_kind_of_node_survives_a_rewrite() {
    let pair = Pair::apart("v2-special");
    same(&pair, "rewrite -e small --forget");
    same(&pair, "rewrite -s -e nope");
    same(&pair, "rewrite -i *a* --new-host x -vv");
    is_whole(&pair);
    same(&Pair::apart("v2-odd"), "rewrite -e two");
    same(&Pair::apart("v1-basic"), "rewrite -e a.txt -s");
}

#[test]
fn broken_repositories_are_repaired_as_by_restic() {
    for fixture in ["bad-missing-pack", "bad-missing-treepack", "bad-no-index", "v2-odd"] {
        let pair = Pair::apart(fixture);
        for client in [&pair.restic, &pair.tresor] {
            Client::restic(client.repository()).ok(["repair", "index"]);
        }
        same_repair(&pair, "repair snapshots --dry-run");
        same_repair(&pair, "repair snapshots --dry-run --forget zzz latest");
        same_repair(&pair, "repair snapshots --host nobody");
        same_repair(&pair, "repair snapshots --forget");
        let checked = Client::restic(pair.tresor.repository()).ok(["check", "--read-data"]);
        assert!(checked.text().contains("no errors were found"), "{checked}");
        same_repair(&pair, "repair snapshots");
    }
}

/// As [`same`] in a repository that need not be whole.
#[track_caller]
fn same_repair(pair: &Pair, line: &str) {
    let (restic, tresor) = (pair.restic.run(line.split(' ')), pair.stand_in().run(line.split(' ')));
    let parts = |text: String| {
        let mut parts: Vec<String> = text.split("\n\n").map(masked).collect();
        parts.sort();
        parts
    };
    assert_eq!(parts(tresor.text()), parts(restic.text()), "{line}\n{tresor}\n{restic}");
    assert_eq!(parts(tresor.errors()), parts(restic.errors()), "{line}\n{tresor}\n{restic}");
    assert_eq!(tresor.code, restic.code, "{line}");
    assert_eq!(snapshots(&pair.tresor), snapshots(&pair.restic), "{line}");
}

#[test]
fn a_lost_directory_is_empty_and_lost_content_is_cut_out() {
    let source = TestTree::new().file("a/keep", "kept").file("a/b/lost", "lost").file("c/other", "other");
    let one = fixtures::empty_repository();
    let pair = Pair::at(&one.path).within(source.path());
    pair.restic.ok(["backup", "a", "--host", "h", "--time", "2024-01-01 10:00:00"]);
    for (name, folder) in [("first", "a/keep"), ("second", "a/b/lost")] {
        fs::write(source.path().join(folder), name).unwrap();
        pair.restic.ok(["backup", "a", "c", "--host", "h", "--tag", name, "--time", "2024-01-02 10:00:00"]);
    }
    // Of every pack in turn it is asked what the snapshots are without it.
    let packs = pair.restic.ok(["list", "packs"]).text();
    for pack in packs.lines() {
        let copies = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let clients = copies.each_ref().map(|copy| {
            copy_folder(&one.path, copy.path());
            fs::remove_file(copy.path().join("data").join(&pack[..2]).join(pack)).unwrap();
            Client::restic(copy.path()).ok(["repair", "index", "--no-cache"]);
            copy.path()
        });
        let pair = Pair { restic: Client::restic(clients[0]), ..Pair::at(clients[1]) };
        // The same damage below two snapshots is told once by restic, for whichever it comes to first.
        let (restic, tresor) = (
            pair.restic.ok(["repair", "snapshots", "--forget"]),
            pair.tresor.ok(["repair", "snapshots", "--forget"]),
        );
        assert_eq!(snapshots(&pair.tresor), snapshots(&pair.restic), "{pack}\n{tresor}\n{restic}");
        Client::restic(clients[1]).ok(["check", "--read-data"]);
    }
}

#[test]
fn a_snapshot_file_that_nobody_can_read_goes_when_it_is_named() {
    let pair = Pair::on("v2-multi");
    let file = fs::read_dir(pair.tresor.repository().join("snapshots")).unwrap().flatten().next().unwrap();
    let id = file.file_name().into_string().unwrap();
    fs::remove_file(file.path()).unwrap();
    fs::write(file.path(), "damaged").unwrap();
    let all = pair.tresor.ok(["repair", "snapshots", "--forget"]);
    assert!(all.errors().starts_with(&format!("Ignoring \"{id}\": ")), "{all}");
    for words in [&["--dry-run", "--forget", &id[..]][..], &[&id[..6]]] {
        pair.tresor.ok(["repair", "snapshots"].iter().chain(words));
        assert!(pair.restic.ok(["list", "snapshots"]).text().contains(&id), "{words:?}");
    }
    let removed = pair.tresor.ok(["repair", "snapshots", "--forget", &id[..10], "ffff"]).text();
    assert!(
        removed.ends_with(&format!("removed damaged snapshot {}\n\nmodified 1 snapshots\n", &id[..8])),
        "{removed}"
    );
    assert_eq!(pair.restic.ok(["list", "snapshots"]).text().lines().count(), 7);
    pair.restic.ok(["check"]);
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
