//! The bill of materials, and the pages that the program makes from its own definitions.

use crate::{Result, process, project, sbom};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The pages: what the program calls them, where they lie.
const PAGES: [(&str, &str); 5] = [
    ("commands", "commands.md"),
    ("environment", "environment.md"),
    ("exit-codes", "exit-codes.md"),
    ("hardening", "hardening.md"),
    ("messages", "messages.schema.json"),
];

#[derive(clap::Args)]
pub(crate) struct Arguments {}

/// Writes the pages; a test of the program fails while one is stale.
pub(crate) fn run(_: &Arguments) -> Result<()> {
    std::fs::write(sbom::path(), sbom::make()?)?;
    let program = build()?;
    let docs = project::folder().join("docs");
    for (page, file) in PAGES {
        let fresh = process::output(Command::new(&program).args(["reference", page]))?;
        std::fs::write(docs.join("src/reference").join(file), fresh)?;
    }
    let man = docs.join("man");
    if man.is_dir() {
        std::fs::remove_dir_all(&man)?; // a command that was renamed leaves nothing behind
    }
    std::fs::create_dir(&man)?;
    process::run(Command::new(&program).arg("generate").arg("--quiet").arg("--man").arg(&man))
}

/// Builds the program for development; its path.
pub(crate) fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    process::run(Command::new(cargo).current_dir(project::folder()).args([
        "build",
        "--quiet",
        "--package",
        "tresor",
    ]))?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| project::folder().join("target"), PathBuf::from);
    Ok(target.join(Path::new("debug/tresor")))
}
