//! Nothing that a snapshot or the target holds leads a restore out of its target.

use crate::store::{Store, dir, file, link, tree};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use tresor_snapshot::restore::{Overwrite, RestoreOptions};

/// A target, and beside it a folder with a file that nobody may touch.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("target")).unwrap();
        fs::create_dir(folder.path().join("outside")).unwrap();
        fs::write(folder.path().join("outside/victim"), "precious").unwrap();
        Place { folder }
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("target")
    }

    fn outside(&self) -> PathBuf {
        self.folder.path().join("outside")
    }

    #[track_caller]
    fn assert_untouched(&self) {
        assert_eq!(names(self.folder.path()), ["outside", "target"]);
        assert_eq!(names(&self.outside()), ["victim"]);
        assert_eq!(fs::read(self.outside().join("victim")).unwrap(), b"precious");
        assert_eq!(fs::metadata(self.outside().join("victim")).unwrap().mode() & 0o7777, 0o644);
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn names_that_lead_elsewhere_are_problems_and_switch_deletion_off() {
    let place = Place::new();
    let absolute = place.outside().join("abs");
    let bad = ["../x", "..", ".", "", "a/b", "a\0b", "/abs", "../outside/victim", absolute.to_str().unwrap()];
    let (store, root) = Store::planted(|saver| {
        let mut nodes = vec![file(saver, "good", &[b"content"])];
        for name in bad {
            nodes.push(file(saver, name, &[b"evil"]));
            nodes.push(link(name, "/"));
            let inner = [file(saver, "victim", &[b"evil"])];
            nodes.push(dir(saver, name, &inner));
        }
        tree(saver, &nodes)
    });
    fs::write(place.target().join("extra"), "").unwrap();
    let options = RestoreOptions { delete: true, ..RestoreOptions::default() };
    let (report, told) = store.restore(root, &place.target(), &options);
    assert_eq!(report.problems as usize, 3 * bad.len());
    assert!(told.problems().iter().all(|problem| problem.cause.contains("invalid child node name")));
    assert_eq!(names(&place.target()), ["extra", "good"]);
    place.assert_untouched();
}

#[test]
fn a_link_and_a_directory_of_one_name_stay_inside() {
    for link_first in [true, false] {
        let place = Place::new();
        let (store, root) = Store::planted(|saver| {
            let inner = [file(saver, "victim", &[b"evil"]), file(saver, "other", &[b"evil"])];
            let mut nodes = vec![link("d", place.outside()), dir(saver, "d", &inner)];
            if !link_first {
                nodes.reverse();
            }
            tree(saver, &nodes)
        });
        let (_, told) = store.restore(root, &place.target(), &RestoreOptions::default());
        assert_eq!(told.troubled(), ["/d"]);
        assert_eq!(names(&place.target().join("d")), ["other", "victim"]);
        place.assert_untouched();
    }
}

#[test]
fn a_link_and_a_file_of_one_name_stay_inside() {
    let place = Place::new();
    let (store, root) = Store::planted(|saver| {
        let nodes = [link("f", place.outside().join("victim")), file(saver, "f", &[b"evil", b"more"])];
        tree(saver, &nodes)
    });
    store.restore(root, &place.target(), &RestoreOptions::default());
    place.assert_untouched();
}

#[test]
fn links_on_disk_are_replaced_and_not_followed() {
    for overwrite in [Overwrite::Always, Overwrite::IfChanged] {
        let place = Place::new();
        symlink(place.outside(), place.target().join("dir")).unwrap();
        symlink(place.outside().join("victim"), place.target().join("file")).unwrap();
        symlink("../outside/new", place.target().join("dangling")).unwrap();
        symlink("/", place.target().join("link")).unwrap();
        let (store, root) = Store::planted(|saver| {
            let inner = [file(saver, "victim", &[b"evil"])];
            let below = dir(saver, "below", &inner);
            let nodes = [
                file(saver, "dangling", &[b"content"]),
                dir(saver, "dir", &[below, inner[0].clone()]),
                file(saver, "file", &[b"con", b"tent"]),
                link("link", "x"),
            ];
            tree(saver, &nodes)
        });
        let options = RestoreOptions { overwrite, ..RestoreOptions::default() };
        let (_, told) = store.restore(root, &place.target(), &options);
        assert_eq!(told.problems(), []);
        assert_eq!(fs::read(place.target().join("dir/below/victim")).unwrap(), b"evil");
        assert_eq!(fs::read(place.target().join("file")).unwrap(), b"content");
        assert_eq!(fs::read_link(place.target().join("link")).unwrap(), Path::new("x"));
        for path in ["dir", "file", "dangling"] {
            assert!(!fs::symlink_metadata(place.target().join(path)).unwrap().is_symlink(), "{path}");
        }
        place.assert_untouched();
    }
}

#[test]
fn other_names_of_an_existing_file_keep_their_content() {
    let place = Place::new();
    fs::hard_link(place.outside().join("victim"), place.target().join("file")).unwrap();
    let (store, root) = Store::planted(|saver| {
        let nodes = [file(saver, "file", &[b"prec", b"ise!"])];
        tree(saver, &nodes)
    });
    store.restore_all(root, &place.target());
    assert_eq!(fs::read(place.target().join("file")).unwrap(), b"precise!");
    place.assert_untouched();
}

#[test]
fn deletion_removes_links_and_not_what_they_point_to() {
    let place = Place::new();
    symlink(place.outside(), place.target().join("link")).unwrap();
    fs::create_dir(place.target().join("d")).unwrap();
    symlink("../../outside", place.target().join("d/link")).unwrap();
    let (store, root) = Store::planted(|saver| tree(saver, &[]));
    let options = RestoreOptions { delete: true, ..RestoreOptions::default() };
    // Nothing is restored in the target itself, so nothing is removed from it, as restic has it.
    store.restore(root, &place.target(), &options);
    assert_eq!(names(&place.target()), ["d", "link"]);
    let (store, root) = Store::planted(|saver| {
        let nodes = [file(saver, "a", &[])];
        tree(saver, &nodes)
    });
    let (report, told) = store.restore(root, &place.target(), &options);
    assert_eq!((told.problems(), report.counts.files_deleted), (vec![], 3));
    assert_eq!(names(&place.target()), ["a"]);
    place.assert_untouched();
}

#[test]
fn directories_deeper_than_a_path_may_be_long_are_restored() {
    let place = Place::new();
    let (store, root) = Store::planted(|saver| {
        let mut node = file(saver, "leaf", &[b"con", b"tent"]);
        for level in 0..100 {
            node = dir(saver, format!("{level:060}"), &[node]);
        }
        tree(saver, &[node])
    });
    store.restore_all(root, &place.target());
    store.restore_all(root, &place.target());
    let (_, told) =
        store.restore(root, &place.target(), &RestoreOptions { dry_run: true, ..RestoreOptions::default() });
    assert_eq!(told.problems(), []);
    place.assert_untouched();
}

#[test]
fn sizes_that_lie_do_no_harm() {
    let place = Place::new();
    let (store, root) = Store::planted(|saver| {
        let mut nodes = Vec::new();
        for (name, size) in [("a", 0), ("b", 3), ("c", 100), ("d", u64::MAX), ("e", i64::MAX as u64)] {
            for blobs in [&[&b"12345"[..]][..], &[b"123", b"45"], &[]] {
                let mut node = file(saver, format!("{name}{}", blobs.len()), blobs);
                node.size = size;
                nodes.push(node);
            }
        }
        tree(saver, &nodes)
    });
    let (_, told) = store.restore(root, &place.target(), &RestoreOptions::default());
    assert!(told.troubled().iter().all(|path| path.starts_with("/d") || path.starts_with("/e")));
    let padded = [&b"12345"[..], &[0; 95]].concat();
    for (name, content) in
        [("c0", &[0; 100][..]), ("c2", &padded), ("b1", b"12345"), ("a2", b"12345"), ("b0", &[0; 3])]
    {
        assert_eq!(fs::read(place.target().join(name)).unwrap(), content, "{name}");
    }
    place.assert_untouched();
}

/// Somebody swaps a directory of the target and a link to the outside, back and forth, all the time.
#[test]
fn no_moment_is_the_wrong_one_for_a_swapped_directory() {
    let place = Place::new();
    let (store, root) = Store::planted(|saver| {
        let inner = [
            file(saver, "a", &[b"evil"]),
            file(saver, "b", &[b"con", b"tent"]),
            dir(saver, "deep", &[]),
            link("l", "a"),
            file(saver, "victim", &[b"evil"]),
        ];
        let nodes = [dir(saver, "d", &inner)];
        tree(saver, &nodes)
    });
    let (real, aside) = (place.target().join("d"), place.target().join("aside"));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                // Each step may find that the restore was faster.
                let _ = fs::rename(&real, &aside);
                let _ = symlink(place.outside(), &real);
                let _ = fs::remove_file(&real);
                let _ = fs::rename(&aside, &real);
            }
        });
        for run in 0..40 {
            let options = RestoreOptions { delete: run % 2 == 0, ..RestoreOptions::default() };
            store.restore(root, &place.target(), &options);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    place.assert_untouched();
}
