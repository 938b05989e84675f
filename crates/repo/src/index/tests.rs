//! An index in any number of runs, kept or new, says what a plain list of the entries says.

use super::*;
use crate::crypto::Key;
use crate::index::assemble::Assembly;
use crate::testing::{index_file, index_of, index_of_files};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

fn pack_id(n: u8) -> PackId {
    PackId::from_bytes([n; 32])
}

fn file_id(n: u8) -> IndexId {
    IndexId::from_bytes([n; 32])
}

fn entry(kind: BlobKind, n: u8, offset: u32) -> Entry {
    let blob = BlobHandle { kind, id: BlobId::from_bytes([n; 32]) };
    Entry { blob, offset, length: 40, uncompressed_length: u32::from(n % 2) }
}

#[test]
fn copies_are_kept_and_repetitions_are_not() {
    let first = (pack_id(9), vec![entry(BlobKind::Data, 3, 0), entry(BlobKind::Data, 2, 40)]);
    let other = (pack_id(4), vec![entry(BlobKind::Data, 3, 0)]);
    let contradicting = (pack_id(4), vec![entry(BlobKind::Data, 3, 8)]);
    let tree = (pack_id(5), vec![entry(BlobKind::Tree, 3, 0)]);
    let index = index_of_files(&[&[first.clone(), other, tree], &[first, contradicting]]);
    assert_eq!(index.len().unwrap(), 5);
    assert_eq!(index.pack_count().unwrap(), 3);
    let three = BlobId::from_bytes([3; 32]);
    let copies = index.copies(BlobKind::Data, &three).unwrap();
    let copies: Vec<_> = copies.iter().map(|place| (place.pack, place.offset)).collect();
    assert_eq!(copies, [(pack_id(4), 0), (pack_id(4), 8), (pack_id(9), 0)]);
    assert_eq!(index.find(BlobKind::Tree, &three).unwrap().unwrap().pack, pack_id(5));
    assert!(!index.contains(BlobKind::Tree, &BlobId::from_bytes([2; 32])).unwrap());
    assert_eq!(index.tree_packs().unwrap(), [pack_id(5)]);
    assert_eq!(index.plain_length(BlobKind::Data, &BlobId::from_bytes([2; 32])).unwrap(), Some(8));
}

#[test]
fn packs_have_their_blobs_in_order_and_their_totals() {
    let entries =
        vec![entry(BlobKind::Data, 7, 0), entry(BlobKind::Tree, 1, 40), entry(BlobKind::Data, 4, 80)];
    let alone = vec![entry(BlobKind::Tree, 8, 0)];
    let index = index_of(&[(pack_id(2), entries.clone()), (pack_id(1), alone), (pack_id(3), vec![])]);
    let by_pack = index.by_pack().unwrap();
    let listed = by_pack.blobs(&pack_id(2)).unwrap();
    let listed: Vec<Entry> = listed.into_iter().map(|(blob, place)| place.entry(blob)).collect();
    assert_eq!(listed, entries);
    assert_eq!(by_pack.blobs(&pack_id(3)).unwrap(), []);
    assert_eq!(by_pack.blobs(&pack_id(77)).unwrap(), []);
    let totals = index.pack_totals().unwrap();
    let totals: Vec<_> =
        totals.iter().map(Result::unwrap).map(|(_, total)| (total.size, total.is_mixed())).collect();
    assert_eq!(totals, [(40 + 37 + 36, false), (120 + 41 + 41 + 37 + 36, true), (36, false)]);
}

type Packs = Vec<(PackId, Vec<Entry>)>;
type Entries = BTreeSet<(BlobHandle, Place)>;

/// Index files as they come and go, and what there is of them in memory.
#[derive(Default)]
struct Model {
    files: BTreeMap<IndexId, Packs>,
}

impl Model {
    fn entries(&self) -> Entries {
        let packs = self.files.values().flatten();
        packs
            .flat_map(|(pack, entries)| entries.iter().map(|entry| (entry.blob, entry.place_in(*pack))))
            .collect()
    }

    fn packs(&self) -> BTreeSet<PackId> {
        self.files.values().flatten().map(|(pack, _)| *pack).collect()
    }

    fn listed(&self) -> Vec<IndexId> {
        self.files.keys().copied().collect()
    }

    fn assemble(&self, kept: Option<&Path>, key: &Arc<Key>) -> Index {
        let assembly = match kept {
            Some(folder) => Assembly::with_kept(folder, Arc::clone(key), self.listed()).unwrap(),
            None => Assembly::without_kept(std::env::temp_dir(), Arc::clone(key), self.listed()),
        };
        let missing = assembly.missing();
        let mut gathering = assembly.gather(missing.clone());
        for id in &missing {
            gathering.add(*id, &index_file(&self.files[id])).unwrap();
        }
        assembly.finish((!missing.is_empty()).then_some(gathering)).unwrap()
    }

    /// Compares every answer of an index.
    fn compare(&self, index: &Index) {
        let entries = self.entries();
        assert!(index.iter().map(Result::unwrap).eq(entries.iter().copied()));
        assert_eq!(index.len().unwrap(), entries.len() as u64);
        let packs: Vec<PackId> = index.packs().map(|pack| pack.unwrap().0).collect();
        assert!(packs.iter().eq(&self.packs()));
        assert_eq!(index.pack_count().unwrap(), packs.len() as u64);
        let (marks, by_pack) = (index.marks(), index.by_pack().unwrap());
        for number in 0..=40 {
            for kind in BlobKind::ALL {
                let blob = entry(kind, number, 0).blob;
                let of_blob = entries.iter().filter(|(other, _)| *other == blob).map(|(_, place)| *place);
                let expect: Vec<Place> = of_blob.collect();
                assert_eq!(index.copies(kind, &blob.id).unwrap(), expect);
                assert_eq!(index.find(kind, &blob.id).unwrap(), expect.first().copied());
                assert_eq!(index.contains(kind, &blob.id).unwrap(), !expect.is_empty());
                assert_eq!(marks.mark(kind, &blob.id).unwrap(), (!expect.is_empty()).then_some(true));
            }
            let pack = pack_id(number);
            assert_eq!(index.contains_pack(&pack).unwrap(), self.packs().contains(&pack));
            let of_pack = entries.iter().filter(|(_, place)| place.pack == pack);
            let expect: BTreeSet<_> = of_pack.copied().collect();
            let listed = by_pack.blobs(&pack).unwrap();
            assert!(listed.is_sorted_by_key(|(blob, place)| (place.offset, *blob)));
            assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), expect);
        }
        let mut blobs = marks.blobs().unwrap();
        while let Some(copies) = blobs.next().unwrap() {
            assert!(copies.is_marked);
            let slots: Vec<u64> = copies.places.iter().map(|(slot, _)| *slot).collect();
            let named = |slot: &u64| index.packs().map(Result::unwrap).any(|(_, other)| other == *slot);
            assert!(slots.iter().all(named), "only slots that count");
        }
        for pack in index.pack_totals().unwrap().iter() {
            let (pack, totals) = pack.unwrap();
            let of_pack: Vec<_> = entries.iter().filter(|(_, place)| place.pack == pack).collect();
            assert_eq!(totals.blobs.iter().sum::<u32>() as usize, of_pack.len());
        }
        let mut expect: BTreeMap<PackId, Vec<(IndexId, Entries)>> = BTreeMap::new();
        for (file, packs) in &self.files {
            for (pack, entries) in packs {
                let said = entries.iter().map(|entry| (entry.blob, entry.place_in(*pack)));
                let files = expect.entry(*pack).or_default();
                match files.last_mut().filter(|(last, _)| last == file) {
                    Some((_, all)) => all.extend(said),
                    None => files.push((*file, said.collect())),
                }
            }
        }
        expect.retain(|_, files| files.len() > 1);
        let repeated = index.repeated_packs().unwrap();
        assert!(repeated.iter().map(|repeated| &repeated.pack).eq(expect.keys()));
        for RepeatedPack { pack, files, agree } in repeated {
            let said = &expect[&pack];
            assert_eq!(
                files.into_iter().collect::<BTreeSet<_>>(),
                said.iter().map(|(file, _)| *file).collect()
            );
            assert_eq!(agree, said.iter().all(|(_, all)| *all == said[0].1));
        }
    }
}

/// A pack's number and its blobs; few numbers, so that packs and blobs repeat.
fn some_packs() -> impl Strategy<Value = Packs> {
    let entries = proptest::collection::vec((any::<bool>(), 0u8..40, 0u32..3), 0..12);
    proptest::collection::vec((0u8..12, entries), 0..6).prop_map(|packs| {
        let read = |(pack, entries): (u8, Vec<(bool, u8, u32)>)| {
            let kinds = entries.into_iter();
            let entries =
                kinds.map(|(tree, number, at)| entry(BlobKind::ALL[usize::from(tree)], number, at * 40));
            (pack_id(pack), entries.collect())
        };
        // What comes back from an index file has data before trees in each pack.
        packs.into_iter().map(read).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn says_what_a_plain_list_says_however_files_come_and_go(
        steps in proptest::collection::vec(
            (proptest::collection::vec(some_packs(), 0..3), proptest::collection::vec(any::<prop::sample::Index>(), 0..3)),
            1..6,
        ),
    ) {
        let (folder, key) = (tempfile::tempdir().unwrap(), Arc::new(Key::random().unwrap()));
        let (mut model, mut next) = (Model::default(), 0);
        for (new, gone) in steps {
            for which in gone {
                if !model.files.is_empty() {
                    let id = *which.get(&model.listed());
                    model.files.remove(&id);
                }
            }
            for packs in new {
                next += 1;
                model.files.insert(file_id(next), packs);
            }
            model.compare(&model.assemble(Some(folder.path()), &key));
            model.compare(&model.assemble(Some(folder.path()), &key));
            model.compare(&model.assemble(None, &key));
        }
    }
}

/// 20 000 blobs in files of 1000: several blocks in every table.
fn large() -> Model {
    use sha2::{Digest, Sha256};
    let blob = |n: u32| Entry {
        blob: BlobHandle {
            kind: BlobKind::ALL[usize::from(n.is_multiple_of(16))],
            id: BlobId::from_bytes(Sha256::digest(n.to_le_bytes()).into()),
        },
        offset: n % 10 * 50,
        length: 50,
        uncompressed_length: 0,
    };
    let pack = |n: u32| {
        (
            PackId::from_bytes(Sha256::digest((n + 1_000_000).to_le_bytes()).into()),
            (n * 10..n * 10 + 10).map(blob).collect(),
        )
    };
    let file = |n: u8| (file_id(n), (u32::from(n) * 100..u32::from(n) * 100 + 100).map(pack).collect());
    Model { files: (0..20).map(file).collect() }
}

#[test]
fn a_kept_run_is_opened_again_and_takes_54_bytes_a_blob() {
    let (folder, key, model) = (tempfile::tempdir().unwrap(), Arc::new(Key::random().unwrap()), large());
    model.assemble(Some(folder.path()), &key);
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap()).collect();
    assert_eq!(files.len(), 1, "one run, and nothing else stays");
    let size = files[0].metadata().unwrap().len();
    assert!(size <= 54 * 20_000 + 8 * 4096, "{size}: beside that, blocks that are not full");
    let assembly = Assembly::with_kept(folder.path(), Arc::clone(&key), model.listed()).unwrap();
    assert_eq!(assembly.missing(), []);
    let index = assembly.finish(None).unwrap();
    assert!(index.iter().map(Result::unwrap).eq(model.entries()));
    for (blob, place) in model.entries() {
        assert_eq!(index.find(blob.kind, &blob.id).unwrap(), Some(place));
    }
}

#[test]
fn runs_are_merged_so_that_there_are_few() {
    let (folder, key, all) = (tempfile::tempdir().unwrap(), Arc::new(Key::random().unwrap()), large());
    let mut model = Model::default();
    for (id, packs) in all.files {
        model.files.insert(id, packs);
        model.assemble(Some(folder.path()), &key);
        let runs = fs::read_dir(folder.path()).unwrap().count();
        assert!(runs <= 4, "{runs} runs of {} files", model.files.len());
    }
    model.files.retain(|id, _| id.as_bytes()[0] >= 8); // much is masked now
    let index = model.assemble(Some(folder.path()), &key);
    assert!(index.iter().map(Result::unwrap).eq(model.entries()));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    model.files.clear();
    assert!(model.assemble(Some(folder.path()), &key).is_empty());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "runs of no use go");
}

#[test]
fn a_run_that_was_changed_cut_or_is_anothers_is_not_believed() {
    let (folder, key, model) = (tempfile::tempdir().unwrap(), Arc::new(Key::random().unwrap()), large());
    model.assemble(Some(folder.path()), &key);
    let path = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let good = fs::read(&path).unwrap();
    let begin = |stored: &[u8], key: &Arc<Key>| {
        fs::write(&path, stored).unwrap();
        Assembly::with_kept(folder.path(), Arc::clone(key), model.listed()).unwrap()
    };
    for at in (0..good.len() / 4096).map(|block| block * 4096 + block * 37 % 4096) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        let assembly = begin(&bad, &key);
        if assembly.missing().is_empty() {
            assert!(read_everything(&assembly.finish(None).unwrap(), &model).is_err(), "byte {at}");
        } else {
            assert!(!path.exists(), "what is not believed goes");
        }
    }
    for length in [0, 100, 4096, good.len() - 4096, good.len() - 1] {
        assert_eq!(begin(&good[..length], &key).missing(), model.listed(), "cut to {length}");
    }
    let other = Arc::new(Key::random().unwrap());
    assert_eq!(begin(&good, &other).missing(), model.listed(), "another repository's");
    let of_another_name = folder.path().join(format!("index-{}", "0".repeat(32)));
    assert_eq!(begin(&good, &key).missing(), []);
    fs::rename(&path, &of_another_name).unwrap();
    let assembly = Assembly::with_kept(folder.path(), key, model.listed()).unwrap();
    assert_eq!(assembly.missing(), model.listed(), "a run lies under its own name");
}

fn read_everything(index: &Index, model: &Model) -> Result<()> {
    index.iter().try_for_each(|entry| entry.map(drop))?;
    index.packs().try_for_each(|pack| pack.map(drop))?;
    model.entries().iter().try_for_each(|(blob, _)| index.contains(blob.kind, &blob.id).map(drop))
}

/// Builds runs again from the model.
struct FromModel(Model, Arc<Key>);

impl Rebuild for FromModel {
    fn rebuild(&self, sources: &[IndexId], bad: Option<&Path>) -> Result<assemble::Rebuilt> {
        let folder = bad.and_then(Path::parent).expect("it was kept");
        let assembly = Assembly::to_rebuild(folder, Arc::clone(&self.1));
        let mut gathering = assembly.gather(sources.to_vec());
        sources.iter().try_for_each(|id| gathering.add(*id, &index_file(&self.0.files[id])))?;
        assembly.rebuild(gathering, bad)
    }
}

#[test]
fn a_run_that_goes_bad_under_our_feet_is_built_again() {
    let (folder, key) = (tempfile::tempdir().unwrap(), Arc::new(Key::random().unwrap()));
    let model = large();
    let index = model.assemble(Some(folder.path()), &key);
    let index = index.rebuilt_by(Box::new(FromModel(large(), Arc::clone(&key))));
    let marks = index.marks();
    let marked: Vec<BlobHandle> = model.entries().iter().map(|(blob, _)| *blob).step_by(3).collect();
    for blob in &marked[..100] {
        marks.mark(blob.kind, &blob.id).unwrap();
    }
    let path = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let length = fs::metadata(&path).unwrap().len();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(0).unwrap();
    file.set_len(length).unwrap(); // all zeros
    for blob in &marked[100..] {
        marks.mark(blob.kind, &blob.id).unwrap();
    }
    assert_eq!(marks.len(), marked.len() as u64);
    assert!(marked.iter().all(|blob| marks.contains(blob.kind, &blob.id).unwrap()), "positions stay");
    assert!(index.iter().map(Result::unwrap).eq(model.entries()));
    let again = Assembly::with_kept(folder.path(), key, model.listed()).unwrap();
    assert_eq!(again.missing(), [], "the new run is kept");
}
