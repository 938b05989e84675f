//! The reference pages of the manual, made by the program from its own definitions.

use crate::{Result, process, project};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The pages: what the program calls them, where they lie.
const PAGES: [&str; 3] = ["commands", "environment", "exit-codes"];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only say whether the pages are fresh.
    #[arg(long)]
    check: bool,
}

/// Writes the pages, or with `--check` fails if one is stale.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let program = build()?;
    for page in PAGES {
        let path = project::folder().join("docs/src/reference").join(format!("{page}.md"));
        let fresh = process::output(Command::new(&program).args(["reference", page]))?;
        if !arguments.check {
            std::fs::write(&path, fresh)?;
        } else if std::fs::read_to_string(&path).ok().as_deref() != Some(&*fresh) {
            return Err(format!("{} is stale; run `cargo xtask generate`", path.display()).into());
        }
    }
    Ok(())
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
