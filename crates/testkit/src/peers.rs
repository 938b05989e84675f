//! The real programs that tests compare with, as `cargo xtask peers` lays them out.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The restic whose bytes ours are compared with, one by one.
pub const PINNED_RESTIC: &str = "0.19.1";

/// The folder of the peers: `TRESOR_PEERS`, or `.peers` in the project.
pub fn folder() -> PathBuf {
    match env::var_os("TRESOR_PEERS") {
        Some(folder) if !folder.is_empty() => folder.into(),
        _ => project().join(".peers"),
    }
}

/// The project's own folder, as it was when this crate was built.
pub fn project() -> &'static Path {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    crates.and_then(Path::parent).expect("this crate lies two levels below the project")
}

/// The newest restic.
pub fn restic() -> PathBuf {
    required("restic")
}

/// The restic of this Debian release: the oldest whose repositories and whose users we meet.
pub fn restic_old() -> PathBuf {
    required("restic-old")
}

/// The REST server that belongs to restic.
pub fn rest_server() -> PathBuf {
    required("rest-server")
}

/// rclone.
pub fn rclone() -> PathBuf {
    required("rclone")
}

/// A peer that may be missing (`rustic`, `borg`): beside the others, or else on the `PATH`.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder().join("bin")).chain(env::split_paths(&path));
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// The version of [`restic`], such as `0.19.1`.
pub fn restic_version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| version_of(&restic()))
}

/// Whether [`restic`] is the pinned one; if not, says on standard error that `what` is left out and why.
///
/// For tests that compare byte for byte: a newer restic may write other bytes and still be right.
#[expect(clippy::print_stderr, reason = "a test that is left out has to say so")]
pub fn is_pinned_restic(what: &str) -> bool {
    let pinned = restic_version() == PINNED_RESTIC;
    if !pinned {
        eprintln!("left out: {what}: it needs restic {PINNED_RESTIC}, and this is {}", restic_version());
    }
    pinned
}

/// The second word of what `program version` prints.
pub fn version_of(program: &Path) -> String {
    let output = Command::new(program).arg("version").output();
    let output = output.unwrap_or_else(|e| panic!("cannot run {}: {e}", program.display()));
    let text = String::from_utf8_lossy(&output.stdout);
    let word = text.split_whitespace().nth(1);
    word.unwrap_or_else(|| panic!("{} does not say its version: {text:?}", program.display())).to_owned()
}

fn required(name: &str) -> PathBuf {
    let program = folder().join("bin").join(name);
    assert!(program.is_file(), "{} is missing: run `cargo xtask peers`", program.display());
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_of_the_tests_is_there() {
        assert!(restic_version().starts_with("0."));
        assert_ne!(version_of(&restic_old()), restic_version());
        assert!(rest_server().is_file() && rclone().is_file());
    }
}
