//! Repositories for tests: empty ones in memory, and trees planted in them node by node.

use std::path::Path;
use std::sync::{Arc, Mutex};
use tresor_repo::codec::Compression;
use tresor_repo::index::Index;
use tresor_repo::keyfile::{KeyCost, NewKey, Password};
use tresor_repo::monitor::{Monitor, Note, Phase, Problem};
use tresor_repo::repository::{InitOptions, Options};
use tresor_repo::time::Time;
use tresor_repo::upload::BlobSaver;
use tresor_repo::{BlobId, BlobKind, Repository};
use tresor_snapshot::restore::{self, Action, RestoreMonitor, RestoreOptions, RestoreReport};
use tresor_snapshot::{Error, Node, NodeKind};
use tresor_testkit::Recorder;
use tresor_testkit::backend::local::{CONNECTIONS, Local};
use tresor_testkit::backend::memory::Memory;
use tresor_testkit::backend::{Backend, Cancel, Full, Handle};
use tresor_testkit::recorder::Noted;

/// A repository and its index.
pub(crate) struct Store {
    pub(crate) repo: Repository<Full>,
    pub(crate) index: Index,
}

/// How repositories of tests are used.
pub(crate) fn options() -> Options {
    Options {
        compression: Compression::Auto,
        pack_size: 16 << 20,
        verify_before_upload: true,
        memory: 48 << 20,
        temporary_folder: std::env::temp_dir(),
        cancel: Cancel::new(),
    }
}

impl Store {
    /// A repository in memory whose trees and files `plant` makes; with the root that it answers.
    pub(crate) fn planted(plant: impl FnOnce(&mut BlobSaver<'_>) -> BlobId) -> (Store, BlobId) {
        Store::planted_in(Arc::new(Memory::new()), plant)
    }

    /// The same over another backend.
    pub(crate) fn planted_in(
        backend: Arc<dyn Backend>,
        plant: impl FnOnce(&mut BlobSaver<'_>) -> BlobId,
    ) -> (Store, BlobId) {
        let key = NewKey {
            username: "tester".into(),
            hostname: "here".into(),
            created: Time::utc(0, 0),
            cost: KeyCost::Exact { n: 16, r: 1, p: 1 },
        };
        let new = InitOptions { version: 2, polynomial: None, key };
        let password = Password::new(b"password".to_vec());
        let repo = Repository::init(Handle::new(backend), &password, &new, options()).unwrap();
        let work = |upload: &tresor_repo::upload::Upload<'_>| Ok::<_, Error>(plant(&mut upload.saver()));
        let (root, _) = repo.upload(&Index::default(), work).unwrap();
        let index = repo.load_index(&Recorder::new()).unwrap();
        (Store { repo, index }, root)
    }

    /// The repository that was planted in a backend, opened by a program that may use so many bytes of memory.
    pub(crate) fn of_little_memory(backend: Arc<dyn Backend>, memory: u64) -> Store {
        let (monitor, password) = (Recorder::new(), Password::new(b"password".to_vec()));
        let options = Options { memory, ..options() };
        let repo = Repository::open(Handle::new(backend), &password, None, options, &monitor).unwrap();
        let index = repo.load_index(&monitor).unwrap();
        Store { repo, index }
    }

    /// The repository in a folder.
    pub(crate) fn open(path: &Path, password: &str) -> Store {
        let handle = Handle::new(Arc::new(Local::open(path, CONNECTIONS).unwrap()));
        let monitor = Recorder::new();
        let password = Password::new(password.into());
        let repo = Repository::open(handle, &password, None, options(), &monitor).unwrap();
        let index = repo.load_index(&monitor).unwrap();
        Store { repo, index }
    }

    /// The root trees of all snapshots, the oldest first.
    pub(crate) fn roots(&self) -> Vec<BlobId> {
        let loaded = tresor_snapshot::snapshots::load_all(&self.repo).unwrap();
        let mut snapshots: Vec<_> = loaded.into_iter().map(|(_, snapshot)| snapshot.unwrap()).collect();
        snapshots.sort_by_key(|snapshot| snapshot.time);
        snapshots.into_iter().map(|snapshot| snapshot.tree).collect()
    }

    /// Plans and executes.
    pub(crate) fn restore(
        &self,
        root: BlobId,
        target: &Path,
        options: &RestoreOptions,
    ) -> (RestoreReport, Told) {
        let told = Told::default();
        let mut plan = restore::plan(&self.repo, &self.index, root, target, options, &told).unwrap();
        let report = plan.execute(&self.repo, &self.index, &told).unwrap();
        assert_eq!(report.problems as usize, told.problems().len());
        (report, told)
    }

    /// The same, and nothing may go wrong.
    pub(crate) fn restore_all(&self, root: BlobId, target: &Path) -> Told {
        let (_, told) = self.restore(root, target, &RestoreOptions::default());
        assert_eq!(told.problems(), []);
        told
    }
}

/// What a restore told.
#[derive(Default)]
pub(crate) struct Told {
    recorder: Recorder,
    items: Mutex<Vec<(Action, String, u64)>>,
    warnings: Mutex<Vec<String>>,
}

impl Told {
    pub(crate) fn problems(&self) -> Vec<Noted> {
        self.recorder.problems()
    }

    /// The paths that had problems, sorted.
    pub(crate) fn troubled(&self) -> Vec<String> {
        let mut paths: Vec<_> = self.problems().into_iter().map(|problem| problem.item).collect();
        paths.sort();
        paths
    }

    /// The items of an action, in the order told.
    pub(crate) fn items(&self, wanted: Action) -> Vec<String> {
        let items = self.items.lock().unwrap();
        items.iter().filter(|(action, ..)| *action == wanted).map(|(_, path, _)| path.clone()).collect()
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap().clone()
    }
}

impl Monitor for Told {
    fn problem(&self, problem: &Problem) {
        self.recorder.problem(problem);
    }
    fn begin(&self, phase: Phase, total: Option<u64>) {
        self.recorder.begin(phase, total);
    }
    fn advance(&self, phase: Phase, steps: u64) {
        self.recorder.advance(phase, steps);
    }
    fn end(&self, phase: Phase) {
        self.recorder.end(phase);
    }
    fn note(&self, note: &Note) {
        self.recorder.note(note);
    }
}

impl RestoreMonitor for Told {
    fn item(&self, action: Action, path: &[u8], size: Option<u64>) {
        let path = String::from_utf8_lossy(path).into_owned();
        self.items.lock().unwrap().push((action, path, size.unwrap_or(0)));
    }
    fn warning(&self, text: &str) {
        self.warnings.lock().unwrap().push(text.to_owned());
    }
}

/// Saves a tree of these nodes, in this order and whatever their names.
pub(crate) fn tree(saver: &mut BlobSaver<'_>, nodes: &[Node]) -> BlobId {
    let mut json = b"{\"nodes\":[".to_vec();
    for (place, node) in nodes.iter().enumerate() {
        if place > 0 {
            json.push(b',');
        }
        node.write(&mut json);
    }
    json.extend_from_slice(b"]}\n");
    saver.save_blob(BlobKind::Tree, &json).unwrap().id
}

/// A node of this process, as a backup would make it.
fn node(name: &[u8], kind: NodeKind, mode: u32) -> Node {
    let mut node = Node::new(name, kind);
    (node.mode, node.mtime) = (mode, Time::utc(1_700_000_000, 123_456_789));
    (node.atime, node.ctime) = (node.mtime, node.mtime);
    (node.uid, node.gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    node
}

/// A file of these blobs.
pub(crate) fn file(saver: &mut BlobSaver<'_>, name: impl AsRef<[u8]>, blobs: &[&[u8]]) -> Node {
    let mut node = node(name.as_ref(), NodeKind::File, 0o644);
    let ids = blobs.iter().map(|blob| saver.save_blob(BlobKind::Data, blob).unwrap().id);
    node.content = Some(ids.collect());
    node.size = blobs.iter().map(|blob| blob.len() as u64).sum();
    node
}

/// A directory of these nodes.
pub(crate) fn dir(saver: &mut BlobSaver<'_>, name: impl AsRef<[u8]>, nodes: &[Node]) -> Node {
    let mut node = node(name.as_ref(), NodeKind::Dir, 1 << 31 | 0o755);
    node.subtree = Some(tree(saver, nodes));
    node
}

/// A symbolic link.
pub(crate) fn link(name: impl AsRef<[u8]>, target: impl AsRef<Path>) -> Node {
    use std::os::unix::ffi::OsStrExt;
    let mut node = node(name.as_ref(), NodeKind::Symlink, 1 << 27 | 0o777);
    node.rare_mut().link_target = target.as_ref().as_os_str().as_bytes().into();
    node
}
