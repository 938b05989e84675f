//! Trees and snapshots that the real restic wrote are read and written again, byte for byte.

use serde_json::Value;
use tresor_snapshot::Snapshot;
use tresor_snapshot::tree::Tree;
use tresor_testkit::fixtures;

#[test]
fn every_tree_is_written_as_it_was_read() {
    let mut count = 0;
    for (name, fixture) in &fixtures::manifest().fixtures {
        for (id, bytes) in fixture.trees() {
            let tree = Tree::decode(&bytes).unwrap_or_else(|error| panic!("{name}, tree {id}: {error:?}"));
            let written = tree.encode().unwrap_or_else(|error| panic!("{name}, tree {id}: {error}"));
            assert_eq!(
                String::from_utf8_lossy(&written),
                String::from_utf8_lossy(&bytes),
                "{name}, tree {id}"
            );
            count += 1;
        }
    }
    assert!(count > 150, "only {count} trees");
}

/// The manifest was written by another JSON writer: members and their order count, not escapes.
#[test]
fn every_snapshot_is_written_as_it_was_read() {
    let mut count = 0;
    for (name, fixture) in &fixtures::manifest().fixtures {
        for (id, stored) in &fixture.snapshots {
            let stored = stored.to_string();
            let snapshot = Snapshot::decode(stored.as_bytes()).unwrap();
            let written: Value = serde_json::from_slice(&snapshot.encode()).unwrap();
            assert_eq!(written.to_string(), stored, "{name}, snapshot {id}");
            count += 1;
        }
    }
    assert!(count > 20, "only {count} snapshots");
}
