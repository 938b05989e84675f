//! What the real restic does beside us is no alarm; a storage that went back in time is one.

use crate::scene::TRESOR;
use std::fs;
use std::process::Command;
use tresor_testkit::{Client, Random, TestTree, asked, fixtures};

/// What restic does between two backups of ours.
const OTHERS: [&[&[&str]]; 7] = [
    &[&["forget", "--keep-last", "2", "--prune"]],
    &[&["forget", "latest"], &["prune"]],
    &[&["forget", "--keep-last", "1"]],
    &[&["backup", "a"], &["forget", "latest", "--prune"]],
    &[&["repair", "index"]],
    &[&["tag", "--add", "seen"], &["prune", "--max-unused", "0"]],
    &[&["rewrite", "--forget", "--exclude", "nothing", "latest"], &["check"]],
];

#[test]
fn restic_between_our_backups_is_no_alarm() {
    let (source, repository) = (TestTree::new().file("a/file", ""), fixtures::empty_repository());
    let ours = Client::tresor(TRESOR, &repository.path).within(source.path());
    let theirs = Client::restic(&repository.path).within(source.path());
    let mut random = Random::new(asked("TRESOR_SEED", 1));
    let before = tempfile::tempdir().unwrap();
    for round in 0..asked("TRESOR_ROUNDS", 10) {
        fs::write(source.path().join("a/file"), random.word().to_string()).unwrap();
        let said = ours.ok(["backup", "a"]).errors();
        assert!(!said.contains("went back"), "round {round}: {said}");
        if round == 3 {
            let copied = Command::new("cp").arg("-a").arg(&repository.path).arg(before.path()).status();
            assert!(copied.unwrap().success());
        }
        for words in OTHERS[round as usize % OTHERS.len()] {
            theirs.ok(*words);
        }
    }
    assert_eq!(ours.ok(["forget", "--keep-last", "1", "--prune"]).errors().matches("went back").count(), 0);
    theirs.ok(["check", "--read-data"]);

    fs::remove_dir_all(&repository.path).unwrap();
    let copy = fs::read_dir(before.path()).unwrap().next().unwrap().unwrap().path();
    let copied = Command::new("cp").arg("-a").arg(copy).arg(&repository.path).status();
    assert!(copied.unwrap().success());
    let said = ours.run(["prune"]).exits(1).errors();
    assert!(said.contains("files that were removed are there again"), "{said}");
    theirs.ok(["check", "--read-data"]);
    ours.ok(["prune", "--accept-rollback"]);
    theirs.ok(["check", "--read-data"]);
}
