//! The pages that are made from the definitions of the commands are those that are in the project.

use crate::pair::TRESOR;
use std::fs;
use std::path::Path;
use std::process::Command;
use tresor_testkit::{Run, peers};

#[test]
fn reference_pages_are_fresh() {
    for (page, file) in [
        ("commands", "commands.md"),
        ("environment", "environment.md"),
        ("exit-codes", "exit-codes.md"),
        ("hardening", "hardening.md"),
        ("messages", "messages.schema.json"),
    ] {
        let fresh = Run::of(Command::new(TRESOR).args(["reference", page])).ok().text();
        let stored = fs::read_to_string(peers::project().join("docs/src/reference").join(file)).unwrap();
        assert!(fresh == stored, "{file} is stale: run `cargo xtask generate`");
    }
}

#[test]
fn man_pages_are_fresh() {
    let folder = tempfile::tempdir().unwrap();
    Run::of(Command::new(TRESOR).args(["generate", "--man"]).arg(folder.path())).ok();
    let stored = peers::project().join("docs/man");
    let names = |folder: &Path| {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.collect();
        names.sort();
        names
    };
    assert_eq!(names(folder.path()), names(&stored), "run `cargo xtask generate`");
    for name in names(&stored) {
        let same = fs::read(folder.path().join(&name)).unwrap() == fs::read(stored.join(&name)).unwrap();
        assert!(same, "{} is stale: run `cargo xtask generate`", name.display());
    }
}
