//! A local save that finds no room, or is killed while it writes, leaves no file in the listing.
//!
//! The room is taken by a limit on the size of files (`ulimit -f`), which holds for root too. It is set
//! for a child: this same program, told to run one test alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use tresor_backend::local::{self, Local};
use tresor_backend::{Backend, ErrorKind, FileKind, FileName, Handle, Id, Payload};

/// Where the child finds the repository; without it the child's test has nothing to do.
const REPOSITORY: &str = "TRESOR_TEST_FULL_DISK";
/// Well beyond the limit of 64 blocks, whether a shell counts them in 512 or in 1024 bytes.
const TOO_BIG: usize = 1 << 20;

fn pack(first: u8) -> FileName {
    FileName::new(FileKind::Pack, Id::from_bytes([first; 32]))
}

fn open(path: &Path) -> Local {
    Local::open(path, local::CONNECTIONS).unwrap()
}

/// Runs the child's test under the limit, after the shell command `first`.
fn run_child(repository: &Path, first: &str) -> ExitStatus {
    let script = format!("{first} ulimit -c 0; ulimit -f 64; exec \"$0\" \"$@\"");
    Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "full_disk::the_child_fails_to_save"])
        .env(REPOSITORY, repository)
        .output()
        .unwrap()
        .status
}

/// A repository with a pack, and what is left in it when a child has tried to save another one.
fn after_a_child(first: &str) -> (ExitStatus, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let backend = open(folder.path());
    backend.create().unwrap();
    backend.save(pack(1), &Payload::from(&b"the first"[..])).unwrap();
    let status = run_child(folder.path(), first);
    let listed = Handle::new(std::sync::Arc::new(backend)).list_all(FileKind::Pack).unwrap();
    assert_eq!(listed.iter().map(|listed| listed.id).collect::<Vec<_>>(), [pack(1).id()]);
    let left = fs::read_dir(folder.path().join("data/02")).unwrap();
    (status, left.map(|entry| entry.unwrap().file_name().into()).collect())
}

#[test]
fn the_child_fails_to_save() {
    let Some(repository) = std::env::var_os(REPOSITORY) else { return };
    let save = open(Path::new(&repository)).save(pack(2), &Payload::from(&vec![7; TOO_BIG][..]));
    let error = save.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace);
    assert!(error.to_string().starts_with("cannot save <data/0202020202>"), "{error}");
}

#[test]
fn a_save_without_room_says_so_and_leaves_nothing() {
    let (status, left) = after_a_child("trap '' XFSZ;");
    assert!(status.success(), "the child saw another error: {status}");
    assert_eq!(left, Vec::<PathBuf>::new());
}

#[test]
fn a_save_that_is_killed_leaves_a_file_that_no_listing_shows() {
    use std::os::unix::process::ExitStatusExt;
    let (status, left) = after_a_child("");
    assert!(status.signal().is_some(), "the child should have been killed: {status}");
    assert_eq!(left.len(), 1);
    assert!(left[0].to_str().unwrap().starts_with(&format!("{}-tmp-", pack(2).id())));
}
