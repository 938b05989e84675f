//! `dump`: files and archives.

use crate::pair::Pair;
use std::fs;
use std::process::Command;

#[test]
fn files_are_found_as_restic_finds_them() {
    let pair = Pair::on("v2-special");
    for line in [
        "dump latest /special/hard_a",
        "dump latest special/../special/./hard_a",
        "dump latest:special hard_a",
        "dump latest /special/link",
        "dump latest /special/hard_a/x",
        "dump latest /special/fifo",
        "dump -a rar latest /",
        "dump",
        "dump latest",
        "dump zz /",
        "dump latest / --host none",
        "dump latest:nope /",
        "dump latest:special/hard_a /",
        "dump latest /special/hard_a -t no-such-folder/f",
        "dump --json latest /nope",
    ] {
        pair.same(line);
    }
}

#[test]
fn archives_list_the_same_entries() {
    let pair = Pair::on("v2-special");
    let folder = tempfile::tempdir().unwrap();
    let listing = |client: &tresor_testkit::Client, snapshot: &str, path: &str| {
        let target = folder.path().join("archive.tar");
        client.ok(["dump", snapshot, path, "-t", target.to_str().unwrap()]);
        let tar = Command::new("tar").arg("tvf").arg(&target).env("TZ", "UTC").output().unwrap();
        assert!(tar.status.success(), "{}", String::from_utf8_lossy(&tar.stderr));
        String::from_utf8_lossy(&tar.stdout).into_owned()
    };
    for (snapshot, path) in [("latest", "/"), ("latest", "/special/many"), ("latest:special", "/hl")] {
        assert_eq!(listing(&pair.tresor, snapshot, path), listing(&pair.restic, snapshot, path));
    }
}

#[test]
fn a_target_is_left_alone_when_there_is_nothing_to_dump() {
    let pair = Pair::on("v2-auto");
    let target = pair.tresor.home().join("precious");
    fs::write(&target, "content").unwrap();
    pair.tresor.run(["dump", "latest", "/nope", "-t", "precious"]).exits(1);
    assert_eq!(fs::read_to_string(&target).unwrap(), "content");
}
