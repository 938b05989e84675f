//! The trust store: what is told of a repository that is not as it was, refused, remembered.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tresor_testkit::fixtures::{self, Unpacked};
use tresor_testkit::{Client, Run, TestTree};

const TRESOR: &str = env!("CARGO_BIN_EXE_tresor");

/// A repository at an address, and a source.
struct Scene {
    folder: TempDir,
    tresor: Client,
    source: TestTree,
}

impl Scene {
    fn new() -> Scene {
        Scene::of(&fixtures::empty_repository())
    }

    fn of(repository: &Unpacked) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let address = folder.path().join("repository");
        copy(&repository.path, &address);
        let source = TestTree::new().file("a/file", "0");
        let tresor = Client::tresor(TRESOR, address).password(&repository.facts.password);
        Scene { folder, tresor: tresor.within(source.path()), source }
    }

    fn address(&self) -> &Path {
        self.tresor.repository()
    }

    /// A backup of something new.
    fn back_up(&self, content: &str) -> Run {
        fs::write(self.source.path().join("a/file"), content).unwrap();
        self.tresor.run(["backup", "a"])
    }

    fn restore(&self) -> Run {
        let target = tempfile::tempdir_in(self.folder.path()).unwrap();
        self.tresor.run(["restore", "latest", "--target", target.path().to_str().unwrap()])
    }

    fn keep(&self, name: &str) -> PathBuf {
        let kept = self.folder.path().join(name);
        copy(self.address(), &kept);
        kept
    }

    /// Puts another folder in the place of the repository.
    fn put(&self, folder: &Path) {
        fs::remove_dir_all(self.address()).unwrap();
        copy(folder, self.address());
    }

    fn names(&self, kind: &str) -> Vec<String> {
        let files = fs::read_dir(self.address().join(kind)).unwrap();
        let mut names: Vec<String> =
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn store(&self) -> PathBuf {
        self.tresor.home().join(".local/state/tresor/trust")
    }

    /// The one file of the store.
    fn file(&self) -> PathBuf {
        let files = fs::read_dir(self.store()).unwrap().map(|file| file.unwrap().path());
        let files: Vec<PathBuf> =
            files.filter(|file| file.extension().is_some_and(|end| end == "json")).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

const WENT_BACK: &str = "the repository went back in time";

#[test]
fn rollback() {
    let scene = Scene::new();
    scene.back_up("1").ok();
    let before = scene.keep("before");
    scene.back_up("2").ok();
    scene.back_up("3").ok();
    assert_eq!(scene.restore().ok().errors(), "");
    scene.put(&before);

    let said = scene.back_up("4").ok().errors();
    assert!(
        said.contains("from 3 snapshots to 1; its latest are gone (snapshots: 2, index files: 2)"),
        "{said}"
    );
    for run in [scene.back_up("5"), scene.restore()] {
        assert_eq!(run.clone().ok().errors().matches(WENT_BACK).count(), 1, "{run}");
    }
    let json = scene.tresor.ok(["backup", "a", "--json"]);
    assert!(json.errors().contains(r#""message_type":"trust","finding":"went_back""#), "{json}");

    let all = || ["snapshots", "index", "keys", "data"].map(|kind| scene.names(kind));
    let (untouched, key) = (all(), scene.names("keys")[0].clone());
    let latest = scene.names("snapshots")[0].clone();
    let removing: [&[&str]; 4] = [
        &["forget", &latest],
        &["forget", "--keep-last", "1", "--prune"],
        &["prune"],
        &["key", "remove", &key],
    ];
    for client in [scene.tresor.clone(), scene.tresor.clone().called("restic")] {
        for words in removing {
            let run = client.run(words).exits(1);
            assert!(run.errors().contains("refusing to remove anything"), "{run}");
            assert_eq!(run.errors().matches(WENT_BACK).count(), 1, "{run}");
        }
        let new = client.clone().variable("RESTIC_NEW_PASSWORD", "x");
        new.run(["key", "passwd", "--new-insecure-no-password"]).exits(1);
        client.ok(["forget", "--keep-last", "1", "--dry-run"]);
        client.ok(["prune", "--dry-run"]);
    }
    assert_eq!(all(), untouched);

    scene.tresor.ok(["forget", &latest, "--accept-rollback"]);
    assert_eq!(scene.tresor.ok(["prune"]).errors(), "");
    assert_eq!(scene.back_up("6").ok().errors(), "");
    scene.tresor.ok(["check"]);
}

#[test]
fn a_rollback_over_what_was_removed_is_found_and_accepted() {
    let scene = Scene::new();
    scene.back_up("1").ok();
    scene.back_up("2").ok();
    let before = scene.keep("before");
    scene.tresor.ok(["forget", "--keep-last", "1", "--prune"]);
    scene.put(&before);
    let run = scene.tresor.run(["prune"]).exits(1);
    assert!(run.errors().contains("files that were removed are there again"), "{run}");
    scene.tresor.ok(["trust", "accept"]);
    assert_eq!(scene.tresor.ok(["prune"]).errors(), "");
    assert_eq!(scene.back_up("3").ok().errors(), "");
}

#[test]
fn hide_one() {
    let scene = Scene::new();
    (1..=3).for_each(|number| drop(scene.back_up(&number.to_string()).ok()));
    let hidden = scene.names("snapshots")[1].clone();
    let place = scene.address().join("snapshots").join(&hidden);
    let kept = fs::read(&place).unwrap();
    fs::remove_file(&place).unwrap();
    let said = scene.restore().ok().errors();
    let told = format!("1 of 3 snapshots are not there any more: {};", &hidden[..8]);
    assert!(said.contains(&told), "{said}");
    let said = scene.back_up("4").ok().errors();
    assert!(said.contains(&told) && !said.contains(WENT_BACK), "{said}");
    assert_eq!(scene.back_up("5").ok().errors(), "", "it is told once");
    fs::write(&place, kept).unwrap();
    let said = scene.tresor.run(["forget", &hidden]).exits(1).errors();
    assert!(said.contains(WENT_BACK), "{said}");
}

#[test]
fn another_repository_at_the_address_is_not_written_to() {
    let scene = Scene::new();
    scene.back_up("1").ok();
    let (ours, theirs) = (scene.keep("ours"), fixtures::unpack("v2-multi"));
    scene.put(&theirs.path);
    let client = scene.tresor.clone().password(&theirs.facts.password);
    for client in [client.clone(), client.clone().called("restic")] {
        for words in [&["backup", "a"][..], &["forget", "latest"], &["prune"], &["tag", "--set", "x"]] {
            let run = client.run(words).exits(1);
            assert!(run.errors().contains("another repository is at this address than before"), "{run}");
        }
        let target = scene.folder.path().join("target");
        let run = client.run(["restore", "latest", "--target", target.to_str().unwrap()]).ok();
        assert_eq!(run.errors().matches("another repository").count(), 1, "{run}");
        assert!(client.ok(["backup", "a", "--dry-run"]).errors().contains("another repository"));
        fs::remove_dir_all(target).unwrap();
    }
    for kind in ["snapshots", "index", "keys", "locks"] {
        let names = fs::read_dir(theirs.path.join(kind)).unwrap().count();
        assert_eq!(scene.names(kind).len(), names, "{kind}");
    }

    // Two disks that take turns.
    client.ok(["trust", "accept"]);
    assert_eq!(client.ok(["backup", "a"]).errors(), "");
    scene.put(&ours);
    assert_eq!(scene.back_up("2").ok().errors(), "");
}

#[test]
fn a_repository_made_anew_has_to_be_accepted() {
    let scene = Scene::new();
    scene.back_up("1").ok();
    fs::remove_dir_all(scene.address()).unwrap();
    let said = scene.tresor.ok(["init"]).errors();
    assert!(said.contains("another repository") && said.contains("trust accept"), "{said}");
    let said = scene.back_up("2").exits(1).errors();
    assert!(said.contains("hint: ") && said.contains("trust accept"), "{said}");
    scene.tresor.ok(["trust", "accept"]);
    scene.back_up("2").ok();
    // A new address asks nobody.
    let other = Client::tresor(TRESOR, scene.folder.path().join("other"));
    assert_eq!(other.clone().within(scene.source.path()).ok(["backup", "--init", "a"]).errors(), "");
    assert_eq!(other.within(scene.source.path()).ok(["backup", "a"]).errors(), "");
}

#[test]
fn what_is_remembered_is_shown_and_is_for_its_owner_alone() {
    let scene = Scene::new();
    scene.tresor.ok(["snapshots"]);
    assert!(!scene.store().exists(), "who only reads remembers nothing");
    scene.back_up("1").ok();
    scene.tresor.ok(["backup", "a", "--dry-run"]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&scene.file()), mode(&scene.store())), (0o600, 0o700));
    let written = fs::metadata(scene.file()).unwrap().modified().unwrap();
    scene.tresor.ok(["snapshots"]);
    scene.restore().ok();
    assert_eq!(fs::metadata(scene.file()).unwrap().modified().unwrap(), written);

    let address = scene.address().to_str().unwrap();
    let shown = scene.tresor.ok(["trust", "show", "--json"]).json();
    assert_eq!((&shown["message_type"], &shown["address"]), (&"address".into(), &address.into()));
    let repository = &shown["repositories"][0];
    assert_eq!((&repository["snapshots"], &repository["went_back"]), (&1.into(), &false.into()));
    let id = scene.tresor.ok(["cat", "config"]).json()["id"].clone();
    assert_eq!(repository["id"], id);
    let text = scene.tresor.ok(["trust", "show"]).text();
    assert!(text.contains(address) && text.contains("snapshots   1"), "{text}");
    let everywhere = Client::tresor(TRESOR, "").variable("HOME", scene.tresor.home());
    assert_eq!(everywhere.ok(["trust", "show"]).text(), text);

    scene.tresor.ok(["trust", "forget"]);
    assert!(scene.tresor.ok(["trust", "show"]).text().contains("nothing is known"));
}

#[test]
fn a_store_that_cannot_be_used_is_told_and_stops_nothing() {
    let scene = Scene::new();
    scene.back_up("1").ok();
    fs::write(scene.file(), "{").unwrap();
    let run = scene.back_up("2").ok();
    assert_eq!(run.errors().matches("trust store: ").count(), 1, "{run}");
    assert_eq!(fs::read_to_string(scene.file()).unwrap(), "{", "it is not written over");
    scene.tresor.run(["trust", "show"]).exits(1);
    scene.tresor.ok(["trust", "accept"]);
    assert_eq!(scene.back_up("3").ok().errors(), "");

    let nowhere = scene.tresor.clone().variable("TRESOR_STATE_DIR", "/proc/nowhere");
    let said = nowhere.ok(["backup", "a"]).errors();
    assert_eq!(said.matches("trust store: ").count(), 1, "{said}");
    assert_eq!(nowhere.ok(["snapshots"]).errors(), "");
}

#[test]
fn nothing_more_is_asked_of_the_repository() {
    let scene = Scene::new();
    let asked = |client: &Client, words: &[&str]| {
        let run = client.ok([words, &["--json", "-v"]].concat());
        let errors = run.errors();
        let line = errors.lines().find(|line| line.contains("\"traffic\"")).unwrap().to_owned();
        let told: serde_json::Value = serde_json::from_str(&line).unwrap();
        told["requests"].clone()
    };
    let without = scene.tresor.clone().variable("TRESOR_STATE_DIR", "/proc/nowhere");
    scene.back_up("1").ok();
    for words in [
        &["snapshots"][..],
        &["backup", "--force", "a"],
        &["restore", "latest", "--dry-run", "--target", "/x"],
    ] {
        assert_eq!(asked(&scene.tresor, words), asked(&without, words), "{words:?}");
    }
}
