//! `prune` and `forget --prune`: what goes, what stays and what is said, beside the real restic.

use crate::pair::{Pair, TRESOR};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use tresor_testkit::fixtures::Unpacked;
use tresor_testkit::{Client, Random, Run, TestTree, compare, fixtures};

/// Every file below a folder of a repository, which others may be changing.
fn files(repository: &Path, kind: &str) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![repository.join(kind)];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path().is_dir() {
                true => waiting.push(entry.path()),
                false => drop(found.insert(entry.path().strip_prefix(repository).unwrap().to_owned())),
            }
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[test]
fn a_plan_is_that_of_restic() {
    for fixture in ["v2-multi", "v2-off", "v2-odd", "bad-missing-pack"] {
        let pair = Pair::on(fixture);
        for flags in ["--max-unused 0 -vv", "--repack-cacheable-only -q"] {
            pair.same(&format!("prune -n {flags}"));
        }
    }
    check_json(&Pair::on("v2-multi"));
    check_json(&Pair::on("bad-missing-pack"));
}

/// Under the name `restic`, JSON is no wish that `prune` grants; under our own it is.
fn check_json(pair: &Pair) {
    let folder = TestTree::new().symlink("restic", TRESOR);
    let words = ["prune", "-n", "--json"];
    let as_restic = Client::tresor(folder.join("restic"), pair.tresor.repository()).run(words);
    assert_eq!(as_restic.text(), pair.restic.run(words).text());
    let own = pair.tresor.run(words);
    assert_eq!(own.code, as_restic.code);
    if own.code != Some(0) {
        assert_eq!(own.text(), "");
        let errors = own.errors();
        let errors = errors.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let kinds: Vec<Value> = errors.map(|message| message["message_type"].clone()).collect();
        assert_eq!(kinds, ["error", "error", "exit_error"]);
        return;
    }
    let summary = own.json();
    assert_eq!(summary["message_type"], "summary");
    assert_eq!(summary["dry_run"], true);
    assert_eq!(summary["packs"]["unindexed_removed"], 0);
}

#[test]
fn wrong_input_is_refused_as_restic_refuses_it() {
    let pair = Pair::on("v2-garbage");
    for line in [
        "--max-unused 100%",
        "--max-unused 1000%",
        "--max-unused -1%",
        "--max-unused x%",
        "--max-unused -1",
        "--max-unused 1.5",
        "--max-unused zz --no-lock",
        "--max-unused=",
        "--max-repack-size zz",
        "--max-repack-size -1",
        "--repack-smaller-than 0",
        "--repack-smaller-than zz",
        "--repack-smaller-than 17m",
        "--repack-uncompressed --compression off --no-lock",
        "--no-lock",
        "--unsafe-recover-no-free-space 1234",
        "-o local.connections=1 -n",
    ] {
        pair.same(&format!("prune {line}")).exits(1);
    }
    pair.same("prune -n -q --repack-small");
    pair.same("prune -n -q --no-cache");
    Pair::on("v1-basic").same("prune --repack-uncompressed").exits(1);
    let refused = pair.tresor.run(["prune", "now"]).exits(1);
    assert!(refused.errors().contains("expects no arguments"), "{refused}");
}

/// A repository of many small packs and partly used ones, made by `client`; the source and what was forgotten differ
/// by the seed.
fn history(client: &Client, source: &TestTree, seed: u64) {
    let mut random = Random::new(seed);
    for day in 1..=5 {
        for _ in 0..6 {
            let folder = source.path().join(format!("d{}", random.below(3)));
            fs::create_dir_all(&folder).unwrap();
            let size = [10, 3_000, 70_000][random.below(3) as usize];
            let noise = fixtures::noise(seed * 1000 + random.below(1 << 30), size);
            fs::write(folder.join(format!("f{}", random.below(12))), noise).unwrap();
        }
        let time = format!("2024-01-{day:02} 12:00:00");
        let target = source.path().to_str().unwrap();
        client.ok(["backup", "-q", target, "--host", "h", "--time", &time]);
    }
}

/// What was said, without sizes: what was compressed anew is not equally long.
fn counts(run: &Run) -> Vec<String> {
    let text = run.text();
    let lines = text.lines().filter(|line| !line.starts_with("unused size"));
    lines.map(|line| line.split(" blobs / ").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn histories_are_pruned_alike_by_both_whoever_made_them() {
    for (seed, is_ours) in [(1, true), (2, false)] {
        let (made, source) = (fixtures::empty_repository(), TestTree::new());
        let maker = match is_ours {
            true => Client::tresor(TRESOR, &made.path),
            false => Client::restic(&made.path),
        };
        history(&maker, &source, seed);
        let keep = ["forget", "-q", "--keep-last", "2", "--keep-daily", "3"];
        maker.ok(keep);
        let pair = Pair::at(&made.path);
        let mut limits =
            vec!["--max-unused 0", "--max-unused 30%", "--max-unused unlimited", "--repack-uncompressed"];
        limits.extend(["--repack-smaller-than 5k", "--max-repack-size 0", "--repack-cacheable-only"]);
        for flags in limits.into_iter().skip(seed as usize % 2).step_by(2) {
            pair.same(&format!("prune -n -vv {flags}"));
        }
        let other = fixtures::empty_repository();
        fs::remove_dir_all(&other.path).unwrap();
        copy(&made.path, &other.path);
        let (ours, theirs) = (Client::tresor(TRESOR, &made.path), Client::restic(&other.path));
        let words = ["prune", "-v", "--max-unused", "0"];
        assert_eq!(ours.ok(words).text(), theirs.ok(words).text());
        for kind in ["data", "index"] {
            assert_eq!(files(&made.path, kind).len(), files(&other.path, kind).len(), "{kind}");
        }
        let restic = Client::restic(&made.path);
        restic.ok(["check", "--read-data"]);
        assert_eq!(ours.ok(["list", "locks"]).text(), "");
        let target = TestTree::new();
        ours.ok(["restore", "-q", "latest", "--target", target.path().to_str().unwrap()]);
        let restored = target.path().join(source.path().strip_prefix("/").unwrap());
        compare::assert_same(source.path(), &restored);
        // The one prunes what the other left.
        let next = (restic.ok(words), Client::tresor(TRESOR, &other.path).ok(words));
        assert_eq!(counts(&next.0), counts(&next.1));
    }
}

#[test]
fn forgetting_and_pruning_is_one_step() {
    for line in [
        "forget --keep-last 1 --host alpha --prune",
        "forget --keep-last 1 --host alpha --prune -n -v",
        "forget --keep-last 1 --host alpha --prune -q",
        "forget 18231c9c --prune -v --max-unused 0",
        "forget --keep-last 99 --host alpha --prune",
        "forget 18231c9c --prune --repack-smaller-than 17m",
    ] {
        let pair = Pair::apart("v2-multi");
        pair.same(line);
        let (restic, tresor) = (pair.restic.repository(), pair.tresor.repository());
        for kind in ["data", "index", "snapshots"] {
            assert_eq!(files(tresor, kind).len(), files(restic, kind).len(), "{line}: {kind}");
        }
        Client::restic(tresor).ok(["check", "--read-data"]);
    }
    let pair = Pair::apart("v2-multi");
    let words = ["forget", "--keep-last", "1", "--host", "alpha", "--prune", "--json"];
    assert_eq!(pair.tresor.ok(words).json(), pair.restic.ok(words).json(), "one array and nothing else");
    assert_eq!(files(pair.tresor.repository(), "data").len(), files(pair.restic.repository(), "data").len());
}

#[test]
fn a_pack_that_is_gone_and_not_needed_is_forgotten() {
    let pair = Pair::apart("v2-garbage");
    for client in [&pair.restic, &pair.tresor] {
        let gone = files(client.repository(), "data").into_iter().find(|path| path.starts_with("data/11"));
        fs::remove_file(client.repository().join(gone.unwrap())).unwrap();
    }
    let run = pair.same_lines("prune -v");
    assert!(run.errors().contains("will forget missing pack file 11e711ca"), "{run}");
    Client::restic(pair.tresor.repository()).ok(["check", "--read-data"]);
}

/// A repository of two backups that did not know of each other: both have a file `twice`, each in a pack with another
/// file; and the packs of the second, of the host `two`.
pub(crate) fn with_copies() -> (Unpacked, BTreeSet<PathBuf>) {
    let (first, second) = (fixtures::empty_repository(), fixtures::empty_repository());
    let source = TestTree::new().file("twice", fixtures::noise(1, 5000));
    for (repository, other) in [(&first, "one"), (&second, "two")] {
        let restic = Client::restic(&repository.path).within(source.path());
        fs::write(source.join(other), other.repeat(700)).unwrap();
        restic.ok(["backup", "-q", "--host", other, "twice", other]);
    }
    copy(&second.path, &first.path);
    (first, files(&second.path, "data"))
}

#[test]
fn a_copy_in_a_pack_that_is_gone_is_none() {
    let (repository, gone) = with_copies();
    let tresor = Client::tresor(TRESOR, &repository.path);
    tresor.ok(["forget", "-q", "--unsafe-allow-remove-all", "--host", "two"]);
    for pack in gone {
        fs::remove_file(repository.path.join(pack)).unwrap();
    }
    let run = tresor.ok(["prune", "--max-unused", "0"]);
    assert!(run.errors().contains("will forget missing pack file"), "{run}");
    let restic = Client::restic(&repository.path);
    restic.ok(["check", "--read-data"]);
    assert_eq!(restic.ok(["dump", "latest", "/twice"]).stdout, fixtures::noise(1, 5000));
}

#[test]
fn what_nobody_can_read_stops_it_before_anything_changes() {
    for kind in ["snapshots", "index"] {
        let pair = Pair::on("v2-garbage");
        fs::write(pair.tresor.repository().join(kind).join("11".repeat(32)), [7; 300]).unwrap();
        let before = files(pair.tresor.repository(), "");
        let refused = pair.tresor.run(["prune"]).exits(20);
        pair.stand_in().run(["prune"]).exits(1);
        pair.restic.run(["prune"]).exits(1);
        assert_eq!(files(pair.tresor.repository(), ""), before, "{refused}");
    }
}

#[test]
fn a_full_repository_is_recovered_by_its_id() {
    let pair = Pair::apart("v2-garbage");
    let id = pair.tresor.ok(["cat", "config"]).json()["id"].as_str().unwrap().to_owned();
    pair.same_lines(&format!("prune -vv --unsafe-recover-no-free-space {id}"));
    Client::restic(pair.tresor.repository()).ok(["check", "--read-data"]);
    pair.same("prune -v");
}

#[test]
fn a_prune_that_is_killed_loses_nothing_and_the_next_one_ends_it() {
    let (made, source) = (fixtures::empty_repository(), TestTree::new());
    history(&Client::restic(&made.path), &source, 9);
    Client::restic(&made.path).ok(["forget", "-q", "--keep-last", "2"]);
    let mut killed = 0;
    for changes in [1, 3, 8] {
        let copied = fixtures::empty_repository();
        fs::remove_dir_all(&copied.path).unwrap();
        copy(&made.path, &copied.path);
        let (tresor, restic) = (Client::tresor(TRESOR, &copied.path), Client::restic(&copied.path));
        // Uploads are slowed down so that there is something to see; the kill comes after so many changes.
        let mut child = tresor.start(["prune", "-q", "--max-unused", "0", "--limit-upload", "300"]);
        let seen = || [files(&copied.path, "data"), files(&copied.path, "index")];
        let (mut last, mut left) = (seen(), changes);
        while left > 0 && child.try_wait().unwrap().is_none() {
            let now = seen();
            left -= u32::from(now != last);
            last = now;
        }
        let _ = child.kill(); // it may have ended
        killed += u32::from(child.wait().unwrap().code().is_none());
        restic.ok(["unlock", "--remove-all"]);
        restic.ok(["check", "--read-data"]);
        tresor.ok(["prune", "-q", "--max-unused", "0"]);
        assert_eq!(tresor.ok(["prune", "-n", "--json", "--max-unused", "0"]).json()["removed"]["blobs"], 0);
        restic.ok(["check", "--read-data"]);
        let target = TestTree::new();
        restic.ok(["restore", "-q", "latest", "--target", target.path().to_str().unwrap()]);
        let restored = target.path().join(source.path().strip_prefix("/").unwrap());
        compare::assert_same(source.path(), &restored);
    }
    assert!(killed > 0, "each had ended before it was to be killed");
}
