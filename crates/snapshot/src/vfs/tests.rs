//! The folders above the snapshots, inode numbers, and what a hostile snapshot can do to them.

use super::inode::Numbers;
use super::structure::{Shared, Structure, What};
use super::*;
use crate::Snapshot;
use crate::node::{Node, NodeKind};
use std::sync::Arc;
use tresor_repo::time::Time;
use tresor_repo::{BlobId, RepoId, SnapshotId};

fn options(templates: &[&str], time_template: &str) -> Options {
    Options {
        filter: Filter::default(),
        path_templates: templates.iter().map(|one| (*one).to_owned()).collect(),
        time_template: time_template.to_owned(),
        zone: Zone::utc(),
        owner: (1, 2),
        owner_root: false,
        reload_after: Duration::ZERO,
        content_memory: 1 << 20,
        folder_memory: 1 << 20,
    }
}

fn snapshot(number: u8, time: i64, host: &str, tags: &[&str]) -> Shared {
    let made = Snapshot::new(BlobId::from_bytes([number; 32]), Time::utc(time, 0), Vec::new());
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    let made = Snapshot { hostname: host.to_owned(), username: "me".to_owned(), tags, ..made };
    Arc::new((SnapshotId::from_bytes([number; 32]), made))
}

/// All paths, each with what stands there: a slash for a folder, the number of a snapshot, an arrow for a link.
fn all(structure: &Structure) -> Vec<String> {
    fn below(structure: &Structure, path: &str, all: &mut Vec<String>) {
        for name in structure.children(path) {
            let path = format!("{path}/{name}");
            match structure.get(&path) {
                Some(What::Folder) => all.push(format!("{path}/")),
                Some(What::Snapshot(shared)) => all.push(format!("{path} {}", shared.0.as_bytes()[0])),
                Some(What::Latest { target, snapshot }) => {
                    all.push(format!("{path} -> {target} {}", snapshot.0.as_bytes()[0]));
                }
                None => all.push(format!("{path} ?")),
            }
            below(structure, &path, all);
        }
    }
    let mut found = Vec::new();
    below(structure, "", &mut found);
    found
}

#[track_caller]
fn check(templates: &[&str], time_template: &str, snapshots: &[Shared], expect: &[&str]) {
    assert_eq!(all(&Structure::new(&options(templates, time_template), snapshots)), expect);
}

#[test]
fn snapshots_have_the_names_that_templates_give_them() {
    let three =
        [snapshot(3, 86_400, "h", &[]), snapshot(2, 0, "h", &["a", "b/c"]), snapshot(1, 0, "g", &["x/y"])];
    check(
        &["hosts/%h/%T"],
        "2006",
        &three,
        &[
            "/hosts/",
            "/hosts/g/",
            "/hosts/g/1970 1",
            "/hosts/g/latest -> 1970 1",
            "/hosts/h/",
            "/hosts/h/1970 2",
            "/hosts/h/1970-1 3",
            "/hosts/h/latest -> 1970-1 3",
        ],
    );
    check(&["t/%t"], "2006", &three, &["/t/", "/t/a 2", "/t/b_c 2", "/t/x/", "/t/x/y 1"]);
    check(&["%u%%/%T%T%q"], "Jan", &three[..1], &["/me%/", "/me%/JanJanq 3"]);
    check(
        &["all/%T"],
        "2006/01",
        &three[..1],
        &["/all/", "/all/1970/", "/all/1970/01 3", "/all/latest -> 1970/01 3"],
    );
    check(&PATH_TEMPLATES, "2006", &[], &["/hosts/", "/ids/", "/snapshots/", "/tags/"]);
    check(&["a/b/x%i", "none", "%%i/c"], "2006", &[], &["/a/", "/a/b/"]);
}

#[test]
fn no_snapshot_leads_out_of_its_folder_or_fills_the_memory() {
    let odd = [
        snapshot(1, 0, "..", &["..", "."]),
        snapshot(2, 1, "../../../etc", &[""]),
        snapshot(3, 2, "a\0b//./", &["", "\0"]),
        snapshot(4, 3, &"d/".repeat(3000), &[]),
        snapshot(5, 4, &"n".repeat(1100), &[]),
    ];
    check(
        &["h/%h/%i", "t/%t/%i"],
        "2006",
        &odd,
        &[
            "/h/",
            "/h/__/",
            "/h/__/01010101 1",
            "/h/__/__/",
            "/h/__/__/__/",
            "/h/__/__/__/etc/",
            "/h/__/__/__/etc/02020202 2",
            "/h/a_b/",
            "/h/a_b/_/",
            "/h/a_b/_/03030303 3",
            "/t/",
            "/t/02020202 2",
            "/t/_/",
            "/t/_/01010101 1",
            "/t/_/03030303 3",
            "/t/_/03030303-1 3",
            "/t/__/",
            "/t/__/01010101 1",
        ],
    );
    let many: Vec<String> = (0..100_000).map(|tag| tag.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let structure = Structure::new(&options(&["%t/%t/%t"], "2006"), &[snapshot(1, 0, "h", &many)]);
    assert!(all(&structure).len() < 10_000);
}

#[test]
fn names_of_one_file_share_a_number_and_nothing_else_does() {
    let numbers = Numbers::new(RepoId::from_bytes([1; 32]));
    let linked = Node { links: 2, inode: 5, device_id: 6, ..Node::new(*b"a", NodeKind::File) };
    let number = |node: &Node| numbers.of_node(7, 8, &node.name, node);
    let other_name = Node { name: Box::from(*b"b"), ..linked.clone() };
    assert_eq!(number(&linked), number(&other_name));
    assert_eq!(numbers.of_node(7, 9, b"b", &other_name), number(&linked), "in another folder");
    assert_ne!(numbers.of_node(6, 8, b"a", &linked), number(&linked), "in another snapshot");
    let changed = Node { content: Some(vec![BlobId::from_bytes([3; 32])]), ..linked.clone() };
    assert_ne!(number(&changed), number(&linked), "changed between two reads of one backup");
    let (single, dir) = (Node { links: 1, ..linked.clone() }, Node { kind: NodeKind::Dir, ..linked.clone() });
    assert_ne!(number(&single), number(&linked));
    assert_ne!(numbers.of_node(7, 8, b"b", &dir), number(&dir), "folders have one name each");
    assert_ne!(Numbers::new(RepoId::from_bytes([2; 32])).of_node(7, 8, b"a", &single), number(&single));
    assert_eq!(numbers.of_path("", b""), 1);
    assert_ne!(numbers.of_path("/x", b"1"), numbers.of_path("/x", b"2"));
}
