//! A corpus of hostile trees, and a neighbour who races: not a byte leaves the target of a restore.

use crate::store::{Store, dir, file, link, tree};
use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use tresor_repo::BlobId;
use tresor_repo::upload::BlobSaver;
use tresor_snapshot::dump::{dump_tar, dump_zip};
use tresor_snapshot::node::ExtendedAttribute;
use tresor_snapshot::restore::RestoreOptions;
use tresor_snapshot::{Node, NodeKind};

/// Names that lead elsewhere somewhere: here, on another system, or in the eyes of a reader.
const NAMES: [&str; 24] = [
    "..",
    ".",
    "",
    "../outside/victim",
    "../outside",
    "../../etc",
    "/",
    "/abs",
    "//abs",
    "./x",
    "x/",
    "x/../../outside/victim",
    "a/b",
    "a\0b",
    "..\0",
    "\0",
    "..\\outside\\victim",
    "C:\\victim",
    "victim:stream",
    "%2e%2e%2foutside",
    "\u{2024}\u{2024}",
    "\u{ff0e}\u{ff0e}\u{ff0f}outside",
    "\u{202e}..",
    "..\n",
];

/// Puts a tree into a repository that would write to the folder if it could.
type Plant = Box<dyn Fn(&mut BlobSaver<'_>, &Path) -> BlobId>;

fn evil(saver: &mut BlobSaver<'_>, name: &str) -> Node {
    let mut node = file(saver, name, &[b"evil"]);
    node.mode = 0o4777;
    node
}

/// Every tree of the corpus with what it is.
fn corpus() -> Vec<(String, Plant)> {
    let mut all = Vec::new();
    NAMES.into_iter().for_each(|name| all.extend(named(name)));
    for kind in ["file", "folder", "pipe", "device"] {
        all.extend([true, false].map(|link_first| doubled(kind, link_first)));
    }
    all.extend(["link", "pipe", "device", "double"].map(hard_linked));
    all.extend(["..", "../outside", "/", "/proc/self/root", "/proc/self/cwd", "."].map(chained));
    all.push(alike("names that differ in case alone", "D", "d"));
    all.push(alike("names that look alike", "\u{e9}", "e\u{301}"));
    all.push(dressed_link());
    all.push(deep());
    all
}

/// A file, a link with something below it, and a folder of a name.
fn named(name: &'static str) -> [(String, Plant); 3] {
    let of_file: Plant = Box::new(move |saver, _| {
        let nodes = [evil(saver, name), evil(saver, "good")];
        tree(saver, &nodes)
    });
    let of_link: Plant = Box::new(move |saver, outside| {
        let inner = [evil(saver, "victim")];
        let nodes = [link(name, outside), dir(saver, name, &inner)];
        tree(saver, &nodes)
    });
    let of_folder: Plant = Box::new(move |saver, _| {
        let inner = [evil(saver, "victim"), evil(saver, "outside")];
        let nodes = [dir(saver, name, &inner)];
        tree(saver, &nodes)
    });
    [
        (format!("a file {name:?}"), of_file),
        (format!("a link {name:?} and a file below it"), of_link),
        (format!("a folder {name:?}"), of_folder),
    ]
}

/// A link, and what would be written through it, under one name.
fn doubled(kind: &'static str, link_first: bool) -> (String, Plant) {
    let plant = move |saver: &mut BlobSaver<'_>, outside: &Path| {
        let (leads_to, other) = match kind {
            "folder" => {
                let inner = [evil(saver, "victim")];
                (outside.to_owned(), dir(saver, "d", &inner))
            }
            "file" => (outside.join("victim"), evil(saver, "d")),
            "pipe" => (outside.join("victim"), Node::new(*b"d", NodeKind::Fifo)),
            _ => (outside.join("victim"), Node::new(*b"d", NodeKind::CharDev)),
        };
        let mut nodes = [link("d", leads_to), other];
        if !link_first {
            nodes.reverse();
        }
        tree(saver, &nodes)
    };
    (format!("a link and a {kind} of one name, the link first: {link_first}"), Box::new(plant))
}

/// A file that says to be another name of something that is no file, or is there twice.
fn hard_linked(first: &'static str) -> (String, Plant) {
    let plant = move |saver: &mut BlobSaver<'_>, outside: &Path| {
        let mut nodes = match first {
            "link" => vec![link("a", outside.join("victim"))],
            "pipe" => vec![Node::new(*b"a", NodeKind::Fifo)],
            "device" => vec![Node::new(*b"a", NodeKind::CharDev)],
            _ => vec![evil(saver, "a"), link("a", outside.join("victim"))],
        };
        nodes.push(evil(saver, "b"));
        for node in &mut nodes {
            (node.links, node.inode, node.device_id) = (2, 7, 7);
        }
        tree(saver, &nodes)
    };
    (format!("another name of a {first}"), Box::new(plant))
}

/// Links that lead on to each other, and folders of their names.
fn chained(end: &'static str) -> (String, Plant) {
    let plant = move |saver: &mut BlobSaver<'_>, _: &Path| {
        let inner = [link("up", end), evil(saver, "up"), evil(saver, "victim")];
        let (a, b) = (dir(saver, "a", &inner), dir(saver, "b", &inner));
        tree(saver, &[link("a", end), link("b", "a/up"), b, a])
    };
    (format!("a chain of links to {end}"), Box::new(plant))
}

/// A link and a folder whose names some systems take for one.
fn alike(what: &str, one: &'static str, other: &'static str) -> (String, Plant) {
    let plant = move |saver: &mut BlobSaver<'_>, outside: &Path| {
        let inner = [evil(saver, "victim")];
        let nodes = [link(one, outside), dir(saver, other, &inner)];
        tree(saver, &nodes)
    };
    (what.to_owned(), Box::new(plant))
}

/// A link with an owner and an attribute, which are not for what it leads to.
fn dressed_link() -> (String, Plant) {
    let plant = |saver: &mut BlobSaver<'_>, outside: &Path| {
        let mut node = link("l", outside.join("victim"));
        node.rare_mut().extended_attributes =
            vec![ExtendedAttribute { name: (*b"user.evil").into(), value: Some(b"x".to_vec()) }];
        (node.uid, node.gid) = (12345, 12345);
        tree(saver, &[node])
    };
    ("attributes on a link".to_owned(), Box::new(plant))
}

/// A thousand folders in each other.
fn deep() -> (String, Plant) {
    let plant = |saver: &mut BlobSaver<'_>, _: &Path| {
        let mut node = evil(saver, "victim");
        for _ in 0..1000 {
            node = dir(saver, "d", &[node]);
        }
        tree(saver, &[node])
    };
    ("a thousand folders in each other".to_owned(), Box::new(plant))
}

/// A target, and beside it a folder with a file that nobody may touch.
struct Place {
    folder: tempfile::TempDir,
    before: Vec<String>,
}

impl Place {
    /// With links in the target to the outside, under names of the corpus, if `planted`.
    fn new(planted: bool) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("target")).unwrap();
        fs::create_dir(path("outside")).unwrap();
        fs::write(path("outside/victim"), "precious").unwrap();
        if planted {
            for name in ["d", "a", "b", "good", "victim"] {
                symlink(path("outside"), path("target").join(name)).unwrap();
            }
            fs::hard_link(path("outside/victim"), path("target/l")).unwrap();
        }
        let mut place = Place { before: Vec::new(), folder };
        place.before = place.look();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What stands outside of the target. A file with another name in the target may lose that, and nothing else.
    fn look(&self) -> Vec<String> {
        let mut seen = Vec::new();
        for folder in [self.folder.path(), &self.path("outside")] {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path == self.path("target") {
                    continue;
                }
                let stat = fs::symlink_metadata(&path).unwrap();
                let content = if stat.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
                let (mode, owner) = (stat.mode(), (stat.uid(), stat.gid()));
                let when = (stat.mtime(), stat.mtime_nsec());
                seen.push(format!("{path:?} {} {mode:o} {owner:?} {when:?} {content:?}", stat.ino()));
            }
        }
        seen.sort();
        seen
    }

    #[track_caller]
    fn assert_untouched(&self, what: &str) {
        assert_eq!(self.look(), self.before, "{what}");
    }
}

#[test]
fn restore_escape() {
    let corpus = corpus();
    assert!(corpus.len() >= 60, "{}", corpus.len());
    for (what, plant) in &corpus {
        for planted in [false, true] {
            let place = Place::new(planted);
            let (store, root) = Store::planted(|saver| plant(saver, &place.path("outside")));
            for delete in [false, true] {
                let options = RestoreOptions { delete, ..RestoreOptions::default() };
                store.restore(root, &place.path("target"), &options);
                place.assert_untouched(what);
            }
        }
    }
}

/// Archives name nothing outside of the folder that they are unpacked in, and GNU tar finds no way out.
#[test]
fn restore_escape_from_archives() {
    for (what, plant) in corpus() {
        let place = Place::new(false);
        let (store, root) = Store::planted(|saver| plant(saver, &place.path("outside")));
        let mut tar = Vec::new();
        let _ = dump_tar(&store.repo, &store.index, root, b"", &mut tar);
        let mut archive = tar::Archive::new(Cursor::new(&tar));
        for entry in archive.entries().unwrap().map_while(Result::ok) {
            assert_inside(&entry.path().unwrap(), &what);
        }
        let mut unpack = Command::new("tar");
        unpack.args(["-x", "--no-same-owner", "-C"]).arg(place.path("target"));
        let mut unpack = unpack.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // It may stop early: what it was given is hostile.
        let _ = unpack.stdin.take().unwrap().write_all(&tar);
        let _ = unpack.wait().unwrap();
        place.assert_untouched(&what);
        let mut zip = Vec::new();
        let _ = dump_zip(&store.repo, &store.index, root, b"", &mut zip);
        if let Ok(archive) = zip::ZipArchive::new(Cursor::new(&zip)) {
            archive.file_names().flatten().for_each(|name| assert_inside(Path::new(&*name), &what));
        }
    }
}

#[track_caller]
fn assert_inside(path: &Path, what: &str) {
    let is_inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    assert!(is_inside, "{what}: {path:?}");
}

/// Somebody who may write to the target swaps what is restored for links to the outside, all the time.
///
/// `cargo xtask campaign restore-escape` asks for a million swaps.
#[test]
fn restore_escape_beside_a_racer() {
    let wanted = tresor_testkit::asked("TRESOR_SWAPS", 20_000);
    let place = Place::new(false);
    let (store, root) = Store::planted(|saver| {
        let leaf = [
            evil(saver, "victim"),
            file(saver, "b", &[b"con", b"tent"]),
            link("l", "victim"),
            dir(saver, "deep", &[]),
        ];
        let above = [dir(saver, "e", &leaf), evil(saver, "victim")];
        let nodes = [dir(saver, "d", &leaf), dir(saver, "f", &leaf), dir(saver, "g", &above)];
        tree(saver, &nodes)
    });
    let swaps = AtomicU64::new(0);
    // None below another, or the racer itself would write through the other's link.
    let swap = |at: &str, to: PathBuf| {
        let (real, aside) =
            (place.path("target").join(at), place.path("target").join(at.replace('/', "-") + "-aside"));
        while swaps.fetch_add(1, Ordering::Relaxed) < wanted {
            // Each step may find that the restore was faster.
            let _ = fs::rename(&real, &aside);
            let _ = symlink(&to, &real);
            let _ = fs::remove_file(&real);
            let _ = fs::rename(&aside, &real);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| swap("d", place.path("outside")));
        scope.spawn(|| swap("g/e", place.path("outside")));
        scope.spawn(|| swap("f/b", place.path("outside/victim")));
        let mut runs = 0_u64;
        while swaps.load(Ordering::Relaxed) < wanted {
            let options = RestoreOptions { delete: runs.is_multiple_of(3), ..RestoreOptions::default() };
            store.restore(root, &place.path("target"), &options);
            runs += 1;
        }
        assert!(runs > 0);
    });
    place.assert_untouched("a racer");
}

/// By default metadata are those of the snapshot, as with restic; a snapshot that is not trusted gives no power.
#[test]
fn setid_default_off() {
    let (store, root) = Store::planted(|saver| {
        let mut program = file(saver, "program", &[b"#!"]);
        program.mode = 1 << 23 | 1 << 22 | 0o755;
        (program.uid, program.gid) = (12345, 54321);
        program.rare_mut().extended_attributes = vec![
            ExtendedAttribute { name: (*b"security.evil").into(), value: Some(b"x".to_vec()) },
            ExtendedAttribute { name: (*b"trusted.evil").into(), value: Some(b"x".to_vec()) },
        ];
        let mut folder = dir(saver, "folder", &[]);
        folder.mode |= 1 << 22;
        let device = Node::new(*b"null", NodeKind::CharDev);
        tree(saver, &[folder, device, program])
    });
    let target = tempfile::tempdir().unwrap();
    let told = store.restore_all(root, target.path());
    let mode = |name: &str| fs::metadata(target.path().join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("program"), mode("folder")), (0o6755, 0o2755));
    assert_eq!(told.warnings(), [""; 0]);
    let target = tempfile::tempdir().unwrap();
    let options = RestoreOptions { distrust_metadata: true, ..RestoreOptions::default() };
    let (report, told) = store.restore(root, target.path(), &options);
    assert_eq!(report.problems, 0);
    let program = target.path().join("program");
    let stat = fs::metadata(&program).unwrap();
    assert_eq!(stat.mode() & 0o7777, 0o755);
    assert_eq!(fs::metadata(target.path().join("folder")).unwrap().mode() & 0o7777, 0o755);
    assert_eq!(stat.uid(), rustix::process::geteuid().as_raw());
    let mut names = [0; 1024];
    let length = rustix::fs::listxattr(&program, &mut names[..]).unwrap();
    assert!(!String::from_utf8_lossy(&names[..length]).contains("evil"));
    assert!(!target.path().join("null").exists());
    assert!(
        told.warnings()[0].contains("2 modes' set-id bits, 1 devices, 2 attributes"),
        "{:?}",
        told.warnings()
    );
}
