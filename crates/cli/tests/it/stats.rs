//! `stats`: four modes, text and JSON.

use crate::pair::Pair;

const MODES: [&str; 4] = ["restore-size", "files-by-contents", "blobs-per-file", "raw-data"];

#[test]
fn every_mode_counts_as_restic_counts() {
    for fixture in ["v2-multi", "v2-special", "v1-basic", "v2-off"] {
        let pair = Pair::on(fixture);
        for mode in MODES {
            pair.same(&format!("stats --no-lock --json --mode {mode}"));
            pair.same(&format!("stats --no-lock -q latest --mode {mode}"));
        }
    }
    Pair::on("v2-multi").same("stats --no-lock --mode debug");
}

#[test]
fn snapshots_are_chosen() {
    let pair = Pair::on("v2-multi");
    for words in ["zz 18231c9c", "--host nobody", "--host nobody --json", "zz --json", "16d46e99 16d46e99"] {
        pair.same(&format!("stats --no-lock {words}"));
    }
    pair.same("stats --mode bogus").exits(1);
    pair.same("stats --mode bogus --json").exits(1);
}

#[test]
fn what_is_stored_twice_counts_twice_as_raw_data() {
    let (repository, _) = crate::prune::with_copies();
    let pair = Pair::at(&repository.path);
    for mode in MODES {
        pair.same(&format!("stats --json --mode {mode}"));
    }
    assert_eq!(pair.tresor.ok(["stats", "--mode", "raw-data", "--json"]).json()["total_blob_count"], 6);
}
