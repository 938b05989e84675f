//! Restores of planted trees: overwriting, deletion, links, holes, damage.

use crate::store::{Store, dir, file, link, tree};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use tresor_snapshot::filter::{Excludes, Includes};
use tresor_snapshot::restore::{self, Action, Overwrite, RestoreOptions, Selector};

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

fn set_mtime(path: &Path, seconds: u64) {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn existing_files_are_changed_only_where_they_differ() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path();
    let (store, root) = Store::planted(|saver| {
        let nodes = [
            file(saver, "longer", &[b"aaaa", b"bbbb"]),
            file(saver, "other", &[b"aaaa", b"bbbb", b"cccc"]),
            file(saver, "same", &[b"aaaa", b"bbbb"]),
            file(saver, "shorter", &[b"aaaa", b"bbbb", b"cccc"]),
        ];
        tree(saver, &nodes)
    });
    fs::write(target.join("longer"), "aaaabbbbcccc").unwrap();
    fs::write(target.join("other"), "aaaaxxxxcccc").unwrap();
    fs::write(target.join("same"), "aaaabbbb").unwrap();
    fs::write(target.join("shorter"), "aaaabb").unwrap();
    let inode = |name: &str| fs::metadata(target.join(name)).unwrap().ino();
    let before: Vec<_> = ["longer", "other", "same", "shorter"].map(inode).into();
    let told = store.restore_all(root, target);
    assert_eq!(before, ["longer", "other", "same", "shorter"].map(inode), "written in place");
    assert_eq!(text(target.join("longer")), "aaaabbbb");
    assert_eq!(text(target.join("other")), "aaaabbbbcccc");
    assert_eq!(text(target.join("shorter")), "aaaabbbbcccc");
    assert_eq!(told.items(Action::Unchanged), ["/same"]);
    let mut updated = told.items(Action::Updated);
    updated.sort();
    assert_eq!(updated, ["/longer", "/other", "/shorter"]);
    let mtimes = ["longer", "other", "same", "shorter"].map(|name| {
        let metadata = fs::metadata(target.join(name)).unwrap();
        (metadata.mtime(), metadata.mtime_nsec())
    });
    assert_eq!(mtimes, [(1_700_000_000, 123_456_789); 4]);
}

#[test]
fn overwrite_modes_decide_what_is_left_alone() {
    let (store, root) = Store::planted(|saver| {
        let nodes = ["equal", "newer", "older"].map(|name| file(saver, name, &[b"snapshot"]));
        tree(saver, &[&nodes[..], &[link("link", "new")]].concat())
    });
    for (overwrite, expected) in [
        (Overwrite::Always, ["snapshot", "snapshot", "snapshot", "new"]),
        (Overwrite::IfChanged, ["snapshot", "snapshot", "snapshot", "new"]),
        (Overwrite::IfNewer, ["snapshot", "existing", "snapshot", "old"]),
        (Overwrite::Never, ["existing", "existing", "existing", "old"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path();
        for (name, seconds) in [("equal", 1_700_000_000), ("newer", 1_800_000_000), ("older", 1_600_000_000)]
        {
            fs::write(target.join(name), "existing").unwrap();
            set_mtime(&target.join(name), seconds);
        }
        std::os::unix::fs::symlink("old", target.join("link")).unwrap();
        let options = RestoreOptions { overwrite, ..RestoreOptions::default() };
        let (_, told) = store.restore(root, target, &options);
        assert_eq!(told.problems(), []);
        let link = fs::read_link(target.join("link")).unwrap().to_string_lossy().into_owned();
        let found = ["equal", "newer", "older"].map(|name| text(target.join(name)));
        assert_eq!([&found[..], &[link]].concat(), expected, "{overwrite:?}");
    }
}

#[test]
fn if_changed_trusts_size_and_time() {
    let folder = tempfile::tempdir().unwrap();
    let (store, root) = Store::planted(|saver| {
        let nodes = [file(saver, "f", &[b"snapshot"])];
        tree(saver, &nodes)
    });
    store.restore_all(root, folder.path());
    let path = folder.path().join("f");
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "tampered").unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    let options = RestoreOptions { overwrite: Overwrite::IfChanged, ..RestoreOptions::default() };
    store.restore(root, folder.path(), &options);
    assert_eq!(text(&path), "tampered");
    store.restore_all(root, folder.path());
    assert_eq!(text(&path), "snapshot");
}

#[test]
fn what_is_in_the_way_goes_unless_it_is_a_full_directory() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path();
    let (store, root) = Store::planted(|saver| {
        let inner = [file(saver, "x", &[b"content"])];
        let nodes = [
            dir(saver, "dir", &inner),
            file(saver, "empty", &[b"content"]),
            file(saver, "full", &[b"content"]),
            link("link", "there"),
        ];
        tree(saver, &nodes)
    });
    fs::write(target.join("dir"), "a file").unwrap();
    for name in ["empty", "full/below", "link"] {
        fs::create_dir_all(target.join(name)).unwrap();
    }
    let (_, told) = store.restore(root, target, &RestoreOptions::default());
    assert_eq!(told.troubled(), ["/full"]);
    assert_eq!(text(target.join("dir/x")), "content");
    assert_eq!(text(target.join("empty")), "content");
    assert_eq!(fs::read_link(target.join("link")).unwrap(), Path::new("there"));
    let (_, told) = store.restore(root, target, &RestoreOptions { delete: true, ..Default::default() });
    assert_eq!(told.problems(), []);
    assert_eq!(text(target.join("full")), "content");
}

#[test]
fn deletion_takes_what_the_snapshot_lacks_and_the_filter_takes() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path();
    let (store, root) = Store::planted(|saver| {
        let inner = [file(saver, "kept", &[b"content"])];
        let nodes = [dir(saver, "d", &inner), file(saver, "excluded", &[b"content"])];
        tree(saver, &nodes)
    });
    let prepare = || {
        fs::create_dir_all(target.join("d/extra/deep")).unwrap();
        for name in ["d/extra/deep/x", "d/spared", "excluded", "top"] {
            fs::write(target.join(name), "mine").unwrap();
        }
    };
    prepare();
    let mut excludes = Excludes::default();
    excludes.sensitive.add(&["excluded", "spared"]).unwrap();
    let mut options =
        RestoreOptions { delete: true, select: Selector::Excludes(excludes), ..RestoreOptions::default() };
    options.dry_run = true;
    let (dry, told_dry) = store.restore(root, target, &options);
    assert!(target.join("d/extra/deep/x").exists() && !target.join("d/kept").exists());
    options.dry_run = false;
    let (report, told) = store.restore(root, target, &options);
    assert_eq!(dry.counts, report.counts);
    let deleted = ["d/extra/deep/x", "d/extra/deep", "d/extra", "top"];
    let deleted = deleted.map(|name| target.join(name).to_string_lossy().into_owned());
    assert_eq!(told.items(Action::Deleted), deleted);
    assert_eq!(told_dry.items(Action::Deleted), deleted);
    assert_eq!(text(target.join("excluded")), "mine");
    assert_eq!(text(target.join("d/spared")), "mine");
    assert_eq!(text(target.join("d/kept")), "content");

    prepare();
    let mut includes = Includes::default();
    includes.sensitive.add(&["/d"]).unwrap();
    options.select = Selector::Includes(includes);
    store.restore(root, target, &options);
    assert!(target.join("top").exists() && !target.join("d/spared").exists());
}

#[test]
fn included_files_bring_their_parents_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    let (store, root) = Store::planted(|saver| {
        let inner = [file(saver, "no", &[b"content"]), file(saver, "yes", &[b"content"])];
        let mut parent = dir(saver, "d", &inner);
        parent.mode = 1 << 31 | 0o750;
        let other = dir(saver, "e", &inner[..1]);
        tree(saver, &[parent, other])
    });
    let mut includes = Includes::default();
    includes.sensitive.add(&["yes"]).unwrap();
    let options = RestoreOptions { select: Selector::Includes(includes), ..RestoreOptions::default() };
    let (report, _) = store.restore(root, &target, &options);
    assert_eq!((report.counts.files_restored, report.counts.total_files), (2, 1));
    assert!(target.join("d/yes").exists() && !target.join("d/no").exists() && !target.join("e").exists());
    let parent = fs::metadata(target.join("d")).unwrap();
    assert_eq!((parent.mode() & 0o7777, parent.mtime()), (0o750, 1_700_000_000));
}

#[test]
fn hard_links_are_one_file_again() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path();
    let (store, root) = Store::planted(|saver| {
        let linked = |node: &mut tresor_snapshot::Node| (node.inode, node.device_id, node.links) = (7, 1, 2);
        let mut first = file(saver, "first", &[b"con", b"tent"]);
        let mut second = file(saver, "second", &[b"con", b"tent"]);
        linked(&mut first);
        linked(&mut second);
        let inner = dir(saver, "d", &[second]);
        let mut lonely = file(saver, "lonely", &[b"content"]);
        lonely.inode = 7;
        tree(saver, &[first, inner, lonely])
    });
    for run in 0..3 {
        if run == 2 {
            fs::write(target.join("first"), "changed").unwrap();
        }
        store.restore_all(root, target);
        let inodes =
            ["first", "d/second", "lonely"].map(|name| fs::metadata(target.join(name)).unwrap().ino());
        assert_eq!(inodes[0], inodes[1]);
        assert_ne!(inodes[0], inodes[2]);
        assert_eq!(text(target.join("d/second")), "content");
    }
}

#[test]
fn holes_are_left_where_new_files_are_zero() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path();
    let zeros = vec![0; 1 << 20];
    let mut mixed = vec![0; 1 << 20];
    mixed[(1 << 19) + 5] = 1;
    let (store, root) = Store::planted(|saver| {
        let nodes = [
            file(saver, "mixed", &[&zeros, &mixed, &zeros]),
            file(saver, "one", &[&mixed]),
            file(saver, "zero", &[&zeros, &zeros]),
        ];
        tree(saver, &nodes)
    });
    let options = RestoreOptions { sparse: true, ..RestoreOptions::default() };
    let (report, told) = store.restore(root, target, &options);
    assert_eq!((told.problems(), report.counts.bytes_restored), (vec![], 6 << 20));
    let used = |name: &str| fs::metadata(target.join(name)).unwrap().blocks() * 512;
    assert_eq!(fs::read(target.join("mixed")).unwrap(), [&zeros[..], &mixed, &zeros].concat());
    assert_eq!(fs::read(target.join("one")).unwrap(), mixed);
    assert_eq!(fs::read(target.join("zero")).unwrap(), [0; 2 << 20]);
    assert!(used("zero") < 100_000 && used("one") < 100_000 && used("mixed") < 100_000);

    fs::write(target.join("zero"), vec![7; 3 << 20]).unwrap();
    store.restore(root, target, &options);
    assert_eq!(fs::read(target.join("zero")).unwrap(), [0; 2 << 20], "no old bytes where holes might be");
}

#[test]
fn a_verification_finds_what_changed_after_the_restore() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path();
    let (store, root) = Store::planted(|saver| {
        let nodes = ["a", "b", "c", "d"].map(|name| file(saver, name, &[b"con", name.as_bytes()]));
        tree(saver, &nodes)
    });
    fs::write(target.join("a"), "cona").unwrap();
    let told = crate::store::Told::default();
    let options = RestoreOptions::default();
    let mut plan = restore::plan(&store.repo, &store.index, root, target, &options, &told).unwrap();
    plan.execute(&store.repo, &store.index, &told).unwrap();
    fs::write(target.join("a"), "not written in this run").unwrap();
    fs::write(target.join("b"), "conx").unwrap();
    fs::write(target.join("c"), "longer").unwrap();
    let verified = plan.verify(&store.repo, &store.index, &told).unwrap();
    assert_eq!((verified.files, verified.problems), (1, 2));
    assert_eq!(told.troubled(), ["/b", "/c"]);
    // Files are compared side by side, so the problems come in any order.
    let mut causes: Vec<_> = told.problems().into_iter().map(|problem| problem.cause).collect();
    causes.sort();
    assert_eq!(causes, ["has 6 bytes, expected 4", "unexpected content, starting at offset 3"]);
}

#[test]
fn a_missing_blob_costs_its_file_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path();
    let (store, root) = Store::planted(|saver| {
        let mut unknown = file(saver, "unknown", &[b"con", b"tent"]);
        unknown.content.as_mut().unwrap()[0] = tresor_repo::BlobId::of(b"never saved");
        let mut no_tree = dir(saver, "no tree", &[]);
        no_tree.subtree = None;
        let mut lost = dir(saver, "lost", &[]);
        lost.subtree = Some(tresor_repo::BlobId::of(b"never saved"));
        let nodes = [file(saver, "good", &[b"con", b"tent"]), unknown, no_tree, lost];
        tree(saver, &nodes)
    });
    fs::write(target.join("unknown"), "old").unwrap();
    let (report, told) = store.restore(root, target, &RestoreOptions::default());
    assert_eq!(told.troubled(), ["/lost", "/no tree", "/unknown"]);
    assert_eq!(text(target.join("good")), "content");
    assert_eq!(text(target.join("unknown")), "old", "what cannot be had whole replaces nothing");
    assert_eq!((report.counts.total_files, report.counts.files_restored), (4, 3));
}

#[test]
fn an_interrupted_restore_stops() {
    let folder = tempfile::tempdir().unwrap();
    let (store, root) = Store::planted(|saver| {
        let nodes = [file(saver, "f", &[b"content"])];
        tree(saver, &nodes)
    });
    let told = crate::store::Told::default();
    let options = RestoreOptions::default();
    let mut plan = restore::plan(&store.repo, &store.index, root, folder.path(), &options, &told).unwrap();
    store.repo.cancel().set(tresor_testkit::backend::Reason::Interrupted);
    assert!(plan.execute(&store.repo, &store.index, &told).is_err());
    assert!(restore::plan(&store.repo, &store.index, root, folder.path(), &options, &told).is_err());
}

#[test]
fn times_and_modes_of_every_size_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path();
    let times = [(-1, 999_999_999), (0, 1), (-2_000_000_000, 0), (4_102_444_800, 5)];
    let (store, root) = Store::planted(|saver| {
        let mut nodes = Vec::new();
        for (place, (seconds, nanoseconds)) in times.into_iter().enumerate() {
            for mut node in [file(saver, format!("f{place}"), &[b"x"]), dir(saver, format!("d{place}"), &[])]
            {
                node.mtime = tresor_repo::time::Time::utc(seconds, nanoseconds);
                node.mode = node.mode & (1 << 31) | 1 << 23 | 1 << 22 | 1 << 20 | 0o501;
                nodes.push(node);
            }
        }
        tree(saver, &nodes)
    });
    store.restore_all(root, target);
    for (place, expected) in times.into_iter().enumerate() {
        for kind in ["f", "d"] {
            let metadata = fs::metadata(target.join(format!("{kind}{place}"))).unwrap();
            assert_eq!((metadata.mtime(), metadata.mtime_nsec() as u32), expected);
            assert_eq!(metadata.permissions().mode() & 0o7777, 0o7501);
        }
    }
}

#[test]
fn attributes_of_systems_nobody_knows_are_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let (store, root) = Store::planted(|saver| {
        let attributes = r#"{"plan9.muid":"glenda","windows.file_attributes":32}"#;
        let nodes = ["a", "b"].map(|name| {
            let mut node = file(saver, name, &[]);
            node.rare_mut().generic_attributes = tresor_snapshot::gojson::RawJson::parse(attributes);
            node
        });
        tree(saver, &nodes)
    });
    let told = store.restore_all(root, folder.path());
    assert_eq!(told.warnings().len(), 1, "{:?}", told.warnings());
    assert!(told.warnings()[0].contains("\"plan9.muid\""));
}
