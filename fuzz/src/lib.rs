//! Every parser that reads what others wrote, and the inputs it was once fed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
pub use tresor_backend::fuzz::Target;

/// The parsers of all storeys, by name.
pub fn targets() -> Vec<Target> {
    let storeys = [tresor_backend::fuzz::TARGETS, tresor_repo::fuzz::TARGETS, tresor_snapshot::fuzz::TARGETS];
    let mut targets = storeys.concat();
    targets.sort_by_key(|target| target.name);
    targets
}

/// The folder of the inputs that are kept for a target, which need not be there.
pub fn corpus_of(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpora").join(target.name)
}

/// The kept inputs, in the order of their names.
///
/// # Errors
/// Those of the file system.
pub fn kept(target: &Target) -> io::Result<Vec<Vec<u8>>> {
    let folder = corpus_of(target);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let paths: io::Result<Vec<_>> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths?;
    paths.sort();
    paths.iter().map(fs::read).collect()
}
