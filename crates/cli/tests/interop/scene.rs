//! One repository with a cheap key, and the programs that meet on it.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tresor_backend::local::Local;
use tresor_backend::{Cancel, Full, Handle};
use tresor_repo::Repository;
use tresor_repo::codec::Compression;
use tresor_repo::keyfile::{KeyCost, NewKey, Password};
use tresor_repo::repository::{InitOptions, Options};
use tresor_repo::time::Time;
use tresor_testkit::{Client, Difference, assert_same, compare_trees, fixtures};

/// The program under test.
pub(crate) const TRESOR: &str = env!("CARGO_BIN_EXE_tresor");
/// The chunker's polynomial of every repository made here: equal trees get equal ids.
const POLYNOMIAL: &str = "3998821ad33ac9";

/// A temporary folder with a repository in it; the programs run in that folder.
pub(crate) struct Scene {
    pub(crate) restic: Client,
    pub(crate) restic_old: Client,
    pub(crate) tresor: Client,
    folder: TempDir,
}

impl Scene {
    /// With an empty repository of format 2.
    pub(crate) fn new() -> Scene {
        Scene::of_version(2)
    }

    /// With an empty repository of format 1 or 2.
    pub(crate) fn of_version(version: u32) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let repository = folder.path().join("repository");
        drop(init(&repository, version));
        Scene::at(&repository, folder)
    }

    /// On a copy of a fixture.
    pub(crate) fn on(fixture: &str) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let unpacked = fixtures::unpack(fixture);
        let repository = folder.path().join("repository");
        std::fs::rename(&unpacked.path, &repository).unwrap();
        Scene::at(&repository, folder)
    }

    fn at(repository: &Path, folder: TempDir) -> Scene {
        let within = |client: Client| client.within(folder.path());
        Scene {
            restic: within(Client::restic(repository)),
            restic_old: within(Client::restic_old(repository)),
            tresor: within(Client::tresor(TRESOR, repository)),
            folder,
        }
    }

    /// The repository's folder.
    pub(crate) fn repository(&self) -> PathBuf {
        self.join("repository")
    }

    /// A path in the scene's folder.
    pub(crate) fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(path)
    }

    /// The root tree of the newest snapshot, in hex.
    pub(crate) fn newest_tree(&self) -> String {
        let snapshots = self.tresor.ok(["snapshots", "--json"]).json();
        let newest = snapshots.as_array().unwrap().iter().max_by_key(|snapshot| time(snapshot)).unwrap();
        newest["tree"].as_str().unwrap().to_owned()
    }

    /// What differs between `source` and what `program` restores of `source` in `snapshot`.
    pub(crate) fn restored(&self, program: &Client, snapshot: &str, source: &Path) -> Vec<Difference> {
        let target = self.restore(program, snapshot);
        compare_trees(source, &target.path().join(source.file_name().unwrap()))
    }

    /// Demands that `program` restores `snapshot` just as the folder `source` is.
    #[track_caller]
    pub(crate) fn restores(&self, program: &Client, snapshot: &str, source: &Path) {
        let target = self.restore(program, snapshot);
        assert_same(source, &target.path().join(source.file_name().unwrap()));
    }

    #[track_caller]
    fn restore(&self, program: &Client, snapshot: &str) -> TempDir {
        let target = tempfile::tempdir_in(self.folder.path()).unwrap();
        program.ok(["restore", snapshot, "--target", target.path().to_str().unwrap()]);
        target
    }

    /// Demands that every program finds the repository whole, with all its data.
    #[track_caller]
    pub(crate) fn is_whole(&self) {
        self.restic.ok(["check", "--read-data"]);
        self.tresor.ok(["check", "--read-data"]);
    }

    /// Demands that nobody holds a lock.
    #[track_caller]
    pub(crate) fn has_no_lock(&self) {
        assert_eq!(self.files("locks"), Vec::<PathBuf>::new());
    }

    /// The files of one kind (`data`, `index`, `keys`, `locks`, `snapshots`), sorted.
    pub(crate) fn files(&self, kind: &str) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut left = vec![self.repository().join(kind)];
        while let Some(folder) = left.pop() {
            for entry in folder.read_dir().unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { left.push(path) } else { files.push(path) }
            }
        }
        files.sort();
        files
    }
}

/// A snapshot's time in an order that ignores how the zone is written (the programs run in UTC).
fn time(snapshot: &serde_json::Value) -> String {
    snapshot["time"].as_str().unwrap().trim_end_matches('Z').to_owned()
}

/// Makes a repository whose password costs nothing to try.
pub(crate) fn init(path: &Path, version: u32) -> Repository<Full> {
    let key = NewKey {
        username: "tester".into(),
        hostname: "here".into(),
        created: Time::utc(0, 0),
        cost: KeyCost::Exact { n: 16, r: 1, p: 1 },
    };
    let polynomial = Some(POLYNOMIAL.parse().unwrap());
    let handle = Handle::new(Arc::new(local(path)));
    handle.create().unwrap();
    Repository::init(handle, &password(), &InitOptions { version, polynomial, key }, options()).unwrap()
}

/// The backend at `path`.
pub(crate) fn local(path: &Path) -> Local {
    Local::open(path, NonZeroUsize::MIN).unwrap()
}

/// The password of every repository here.
pub(crate) fn password() -> Password {
    Password::new(fixtures::PASSWORD.into())
}

/// How a repository is opened without the program.
pub(crate) fn options() -> Options {
    Options {
        compression: Compression::Auto,
        pack_size: 4 << 20,
        verify_before_upload: true,
        memory: 48 << 20,
        temporary_folder: std::env::temp_dir(),
        cancel: Cancel::new(),
    }
}
