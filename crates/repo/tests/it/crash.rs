//! An upload may end at any of its writes: what was stored stays whole, the next one succeeds.

use crate::{Strict, options, packs_of, password};
use std::collections::BTreeSet;
use std::sync::Arc;
use tresor_backend::memory::Memory;
use tresor_backend::{Backend, FileKind, Full, Handle};
use tresor_repo::check::Severity;
use tresor_repo::index::Index;
use tresor_repo::keyfile::{KeyCost, NewKey};
use tresor_repo::repository::InitOptions;
use tresor_repo::time::Time;
use tresor_repo::{BlobId, BlobKind, PackId, Repository, Result};
use tresor_testkit::crash::{CrashBackend, LastWrite};
use tresor_testkit::fixtures::noise;

const PASSWORD: &str = "crash";

pub(crate) fn init(backend: &Arc<Memory>) {
    let key = NewKey {
        username: String::new(),
        hostname: String::new(),
        created: Time::new(0, 0, 0),
        cost: KeyCost::Exact { n: 2, r: 1, p: 1 },
    };
    let new = InitOptions { version: 2, polynomial: None, key };
    Repository::init(Handle::new(backend.clone()), &password(PASSWORD), &new, options()).unwrap();
}

pub(crate) fn open(backend: Arc<dyn Backend>) -> Repository<Full> {
    let mut options = options();
    options.pack_size = 32 * 1024;
    Repository::open(Handle::new(backend), &password(PASSWORD), None, options, &Strict).unwrap()
}

pub(crate) fn save(repository: &Repository<Full>, index: &Index, blobs: &[Vec<u8>]) -> Result<u64> {
    let saved = repository.upload(index, |upload| {
        let mut saver = upload.saver();
        blobs
            .iter()
            .enumerate()
            .try_for_each(|(number, plain)| saver.save_blob(kind(number), plain).map(drop))
    });
    saved.map(|((), uploaded)| uploaded.data_blobs + uploaded.tree_blobs)
}

pub(crate) fn check_all_there(repository: &Repository<Full>, blobs: &[Vec<u8>]) {
    let named: Vec<_> = blobs.iter().enumerate().map(|(number, plain)| (kind(number), &plain[..])).collect();
    check_these_there(repository, &named);
}

/// Of which kind the blob with this number is.
pub(crate) fn kind(number: usize) -> BlobKind {
    BlobKind::ALL[number % 2]
}

pub(crate) fn check_these_there(repository: &Repository<Full>, blobs: &[(BlobKind, &[u8])]) {
    let (index, mut findings) = repository.check_index(&Strict).unwrap();
    findings.extend(repository.check_packs(&index, &Strict).unwrap());
    repository
        .check_pack_contents(&index, &packs_of(&index), &Strict, &|finding| panic!("{finding}"))
        .unwrap();
    assert!(findings.iter().all(|finding| finding.severity() == Severity::Hint), "{findings:?}");
    for &(kind, plain) in blobs {
        let loaded = repository.load_blob(&index, kind, &BlobId::of(plain));
        assert_eq!(loaded.unwrap(), plain);
    }
}

#[test]
fn every_write_may_be_the_last() {
    let blobs: Vec<Vec<u8>> = (0..40).map(|seed| noise(seed, 500 + 97 * seed as usize)).collect();
    let (before, after) = blobs.split_at(10);
    for last in [LastWrite::Lost, LastWrite::Unanswered] {
        for allowed in 0.. {
            let memory = Arc::new(Memory::new());
            init(&memory);
            save(&open(memory.clone()), &Index::default(), before).unwrap();
            let crashing = Arc::new(CrashBackend::new(memory.clone(), allowed, last));
            let repository = open(crashing.clone());
            let index = repository.load_index(&Strict).unwrap();
            let saved = save(&repository, &index, &blobs);
            assert_eq!(saved.is_err(), crashing.has_crashed());

            let again = open(memory.clone());
            check_all_there(&again, before);
            let index = again.load_index(&Strict).unwrap();
            let stored: BTreeSet<PackId> =
                again.list(FileKind::Pack).unwrap().iter().map(|pack| PackId::from_id(pack.id)).collect();
            assert!(packs_of(&index).iter().all(|pack| stored.contains(pack)));
            save(&again, &index, &blobs).unwrap();
            check_all_there(&again, &blobs);
            if let Ok(new_blobs) = saved {
                assert_eq!(new_blobs, after.len() as u64);
                assert!(allowed >= 4, "several packs and an index file are written");
                break;
            }
        }
    }
}
