//! `diff`: changes, metadata, folders, statistics.

use crate::pair::Pair;
use tresor_testkit::TestTree;
use tresor_testkit::fixtures;

#[test]
fn every_pair_of_snapshots_differs_as_restic_says() {
    let pair = Pair::on("v2-multi");
    for other in ["18231c9c", "f0f8ef62", "00acb719", "16d46e99", "0fcaeadb"] {
        for flags in ["", "--metadata", "-q", "--json --metadata", "-q --json"] {
            pair.same(&format!("diff --no-lock {flags} 16d46e99 {other}"));
        }
    }
    pair.same("diff --no-lock 16d46e99:m 18231c9c:/m/./");
    pair.same("diff --no-lock 16d46e99:m/sub 18231c9c --json");
}

#[test]
fn wrong_words_are_refused() {
    let pair = Pair::on("v2-multi");
    for line in ["diff", "diff 16d46e99", "diff zz 16d46e99", "diff 16d46e99:nope 18231c9c"] {
        pair.same(line).exits(1);
    }
    pair.same("diff --json 16d46e99 18231c9c:m/two").exits(1);
}

#[test]
fn kinds_change_and_content_stays_in_common_folders() {
    let (repository, source) = (fixtures::empty_repository(), TestTree::new());
    let source =
        source.file("same/x", "A").file("f", "B").file("gone", "A").file("d/y", "C").file("t/in", "D");
    let pair = Pair::at(&repository.path).within(source.path());
    pair.restic.ok(["backup", ".", "--time", "2024-02-01 10:00:00"]);
    let source = source.remove("gone").remove("d").remove("f").remove("t");
    let _source = source.file("d", "E").file("f/in", "F").symlink("t", "d").fifo("p");
    pair.restic.ok(["backup", ".", "--time", "2024-02-02 10:00:00"]);
    let listed = pair.restic.ok(["snapshots", "--json"]).json();
    let [first, second] = [0, 1].map(|number| listed[number]["id"].as_str().unwrap().to_owned());
    for flags in ["", "--metadata", "--json"] {
        pair.same(&format!("diff {first} {second} {flags}"));
        pair.same(&format!("diff {second} {first} {flags}"));
    }
}

#[test]
fn our_own_name_understands_more_names() {
    let pair = Pair::on("v2-multi");
    let tresor = |words: &[&str]| pair.tresor.ok(words).text();
    assert_eq!(
        tresor(&["diff", "--no-lock", "2025-02-02", "latest"]).lines().next(),
        Some("comparing snapshot 16d46e99 to 0fcaeadb:")
    );
    assert!(tresor(&["diff", "latest~1", "latest"]).starts_with("comparing snapshot 16d46e99 to 0fcaeadb:"));
    assert_eq!(tresor(&["cat", "snapshot", "latest~1"]), tresor(&["cat", "snapshot", "16d46e99"]));
    assert_eq!(tresor(&["ls", "2025-02-02:m"]), tresor(&["ls", "16d46e99:m"]));
    assert_eq!(tresor(&["snapshots", "latest~1", "--json"]), tresor(&["snapshots", "16d46e99", "--json"]));
    pair.tresor.run(["ls", "latest~99"]).exits(1);
}
