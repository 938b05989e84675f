//! Repositories made by the real restic open with ours, and the other way round.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod crash;
mod fixtures;
mod packs;
mod prune;
mod repair;
mod restic;

use std::path::Path;
use std::sync::Arc;
use tresor_backend::local::{CONNECTIONS, Local};
use tresor_backend::{Cancel, Full, Handle};
use tresor_repo::codec::Compression;
use tresor_repo::index::Index;
use tresor_repo::keyfile::Password;
use tresor_repo::monitor::{Monitor, Problem};
use tresor_repo::repository::Options;
use tresor_repo::{PackId, Repository, Result};

/// Every problem is one too many.
struct Strict;

impl Monitor for Strict {
    fn problem(&self, problem: &Problem) {
        panic!("{problem}: {}", problem.cause);
    }
}

/// The packs that an index names, sorted.
fn packs_of(index: &Index) -> Vec<PackId> {
    index.packs().map(|pack| pack.unwrap().0).collect()
}

fn handle(path: &Path) -> Handle<Full> {
    Handle::new(Arc::new(Local::open(path, CONNECTIONS).expect("the folder can be used")))
}

fn options() -> Options {
    Options {
        compression: Compression::Auto,
        pack_size: 16 << 20,
        verify_before_upload: true,
        memory: 48 << 20,
        temporary_folder: std::env::temp_dir(),
        cancel: Cancel::new(),
    }
}

fn password(text: &str) -> Password {
    Password::new(text.into())
}

fn open(path: &Path, with: &str) -> Result<Repository<Full>> {
    Repository::open(handle(path), &password(with), None, options(), &Strict)
}
