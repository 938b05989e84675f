//! The same source backed up by the real restic and by us: the same trees, byte for byte.

use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use tresor_repo::time::Zone;
use tresor_snapshot::backup::TagFile;
use tresor_testkit::backend::local::Local;
use tresor_testkit::{Client, Random, TestTree, compare, peers, tree};

use crate::backup::{Vault, Watch};

/// A repository of ours on disk that restic uses too.
struct Shared {
    vault: Vault,
    restic: Client,
    source: TestTree,
    folder: TempDir,
}

impl Shared {
    fn new(source: TestTree) -> Shared {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("repository");
        let mut vault = Vault::over(Arc::new(Local::open(&path, NonZero::new(2).unwrap()).unwrap()));
        vault.current = source.path().to_owned();
        let restic = Client::restic(path).within(source.path());
        Shared { vault, restic, source, folder }
    }

    /// Restic's root tree of a backup without a parent.
    fn theirs(&self, arguments: &[&str]) -> String {
        let run = self.restic.ok(["backup", "--force", "--json"].iter().chain(arguments));
        let snapshot = run.message("summary")["snapshot_id"].as_str().unwrap().to_owned();
        let snapshot = self.restic.ok(["cat", "snapshot", &snapshot]).json();
        snapshot["tree"].as_str().unwrap().to_owned()
    }

    /// Our root tree.
    fn ours(&self, targets: &[&str]) -> String {
        let watch = Watch::default();
        let targets: Vec<_> = targets.iter().map(Path::new).collect();
        let report = self.vault.files(&targets, &watch).unwrap();
        assert_eq!(watch.problems(), []);
        report.tree.hex()
    }

    #[track_caller]
    fn same(&self, targets: &[&str], options: &[&str]) {
        let arguments: Vec<_> = targets.iter().chain(options).copied().collect();
        assert_eq!(self.ours(targets), self.theirs(&arguments), "{arguments:?}");
    }
}

/// One of everything.
fn odd_tree() -> TestTree {
    let mut odd = TestTree::new()
        .file("a<b>&\"q\"", "html")
        .file(tree::name(b"not \xff utf-8"), "raw")
        .file("tab\tand\nnewline", "")
        .file("dir/sub/big", Random::new(1).bytes(3 << 20))
        .file("dir/one", "1")
        .hard_link("dir/one", "dir/two")
        .symlink("link", "dir")
        .symlink("nowhere", tree::name(b"to \xfe"))
        .fifo("pipe")
        .socket("socket")
        .dir("empty")
        .mode("empty", 0o1777)
        .mode("dir/one", 0o6755)
        .xattr("dir/one", "user.z", "1")
        .xattr("dir/one", "user.a", "")
        .xattr("dir", "user.dir", [0, 255])
        .time("tab\tand\nnewline", -2_177_452_800, 123_456_789)
        .time("link", 1_000_000_000, 100_000_000)
        .time("dir/sub/big", 10_413_792_000, 0);
    odd = odd.acl("dir/sub/big", 1000);
    if tree::is_root() {
        odd = odd
            .char_device("null", 1, 3)
            .block_device("disk", 8, 0)
            .owner("dir/sub", 12_345, 54_321)
            .xattr("link", "trusted.link", "l")
            .capability("dir/one");
    }
    odd
}

#[test]
fn trees_are_the_same_bytes() {
    if !peers::is_pinned_restic("trees are the same bytes") {
        return;
    }
    let mut shared = Shared::new(odd_tree());
    for targets in [
        &["."][..],
        &["dir", "empty"],
        &["dir/sub/big", "dir"],
        &["dir", "dir/sub/big", "../source/dir"],
        &["link/sub"],
        &["link", "link/sub/big"],
        &["./dir/../pipe", "nowhere", "."],
    ] {
        shared.same(targets, &[]);
    }
    let absolute = shared.source.join("dir/sub");
    // The folders above belong to others too, and may change between the two.
    let (ours, theirs) =
        (shared.ours(&[absolute.to_str().unwrap()]), shared.theirs(&[absolute.to_str().unwrap()]));
    assert_eq!(ours.len(), theirs.len());
    for zone in ["America/New_York", "Europe/Amsterdam"] {
        shared.restic = shared.restic.variable("TZ", zone);
        shared.vault.options.zone = Zone::named(zone).unwrap();
        shared.same(&["."], &[]);
    }
}

#[test]
fn options_leave_the_same_things_out() {
    if !peers::is_pinned_restic("options leave the same things out") {
        return;
    }
    let source = odd_tree()
        .file("cache/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55")
        .file("cache/content", "")
        .file("dir/.nobackup", "");
    let mut shared = Shared::new(source);
    shared.vault.filter.patterns.sensitive.add(&["sub", "*a*", "!dir"]).unwrap();
    shared.same(&["dir", "cache"], &["-e", "sub", "-e", "*a*", "-e", "!dir"]);
    shared.same(&["."], &["-e", "sub", "-e", "*a*", "-e", "!dir"]);
    shared.vault.filter = Default::default();
    shared.vault.filter.if_present = vec![TagFile::cache()];
    shared.same(&["."], &["--exclude-caches"]);
    shared.vault.filter.if_present = vec![TagFile { name: b".nobackup".to_vec(), header: Vec::new() }];
    shared.same(&["dir", "."], &["--exclude-if-present", ".nobackup"]);
    shared.vault.filter = Default::default();
    shared.vault.filter.larger_than = Some(3);
    shared.same(&["."], &["--exclude-larger-than", "3"]);
    shared.vault.filter = Default::default();
    shared.vault.filter.one_file_system = true;
    shared.same(&["."], &["--one-file-system"]);
    shared.vault.options.with_atime = true;
    shared.same(&["."], &["--one-file-system", "--with-atime"]);
}

#[test]
fn the_counters_are_the_same() {
    if !peers::is_pinned_restic("the counters are the same") {
        return;
    }
    let mut shared = Shared::new(odd_tree());
    // Restic's own repository, so that nothing of ours is there already.
    let other = Client::restic(shared.folder.path().join("other"));
    other.ok(["init"]);
    let mut source = odd_tree();
    for step in 0..3 {
        source = match step {
            0 => source,
            1 => source.file("dir/one", "changed").remove("dir/sub").file("new/file", "n"),
            _ => source.remove("empty").file("empty", "now a file"),
        };
        let (ours, _) = shared.vault.good(&source);
        let mut json = Vec::new();
        ours.summary.write(&mut json);
        let ours: Value = serde_json::from_slice(&json).unwrap();
        let theirs = other.clone().within(source.path().parent().unwrap()).ok(["backup", "source", "--json"]);
        let theirs = theirs.message("summary");
        for (name, value) in ours.as_object().unwrap() {
            // Compressors differ, and chunks are cut differently in repositories of different polynomials.
            let varies = match name.as_str() {
                "backup_start" | "backup_end" | "data_added_packed" => true,
                "data_added" | "data_blobs" => step == 0,
                _ => false,
            };
            if !varies {
                assert_eq!(value, &theirs[name], "{name} in step {step}");
            }
        }
    }
}

#[test]
fn restic_restores_what_we_saved() {
    // Restic counts nanoseconds in 64 bits, which end in 2262.
    let mut shared = Shared::new(odd_tree().time("dir/sub/big", 2_000_000_000, 1));
    shared.vault.good(&shared.source);
    shared.restic.ok(["check", "--read-data"]);
    let target = shared.folder.path().join("restored");
    shared.restic.ok(["restore", "latest", "--target", target.to_str().unwrap()]);
    std::fs::remove_file(shared.source.join("socket")).unwrap();
    compare::assert_same(shared.source.path(), &target.join("source"));
}
