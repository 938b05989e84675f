//! What a backup makes of a source, in a repository in memory.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use tresor_repo::codec::Compression;
use tresor_repo::index::Index;
use tresor_repo::keyfile::{KeyCost, NewKey, Password};
use tresor_repo::monitor::{Monitor, Problem};
use tresor_repo::repository::{InitOptions, Options};
use tresor_repo::time::{Time, Zone};
use tresor_repo::{BlobId, BlobKind, Repository, SnapshotId};
use tresor_snapshot::backup::{
    self, BackupMonitor, BackupOptions, BackupReport, Change, Files, FilesCacheUse, FinishedItem, Source,
    SourceFilter, Stream, TagFile,
};
use tresor_snapshot::tree::Tree;
use tresor_snapshot::{Error, Node, NodeKind, Snapshot};
use tresor_testkit::backend::memory::Memory;
use tresor_testkit::backend::{Backend, Cancel, FileKind, Full, Handle, Reason};
use tresor_testkit::recorder::{Noted, Recorder};
use tresor_testkit::{Random, TestTree, fixtures};

/// A repository, and how to back up into it.
pub(crate) struct Vault {
    pub(crate) repository: Repository<Full>,
    pub(crate) options: BackupOptions,
    pub(crate) filter: SourceFilter,
    pub(crate) current: PathBuf,
    pub(crate) files_cache: FilesCacheUse,
}

impl Vault {
    /// A new one in memory.
    fn new() -> Vault {
        Vault::over(Arc::new(Memory::new()))
    }

    /// A new one over a backend; whoever knows the fixtures' password can open it.
    pub(crate) fn over(backend: Arc<dyn Backend>) -> Vault {
        let key = NewKey {
            username: "tester".into(),
            hostname: "here".into(),
            created: Time::utc(0, 0),
            cost: KeyCost::Exact { n: 16, r: 1, p: 1 },
        };
        let new = InitOptions { version: 2, polynomial: None, key };
        let options = Options {
            compression: Compression::Auto,
            pack_size: 16 << 20,
            verify_before_upload: true,
            memory: 48 << 20,
            temporary_folder: std::env::temp_dir(),
            cancel: Cancel::new(),
        };
        let password = Password::new(fixtures::PASSWORD.into());
        Vault {
            repository: Repository::init(Handle::new(backend), &password, &new, options).unwrap(),
            options: BackupOptions::new(Time::utc(1_700_000_000, 0), Zone::utc()),
            filter: SourceFilter::default(),
            current: "/".into(),
            files_cache: FilesCacheUse::Full,
        }
    }

    pub(crate) fn index(&self) -> Index {
        self.repository.load_index(&Recorder::new()).unwrap()
    }

    fn run(&self, source: Source<'_>, watch: &Watch) -> Result<BackupReport, Error> {
        backup::backup(&self.repository, &self.index(), source, &self.options, watch)
    }

    /// Backs up files and directories.
    pub(crate) fn files(&self, targets: &[&Path], watch: &Watch) -> Result<BackupReport, Error> {
        let targets: Vec<PathBuf> = targets.iter().map(|&target| target.to_owned()).collect();
        let (current, filter) = (self.current.as_path(), &self.filter);
        let files_cache = self.files_cache;
        let files = Files { current, targets: &targets, filter, estimate: true, files_cache };
        self.run(Source::Files(files), watch)
    }

    /// Backs up a tree as `/source`; nothing may go wrong, and the answer is the parent of the next one.
    pub(crate) fn good(&mut self, tree: &TestTree) -> (BackupReport, Watch) {
        let watch = Watch::default();
        self.current = tree.path().parent().unwrap().to_owned();
        let report = self.files(&[Path::new("source")], &watch).unwrap();
        assert_eq!((watch.problems(), report.problems), (vec![], 0));
        self.options.parent = report.snapshot.map(|snapshot| (snapshot, report.tree));
        (report, watch)
    }

    fn stream(
        &self,
        path: &str,
        mut reader: impl Read + Send,
        finish: Result<(), &'static str>,
        watch: &Watch,
    ) -> Result<BackupReport, Error> {
        let finish = Box::new(move || finish.map_err(Into::into));
        self.run(Source::Stream(Stream { path: path.into(), reader: &mut reader, finish }), watch)
    }

    fn tree(&self, id: &BlobId) -> Tree {
        self.tree_in(&self.index(), id)
    }

    fn tree_in(&self, index: &Index, id: &BlobId) -> Tree {
        Tree::decode(&self.repository.load_blob(index, BlobKind::Tree, id).unwrap()).unwrap()
    }

    /// The node at a path below a root tree.
    fn node(&self, root: &BlobId, path: impl AsRef<Path>) -> Option<Node> {
        let (index, mut tree) = (self.index(), *root);
        let mut components = path.as_ref().iter().peekable();
        loop {
            let name = components.next()?;
            let node = self.tree_in(&index, &tree).find(name.as_encoded_bytes())?.clone();
            if components.peek().is_none() {
                return Some(node);
            }
            tree = node.subtree?;
        }
    }

    /// Every path below a root tree, sorted.
    fn paths(&self, root: &BlobId) -> Vec<String> {
        let (index, mut paths) = (self.index(), Vec::new());
        let mut left = vec![(String::new(), *root)];
        while let Some((above, tree)) = left.pop() {
            for node in self.tree_in(&index, &tree).nodes {
                let path = format!("{above}/{}", node.display_name());
                left.extend(node.subtree.map(|subtree| (path.clone(), subtree)));
                paths.push(path);
            }
        }
        paths.sort();
        paths
    }

    fn content(&self, node: &Node) -> Vec<u8> {
        let index = self.index();
        let load = |id| self.repository.load_blob(&index, BlobKind::Data, id).unwrap();
        node.blobs().iter().flat_map(load).collect()
    }

    fn snapshots(&self) -> usize {
        self.repository.list(FileKind::Snapshot).unwrap().len()
    }
}

/// A monitor that remembers, and may stop the backup at a path.
#[derive(Default)]
pub(crate) struct Watch {
    recorder: Recorder,
    items: Mutex<Vec<(String, Change)>>,
    started: Mutex<Vec<String>>,
    scanned: [AtomicU64; 2],
    read: AtomicU64,
    unsigned: Mutex<Vec<String>>,
    stop_at: Option<(&'static str, Cancel)>,
    /// Whether files wait for the end of the estimate.
    waits_for_scan: bool,
    scan_finished: (Mutex<bool>, Condvar),
}

impl Watch {
    pub(crate) fn problems(&self) -> Vec<Noted> {
        self.recorder.problems()
    }

    /// Files and directories that were finished, sorted.
    pub(crate) fn items(&self) -> Vec<(String, Change)> {
        let mut items = self.items.lock().unwrap().clone();
        items.sort_by(|a, b| a.0.cmp(&b.0));
        items
    }
}

impl Monitor for Watch {
    fn problem(&self, problem: &Problem) {
        self.recorder.problem(problem);
    }
}

impl BackupMonitor for Watch {
    fn scanned(&self, files: u64, bytes: u64) {
        self.scanned[0].fetch_add(files, Ordering::Relaxed);
        self.scanned[1].fetch_add(bytes, Ordering::Relaxed);
    }
    fn scan_finished(&self) {
        *self.scan_finished.0.lock().unwrap() = true;
        self.scan_finished.1.notify_all();
    }
    fn started(&self, path: &[u8]) {
        if self.waits_for_scan {
            let finished = self.scan_finished.0.lock().unwrap();
            drop(self.scan_finished.1.wait_while(finished, |finished| !*finished).unwrap());
        }
        let path = String::from_utf8_lossy(path).into_owned();
        if let Some((at, cancel)) = &self.stop_at
            && path.ends_with(at)
        {
            cancel.set(Reason::Interrupted);
        }
        self.started.lock().unwrap().push(path);
    }
    fn read(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::Relaxed);
    }
    fn finished(&self, item: &FinishedItem<'_>) {
        let path = String::from_utf8_lossy(item.path).into_owned();
        self.items.lock().unwrap().push((path, item.change));
    }
    fn unsigned_tag(&self, path: &[u8], _cause: &std::io::Error) {
        self.unsigned.lock().unwrap().push(String::from_utf8_lossy(path).into_owned());
    }
}

fn small_tree() -> TestTree {
    TestTree::new()
        .file("a/one", "1")
        .file("a/two", "22")
        .dir("empty")
        .symlink("link", "a/one")
        .file("zero", "")
}

#[test]
fn a_source_becomes_a_snapshot() {
    let (source, mut vault) = (small_tree(), Vault::new());
    vault.options.hostname = "host".into();
    vault.options.tags = vec!["t".into(), "t".into()];
    vault.options.excludes = vec!["*.o".into()];
    vault.options.program_version = "tresor 0".into();
    let (report, watch) = vault.good(&source);

    let bytes = vault.repository.load_file(FileKind::Snapshot, report.snapshot.unwrap().id()).unwrap();
    let snapshot = Snapshot::decode(&bytes).unwrap();
    assert_eq!((snapshot.tree, snapshot.time), (report.tree, vault.options.time));
    assert_eq!(snapshot.paths, [source.path().to_str().unwrap()]);
    assert_eq!((&*snapshot.hostname, snapshot.tags.len(), snapshot.excludes.len()), ("host", 2, 1));
    assert_eq!(snapshot.summary.as_ref(), Some(&report.summary));

    let summary = &report.summary;
    assert_eq!((summary.files_new, summary.dirs_new), (3, 3));
    assert_eq!((summary.data_blobs, summary.tree_blobs), (2, 4));
    assert_eq!((summary.total_files_processed, summary.total_bytes_processed), (3, 3));
    let one = vault.node(&report.tree, "source/a/one").unwrap();
    assert_eq!((one.kind.clone(), one.size, vault.content(&one)), (NodeKind::File, 1, b"1".to_vec()));
    assert_eq!(vault.node(&report.tree, "source/zero").unwrap().content, Some(vec![]));
    assert_eq!(vault.node(&report.tree, "source/link").unwrap().link_target(), b"a/one");

    let new = |path: &str| (path.to_owned(), Change::New);
    let paths = ["/source", "/source/a", "/source/a/one", "/source/a/two", "/source/empty", "/source/zero"];
    assert_eq!(watch.items(), paths.map(new));
    assert_eq!(watch.started.lock().unwrap().len(), 3);
    assert_eq!(watch.read.load(Ordering::Relaxed), 3);
}

#[test]
fn what_has_not_changed_is_not_read_again() {
    let (source, mut vault) = (small_tree(), Vault::new());
    let (first, _) = vault.good(&source);
    let (second, watch) = vault.good(&source);
    assert_eq!(second.tree, first.tree);
    assert_eq!((second.summary.files_unmodified, second.summary.dirs_new), (3, 0));
    assert_eq!((second.summary.data_added, second.summary.data_added_packed), (0, 0));
    assert_eq!(second.summary.total_bytes_processed, 3);
    assert!(watch.started.lock().unwrap().is_empty());

    let source = source.file("a/one", "x").file("new", "n").remove("zero");
    let (_, watch) = vault.good(&source);
    let expect = [
        ("/source", Change::Changed),
        ("/source/a", Change::Changed),
        ("/source/a/one", Change::Changed),
        ("/source/a/two", Change::Unmodified),
        ("/source/empty", Change::Unmodified),
        ("/source/new", Change::New),
    ];
    assert_eq!(watch.items(), expect.map(|(path, change)| (path.to_owned(), change)));
    assert_eq!(watch.read.load(Ordering::Relaxed), 2);
}

#[test]
fn ctime_and_inode_count_unless_they_are_ignored() {
    let (mut source, mut vault) =
        (TestTree::new().file("f", "same").time("f", 1_000_000_000, 5), Vault::new());
    vault.good(&source);
    let reads = |vault: &mut Vault, source: &TestTree| vault.good(source).1.started.lock().unwrap().len();
    // Only the ctime changes.
    source = source.mode("f", 0o600);
    vault.options.ignore_ctime = true;
    assert_eq!(reads(&mut vault, &source), 0);
    source = source.mode("f", 0o640);
    vault.options.ignore_ctime = false;
    assert_eq!(reads(&mut vault, &source), 1);
    // Another inode with the same content and mtime.
    source = source.file("g", "same").time("g", 1_000_000_000, 5);
    std::fs::rename(source.join("g"), source.join("f")).unwrap();
    vault.options.ignore_inode = true;
    assert_eq!(reads(&mut vault, &source), 0);
    source = source.file("g", "same").time("g", 1_000_000_000, 5);
    std::fs::rename(source.join("g"), source.join("f")).unwrap();
    vault.options.ignore_inode = false;
    assert_eq!(reads(&mut vault, &source), 1);
}

#[test]
fn an_unchanged_file_takes_its_new_metadata_along() {
    let (mut source, mut vault) = (TestTree::new().file("f", "same"), Vault::new());
    vault.good(&source);
    source = source.mode("f", 0o600);
    vault.options.ignore_ctime = true;
    let (report, _) = vault.good(&source);
    assert_eq!(vault.node(&report.tree, "source/f").unwrap().mode, 0o600);
    assert_eq!((report.summary.files_unmodified, report.summary.dirs_changed), (1, 1));
}

#[test]
fn an_unchanged_root_tree_may_need_no_snapshot() {
    let (source, mut vault) = (small_tree(), Vault::new());
    let (first, _) = vault.good(&source);
    vault.options.skip_if_unchanged = true;
    let second = vault.files(&[Path::new("source")], &Watch::default()).unwrap();
    assert_eq!((second.snapshot, second.tree), (None, first.tree));
    assert_eq!(vault.snapshots(), 1);
    let source = source.file("more", "");
    assert!(vault.good(&source).0.snapshot.is_some());
}

#[test]
fn missing_content_of_an_unchanged_file_is_stored_again() {
    let (source, mut vault) = (small_tree(), Vault::new());
    vault.good(&source);
    let (first, _) = vault.good(&source);
    // As if a pack had been lost: the parent's trees name a blob that nobody has.
    let (root, _) = vault
        .repository
        .upload(&vault.index(), |upload| {
            let mut saver = upload.saver();
            let mut save = |tree: &Tree| saver.save_blob(BlobKind::Tree, &tree.encode().unwrap()).unwrap().id;
            let mut a = vault.tree(&vault.node(&first.tree, "source/a").unwrap().subtree.unwrap());
            a.nodes[0].content = Some(vec![BlobId::of(b"lost")]);
            let mut top = vault.tree(&vault.node(&first.tree, "source").unwrap().subtree.unwrap());
            top.nodes[0].subtree = Some(save(&a));
            let mut root = vault.tree(&first.tree);
            root.nodes[0].subtree = Some(save(&top));
            Ok::<_, Error>(save(&root))
        })
        .unwrap();
    vault.options.parent = Some((SnapshotId::from_bytes([1; 32]), root));
    let watch = Watch::default();
    let report = vault.files(&[Path::new("source")], &watch).unwrap();
    assert_eq!((report.tree, report.problems), (first.tree, 1));
    let problem = &watch.problems()[0];
    assert_eq!(problem.item, source.join("a/one").to_str().unwrap());
    assert!(problem.cause.contains("storing the file again"), "{problem:?}");
}

#[test]
fn a_parent_tree_that_cannot_be_loaded_is_a_problem() {
    let (source, mut vault) = (small_tree(), Vault::new());
    let (first, _) = vault.good(&source);
    vault.options.parent = Some((SnapshotId::from_bytes([1; 32]), BlobId::of(b"nothing")));
    let report = vault.files(&[Path::new("source")], &Watch::default()).unwrap();
    assert_eq!((report.tree, report.problems, report.summary.files_new), (first.tree, 1, 3));
}

#[test]
fn nothing_at_all_is_no_snapshot() {
    let (source, mut vault) = (TestTree::new(), Vault::new());
    vault.current = source.path().to_owned();
    let outcome = vault.files(&[Path::new(".")], &Watch::default());
    assert!(matches!(outcome, Err(Error::EmptySnapshot)));
    let _source = source.file("a", "").file("b", "");
    vault.filter.patterns.sensitive.add(&["*"]).unwrap();
    assert!(matches!(vault.files(&[Path::new(".")], &Watch::default()), Err(Error::EmptySnapshot)));
    assert_eq!(vault.snapshots(), 0);
}

#[test]
fn what_cannot_be_read_is_left_out_and_counted() {
    let (_source, vault) = (small_tree(), Vault::new());
    // A regular file whose first byte is at an address that is never there.
    let (watch, mem) = (Watch::default(), Path::new("/proc/self/mem"));
    let report = vault.files(&[mem], &watch).unwrap();
    assert_eq!((report.problems, report.summary.files_new), (1, 0));
    let problem = &watch.problems()[0];
    assert_eq!((&*problem.item, problem.doing), ("/proc/self/mem", "read"));
    assert_eq!(vault.paths(&report.tree), ["/proc", "/proc/self"]);
}

#[test]
fn the_size_is_what_was_read() {
    let vault = Vault::new();
    let report = vault.files(&[Path::new("/proc/version")], &Watch::default()).unwrap();
    let node = vault.node(&report.tree, "proc/version").unwrap();
    assert_eq!(vault.content(&node), std::fs::read("/proc/version").unwrap());
    assert_eq!(node.size, vault.content(&node).len() as u64);
}

#[test]
fn interrupting_leaves_no_snapshot() {
    let (source, mut vault) = (small_tree(), Vault::new());
    vault.current = source.path().parent().unwrap().to_owned();
    let stop_at = Some(("two", vault.repository.cancel().clone()));
    let outcome = vault.files(&[Path::new("source")], &Watch { stop_at, ..Watch::default() });
    assert!(matches!(outcome, Err(Error::Repo(tresor_repo::Error::Cancelled))), "{outcome:?}");
    assert_eq!(vault.snapshots(), 0);
}

#[test]
fn many_directories_and_depth_come_back_whole() {
    let mut source = TestTree::new();
    for number in 0..300 {
        source = source.file(format!("{:02}/{number}/f", number % 17), number.to_string());
    }
    let deep: PathBuf = std::iter::repeat_n("deep", 700).collect();
    source = source.file(deep.join("bottom"), "b");
    let mut vault = Vault::new();
    for workers in [1, 3, 8] {
        vault.options = BackupOptions { parent: None, read_concurrency: workers, ..vault.options };
        let (report, watch) = vault.good(&source);
        assert_eq!((report.summary.files_new, report.summary.dirs_new), (301, 1 + 17 + 300 + 700));
        assert!(watch.scanned[0].load(Ordering::Relaxed) <= 301);
        let bottom = vault.node(&report.tree, Path::new("source").join(&deep).join("bottom")).unwrap();
        assert_eq!(vault.content(&bottom), b"b");
    }
}

#[test]
fn a_large_file_is_cut_alike_by_any_number_of_workers() {
    let bytes = Random::new(5).bytes(20 << 20);
    let (source, mut vault) = (TestTree::new().file("large", &bytes), Vault::new());
    let mut trees = Vec::new();
    for workers in [1, 4] {
        vault.options = BackupOptions { parent: None, read_concurrency: workers, ..vault.options };
        trees.push(vault.good(&source).0.tree);
    }
    assert_eq!(trees[0], trees[1]);
    let node = vault.node(&trees[0], "source/large").unwrap();
    assert!(vault.content(&node) == bytes);
    let chunker = vault.repository.chunker();
    let mut rest = &bytes[..];
    for id in node.blobs() {
        let length = chunker.cut(rest).unwrap_or(rest.len());
        assert_eq!(*id, BlobId::of(&rest[..length]));
        rest = &rest[length..];
    }
    assert!(rest.is_empty());

    let report = vault.stream("/stream", &bytes[..], Ok(()), &Watch::default()).unwrap();
    assert_eq!(vault.node(&report.tree, "stream").unwrap().content, node.content);
    assert_eq!(report.summary.data_blobs, 0);
}

#[test]
fn a_stream_becomes_a_file_in_made_up_directories() {
    let mut vault = Vault::new();
    (vault.options.uid, vault.options.gid) = (7, 8);
    let report = vault.stream("/a/b/c", &b"content"[..], Ok(()), &Watch::default()).unwrap();
    assert_eq!(vault.paths(&report.tree), ["/a", "/a/b", "/a/b/c"]);
    let node = vault.node(&report.tree, "a/b/c").unwrap();
    assert_eq!((node.mode, node.uid, node.gid, node.size, node.inode, node.links), (0o644, 7, 8, 7, 0, 0));
    assert_eq!((node.mtime, node.ctime, node.user), (vault.options.time, vault.options.time, None));
    assert_eq!((report.summary.files_new, report.summary.dirs_new), (1, 2));

    vault.options.parent = report.snapshot.map(|snapshot| (snapshot, report.tree));
    let again = vault.stream("/a/b/c", &b"other"[..], Ok(()), &Watch::default()).unwrap();
    assert_eq!((again.summary.files_changed, again.summary.dirs_changed), (1, 2));
}

#[test]
fn a_stream_without_data_is_a_problem_and_a_bad_end_an_error() {
    let (vault, watch) = (Vault::new(), Watch::default());
    let report = vault.stream("/stdin", &b""[..], Ok(()), &watch).unwrap();
    assert_eq!((report.problems, report.summary.files_new, vault.paths(&report.tree).len()), (1, 0, 0));
    assert_eq!(watch.problems()[0].cause, "no data read");
    assert!(report.snapshot.is_some());

    let outcome = vault.stream("/stdin", &b"half"[..], Err("command failed"), &Watch::default());
    assert!(matches!(outcome, Err(Error::Stream { .. })));
    assert_eq!(vault.snapshots(), 1);
}

#[test]
fn excludes_spare_what_was_named() {
    let source = TestTree::new().file("k/x.o", "").file("k/y.c", "").file("big", [0; 2000]);
    let mut vault = Vault::new();
    vault.current = source.path().to_owned();
    vault.filter.patterns.sensitive.add(&["*.o", "k"]).unwrap();
    vault.filter.larger_than = Some(1000);
    vault.filter.paths = vec![source.join("k/y.c").to_str().unwrap().into()];
    let paths = |targets: &[&str]| {
        let targets: Vec<_> = targets.iter().map(Path::new).collect();
        let report = vault.files(&targets, &Watch::default()).unwrap();
        vault.paths(&report.tree)
    };
    assert_eq!(paths(&["k/x.o", "k/y.c", "big"]), ["/big", "/k", "/k/x.o", "/k/y.c"]);
    assert_eq!(paths(&["k", "big"]), ["/big", "/k"]);
}

#[test]
fn tags_leave_out_what_is_beside_them() {
    let tag = [b"Signature: 8a477f597d28d172789f06886806bc55\n".as_slice(), b"more"].concat();
    let source = TestTree::new()
        .file("cache/CACHEDIR.TAG", tag)
        .file("cache/x", "")
        .file("fake/CACHEDIR.TAG", "Signature")
        .file("fake/x", "")
        .file("no/.nobackup", "")
        .file("no/d/x", "");
    let mut vault = Vault::new();
    vault.filter.if_present =
        vec![TagFile::cache(), TagFile { name: b".nobackup".to_vec(), header: Vec::new() }];
    let (report, watch) = vault.good(&source);
    let expect = [
        "",
        "/cache",
        "/cache/CACHEDIR.TAG",
        "/fake",
        "/fake/CACHEDIR.TAG",
        "/fake/x",
        "/no",
        "/no/.nobackup",
    ];
    assert_eq!(vault.paths(&report.tree), expect.map(|path| format!("/source{path}")));
    assert_eq!(*watch.unsigned.lock().unwrap(), [source.join("fake/CACHEDIR.TAG").to_str().unwrap()]);
}

#[test]
fn the_estimate_counts_what_the_backup_reads() {
    let (source, mut vault) = (small_tree().socket("socket").file("x.o", "left out"), Vault::new());
    vault.current = source.path().to_owned();
    vault.filter.patterns.sensitive.add(&["*.o"]).unwrap();
    let watch = Watch { waits_for_scan: true, ..Watch::default() };
    let report = vault.files(&[Path::new("a"), Path::new("a/two"), Path::new(".")], &watch).unwrap();
    let scanned = watch.scanned.each_ref().map(|counter| counter.load(Ordering::Relaxed));
    assert_eq!(scanned, [3, 3]);
    assert_eq!(scanned, [report.summary.total_files_processed, report.summary.total_bytes_processed]);
}
