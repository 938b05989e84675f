//! `key`: passwords added, changed and removed, as restic sees them.

use crate::pair::Pair;
use tresor_testkit::{fixtures, secret_file};

/// A repository without snapshots, and a file with another password.
fn prepared() -> (fixtures::Unpacked, Pair) {
    let empty = fixtures::empty_repository();
    let pair = Pair::at(&empty.path);
    secret_file(pair.tresor.home().join("new"), " second \n");
    (empty, pair)
}

#[test]
fn an_added_password_opens_for_both() {
    let (_repository, pair) = prepared();
    let added = pair.tresor.ok(["key", "add", "--new-password-file", "new", "--user", "u", "--host", "h"]);
    let id = added.text().trim_end().strip_prefix("saved new key with ID ").unwrap().to_owned();
    let second = pair.password("second");
    let listed = second.restic.ok(["key", "list", "--json"]).json();
    let new = listed.as_array().unwrap().iter().find(|key| key["id"] == id.as_str()).unwrap();
    assert_eq!(
        (&new["userName"], &new["hostName"], &new["current"]),
        (&"u".into(), &"h".into(), &true.into())
    );
    second.same_lines("key list");
    second.same_lines("key list -q");
}

#[test]
fn a_password_from_stdin_is_its_first_line() {
    let (_repository, pair) = prepared();
    pair.tresor.run_with_input(["key", "add"], b"third\nrest").ok();
    pair.password("third").restic.ok(["cat", "config"]);
}

#[test]
fn a_changed_password_replaces_the_old_one() {
    let (_repository, pair) = prepared();
    let changed =
        pair.tresor.ok(["key", "passwd", "--new-password-file", "new", "--user", "u", "--host", "h"]);
    assert!(changed.text().starts_with("saved new key as <Key of u@h, created on "), "{changed}");
    pair.tresor.run(["key", "list"]).exits(12);
    let pair = pair.password("second");
    assert_eq!(pair.restic.ok(["key", "list", "--json"]).json().as_array().unwrap().len(), 1);
    pair.tresor.ok(["check"]);
}

#[test]
fn a_removed_password_opens_no_more() {
    let (_repository, pair) = prepared();
    let current = pair.tresor.ok(["list", "keys"]).text().trim_end().to_owned();
    pair.tresor.ok(["key", "add", "--new-insecure-no-password"]);
    pair.same(&format!("key remove {current}")).exits(1);
    let keys = pair.tresor.ok(["list", "keys"]).text();
    let other = keys.lines().find(|id| *id != current).unwrap();
    assert_eq!(pair.tresor.ok(["key", "remove", &other[..10]]).text(), format!("removed key {other}\n"));
    assert_eq!(pair.restic.ok(["list", "keys"]).text().trim_end(), current);
}

#[test]
fn wrong_words_are_refused_and_unknown_ones_are_helped() {
    let (_repository, pair) = prepared();
    for line in [
        "key remove",
        "key remove a b",
        "key remove zz",
        "key add --new-insecure-no-password --new-password-file new",
        "key add --new-password-file no-such-file",
    ] {
        pair.same(line).exits(1);
    }
    secret_file(pair.tresor.home().join("empty"), "\n");
    pair.tresor.run(["key", "add", "--new-password-file", "empty"]).exits(1);
    for line in [&["key"][..], &["key", "bogus"]] {
        assert!(pair.tresor.ok(line).text().contains("passwd"), "{line:?}");
    }
    assert_eq!(pair.tresor.ok(["list", "keys"]).text().lines().count(), 1);
}
