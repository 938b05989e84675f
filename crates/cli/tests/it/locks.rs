//! Locks between the two programs, and `unlock`.

use crate::pair::Pair;
use std::process::{Child, Stdio};
use tresor_testkit::{Client, fixtures};

/// Starts a restic that holds a shared lock until its standard input ends.
///
/// Without a cache: two of them that make the same one at once trip over each other.
fn hold_a_lock(restic: &Client) -> Child {
    let mut command = restic.command(["backup", "--stdin", "--json", "--no-cache"]);
    let mut holder =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while restic.ok(["list", "locks", "--no-cache"]).stdout.is_empty() {
        assert!(holder.try_wait().unwrap().is_none(), "the holder of the lock ended by itself");
    }
    holder
}

#[test]
fn a_lock_of_restic_keeps_us_from_checking_and_not_from_reading() {
    let repository = fixtures::empty_repository();
    let pair = Pair::at(&repository.path).variable("TZ", "Asia/Kolkata");
    let mut holder = hold_a_lock(&pair.restic);
    pair.tresor.ok(["snapshots"]);
    let refused = pair.tresor.run(["check"]).exits(11);
    let restic = pair.restic.run(["check"]).exits(11);
    let shape =
        |text: String| text.lines().map(|line| line[..line.len().min(30)].to_owned()).collect::<Vec<_>>();
    let mut ours = shape(refused.errors());
    assert!(ours.pop().unwrap().starts_with("hint: "));
    assert_eq!(ours, shape(restic.errors()));
    assert!(refused.text().contains("repo already locked, waiting up to 0s for the lock\n"), "{refused}");
    let json = pair.tresor.run(["check", "--json"]).exits(11);
    assert_eq!(json.message("summary")["num_errors"], 1);
    pair.tresor.ok(["check", "--no-lock"]);
    assert_eq!(pair.tresor.ok(["unlock"]).text(), "", "the holder lives");
    holder.kill().unwrap();
    holder.wait().unwrap();
    pair.tresor.run(["check"]).exits(11);
    assert_eq!(pair.tresor.ok(["unlock"]).text(), "successfully removed 1 locks\n");
    pair.tresor.ok(["check"]);
}

#[test]
fn every_lock_goes_when_asked_so() {
    let repository = fixtures::empty_repository();
    let pair = Pair::at(&repository.path);
    let mut holder = hold_a_lock(&pair.restic);
    assert_eq!(pair.tresor.ok(["unlock", "--remove-all", "--json"]).json()["removed_locks"], 1);
    assert_eq!(pair.tresor.ok(["list", "locks"]).text(), "");
    holder.kill().unwrap();
    holder.wait().unwrap();
}

#[test]
fn no_command_leaves_a_lock() {
    let pair = Pair::on("v2-multi");
    for words in
        [&["snapshots"][..], &["ls", "latest"], &["check"], &["cat", "tree", "zz"], &["list", "blobs"]]
    {
        pair.tresor.run(words);
        assert_eq!(pair.tresor.ok(["list", "locks"]).text(), "", "{words:?}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_run_and_the_lock() {
    let pair = Pair::on("v2-special");
    let mut child = pair.tresor.start(["ls", "latest", "--json"]);
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(141));
    assert_eq!(pair.tresor.ok(["list", "locks"]).text(), "");
}
