//! A prune may end at any of its writes, and damage may stop it: what is needed is there.

use crate::crash::{check_all_there, check_these_there, init, kind, open, save};
use crate::{Strict, packs_of};
use std::collections::BTreeSet;
use std::sync::Arc;
use tresor_backend::memory::Memory;
use tresor_backend::{Backend, FileKind, FileName, Full};
use tresor_repo::index::Index;
use tresor_repo::monitor::Phase;
use tresor_repo::prune::{MaxUnused, PruneOptions, PrunePlan, Used};
use tresor_repo::{BlobId, BlobKind, Error, PackId, Repository, Result, SnapshotId};
use tresor_testkit::Recorder;
use tresor_testkit::crash::{CrashBackend, LastWrite};
use tresor_testkit::fixtures::noise;
use tresor_testkit::locks::exclusive as lock;

/// A repository of packs that are used, unused, partly used and in no index, some blobs in two packs.
struct Scene {
    memory: Memory,
    blobs: Vec<Vec<u8>>,
}

impl Scene {
    fn new() -> Scene {
        let memory = Arc::new(Memory::new());
        init(&memory);
        let repository = open(memory.clone());
        let blobs: Vec<Vec<u8>> = (0..70).map(|seed| noise(seed, 1000 + 89 * seed as usize)).collect();
        save(&repository, &Index::default(), &blobs[..20]).unwrap();
        save(&repository, &Index::default(), &blobs[10..40]).unwrap();
        let index = repository.load_index(&Strict).unwrap();
        for some in [40..50, 50..60, 60..70] {
            save(&repository, &index, &blobs[some]).unwrap();
        }
        memory.plant(FileName::new(FileKind::Pack, BlobId::of(b"left behind").id()), *b"left behind");
        drop((repository, index)); // an index can load its files again
        let memory = Arc::into_inner(memory).expect("nobody else uses it");
        Scene { memory, blobs }
    }

    /// A backend of its own with the same files.
    fn copy(&self) -> Arc<Memory> {
        let copy = Memory::new();
        let put = |file| {
            let mut bytes = Vec::new();
            self.memory.load_whole(file, 1 << 30, &mut bytes).unwrap();
            copy.plant(file, bytes);
        };
        put(FileName::CONFIG);
        for kind in [FileKind::Key, FileKind::Index, FileKind::Pack] {
            self.memory
                .list(kind, &mut |listed| {
                    put(FileName::new(kind, listed.id));
                    Ok(())
                })
                .unwrap();
        }
        Arc::new(copy)
    }

    fn is_needed(number: usize) -> bool {
        number < 60 && (number >= 50 || !number.is_multiple_of(7))
    }

    /// The blobs that are needed.
    fn needed(&self) -> Vec<(BlobKind, &[u8])> {
        let needed = (0..self.blobs.len()).filter(|number| Scene::is_needed(*number));
        needed.map(|number| (kind(number), &self.blobs[number][..])).collect()
    }

    fn check(&self, repository: &Repository<Full>) {
        check_these_there(repository, &self.needed());
    }
}

fn plan<'a>(
    repository: &Repository<Full>,
    index: &'a Index,
    scene: &Scene,
    recover_without_space: bool,
) -> PrunePlan<'a> {
    let marks = index.marks();
    for (kind, plain) in scene.needed() {
        marks.mark(kind, &BlobId::of(plain)).unwrap();
    }
    let used = Used { blobs: marks, unknown: vec![], snapshots: vec![] };
    let options = PruneOptions {
        max_unused: MaxUnused::Bytes(0),
        repack_smaller_than: Some(1), // the packs of this test are all far too small
        recover_without_space,
        ..PruneOptions::default()
    };
    repository.check_prune_options(&options).unwrap();
    repository.plan_prune(used, &options, &Strict).unwrap()
}

/// Plans and executes under a lock that `locking` takes.
fn prune(
    repository: &Repository<Full>,
    locking: &Repository<Full>,
    scene: &Scene,
    recovering: bool,
) -> Result<()> {
    let lock = lock(locking);
    let index = repository.load_index(&Strict).unwrap();
    let plan = plan(repository, &index, scene, recovering);
    let ended = repository.execute_prune(plan, &index, &lock, &Strict, &|_, _| ());
    lock.release().unwrap();
    ended
}

fn packs(repository: &Repository<Full>) -> BTreeSet<PackId> {
    repository.list(FileKind::Pack).unwrap().iter().map(|pack| PackId::from_id(pack.id)).collect()
}

/// Every needed blob once and nothing else.
fn check_pruned(scene: &Scene, repository: &Repository<Full>) {
    scene.check(repository);
    let index = repository.load_index(&Strict).unwrap();
    assert_eq!(index.len().unwrap(), scene.needed().len() as u64);
    assert!(packs_of(&index).into_iter().eq(packs(repository)));
}

#[test]
fn what_is_needed_is_left_and_nothing_else() {
    let scene = Scene::new();
    let repository = open(scene.copy());
    let index = repository.load_index(&Strict).unwrap();
    let (plan, lock) = (plan(&repository, &index, &scene, false), lock(&repository));
    assert!(plan.unindexed.len() == 1 && plan.missing.is_empty());
    assert!(!plan.repack.is_empty() && !plan.remove.is_empty());
    let (repack, remove) = (plan.repack.len() as u64, plan.remove.len() as u64);
    let recorder = Recorder::new();
    repository.execute_prune(plan, &index, &lock, &recorder, &|_, ended| ended.unwrap()).unwrap();
    let told: Vec<_> = recorder.phases().iter().map(|phase| (phase.phase, phase.done)).collect();
    let old_indexes = 6; // of five uploads, and of what was repacked
    assert_eq!(
        told,
        [
            (Phase::RemoveUnindexed, 1),
            (Phase::Repack, repack),
            (Phase::Reindex, old_indexes),
            (Phase::RemoveIndex, old_indexes),
            (Phase::RemovePacks, repack + remove)
        ]
    );
    assert!(recorder.phases().iter().all(|phase| phase.total == Some(phase.done) && phase.ended));
    check_pruned(&scene, &repository);
    assert_eq!(repository.list(FileKind::Index).unwrap().len(), 1);
    lock.release().unwrap();
    let before = packs(&repository);
    prune(&repository, &repository, &scene, false).unwrap();
    assert_eq!(packs(&repository), before, "a second prune has nothing to do");
}

#[test]
fn every_write_may_be_the_last() {
    let scene = Scene::new();
    for last in [LastWrite::Lost, LastWrite::Unanswered] {
        for allowed in 0.. {
            let memory = scene.copy();
            let crashing = Arc::new(CrashBackend::new(memory.clone(), allowed, last));
            let after = open(memory);
            let ended = prune(&open(crashing.clone()), &after, &scene, false);
            scene.check(&after);
            if !crashing.has_crashed() {
                ended.unwrap();
                assert!(allowed > 20, "packs, index files and removals");
                check_pruned(&scene, &after);
                break;
            }
            prune(&after, &after, &scene, false).unwrap();
            check_pruned(&scene, &after);
        }
    }
}

#[test]
fn without_space_every_needed_pack_stays_and_the_index_comes_back() {
    let scene = Scene::new();
    let needed = |repository: &Repository<Full>| {
        // As the index is made anew: from the headers of what is there.
        let listed = repository.list(FileKind::Pack).unwrap();
        let headers = listed
            .iter()
            .filter_map(|pack| repository.load_pack_header(PackId::from_id(pack.id), pack.size).ok());
        let found: BTreeSet<BlobId> = headers.flatten().map(|entry| entry.blob.id).collect();
        scene.needed().iter().all(|(_, plain)| found.contains(&BlobId::of(plain)))
    };
    for allowed in 0.. {
        let memory = scene.copy();
        let crashing = Arc::new(CrashBackend::new(memory.clone(), allowed, LastWrite::Unanswered));
        let after = open(memory);
        let ended = prune(&open(crashing.clone()), &after, &scene, true);
        assert!(needed(&after), "after {allowed} writes");
        if !crashing.has_crashed() {
            ended.unwrap();
            scene.check(&after);
            let index = after.load_index(&Strict).unwrap();
            assert_eq!(packs(&after), packs_of(&index).into_iter().collect());
            assert_eq!(after.list(FileKind::Index).unwrap().len(), 1);
            break;
        }
    }
}

#[test]
fn a_snapshot_that_came_meanwhile_stops_it() {
    let scene = Scene::new();
    for recovering in [false, true] {
        let repository = open(scene.copy());
        let (lock, before) = (lock(&repository), packs(&repository));
        let index = repository.load_index(&Strict).unwrap();
        let plan = plan(&repository, &index, &scene, recovering);
        let unindexed = plan.unindexed.clone();
        let id: SnapshotId = repository.append().save_snapshot(b"{}").unwrap();
        let ended = repository.execute_prune(plan, &index, &lock, &Strict, &|_, _| ());
        assert!(matches!(ended, Err(Error::Refused(why)) if why.contains(&id.to_string())));
        let left = packs(&repository);
        assert!(before.iter().all(|pack| left.contains(pack) || unindexed.contains(pack)));
        check_all_there(&repository, &scene.blobs);
        lock.release().unwrap();
    }
}

#[test]
fn a_damaged_blob_moves_from_its_other_copy_or_stops_everything() {
    let scene = Scene::new();
    let (mut stopped, mut saved) = (0, 0);
    for (kind, plain) in scene.needed() {
        let memory = scene.copy();
        let repository = open(memory.clone());
        let index = repository.load_index(&Strict).unwrap();
        let id = BlobId::of(plain);
        let plan = plan(&repository, &index, &scene, false);
        let copies = index.copies(kind, &id).unwrap();
        let Some(bad) = copies.iter().find(|place| plan.repack.contains(&place.pack)) else { continue };
        let mut bytes = Vec::new();
        memory.load_whole(bad.pack.file(), 1 << 30, &mut bytes).unwrap();
        bytes[bad.offset as usize + 20] ^= 1;
        memory.plant(bad.pack.file(), bytes);
        let ended = prune(&repository, &repository, &scene, false);
        if copies.len() > 1 {
            saved += 1;
            ended.unwrap();
            check_pruned(&scene, &repository);
            continue;
        }
        stopped += 1;
        assert!(matches!(ended, Err(Error::DamagedBlob { blob, .. }) if blob.id == id), "{ended:?}");
        let left = packs(&repository);
        assert!(packs_of(&index).iter().all(|pack| left.contains(pack)), "all the old packs are there");
    }
    assert!(saved > 2 && stopped > 2, "{saved} {stopped}");
}
