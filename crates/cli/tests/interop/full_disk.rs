//! A disk that is full during a backup: an error, and nothing else is lost.

use crate::scene::{self, Scene, TRESOR};
use std::path::{Path, PathBuf};
use std::process::Command;
use tresor_testkit::{Client, Random, TestTree};

/// A file system of 16 MiB, for as long as this value lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where this process may not mount.
    fn new(folder: PathBuf) -> Option<SmallDisk> {
        std::fs::create_dir(&folder).unwrap();
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=16m", "tresor-test"]).arg(&folder).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| SmallDisk(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is left out has to say so")]
fn a_backup_that_finds_no_room_fails_and_harms_nothing() {
    let scene = Scene::new();
    let Some(disk) = SmallDisk::new(scene.join("disk")) else {
        eprintln!("left out: a full disk needs the right to mount one");
        return;
    };
    let repository = disk.0.join("repository");
    drop(scene::init(&repository, 2));
    let within = |client: Client| client.within(scene.join(""));
    let (tresor, restic) = (within(Client::tresor(TRESOR, &repository)), within(Client::restic(&repository)));
    let first = TestTree::at(scene.join("first/source")).file("f", "contents");
    tresor.clone().within(scene.join("first")).ok(["backup", "source"]);

    let source = TestTree::at(scene.join("source")).file("noise", Random::new(1).bytes(24 << 20));
    let full = tresor.run(["backup", "source", "--pack-size", "4"]).exits(1);
    assert!(full.errors().contains("cannot save <data/"), "{full}");
    assert!(full.errors().to_lowercase().contains("no space left on device"), "{full}");
    assert_eq!(entries(&repository.join("locks")), 0);
    assert_eq!(entries(&repository.join("snapshots")), 1);
    restic.ok(["check", "--read-data"]);
    scene.restores(&tresor, "latest", first.path());

    let source = source.remove("noise").file("small", "fits");
    tresor.ok(["backup", "source"]);
    restic.ok(["check", "--read-data"]);
    scene.restores(&restic, "latest", source.path());
}

fn entries(folder: &Path) -> usize {
    folder.read_dir().unwrap().count()
}
