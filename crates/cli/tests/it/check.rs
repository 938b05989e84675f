//! `check`: findings, counters, JSON, exit codes.

use crate::pair::Pair;
use std::fs;
use tresor_testkit::Run;
use tresor_testkit::fixtures;

/// The lines that both programs must print alike; advice is worded differently.
fn facts(run: &Run) -> (Vec<String>, Vec<String>) {
    let is_fact = |line: &&str| {
        let starts = [
            "pack ",
            "error for ",
            "  id ",
            "Fatal: ",
            "read ",
            "[0:",
            "load ",
            "check ",
            "create ",
            "no errors",
        ];
        starts.iter().any(|start| line.starts_with(start)) || line.contains(" additional files were found")
    };
    let lines = |text: String| text.lines().filter(is_fact).map(str::to_owned).collect();
    (lines(run.text()), lines(run.errors()))
}

#[test]
fn every_fixture_is_judged_as_restic_judges_it() {
    for name in fixtures::manifest().fixtures.keys().filter(|name| *name != "v2-keys") {
        let pair = Pair::on(name);
        let words = ["check", "--no-lock", "--read-data"];
        let (restic, tresor) = (pair.restic.run(words), pair.tresor.run(words));
        assert_eq!(tresor.code, restic.code, "{name}\n{tresor}\n{restic}");
        let without_brackets = |run: &Run| {
            let (mut text, errors) = facts(run);
            text.iter_mut().for_each(|line| *line = line.replace(['[', ']', '{', '}'], ""));
            (text, errors)
        };
        assert_eq!(without_brackets(&tresor), without_brackets(&restic), "{name}\n{tresor}\n{restic}");
        let json = ["check", "--no-lock", "--json"];
        let (restic, tresor) = (pair.restic.run(json), pair.tresor.run(json));
        assert_eq!(tresor.message("summary"), restic.message("summary"), "{name}\n{tresor}\n{restic}");
        assert_eq!(tresor.code, restic.code);
    }
}

#[test]
fn a_part_of_the_packs_can_be_read() {
    let pair = Pair::on("v2-garbage");
    for subset in ["2/2", "1/3", "33.333%", "200k"] {
        for snapshots in ["", " latest", " --host none"] {
            let line = format!("check --no-lock --read-data-subset {subset}{snapshots}");
            let words: Vec<&str> = line.split(' ').collect();
            let (restic, tresor) = (pair.restic.ok(&words), pair.tresor.ok(&words));
            assert_eq!(facts(&tresor), facts(&restic), "{line}");
        }
    }
    for subset in ["1000", "0/3", "1/300", "0%", "101%", "0k", "1/2/3", "-1/2", "foo"] {
        pair.same(&format!("check --read-data-subset={subset}")).exits(1);
    }
    pair.same("check --read-data --read-data-subset 1/2").exits(1);
}

#[test]
fn the_packs_to_repair_are_named() {
    let run = Pair::on("bad-bitflip").tresor.run(["check", "--read-data"]).exits(1);
    let broken = "3309eb0ea6edca3fb77547d54aae33913f2b7def1f5fdc92c6c5bec7dc35d8de";
    let errors = run.errors();
    assert!(
        errors.contains(&format!("\ntresor repair packs {broken}\ntresor repair snapshots --forget\n")),
        "{run}"
    );
}

#[test]
fn an_index_that_cannot_be_read_ends_the_check() {
    let pair = Pair::on("v2-multi");
    let index = fs::read_dir(pair.tresor.repository().join("index")).unwrap().flatten().next().unwrap();
    fs::remove_file(index.path()).unwrap();
    fs::write(index.path(), "short").unwrap();
    for flags in [&["check"][..], &["check", "--json"]] {
        let (restic, tresor) = (pair.restic.run(flags).exits(1), pair.tresor.run(flags).exits(1));
        assert_eq!(facts(&tresor), facts(&restic));
    }
    let summary = pair.tresor.run(["check", "--json"]).message("summary");
    assert_eq!(summary, pair.restic.run(["check", "--json"]).message("summary"));
}

#[test]
fn an_unknown_snapshot_fails_the_check() {
    let pair = Pair::on("v2-auto");
    let run = pair.tresor.run(["check", "zzz"]).exits(1);
    assert!(run.errors().starts_with("error: no matching ID found for prefix \"zzz\"\n"), "{run}");
    let nowhere = Pair::at("no-such-folder".as_ref());
    let run = nowhere.tresor.run(["check", "--json"]).exits(10);
    assert_eq!(run.text(), nowhere.restic.run(["check", "--json"]).exits(10).text());
}
