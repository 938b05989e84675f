//! What cannot be removed stays for the next prune.

use super::*;
use crate::blob::BlobKind;
use crate::id::BlobId;
use crate::monitor::Silent;
use crate::prune::options::{MaxUnused, PruneOptions};
use crate::prune::plan::Used;
use crate::testing::{Numbers, Refusing, lock, repository};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tresor_backend::FileName;
use tresor_backend::memory::Memory;

fn plan<'a>(repository: &Repository<Full>, index: &'a Index, needed: BlobId) -> PrunePlan<'a> {
    let blobs = index.marks();
    blobs.mark(BlobKind::Data, &needed).unwrap();
    let used = Used { blobs, unknown: vec![], snapshots: vec![] };
    let options = PruneOptions { max_unused: MaxUnused::Bytes(0), ..PruneOptions::default() };
    repository.plan_prune(used, &options, &Silent).unwrap()
}

#[test]
fn packs_that_cannot_be_removed_are_told_and_found_again() {
    let is_read_only = Arc::new(Mutex::new(false));
    let refused = Arc::clone(&is_read_only);
    let refuse = move |file: FileName| file.kind() == FileKind::Pack && *refused.lock().unwrap();
    let backend = Arc::new(Refusing { inner: Memory::new(), refuse });
    let repository = repository(&backend, 2, |_| ());
    let mut numbers = Numbers(3);
    for _ in 0..3 {
        let blob = numbers.bytes(1000, 256);
        repository
            .upload(&Index::default(), |upload| upload.saver().save_blob(BlobKind::Data, &blob).map(drop))
            .unwrap();
    }
    let needed = repository.load_index(&Silent).unwrap().iter().next().unwrap().unwrap().0.id;
    let lock = lock(&repository);
    let index = repository.load_index(&Silent).unwrap();
    let first = plan(&repository, &index, needed);
    assert_eq!((first.remove.len(), first.repack.len(), first.unindexed.len()), (2, 0, 0));
    let unwanted: BTreeSet<PackId> = first.remove.iter().copied().collect();
    *is_read_only.lock().unwrap() = true;
    let told = Mutex::new(0);
    let removed = |file: FileName, ended: Result<()>| {
        let is_pack = file.kind() == FileKind::Pack;
        assert_eq!(is_pack, ended.is_err());
        *told.lock().unwrap() += u32::from(is_pack);
    };
    repository.execute_prune(first, &index, &lock, &Silent, &removed).unwrap();
    assert_eq!(*told.lock().unwrap(), 2);
    *is_read_only.lock().unwrap() = false;
    let index = repository.load_index(&Silent).unwrap();
    assert_eq!(index.pack_count().unwrap(), 1);
    let next = plan(&repository, &index, needed);
    assert_eq!(next.unindexed.iter().copied().collect::<BTreeSet<_>>(), unwanted);
    repository.execute_prune(next, &index, &lock, &Silent, &|_, ended| ended.unwrap()).unwrap();
    assert_eq!(repository.list(FileKind::Pack).unwrap().len(), 1);
    lock.release().unwrap();
}
