//! Somebody swaps what a backup reads for links and pipes: nothing else is read, nothing hangs.

use crate::backup::{Vault, Watch};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tresor_repo::{BlobId, BlobKind};
use tresor_testkit::backend::memory::Memory;

/// `cargo xtask campaign reader-race` asks for a hundred thousand swaps.
#[test]
fn reader_race() {
    let wanted = tresor_testkit::asked("TRESOR_SWAPS", 5_000);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir_all(path("source/d/e")).unwrap();
    fs::create_dir(path("outside")).unwrap();
    let canaries =
        [b"a canary in the folder".as_slice(), b"a canary by its own name", b"a canary that nobody asks for"];
    for (name, content) in ["victim", "file", "big"].into_iter().zip(canaries) {
        fs::write(path("outside").join(name), content).unwrap();
    }
    for number in 0..20 {
        fs::write(path("source/d/e").join(number.to_string()), format!("content {number}")).unwrap();
    }
    fs::write(path("source/d/e/victim"), "not a canary").unwrap();
    fs::write(path("source/d/file"), "ours").unwrap();
    fs::write(path("source/d/other"), "ours too").unwrap();

    let mut vault = Vault::over(Arc::new(Memory::new()));
    vault.current = folder.path().to_owned();
    let swaps = AtomicU64::new(0);
    let swap = |at: &str, replace: &(dyn Fn(&PathBuf) + Sync)| {
        let (real, aside) = (path("source").join(at), path("aside").with_extension(at.replace('/', "-")));
        while swaps.fetch_add(1, Ordering::Relaxed) < wanted {
            fs::rename(&real, &aside).unwrap();
            replace(&real);
            fs::remove_file(&real).unwrap();
            fs::rename(&aside, &real).unwrap();
        }
    };
    let (outside, file) = (path("outside"), path("outside/file"));
    let pipe = |at: &PathBuf| {
        let mode = rustix::fs::Mode::RUSR;
        rustix::fs::mknodat(rustix::fs::CWD, at, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    };
    let mut runs = 0_u64;
    std::thread::scope(|scope| {
        scope.spawn(|| swap("d/e", &|at| symlink(&outside, at).unwrap()));
        scope.spawn(|| swap("d/file", &|at| symlink(&file, at).unwrap()));
        scope.spawn(|| swap("d/other", &pipe));
        while swaps.load(Ordering::Relaxed) < wanted {
            vault.files(&["source".as_ref()], &Watch::default()).unwrap();
            runs += 1;
        }
    });
    assert!(runs > 0);
    let index = vault.index();
    for canary in canaries {
        assert!(
            !index.contains(BlobKind::Data, &BlobId::of(canary)).unwrap(),
            "{}",
            String::from_utf8_lossy(canary)
        );
    }
    // What stands still is there, so that this test could have found a canary.
    assert!(index.contains(BlobKind::Data, &BlobId::of(b"content 3")).unwrap());
}
