//! Our restore beside restic's: the same files on disk, and the same numbers in the summary.

use crate::store::{Store, file, tree};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tresor_repo::time::Time;
use tresor_snapshot::Snapshot;
use tresor_snapshot::filter::{Excludes, Includes};
use tresor_snapshot::restore::{Overwrite, RestoreCounts, RestoreOptions, Selector};
use tresor_testkit::fixtures::{PASSWORD, Unpacked, empty_repository};
use tresor_testkit::tree::is_root;
use tresor_testkit::{Client, TestTree, assert_same, compare_trees};

/// A source with something of everything, backed up by restic.
fn backed_up() -> (Unpacked, Client, TestTree) {
    let repository = empty_repository();
    let client = Client::restic(&repository.path).password(PASSWORD);
    let noise = tresor_testkit::fixtures::noise(1, 3 << 20);
    let mut source = TestTree::new()
        .file("big", &noise)
        .file("d/a", "content of a")
        .file("d/b", "content of b")
        .hard_link("d/b", "d/c")
        .file("d/deep/er/x", "x")
        .file("empty", "")
        .file("e/1", "1")
        .symlink("e/link", "../d/a")
        .symlink("e/odd\u{1}", "no\nwhere")
        .fifo("e/pipe")
        .dir("nothing")
        .sparse("zero", 3 << 20, &[(1 << 20, b"something")])
        .xattr("d/a", "user.color", "blue")
        .acl("d/b", 1234)
        .mode("d/deep", 0o1711)
        .time("d/a", 1_000_000_000, 5)
        .time("e", 1_100_000_000, 6);
    if is_root() {
        source = source.owner("d/deep", 12, 34).char_device("e/char", 5, 6).capability("e/1");
    }
    client.clone().within(source.path()).ok(["backup", "."]);
    (repository, client, source)
}

/// Makes a target that was restored before and has been changed since.
fn changed(client: &Client, target: &Path) {
    client.ok(["restore", "latest", "--target", target.to_str().unwrap()]);
    let tree = TestTree::at(target);
    let mut big = fs::read(target.join("big")).unwrap();
    big[2 << 20] ^= 1;
    drop(
        tree.file("big", &big)
            .file("d/a", "changed, and longer than before")
            .time("d/a", 900_000_000, 0)
            .remove("d/c")
            .remove("e/link")
            .file("e/link", "a file now")
            .time("e/link", 900_000_000, 0)
            .remove("empty")
            .dir("empty")
            .time("empty", 900_000_000, 0)
            .file("extra/1", "")
            .time("extra/1", 900_000_000, 0)
            .time("extra", 900_000_000, 0)
            .file("d/extra", "")
            .time("d/extra", 900_000_000, 0)
            .time("big", 900_000_000, 0)
            .mode("nothing", 0o700)
            .time("d", 900_000_000, 0)
            .time("e", 900_000_000, 0),
    );
}

fn numbers(counts: &RestoreCounts) -> [u64; 7] {
    [
        counts.total_files,
        counts.files_restored,
        counts.files_skipped,
        counts.files_deleted,
        counts.total_bytes,
        counts.bytes_restored,
        counts.bytes_skipped,
    ]
}

fn stated(summary: &Value) -> [u64; 7] {
    [
        "total_files",
        "files_restored",
        "files_skipped",
        "files_deleted",
        "total_bytes",
        "bytes_restored",
        "bytes_skipped",
    ]
    .map(|name| summary[name].as_u64().unwrap_or(0))
}

fn compare(
    what: &str,
    (store, client): (&Store, &Client),
    prepare: &dyn Fn(&Path),
    arguments: &[&str],
    options: &RestoreOptions,
) {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    prepare(&ours);
    prepare(&theirs);
    let fixed = ["restore", "latest", "--json", "--target", theirs.to_str().unwrap()];
    let stated = stated(&client.ok(fixed.iter().chain(arguments)).message("summary"));
    let (report, told) = store.restore(store.roots()[0], &ours, options);
    assert_eq!(told.problems(), [], "{what}");
    assert_eq!(numbers(&report.counts), stated, "{what}");
    assert_eq!(ours.exists(), theirs.exists(), "{what}");
    if ours.exists() {
        let differences = compare_trees(&theirs, &ours);
        assert!(differences.is_empty(), "{what}: {differences:?}");
    }
}

#[test]
fn the_same_as_restic_in_every_mode() {
    let (repository, client, source) = backed_up();
    let store = Store::open(&repository.path, PASSWORD);
    let with = (&store, &client);
    let fresh = |_: &Path| ();
    let changed = |target: &Path| changed(&client, target);
    let again = |target: &Path| {
        client.ok(["restore", "latest", "--target", target.to_str().unwrap()]);
    };
    let plain = RestoreOptions::default();
    compare("fresh", with, &fresh, &[], &plain);
    compare("again", with, &again, &[], &plain);
    compare("changed", with, &changed, &[], &plain);
    for (word, overwrite) in
        [("if-changed", Overwrite::IfChanged), ("if-newer", Overwrite::IfNewer), ("never", Overwrite::Never)]
    {
        let options = RestoreOptions { overwrite, ..plain.clone() };
        compare(word, with, &changed, &["--overwrite", word], &options);
        compare(word, with, &again, &["--overwrite", word], &options);
    }
    let delete = RestoreOptions { delete: true, ..plain.clone() };
    compare("delete", with, &changed, &["--delete"], &delete);
    let dry = RestoreOptions { dry_run: true, ..delete.clone() };
    compare("dry run", with, &changed, &["--delete", "--dry-run"], &dry);
    compare("fresh dry run", with, &fresh, &["--dry-run"], &RestoreOptions { delete: false, ..dry });
    compare("sparse", with, &fresh, &["--sparse"], &RestoreOptions { sparse: true, ..plain.clone() });
    for pattern in ["/d", "x", "/d/deep/**", "nothing", "e/*"] {
        let mut includes = Includes::default();
        includes.sensitive.add(&[pattern]).unwrap();
        let select = Selector::Includes(includes);
        let options = RestoreOptions { select, delete: true, ..plain.clone() };
        compare(pattern, with, &changed, &["--include", pattern, "--delete"], &options);
        let mut excludes = Excludes::default();
        excludes.sensitive.add(&[pattern]).unwrap();
        let options = RestoreOptions { select: Selector::Excludes(excludes), ..options };
        compare(pattern, with, &changed, &["--exclude", pattern, "--delete"], &options);
    }
    drop(source);
}

/// Sizes that are not those of the blobs: the peer decides what becomes of them.
#[test]
fn wrong_sizes_end_as_with_restic() {
    let repository = empty_repository();
    let store = Store::open(&repository.path, PASSWORD);
    let root = std::cell::Cell::new(None);
    let work = |upload: &tresor_repo::upload::Upload<'_>| {
        let saver = &mut upload.saver();
        let mut nodes = Vec::new();
        for size in [0, 3, 100] {
            for blobs in [&[&b"12345"[..]][..], &[b"123", b"45"], &[]] {
                let mut node = file(saver, format!("{size}-{}", blobs.len()), blobs);
                node.size = size;
                nodes.push(node);
            }
        }
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        root.set(Some(tree(saver, &nodes)));
        Ok::<_, tresor_snapshot::Error>(())
    };
    store.repo.upload(&store.index, work).unwrap();
    let snapshot = Snapshot::new(root.get().unwrap(), Time::utc(1_700_000_000, 0), vec!["/".into()]);
    store.repo.save_snapshot(&snapshot.encode()).unwrap();
    let store = Store::open(&repository.path, PASSWORD);
    let client = Client::restic(&repository.path).password(PASSWORD);
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    client.ok(["restore", "latest", "--target", theirs.to_str().unwrap()]);
    store.restore_all(store.roots()[0], &ours);
    assert_same(&theirs, &ours);
}
