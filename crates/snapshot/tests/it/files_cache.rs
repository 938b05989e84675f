//! The files cache: backups that believe it, and backups without it, come to the same.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use tresor_repo::monitor::Silent;
use tresor_repo::time::Zone;
use tresor_repo::{BlobId, FileKind};
use tresor_snapshot::backup::{BackupReport, FilesCacheUse, TagFile};
use tresor_testkit::backend::memory::Memory;
use tresor_testkit::backend::{Backend, FileName};
use tresor_testkit::{Random, TestTree, asked, locks};

use super::backup::{Vault, Watch};

/// A vault with a local cache.
struct Scene {
    vault: Vault,
    backend: Arc<Memory>,
    _cache: TempDir,
}

impl Scene {
    fn new() -> Scene {
        let backend = Arc::new(Memory::new());
        let cache = tempfile::tempdir().unwrap();
        let mut vault = Vault::over(Arc::clone(&backend) as Arc<dyn Backend>);
        vault.options.settling = -60; // else nothing that a test has just made would be remembered
        let repository = vault.repository;
        vault.repository = repository.with_cache(cache.path(), &Silent);
        Scene { vault, backend, _cache: cache }
    }

    /// Backs up, and once more without the files cache: both must have the same to say.
    fn compare(&mut self, source: &TestTree, told: &str) -> (BackupReport, Watch) {
        let vault = &mut self.vault;
        vault.current = source.path().parent().unwrap().to_owned();
        let mut back_up = |files_cache| {
            vault.files_cache = files_cache;
            let watch = Watch::default();
            (vault.files(&[Path::new("source")], &watch).unwrap(), watch)
        };
        let (with, watch) = back_up(FilesCacheUse::Full);
        let (without, other) = back_up(FilesCacheUse::Off);
        // With access times, looking changes what is stored.
        let looks_alone = !vault.options.with_atime;
        assert!(with.tree == without.tree || !looks_alone, "{told}");
        // What a pack took along was stored again by the first of the two.
        if with.problems == 0 && looks_alone {
            assert_eq!(counts(&with), counts(&without), "{told}");
            assert_eq!(watch.items(), other.items(), "{told}");
        }
        vault.options.parent = with.snapshot.map(|snapshot| (snapshot, with.tree));
        (with, watch)
    }

    /// Loses a pack, and the copies of all.
    fn lose(&self, pack: FileName) {
        self.backend.remove(pack).unwrap();
        let copies = self.vault.repository.cache_folder().unwrap().join("data");
        drop(fs::remove_dir_all(copies)); // there may be none
    }

    /// Loses a pack, and mends the index.
    fn lose_a_pack(&self, random: &mut Random) {
        let repository = &self.vault.repository;
        let packs = repository.list(FileKind::Pack).unwrap();
        if packs.is_empty() {
            return;
        }
        let lost = random.pick(&packs);
        self.lose(FileName::new(FileKind::Pack, lost.id));
        let index = self.vault.index();
        let disagreement = repository.compare_packs(&index).unwrap();
        let repair = repository.plan_index_repair(&index, &disagreement, Vec::new(), &Silent).unwrap();
        let lock = locks::exclusive(repository);
        repository.reindex(repair.reindex, &lock, &Silent, &|_, _| {}).unwrap();
        lock.release().unwrap();
    }
}

fn counts(report: &BackupReport) -> [u64; 8] {
    let of = &report.summary;
    [
        of.files_new,
        of.files_changed,
        of.files_unmodified,
        of.dirs_new,
        of.dirs_changed,
        of.dirs_unmodified,
        of.total_files_processed,
        of.total_bytes_processed,
    ]
}

fn some_tree() -> TestTree {
    TestTree::new()
        .file("a/b/c/deep", "d")
        .file("a/b/two", "22")
        .file("a/one", "1")
        .file("e/f/x", "x")
        .dir("empty")
        .symlink("link", "a/one")
}

/// Waits until the file system's clock has gone on.
fn tick() {
    std::thread::sleep(Duration::from_millis(12));
}

/// Backs up twice, the second time with another root tree alone; then every pack of the first is lost. What is found
/// amiss by a third backup is what it had to read.
fn problems_without_the_trees(scene: &mut Scene) -> usize {
    let source = some_tree();
    scene.compare(&source, "the first");
    let first = scene.vault.repository.list(FileKind::Pack).unwrap();
    tick();
    let source = source.mode("", 0o700);
    let (second, _) = scene.compare(&source, "the second");
    for listed in first {
        scene.lose(FileName::new(FileKind::Pack, listed.id));
    }
    scene.vault.files_cache = FilesCacheUse::Full;
    let watch = Watch::default();
    let third = scene.vault.files(&[Path::new("source")], &watch).unwrap();
    assert_eq!((third.tree, third.summary.total_files_processed), (second.tree, 4));
    assert_eq!(watch.items().len(), 4 + 7);
    watch.problems().len()
}

#[test]
fn an_unchanged_source_is_known_without_reading_a_tree() {
    assert_eq!(problems_without_the_trees(&mut Scene::new()), 0);
}

#[test]
fn what_was_changed_just_now_is_not_remembered() {
    let mut scene = Scene::new();
    scene.vault.options.settling = 2;
    assert!(problems_without_the_trees(&mut scene) > 0);
}

#[test]
fn a_change_far_below_is_found_and_counted() {
    let (source, mut scene) = (some_tree(), Scene::new());
    scene.compare(&source, "the first");
    tick();
    let source = source.file("a/b/c/deep", "D");
    let (report, watch) = scene.compare(&source, "a changed file");
    assert_eq!(report.summary.dirs_changed, 4, "{:?}", watch.items());
    tick();
    let source = source.remove("a/b/c").file("e/new/y", "y");
    let (report, _) = scene.compare(&source, "a directory went and one came");
    assert_eq!((report.summary.dirs_new, report.summary.files_new), (1, 1));
    scene.compare(&source, "nothing");
}

#[test]
fn a_known_tree_that_cannot_be_read_is_no_obstacle() {
    let (source, mut scene) = (some_tree(), Scene::new());
    scene.compare(&source, "the first");
    // All packs of trees are gone, but the index does not know that yet.
    for listed in scene.vault.repository.list(FileKind::Pack).unwrap() {
        let file = FileName::new(FileKind::Pack, listed.id);
        scene.lose(file);
    }
    tick();
    let _source = source.file("a/b/c/deep", "D");
    scene.vault.files_cache = FilesCacheUse::Full;
    let watch = Watch::default();
    let report = scene.vault.files(&[Path::new("source")], &watch).unwrap();
    assert!(report.snapshot.is_some());
    assert_eq!(report.summary.total_files_processed, 4);
    assert!(!watch.problems().is_empty(), "the trees are missed when they are needed");
}

#[test]
fn tagged_and_excluded_folders_are_decided_anew() {
    let (source, mut scene) = (some_tree().file("e/f/.nobackup", ""), Scene::new());
    scene.vault.filter.if_present = vec![TagFile { name: ".nobackup".into(), header: Vec::new() }];
    let (first, _) = scene.compare(&source, "tagged");
    assert_eq!(first.summary.files_new, 4);
    scene.vault.filter.if_present.clear();
    let (second, _) = scene.compare(&source, "not tagged any more");
    assert_eq!((second.summary.files_new, second.summary.files_unmodified), (1, 4));
}

/// What may happen between two backups; the seed decides.
struct History {
    random: Random,
    source: TestTree,
    scene: Scene,
    paths: Vec<PathBuf>,
    parents: Vec<(tresor_repo::SnapshotId, BlobId)>,
}

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

impl History {
    fn new(seed: u64) -> History {
        let mut history = History {
            random: Random::new(seed),
            source: TestTree::new(),
            scene: Scene::new(),
            paths: vec![PathBuf::new()],
            parents: Vec::new(),
        };
        for _ in 0..20 {
            history.make();
        }
        history
    }

    /// One backup after up to four changes of the source and perhaps one of the circumstances.
    fn step(&mut self, told: &str) {
        tick();
        for _ in 0..self.random.below(5) {
            self.change();
        }
        if self.random.below(4) == 0 {
            self.disturb();
        }
        self.scene.compare(&self.source, told);
        self.parents.extend(self.scene.vault.options.parent);
    }

    fn some_path(&mut self) -> PathBuf {
        self.source.join(self.random.pick(&self.paths).clone())
    }

    fn make(&mut self) {
        let mut path = self.random.pick(&self.paths).clone();
        if !self.source.join(&path).is_dir() || path.components().count() > 4 {
            path = PathBuf::new();
        }
        let path = path.join(self.random.pick(&NAMES));
        let full = self.source.join(&path);
        if fs::symlink_metadata(&full).is_ok() {
            return;
        }
        let made = match self.random.below(6) {
            0..3 => fs::write(&full, self.random.word().to_string()),
            3..5 => fs::create_dir(&full),
            _ => std::os::unix::fs::symlink("a", &full),
        };
        made.unwrap();
        self.paths.push(path);
    }

    /// Changes something; what fails (a path that is gone, a directory in the place of a file) changes nothing.
    fn change(&mut self) {
        let path = self.some_path();
        let mtime = fs::symlink_metadata(&path).and_then(|metadata| metadata.modified());
        let is_root = path == self.source.path();
        let changed = match self.random.below(9) {
            0 => fs::write(&path, self.random.word().to_string()),
            // The same size and the same time: only the ctime tells.
            1 => fs::read(&path).and_then(|old| fs::write(&path, vec![b'x'; old.len()])).and_then(|()| {
                let file = fs::File::options().write(true).open(&path)?;
                file.set_modified(mtime.unwrap_or(SystemTime::UNIX_EPOCH))
            }),
            2 if !path.is_symlink() => {
                let mode = *self.random.pick(&[0o700, 0o755, 0o750]);
                fs::set_permissions(&path, fs::Permissions::from_mode(mode))
            }
            3 => fs::File::open(&path).and_then(|file| file.set_modified(SystemTime::now())),
            4 if !is_root => fs::remove_file(&path),
            5 if !is_root => fs::remove_dir_all(&path),
            6 if !is_root => fs::rename(&path, self.some_path()),
            7 => fs::hard_link(&path, self.some_path().join("link")),
            _ => return self.make(),
        };
        drop(changed);
    }

    fn disturb(&mut self) {
        let options = &mut self.scene.vault.options;
        match self.random.below(9) {
            0 => options.parent = None,
            1 if !self.parents.is_empty() => options.parent = Some(*self.random.pick(&self.parents)),
            2 => options.hostname = self.random.pick(&["one", "two"]).to_string(),
            3 => options.zone = Zone::fixed(3600 * self.random.below(3) as i32),
            4 => options.program_version = format!("tresor {}", self.random.below(3)),
            5 => options.ignore_ctime = !options.ignore_ctime,
            6 => options.with_atime = !options.with_atime,
            7 => {
                let name = *self.random.pick(&NAMES);
                let tag = TagFile { name: name.into(), header: Vec::new() };
                self.scene.vault.filter.if_present = vec![tag];
            }
            _ => self.scene.lose_a_pack(&mut self.random),
        }
    }
}

#[test]
fn random_histories_are_the_same_with_and_without() {
    let (first, histories) = (asked("TRESOR_SEED", 1), asked("TRESOR_HISTORIES", 25));
    for seed in first..first + histories {
        let mut history = History::new(seed);
        for step in 0..6 {
            history.step(&format!("history {seed}, step {step}"));
        }
    }
}
