//! The project's folder, and the files that git knows in it.

use crate::{Result, process};
use std::path::PathBuf;
use std::process::Command;

pub(crate) use tresor_testkit::peers::project as folder;

/// Every file that git tracks or would track, relative to the project's folder, in order.
pub(crate) fn files() -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.current_dir(folder()).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--deduplicate",
    ]);
    let list = process::output(&mut git)?;
    let paths = list.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from);
    Ok(paths.filter(|path| folder().join(path).is_file()).collect())
}
