//! No needed blob is ever lost by a plan, and what may stay unused is held.

use super::*;
use crate::blob::BlobKind;
use crate::id::BlobId;
use crate::index::Index;
use crate::monitor::Silent;
use crate::pack::Entry;
use crate::pack::header::{self, FRAME};
use crate::prune::options::MaxUnused;
use crate::prune::stats::Amount;
use crate::testing::index_of;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const MIB: u32 = 1 << 20;

fn blob(number: u8) -> BlobHandle {
    BlobHandle { kind: BlobKind::ALL[usize::from(number % 2)], id: BlobId::from_bytes([number; 32]) }
}

fn pack(number: u8) -> PackId {
    PackId::from_bytes([number; 32])
}

/// A repository as a plan sees it: packs with their blobs, each of so many bytes, and compressed or not.
struct House {
    packs: Vec<(PackId, Vec<Entry>)>,
    stored: BTreeMap<PackId, u64>,
}

impl House {
    fn new(packs: &[&[(u8, u32)]]) -> House {
        let packs = packs.iter().zip(0..).map(|(blobs, number)| {
            let mut offset = 0;
            let entry = |&(number, length): &(u8, u32)| {
                let entry = Entry {
                    blob: blob(number),
                    offset,
                    length,
                    uncompressed_length: if number % 3 == 0 { 0 } else { 2 * length },
                };
                offset += length;
                entry
            };
            (pack(number), blobs.iter().map(entry).collect::<Vec<_>>())
        });
        let packs: Vec<_> = packs.collect();
        let stored = packs.iter().filter(|(_, entries)| !entries.is_empty());
        let stored = stored.map(|(id, entries)| (*id, header::pack_size(entries))).collect();
        House { packs, stored }
    }

    fn index(&self) -> Index {
        index_of(&self.packs)
    }

    /// The plan that keeps these blobs.
    fn plan<'a>(
        &self,
        index: &'a Index,
        used: &[u8],
        options: &PruneOptions,
        version: u32,
    ) -> Result<PrunePlan<'a>, NoPlan> {
        let (blobs, mut unknown) = (index.marks(), Vec::new());
        for blob in used.iter().map(|number| blob(*number)) {
            if blobs.mark(blob.kind, &blob.id).unwrap().is_none() {
                unknown.push(blob);
            }
        }
        // As a backend may list them: in any order, and one that is under way from here to there twice.
        let mut stored = StoredPacks::new(std::env::temp_dir());
        let listed = self.stored.iter().rev();
        listed.clone().chain(listed.take(2)).for_each(|(id, size)| stored.push(*id, *size).unwrap());
        plan(Used { blobs, unknown, snapshots: vec![] }, stored, version, options, &Silent)
    }

    fn copies(&self, wanted: BlobHandle) -> Vec<PackId> {
        let holds = |entries: &[Entry]| entries.iter().any(|entry| entry.blob == wanted);
        self.packs.iter().filter(|(_, entries)| holds(entries)).map(|(id, _)| *id).collect()
    }

    /// Whether a pack is there and as long as its entries say.
    fn is_sound(&self, id: &PackId) -> bool {
        let entries = self.packs.iter().find(|(pack, _)| pack == id);
        let size = entries.map(|(_, entries)| header::pack_size(entries));
        size.is_some() && self.stored.get(id).copied() == size
    }
}

fn max_unused(max_unused: MaxUnused) -> PruneOptions {
    PruneOptions { max_unused, ..PruneOptions::default() }
}

#[test]
fn packs_stay_go_or_are_repacked() {
    let mut house = House::new(&[
        &[(2, 5 * MIB), (4, 5 * MIB)],   // used
        &[(8, 5 * MIB)],                 // unused
        &[(10, 5 * MIB), (14, 3 * MIB)], // partly used
        &[],
        &[(20, 5 * MIB)], // unused, and gone
    ]);
    house.stored.remove(&pack(4));
    house.stored.insert(pack(77), 1000);
    let index = house.index();
    let decide = |options: &PruneOptions| {
        let plan = house.plan(&index, &[2, 4, 10], options, 2).unwrap();
        assert_eq!(plan.unindexed, [pack(77)]);
        assert_eq!(plan.missing, [pack(4)]);
        assert_eq!(plan.remove, [pack(1)]);
        (plan.repack, plan.copy.len())
    };
    assert_eq!(decide(&max_unused(MaxUnused::Bytes(0))), (vec![pack(2)], 1));
    assert_eq!(decide(&max_unused(MaxUnused::Bytes(3 << 20))), (vec![pack(2)], 1));
    assert_eq!(decide(&max_unused(MaxUnused::Bytes((3 << 20) + 1))), (vec![], 0));
    assert_eq!(decide(&max_unused(MaxUnused::Percent(16.0))), (vec![pack(2)], 1));
    assert_eq!(decide(&max_unused(MaxUnused::Percent(17.0))), (vec![], 0));
    assert_eq!(decide(&max_unused(MaxUnused::Unlimited)), (vec![], 0));
    let nothing = max_unused(MaxUnused::Bytes(0));
    assert_eq!(decide(&PruneOptions { max_repack_bytes: Some(8 << 20), ..nothing.clone() }).0, []);
    assert_eq!(decide(&PruneOptions { max_repack_bytes: Some(9 << 20), ..nothing.clone() }).0, [pack(2)]);
    assert_eq!(decide(&PruneOptions { repack_cacheable_only: true, ..nothing.clone() }).0, []);
    assert_eq!(decide(&PruneOptions { recover_without_space: true, ..nothing.clone() }).0, []);
    let stats = house.plan(&index, &[2, 4, 10], &nothing, 2).unwrap().stats;
    let amount = |blobs, mib: u32| Amount { blobs, bytes: u64::from(mib * MIB) };
    assert_eq!((stats.used, stats.unused, stats.duplicate), (amount(3, 15), amount(3, 13), amount(0, 0)));
    assert_eq!((stats.remove, stats.repack_removes), (amount(2, 10), amount(1, 3)));
    assert_eq!(stats.repack, Amount { blobs: 2, bytes: u64::from(8 * MIB) + FRAME as u64 + 82 });
    assert_eq!((stats.unindexed_bytes, stats.remaining()), (1000, amount(3, 15)));
    assert_eq!(stats.unused_bytes_after(), 0);
}

#[test]
fn trees_and_what_must_be_compressed_are_repacked_whatever_may_stay() {
    let house =
        House::new(&[&[(5, 5 * MIB), (7, 1)], &[(3, 5 * MIB)], &[(6, 5 * MIB)], &[(2, 5 * MIB), (1, 1)]]);
    let index = house.index();
    let decide = |repack_uncompressed, version| {
        let options = PruneOptions { repack_uncompressed, ..max_unused(MaxUnused::Unlimited) };
        let plan = house.plan(&index, &[5, 3, 6, 2, 1], &options, version).unwrap();
        (plan.repack, plan.stats.uncompressed_bytes > 0)
    };
    // Partly used trees; trees not compressed; both kinds in one pack.
    assert_eq!(decide(false, 2), (vec![pack(0), pack(1), pack(3)], true));
    assert_eq!(decide(false, 1), (vec![pack(0), pack(3)], false));
    assert_eq!(decide(true, 2), (vec![pack(0), pack(1), pack(2), pack(3)], false));
}

#[test]
fn ten_small_packs_become_one_and_nine_do_not() {
    let small: Vec<[(u8, u32); 1]> = (1..=10u8).map(|number| [(2 * number, 100)]).collect();
    let decide = |packs: &[[(u8, u32); 1]], options: &PruneOptions| {
        let packs: Vec<&[(u8, u32)]> = packs.iter().map(|pack| &pack[..]).collect();
        let house = House::new(&packs);
        let used: Vec<u8> = packs.iter().map(|pack| pack[0].0).collect();
        house.plan(&house.index(), &used, options, 2).unwrap().repack.len()
    };
    let lenient = max_unused(MaxUnused::Unlimited);
    assert_eq!(decide(&small, &lenient), 10);
    assert_eq!(decide(&small[1..], &lenient), 0);
    assert_eq!(decide(&small, &PruneOptions { repack_smaller_than: Some(100), ..lenient.clone() }), 0);
    assert_eq!(decide(&small, &PruneOptions { repack_smaller_than: Some(500), ..lenient }), 10);
}

#[test]
fn one_copy_is_kept_of_what_is_there_twice() {
    let large = 5 * MIB;
    let options = max_unused(MaxUnused::Bytes(0));
    // A pack that is needed anyway holds it too: the other goes.
    let house = House::new(&[&[(2, large), (4, 1)], &[(2, large), (8, 1)]]);
    let index = house.index();
    let plan = house.plan(&index, &[2, 8], &options, 2).unwrap();
    assert_eq!((plan.remove, plan.repack), (vec![pack(0)], vec![]));
    assert_eq!(plan.stats.duplicate, Amount { blobs: 1, bytes: large.into() });
    // What an interrupted prune has copied is kept, and the old pack goes.
    let house = House::new(&[&[(2, large), (4, 1), (8, 1)], &[(2, large), (8, 1)]]);
    let index = house.index();
    let plan = house.plan(&index, &[2, 8], &options, 2).unwrap();
    assert_eq!((plan.remove, plan.repack), (vec![pack(0)], vec![]));
    // A copy that is gone, or in a pack that is too short, is none.
    for damage in [None, Some(77)] {
        let mut house = House::new(&[&[(2, large)], &[(2, large), (8, 1)], &[(10, large)]]);
        match damage {
            None => house.stored.remove(&pack(0)),
            Some(size) => house.stored.insert(pack(0), size),
        };
        let index = house.index();
        let plan = house.plan(&index, &[2, 10], &options, 2).unwrap();
        assert_eq!((plan.repack, plan.copy.len()), (vec![pack(1)], 1), "it moves, as nothing else has it");
    }
}

#[test]
fn what_is_needed_and_not_there_stops_everything() {
    let mut house = House::new(&[&[(2, 100), (4, 100)], &[(8, 100)]]);
    let (index, options) = (house.index(), PruneOptions::default());
    match house.plan(&index, &[2, 10], &options, 2).err() {
        Some(NoPlan::UnknownBlobs(blobs)) => assert_eq!(blobs, [blob(10)]),
        other => panic!("{other:?}"),
    }
    house.stored.insert(pack(0), 5);
    match house.plan(&index, &[2], &options, 2).err() {
        Some(NoPlan::PackSize { pack: found, calculated, real }) => {
            assert_eq!((found, calculated, real), (pack(0), 200 + 82 + 36, 5));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(house.plan(&index, &[8], &options, 2).unwrap().remove, [pack(0)]);
    house.stored.remove(&pack(0));
    match house.plan(&index, &[2], &options, 2).err() {
        Some(NoPlan::MissingPacks(packs)) => assert_eq!(packs, [pack(0)]),
        other => panic!("{other:?}"),
    }
    assert_eq!(house.plan(&index, &[8], &options, 2).unwrap().missing, [pack(0)]);
}

#[test]
fn sizes_that_cannot_be_do_no_harm() {
    let mut house = House::new(&[&[(2, 100)], &[(4, 100)]]);
    for (number, size) in [(1, u64::MAX), (77, u64::MAX), (78, u64::MAX - 1)] {
        house.stored.insert(pack(number), size);
    }
    let index = house.index();
    let plan = house.plan(&index, &[2], &PruneOptions::default(), 2).unwrap();
    assert_eq!((plan.unindexed, plan.remove), (vec![pack(77), pack(78)], vec![pack(1)]));
    assert_eq!(plan.stats.remaining().blobs, 1);
}

fn any_options() -> impl Strategy<Value = PruneOptions> {
    let unused = prop_oneof![
        Just(MaxUnused::Unlimited),
        (0u64..2 << 23).prop_map(MaxUnused::Bytes),
        (0.0..100.0).prop_map(MaxUnused::Percent),
    ];
    let sizes = (proptest::option::of(0u64..1 << 25), proptest::option::of(1u64..1 << 23));
    (unused, sizes, any::<[bool; 3]>()).prop_map(|(max_unused, sizes, flags)| PruneOptions {
        max_unused,
        max_repack_bytes: sizes.0,
        repack_cacheable_only: flags[0],
        repack_uncompressed: flags[1],
        repack_smaller_than: sizes.1,
        recover_without_space: flags[2] && flags[0],
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_needed_blob_is_ever_lost(
        packs in proptest::collection::vec(
            proptest::collection::vec((0u8..60, prop_oneof![1u32..5000, 1u32..4 << 20]), 0..7), 0..14),
        used in proptest::collection::vec(0u8..60, 0..40),
        damage in proptest::collection::vec((0u8..16, 0u64..4), 0..3),
        options in any_options(),
        version in 1u32..3,
    ) {
        let packs: Vec<&[(u8, u32)]> = packs.iter().map(Vec::as_slice).collect();
        let mut house = House::new(&packs);
        let known: BTreeSet<u8> = packs.iter().copied().flatten().map(|(number, _)| *number).collect();
        let used: Vec<u8> = used.into_iter().filter(|number| known.contains(number)).collect();
        for (number, size) in damage {
            match size {
                0 | 1 => house.stored.remove(&pack(number)),
                size => house.stored.insert(pack(number), size * 1000),
            };
        }
        let index = house.index();
        let is_lost = |number: &u8| !house.copies(blob(*number)).iter().any(|id| house.is_sound(id));
        let plan = match house.plan(&index, &used, &options, version) {
            Ok(plan) => plan,
            Err(why) => {
                prop_assert!(used.iter().any(is_lost), "{why}");
                return Ok(());
            }
        };
        prop_assert!(!used.iter().any(is_lost));
        check(&house, &plan, &used, &options)?;
    }
}

fn check(
    house: &House,
    plan: &PrunePlan<'_>,
    used: &[u8],
    options: &PruneOptions,
) -> Result<(), TestCaseError> {
    let goes: Vec<PackId> = [&plan.repack[..], &plan.remove, &plan.missing, &plan.unindexed].concat();
    let distinct: BTreeSet<PackId> = goes.iter().copied().collect();
    prop_assert_eq!(distinct.len(), goes.len(), "each pack has one fate");
    let used: BTreeSet<u8> = used.iter().copied().collect();
    let mut moving = 0;
    for wanted in used.iter().map(|number| blob(*number)) {
        let copies = house.copies(wanted);
        let stays = copies.iter().any(|id| !distinct.contains(id));
        let moves = plan.copy.contains(wanted.kind, &wanted.id).unwrap();
        prop_assert!(stays != moves, "what no pack that stays holds moves, and nothing else");
        let sound = copies
            .iter()
            .any(|id| house.is_sound(id) && (plan.repack.contains(id) || !distinct.contains(id)));
        prop_assert!(sound, "it comes from a pack that is there as a whole");
        moving += u64::from(moves);
    }
    prop_assert_eq!(plan.copy.len(), moving);
    for id in house.stored.keys().filter(|id| !distinct.contains(*id)) {
        prop_assert!(house.is_sound(id), "what stays is as the index says");
    }
    let stats = &plan.stats;
    prop_assert_eq!(stats.used.blobs, used.len() as u64);
    let packs = [stats.packs.keep, stats.packs.repack, stats.packs.remove, stats.packs.unindexed];
    prop_assert_eq!(packs.iter().sum::<u64>(), house.stored.len() as u64);
    let limit = match options.max_unused {
        MaxUnused::Unlimited => u64::MAX,
        MaxUnused::Bytes(bytes) => bytes,
        MaxUnused::Percent(percent) => (percent / (100.0 - percent) * stats.used.bytes as f64) as u64,
    };
    let is_free = options.max_repack_bytes.is_none()
        && !options.repack_cacheable_only
        && !options.recover_without_space;
    if is_free {
        prop_assert!(stats.unused_bytes_after() == 0 || stats.unused_bytes_after() < limit);
    }
    let most = if options.recover_without_space { 0 } else { options.max_repack_bytes.unwrap_or(u64::MAX) };
    prop_assert!(stats.repack.bytes == 0 || stats.repack.bytes < most);
    Ok(())
}
