//! A repair may end at any of its writes, and takes nothing away that can still be read.

use crate::crash::{check_all_there, init, kind, open, save};
use crate::packs_of;
use std::collections::BTreeSet;
use std::sync::Arc;
use tresor_backend::memory::Memory;
use tresor_backend::{Backend, FileKind, FileName, Full};
use tresor_repo::index::Index;
use tresor_repo::monitor::Silent;
use tresor_repo::repair_index::IndexRepair;
use tresor_repo::salvage::{Damaged, Salvage};
use tresor_repo::{BlobId, IndexId, PackId, Repository, Result};
use tresor_testkit::crash::{CrashBackend, LastWrite};
use tresor_testkit::fixtures::noise;
use tresor_testkit::locks::exclusive as lock;

/// A repository of some packs and three index files.
fn scene() -> (Arc<Memory>, Vec<Vec<u8>>) {
    let memory = Arc::new(Memory::new());
    init(&memory);
    let repository = open(memory.clone());
    let blobs: Vec<Vec<u8>> = (0..60).map(|seed| noise(seed, 700 + 83 * seed as usize)).collect();
    for some in [0..20, 20..40, 40..60] {
        save(&repository, &Index::default(), &blobs[some]).unwrap();
    }
    (memory, blobs)
}

fn copy(from: &Memory) -> Arc<Memory> {
    let copy = Memory::new();
    let put = |file: FileName| copy.plant(file, bytes(from, file));
    put(FileName::CONFIG);
    for kind in [FileKind::Key, FileKind::Index, FileKind::Pack] {
        from.list(kind, &mut |listed| {
            put(FileName::new(kind, listed.id));
            Ok(())
        })
        .unwrap();
    }
    Arc::new(copy)
}

fn bytes(memory: &Memory, file: FileName) -> Vec<u8> {
    let mut bytes = Vec::new();
    memory.load_whole(file, 1 << 30, &mut bytes).unwrap();
    bytes
}

fn ids(repository: &Repository<Full>, kind: FileKind) -> Vec<tresor_backend::Id> {
    repository.list(kind).unwrap().iter().map(|listed| listed.id).collect()
}

fn plan(repository: &Repository<Full>, read_all: bool) -> IndexRepair {
    let (index, findings) = repository.check_index(&Silent).unwrap();
    let nothing = Index::default();
    let disagreement = repository.compare_packs(if read_all { &nothing } else { &index }).unwrap();
    let mut unread: Vec<IndexId> = findings
        .iter()
        .filter_map(|finding| match finding {
            tresor_repo::check::Finding::IndexUnreadable { index, .. } => Some(*index),
            _ => None,
        })
        .collect();
    if read_all {
        unread = ids(repository, FileKind::Index).into_iter().map(IndexId::from_id).collect();
    }
    repository.plan_index_repair(&index, &disagreement, unread, &Silent).unwrap()
}

fn mend(repository: &Repository<Full>, locking: &Repository<Full>, read_all: bool) -> Result<()> {
    let lock = lock(locking);
    let repair = plan(repository, read_all);
    let ended = repository.reindex(repair.reindex, &lock, &Silent, &|_, _| ());
    lock.release().unwrap();
    ended
}

fn salvage(
    repository: &Repository<Full>,
    locking: &Repository<Full>,
    packs: &[PackId],
) -> Result<(u64, Vec<Salvage>)> {
    let (lock, mut told) = (lock(locking), Vec::new());
    let index = repository.load_index(&Silent)?;
    let packs = packs.iter().map(|pack| repository.look_at_pack(*pack)).collect::<Result<Vec<Damaged>>>()?;
    let tell = &mut |salvage| told.push(salvage);
    let ended = repository.salvage(&index, &packs, &lock, &Silent, tell, &|_, _| ());
    lock.release().unwrap();
    ended.map(|uploaded| (uploaded.data_blobs + uploaded.tree_blobs, told))
}

/// The blobs that an index names.
fn blobs_of(index: &Index) -> BTreeSet<BlobId> {
    index.iter().map(|entry| entry.unwrap().0.id).collect()
}

/// The blobs with these numbers can be loaded.
fn load(repository: &Repository<Full>, blobs: &[Vec<u8>]) {
    let index = repository.load_index(&Silent).unwrap();
    for (number, plain) in blobs.iter().enumerate() {
        let loaded = repository.load_blob(&index, kind(number), &BlobId::of(plain));
        assert!(loaded.unwrap() == *plain, "blob {number}");
    }
}

#[test]
fn an_index_comes_back_from_the_packs_whatever_is_left_of_it() {
    let (memory, blobs) = scene();
    for lost in 0..=3 {
        for read_all in [false, true] {
            let memory = copy(&memory);
            let repository = open(memory.clone());
            for index in &ids(&repository, FileKind::Index)[..lost] {
                memory.remove(FileName::new(FileKind::Index, *index)).unwrap();
            }
            memory.plant(FileName::new(FileKind::Index, BlobId::of(b"junk").id()), *b"junk");
            mend(&repository, &repository, read_all).unwrap();
            check_all_there(&repository, &blobs);
            let entries = repository.load_index(&Silent).unwrap().len().unwrap();
            assert_eq!(entries, blobs.len() as u64, "nothing twice");
            assert_eq!(ids(&repository, FileKind::Index).len(), 1);
        }
    }
}

#[test]
fn every_write_of_an_index_repair_may_be_the_last() {
    let (memory, blobs) = scene();
    let first = ids(&open(memory.clone()), FileKind::Index)[0];
    memory.remove(FileName::new(FileKind::Index, first)).unwrap();
    let known = blobs_of(&open(memory.clone()).load_index(&Silent).unwrap());
    for last in [LastWrite::Lost, LastWrite::Unanswered] {
        for allowed in 0.. {
            let memory = copy(&memory);
            let crashing = Arc::new(CrashBackend::new(memory.clone(), allowed, last));
            let after = open(memory);
            let ended = mend(&open(crashing.clone()), &after, allowed % 2 == 1);
            let now = blobs_of(&after.load_index(&Silent).unwrap());
            assert!(known.is_subset(&now), "after {allowed} writes");
            if !crashing.has_crashed() {
                ended.unwrap();
                assert!(allowed >= 3, "an index file and two removals");
                break;
            }
            mend(&after, &after, false).unwrap();
            check_all_there(&after, &blobs);
        }
    }
}

#[test]
fn every_write_of_a_salvage_may_be_the_last() {
    let (memory, blobs) = scene();
    let packs: Vec<PackId> =
        ids(&open(memory.clone()), FileKind::Pack).into_iter().map(PackId::from_id).collect();
    let damaged = &packs[..packs.len() / 2];
    for (number, pack) in damaged.iter().enumerate() {
        // What is said of the blobs is lost in one way or another, and they are all still there.
        let mut content = bytes(&memory, pack.file());
        let end = content.len();
        match number % 3 {
            0 => content[end - 10] ^= 1,
            1 => content.truncate(end - 20),
            _ => content.extend(noise(5, 33)),
        }
        memory.plant(pack.file(), content);
    }
    for last in [LastWrite::Lost, LastWrite::Unanswered] {
        for allowed in 0.. {
            let memory = copy(&memory);
            let crashing = Arc::new(CrashBackend::new(memory.clone(), allowed, last));
            let after = open(memory);
            let ended = salvage(&open(crashing.clone()), &after, damaged);
            load(&after, &blobs);
            if !crashing.has_crashed() {
                let (saved, told) = ended.unwrap();
                assert!(saved > 10 && told.is_empty(), "{saved} {told:?}");
                assert!(allowed > 5, "packs, index files and removals");
                check_all_there(&after, &blobs);
                let entries = after.load_index(&Silent).unwrap().len().unwrap();
                assert_eq!(entries, blobs.len() as u64);
                break;
            }
            mend(&after, &after, false).unwrap();
            load(&after, &blobs);
            salvage(&after, &after, damaged).unwrap();
            check_all_there(&after, &blobs);
        }
    }
}

#[test]
fn a_pack_without_a_header_stays_in_the_index_as_far_as_it_is_long_enough() {
    let (memory, _) = scene();
    let pack = packs_of(&open(memory.clone()).load_index(&Silent).unwrap())[0];
    let content = bytes(&memory, pack.file());
    let count = |index: &Index| index.by_pack().unwrap().blobs(&pack).unwrap().len();
    for read_all in [false, true] {
        for (length, is_kept) in
            [(content.len() - 1, true), (content.len() / 2, true), (10, false), (0, false)]
        {
            let memory = copy(&memory);
            memory.plant(pack.file(), content[..length].to_vec());
            let repository = open(memory);
            let before = count(&repository.load_index(&Silent).unwrap());
            let repair = plan(&repository, read_all);
            let headless: Vec<_> =
                repair.headless.iter().map(|headless| (headless.pack, headless.is_kept)).collect();
            assert_eq!(headless, [(pack, is_kept)], "{length}");
            mend(&repository, &repository, read_all).unwrap();
            let left = count(&repository.load_index(&Silent).unwrap());
            assert!(left <= before && (left > 0) == is_kept, "{left} of {before}");
            assert_eq!(left == before, length == content.len() - 1);
            let (saved, told) = match is_kept {
                true => salvage(&repository, &repository, &[pack]).unwrap(),
                false => continue,
            };
            assert_eq!((saved, told.len()), (left as u64, 0));
            assert!(!repository.load_index(&Silent).unwrap().contains_pack(&pack).unwrap());
        }
    }
}

#[test]
fn what_is_lost_is_told_and_what_other_packs_hold_is_not_lost() {
    let (memory, blobs) = scene();
    let repository = open(memory.clone());
    save(&repository, &Index::default(), &blobs[..4]).unwrap(); // a second copy of some
    let index = repository.load_index(&Silent).unwrap();
    let place = |number: usize| index.copies(kind(number), &BlobId::of(&blobs[number])).unwrap();
    let (once, twice) = (place(30)[0], place(2)[0]);
    for place in [once, twice] {
        let mut content = bytes(&memory, place.pack.file());
        content[place.offset as usize + 40] ^= 2;
        memory.plant(place.pack.file(), content);
    }
    let (_, told) = salvage(&repository, &repository, &[once.pack, twice.pack]).unwrap();
    let lost: Vec<_> = told
        .iter()
        .map(|salvage| match salvage {
            Salvage::Lost { blob, .. } => blob.id,
            Salvage::NoBlobs(pack) => panic!("{pack} has blobs"),
        })
        .collect();
    assert_eq!(lost, [BlobId::of(&blobs[30])]);
    load(&repository, &blobs[..30]);
    let missing = *packs_of(&repository.load_index(&Silent).unwrap()).last().unwrap();
    memory.remove(missing.file()).unwrap();
    salvage(&repository, &repository, &[missing]).unwrap();
    assert!(!repository.load_index(&Silent).unwrap().contains_pack(&missing).unwrap());
}

#[test]
fn blobs_that_do_not_follow_one_another_have_their_pack_read() {
    let (memory, blobs) = scene();
    let repository = open(memory.clone());
    // Every blob of the first pack is said to lie five bytes further.
    let json = repository.load_file(FileKind::Index, ids(&repository, FileKind::Index)[0]).unwrap();
    let mut wrong: serde_json::Value = serde_json::from_slice(&json).unwrap();
    for blob in wrong["packs"][0]["blobs"].as_array_mut().unwrap() {
        blob["offset"] = (blob["offset"].as_u64().unwrap() + 5).into();
    }
    memory.remove(FileName::new(FileKind::Index, ids(&repository, FileKind::Index)[0])).unwrap();
    // What is sealed as a snapshot is sealed as an index file is.
    let id = repository.append().save_snapshot(wrong.to_string().as_bytes()).unwrap();
    memory.plant(FileName::new(FileKind::Index, id.id()), bytes(&memory, id.file()));
    memory.remove(id.file()).unwrap();
    let index = repository.load_index(&Silent).unwrap();
    assert_eq!(repository.compare_packs(&index).unwrap().misnamed.len(), 1);
    mend(&repository, &repository, false).unwrap();
    check_all_there(&repository, &blobs);
}
