//! Index files are merged without losing a word, and go only when their successors are there.

use super::*;
use crate::blob::{BlobHandle, BlobKind};
use crate::id::BlobId;
use crate::index::Index;
use crate::monitor::Silent;
use crate::testing::{Numbers, Refusing, lock, repository};
use std::collections::BTreeSet;
use std::sync::Arc;
use tresor_backend::Reason;
use tresor_backend::memory::Memory;

type Said = (PackId, Vec<Entry>);

fn pack(number: u64) -> PackId {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    PackId::from_bytes(bytes)
}

/// A pack of `blobs` blobs, whose ids follow from its number and `seed`.
fn said(number: u64, blobs: u32, seed: u64) -> Said {
    let mut numbers = Numbers(number * 1000 + seed + 1);
    let kind = BlobKind::ALL[number as usize % 2];
    let entry = |at: u32| {
        let id = BlobId::of(&numbers.below(u64::MAX).to_le_bytes());
        Entry { blob: BlobHandle { kind, id }, offset: at * 50, length: 50, uncompressed_length: at % 3 }
    };
    (pack(number), (0..blobs).map(entry).collect())
}

fn save(repository: &Repository<Full>, packs: &[Said]) -> IndexId {
    let mut json = Vec::new();
    encode(packs, &mut json);
    IndexId::from_id(repository.save_file(FileKind::Index, &json).unwrap())
}

fn files(repository: &Repository<Full>) -> BTreeSet<IndexId> {
    repository.list(FileKind::Index).unwrap().iter().map(|listed| IndexId::from_id(listed.id)).collect()
}

fn index(repository: &Repository<Full>) -> Index {
    repository.load_index(&Silent).unwrap()
}

fn entries(index: &Index) -> Vec<(PackId, Entry)> {
    index.iter().map(Result::unwrap).map(|(blob, place)| (place.pack, place.entry(blob))).collect()
}

fn run(repository: &Repository<Full>, reindex: Reindex) -> Result<()> {
    let lock = lock(repository);
    let ended = repository.reindex(reindex, &lock, &Silent, &|_, _| ());
    lock.release().unwrap();
    ended
}

fn expect(said: &[Said]) -> Vec<(PackId, Entry)> {
    let backend = Arc::new(Memory::new());
    let repository = repository(&backend, 2, |_| ());
    save(&repository, said);
    entries(&index(&repository))
}

#[test]
fn many_small_files_become_one_and_dropped_packs_are_gone() {
    let backend = Arc::new(Memory::new());
    let repository = repository(&backend, 2, |_| ());
    let all: Vec<Said> = (0..20).map(|number| said(number, 3, 0)).collect();
    for some in all.chunks(3) {
        save(&repository, some);
    }
    save(&repository, &all[4..6]);
    save(&repository, &[(pack(77), vec![])]);
    run(&repository, Reindex { drop: [pack(2), pack(19), pack(400)].into(), ..Reindex::default() }).unwrap();
    assert_eq!(files(&repository).len(), 1);
    let kept: Vec<Said> = all.iter().filter(|(id, _)| *id != pack(2) && *id != pack(19)).cloned().collect();
    assert_eq!(entries(&index(&repository)), expect(&kept));
    assert_eq!(index(&repository).pack_count().unwrap(), 18, "each pack once, and none without blobs");
    run(&repository, Reindex { drop: kept.iter().map(|(id, _)| *id).collect(), ..Reindex::default() })
        .unwrap();
    assert_eq!(files(&repository).len(), 0, "an empty index needs no file");
}

#[test]
fn full_files_without_a_dropped_pack_stay() {
    let backend = Arc::new(Memory::new());
    let repository = repository(&backend, 2, |_| ());
    let many = MANY_BLOBS as u32;
    let [full, touched, small] =
        [vec![said(1, many, 0)], vec![said(2, many - 1, 0), said(3, 1, 0)], vec![said(4, 2, 0)]];
    let kept = save(&repository, &full);
    let [second, third] = [save(&repository, &touched), save(&repository, &small)];
    run(&repository, Reindex { drop: [pack(3)].into(), ..Reindex::default() }).unwrap();
    let left = files(&repository);
    assert!(left.contains(&kept) && !left.contains(&second) && !left.contains(&third));
    assert_eq!(left.len(), 2);
    assert_eq!(
        entries(&index(&repository)),
        expect(&[full[0].clone(), touched[0].clone(), small[0].clone()])
    );
}

#[test]
fn what_contradicts_is_kept_and_what_is_added_replaces_it() {
    let backend = Arc::new(Memory::new());
    let repository = repository(&backend, 2, |_| ());
    let (one, other, right) = (said(1, 2, 0), said(1, 3, 7), said(1, 1, 9));
    save(&repository, std::slice::from_ref(&one));
    save(&repository, &[other.clone(), other.clone()]);
    run(&repository, Reindex::default()).unwrap();
    assert_eq!(files(&repository).len(), 1);
    assert_eq!(entries(&index(&repository)), expect(&[one, other]));
    run(&repository, Reindex { add: vec![right.clone()], ..Reindex::default() }).unwrap();
    assert_eq!(entries(&index(&repository)), expect(&[right]));
}

#[test]
fn files_that_cannot_be_read_go_unread_or_stop_everything() {
    let backend = Arc::new(Memory::new());
    let repository = repository(&backend, 2, |_| ());
    let good = save(&repository, &[said(1, 2, 0)]);
    let bad = IndexId::from_id(repository.save_file(FileKind::Index, b"{\"packs\":7}").unwrap());
    assert!(matches!(run(&repository, Reindex::default()), Err(Error::Format { .. })));
    assert!(files(&repository).is_superset(&[good, bad].into()), "nothing was removed");
    run(&repository, Reindex { unread: [bad].into(), ..Reindex::default() }).unwrap();
    assert!(!files(&repository).contains(&bad));
    assert_eq!(entries(&index(&repository)), expect(&[said(1, 2, 0)]));
    let every = files(&repository).into_iter().collect();
    run(&repository, Reindex { unread: every, add: vec![said(5, 1, 0)], ..Reindex::default() }).unwrap();
    assert_eq!(entries(&index(&repository)), expect(&[said(5, 1, 0)]));
}

#[test]
fn a_file_that_cannot_be_removed_is_told_and_nothing_is_lost() {
    let stubborn = Arc::new(Mutex::new(None));
    let refused = Arc::clone(&stubborn);
    let refuse = move |file: FileName| *refused.lock().unwrap() == Some(file);
    let backend = Arc::new(Refusing { inner: Memory::new(), refuse });
    let repository = repository(&backend, 2, |_| ());
    let all: Vec<Said> = (0..8).map(|number| said(number, 2, 0)).collect();
    let old: Vec<IndexId> = all.iter().map(|one| save(&repository, std::slice::from_ref(one))).collect();
    *stubborn.lock().unwrap() = Some(old[3].file());
    let ended = run(&repository, Reindex { drop: [pack(0)].into(), ..Reindex::default() });
    assert!(matches!(ended, Err(Error::NotRemoved { file }) if file == old[3].file()), "{ended:?}");
    assert_eq!(files(&repository).len(), 2, "the others went");
    assert_eq!(entries(&index(&repository)), expect(&all[1..]));
}

#[test]
fn a_rewrite_can_be_stopped_and_has_removed_nothing() {
    let backend = Arc::new(Memory::new());
    let repository = repository(&backend, 2, |_| ());
    let before = BTreeSet::from([save(&repository, &[said(1, 2, 0)]), save(&repository, &[said(2, 2, 0)])]);
    let lock = lock(&repository);
    repository.cancel().set(Reason::Interrupted);
    let ended = repository.reindex(Reindex::default(), &lock, &Silent, &|_, _| ());
    assert!(matches!(ended, Err(Error::Cancelled)));
    assert!(files(&repository).is_superset(&before));
}
