//! `cat` and `list`: what is stored, as it is.

use crate::pair::Pair;

#[test]
fn everything_stored_is_printed_as_restic_prints_it() {
    for fixture in ["v2-multi", "v1-basic"] {
        let pair = Pair::on(fixture);
        for kind in ["index", "packs", "keys", "snapshots"] {
            let ids = pair.same_lines(&format!("list --no-lock {kind}")).text();
            let id = ids.lines().next().unwrap();
            pair.same(&format!("cat --no-lock {} {id}", kind.trim_end_matches('s')));
        }
        let blobs = pair.same_lines("list --no-lock blobs").text();
        for kind in ["data ", "tree "] {
            let blob = blobs.lines().find_map(|line| line.strip_prefix(kind)).unwrap();
            pair.same(&format!("cat --no-lock blob {blob}"));
        }
    }
    let pair = Pair::on("v2-multi");
    for what in ["config", "config ignored", "masterkey", "masterkey --json"] {
        pair.same(&format!("cat {what}"));
    }
}

#[test]
fn trees_are_found_by_snapshot_and_folder() {
    let pair = Pair::on("v2-multi");
    for what in ["16d46e99", "16d46e99:m/sub", "16d46e99:m/two", "zz"] {
        pair.same(&format!("cat tree {what}"));
    }
    for what in ["f0f8", "16d46e99:ignored", "zz"] {
        pair.same(&format!("cat snapshot {what}"));
    }
}

#[test]
fn wrong_words_are_refused() {
    let pair = Pair::on("v2-multi");
    let unknown = "f".repeat(64);
    for line in ["cat", "cat foo", "cat blob", "cat blob abcd", "cat index zz", "list", "list blobs locks"] {
        pair.same(line).exits(1);
    }
    pair.same(&format!("cat blob {unknown}")).exits(1);
    for kind in ["index", "pack", "key", "lock"] {
        let run = pair.tresor.run(["cat", kind, &unknown]).exits(1);
        assert!(run.errors().contains("no such file or directory"), "{run}");
    }
    let run = pair.tresor.run(["list", "foo"]).exits(1);
    assert_eq!(run.errors(), "invalid argument \"foo\" for \"tresor list\"\n");
}

#[test]
fn a_damaged_pack_is_printed_with_a_warning() {
    let pair = Pair::on("bad-bitflip");
    let damaged = "3309eb0ea6edca3fb77547d54aae33913f2b7def1f5fdc92c6c5bec7dc35d8de";
    let (restic, tresor) =
        (pair.restic.ok(["cat", "pack", damaged]), pair.tresor.ok(["cat", "pack", damaged]));
    assert_eq!(tresor.stdout, restic.stdout);
    assert!(tresor.errors().starts_with("Warning: "), "{}", tresor.errors());
}
