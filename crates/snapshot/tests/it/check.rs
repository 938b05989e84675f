//! What a check of the trees finds.

use crate::store::{Store, dir, file, tree};
use tresor_repo::time::Time;
use tresor_repo::{BlobId, Phase, SnapshotId};
use tresor_snapshot::Snapshot;
use tresor_snapshot::check::{check_trees, used_packs};
use tresor_snapshot::{Node, NodeKind};
use tresor_testkit::Recorder;
use tresor_testkit::fixtures::unpack;

fn snapshot(root: BlobId) -> (SnapshotId, Snapshot) {
    (SnapshotId::from_bytes([1; 32]), Snapshot::new(root, Time::utc(0, 0), vec!["/".into()]))
}

/// The report as restic prints it.
fn report(store: &Store, roots: &[BlobId]) -> Vec<String> {
    let snapshots: Vec<_> = roots.iter().copied().map(snapshot).collect();
    let recorder = Recorder::new();
    let findings = check_trees(&store.repo, &store.index, &snapshots, &recorder).unwrap();
    let phase = recorder.phases()[0];
    assert_eq!((phase.phase, phase.total), (Phase::Snapshots, Some(roots.len() as u64)));
    assert_eq!((phase.done, phase.ended), (roots.len() as u64, true));
    let mut lines = Vec::new();
    for finding in findings {
        lines.push(format!("error for tree {}:", finding.tree.short()));
        lines.extend(finding.problems.iter().map(|problem| format!("  {problem}")));
    }
    lines
}

#[test]
fn every_rule_that_a_node_may_break_is_a_line() {
    let missing = BlobId::of(b"never saved");
    let (store, root) = Store::planted(|saver| {
        let mut lost = file(saver, "one\"", &[b"x"]);
        lost.content = Some(vec![missing, BlobId::from_bytes([0; 32])]);
        let mut no_list = file(saver, "two", &[]);
        no_list.content = None;
        let no_tree = Node::new(*b"three", NodeKind::Dir);
        let mut null_tree = no_tree.clone();
        null_tree.subtree = Some(BlobId::from_bytes([0; 32]));
        let mut lost_tree = no_tree.clone();
        lost_tree.subtree = Some(missing);
        let door = Node::new(*b"four", NodeKind::Other("door".into()));
        let unnamed = file(saver, "", &[]);
        let good = dir(saver, "good", &[]);
        tree(saver, &[lost, no_list, no_tree, null_tree, lost_tree, door, unnamed, good])
    });
    let null = "0".repeat(64);
    assert!(!null.is_empty());
    let expected = [
        format!("error for tree {}:", root.short()),
        format!("  tree {root}: file \"one\\\"\" blob {missing} not found in index"),
        format!("  tree {root}: file \"one\\\"\" blob 1 has null ID"),
        format!("  tree {root}: file \"two\" has nil blob list"),
        format!("  tree {root}: dir node \"three\" has no subtree"),
        format!("  tree {root}: dir node \"three\" subtree id is null"),
        format!("  tree {root}: node \"four\" with invalid type \"door\""),
        format!("  tree {root}: node with empty name"),
    ];
    let lost =
        [format!("error for tree {}:", missing.short()), format!("  id {missing} not found in repository")];
    let mut both = [(root, &expected[..]), (missing, &lost[..])];
    both.sort_by_key(|(tree, _)| *tree);
    assert_eq!(report(&store, &[root, root]), [both[0].1, both[1].1].concat());
}

#[test]
fn a_tree_that_is_no_tree_is_a_finding() {
    let (store, root) = Store::planted(|saver| {
        saver
            .save_blob(tresor_repo::BlobKind::Tree, b"{\"nodes\":[{\"name\":\"x\",\"mode\":-1}]}")
            .unwrap()
            .id
    });
    let report = report(&store, &[root]);
    assert_eq!(report.len(), 2);
    assert!(report[1].starts_with("  cannot decode tree"), "{report:?}");
}

#[test]
fn fixtures_give_what_was_planted() {
    let first_lines = |name: &str| {
        let unpacked = unpack(name);
        let store = Store::open(&unpacked.path, &unpacked.facts.password);
        let roots = store.roots();
        (report(&store, &roots), roots)
    };
    for name in [
        "v1-basic",
        "v2-auto",
        "v2-special",
        "v2-multi",
        "v2-odd",
        "v2-garbage",
        "bad-bitflip",
        "bad-missing-pack",
    ] {
        assert_eq!(first_lines(name).0, Vec::<String>::new(), "{name}: no tree is damaged");
    }
    let (report, roots) = first_lines("bad-no-index");
    let root = roots[0];
    let lines = [format!("error for tree {}:", root.short()), format!("  id {root} not found in repository")];
    assert_eq!(report, lines);
    let (report, roots) = first_lines("bad-missing-treepack");
    assert_eq!(report[0], format!("error for tree {}:", roots[0].short()));
    assert!(!report[1].contains("not found in repository"), "the index knows it: {report:?}");
}

#[test]
fn used_packs_are_those_of_the_snapshots_given() {
    let unpacked = unpack("v2-multi");
    let store = Store::open(&unpacked.path, &unpacked.facts.password);
    let roots = store.roots();
    let used = |roots: &[BlobId]| {
        let snapshots: Vec<_> = roots.iter().copied().map(snapshot).collect();
        used_packs(&store.repo, &store.index, &snapshots).unwrap()
    };
    let all = used(&roots);
    assert!(all.len() <= unpacked.facts.packs.len() && !all.is_empty());
    let first = used(&roots[..1]);
    assert!(first.is_subset(&all) && first.len() < all.len());
    assert!(used(&[]).is_empty());
}
