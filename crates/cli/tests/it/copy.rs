//! `copy`: what arrives, what is skipped, what is said.

use crate::pair::Pair;
use crate::pair::TRESOR;
use serde_json::Value;
use tresor_testkit::fixtures;
use tresor_testkit::{Client, Run};

/// What is said, without the new snapshots' ids, in no order.
fn said(run: &Run) -> Vec<String> {
    let hide = |line: &str| match line.split_once(" saved, ") {
        Some((_, rest)) => format!("saved, {rest}"),
        None => line.split(", was already").next().unwrap_or_default().to_owned(),
    };
    let mut lines: Vec<String> = run.text().lines().map(hide).collect();
    lines.sort();
    lines
}

/// The snapshots of a repository without their ids, in the order of their JSON.
fn snapshots(client: &Client) -> Vec<String> {
    let mut listed = client.ok(["snapshots", "--json"]).json().as_array().unwrap().clone();
    listed.iter_mut().for_each(|snapshot| snapshot["id"] = Value::Null);
    listed.iter_mut().for_each(|snapshot| snapshot["short_id"] = Value::Null);
    let mut texts: Vec<String> = listed.iter().map(Value::to_string).collect();
    texts.sort();
    texts
}

#[test]
fn snapshots_arrive_as_with_restic() {
    let source = Pair::on("v2-multi");
    let (first, second) = (fixtures::empty_repository(), fixtures::empty_repository());
    let restic = Client::restic(&first.path).variable("RESTIC_FROM_PASSWORD", fixtures::PASSWORD);
    let tresor = Client::tresor(TRESOR, &second.path).variable("RESTIC_FROM_PASSWORD", fixtures::PASSWORD);
    let from = source.restic.repository().to_str().unwrap();
    for flags in [&["16d46e99"][..], &["--host", "alpha"], &["--host", "gamma", "-q"], &[], &["-v"], &["zz"]]
    {
        let words = [&["copy", "--from-repo", from], flags].concat();
        let (expect, copied) = (restic.ok(&words), tresor.ok(&words));
        if flags != ["-v"] {
            // How many packs are read depends on the order, which restic leaves to chance.
            let counts = |line: &String| !line.contains("packs copied");
            let texts = |run: &Run| said(run).into_iter().filter(counts).collect::<Vec<_>>();
            assert_eq!(texts(&copied), texts(&expect), "{flags:?}");
            assert_eq!(copied.errors(), expect.errors());
        } else {
            assert_eq!(said(&copied), said(&expect));
            let traffic = copied.errors();
            assert_eq!(traffic.matches(" requests (").count(), 2, "of both repositories: {traffic}");
        }
        assert_eq!(snapshots(&tresor), snapshots(&restic), "{flags:?}");
    }
    Client::restic(&second.path).ok(["check", "--read-data"]);
}

#[test]
fn formats_and_compression_may_differ() {
    let (source, target) = (Pair::on("v1-basic"), fixtures::empty_repository());
    let tresor = Client::tresor(TRESOR, &target.path).variable("RESTIC_FROM_PASSWORD", fixtures::PASSWORD);
    let from = source.restic.repository().to_str().unwrap();
    tresor.ok(["copy", "--from-repo", from, "--compression", "max", "latest"]);
    let restic = Client::restic(&target.path);
    restic.ok(["check", "--read-data"]);
    assert_eq!(
        restic.ok(["ls", "-l", "latest", "-q"]).text(),
        source.restic.ok(["ls", "-l", "latest", "-q"]).text()
    );
}

#[test]
fn what_is_missing_in_the_source_stops_the_copy_before_its_snapshot() {
    let (source, target) = (Pair::on("bad-missing-pack"), fixtures::empty_repository());
    let tresor = Client::tresor(TRESOR, &target.path).variable("RESTIC_FROM_PASSWORD", fixtures::PASSWORD);
    tresor.run(["copy", "--from-repo", source.restic.repository().to_str().unwrap()]).exits(1);
    assert_eq!(tresor.ok(["snapshots", "--json"]).text(), "[]\n");
    assert_eq!(tresor.ok(["list", "locks"]).text(), "");
}

#[test]
fn wrong_words_are_refused() {
    let pair = Pair::on("v2-multi");
    pair.same("copy").exits(1);
}
