//! Uploads: what is stored, in which order, and what a failure leaves.

use super::*;
use crate::codec::Compression;
use crate::id::PackId;
use crate::index::{PackTotals, Place};
use crate::load::Found;
use crate::monitor::Silent;
use crate::pack::header::{FRAME, pack_size};
use crate::random::faults::{Fault, with_fault};
use crate::testing::{Numbers, Refusing, repository};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tresor_backend::memory::Memory;
use tresor_backend::{Backend, ByteRange, ErrorKind, FileKind, Full};

type Blob = (BlobKind, Vec<u8>);

/// Blobs of every size that matters here, some of them twice.
fn sample(seed: u64, count: usize) -> Vec<Blob> {
    let mut numbers = Numbers(seed | 1);
    let mut blobs: Vec<Blob> = vec![(BlobKind::Data, vec![]), (BlobKind::Tree, b"{\"nodes\":[]}\n".to_vec())];
    for _ in 0..count {
        let kind = BlobKind::ALL[numbers.below(2) as usize];
        let length = [0, 1, 33, 500, 3000, 20_000, 90_000][numbers.below(7) as usize];
        let alphabet = [256, 3][numbers.below(2) as usize];
        let blob = (kind, numbers.bytes(length, alphabet));
        if numbers.below(4) == 0 {
            blobs.push((BlobKind::ALL[numbers.below(2) as usize], blob.1.clone()));
        }
        blobs.push(blob);
    }
    blobs
}

/// Saves `blobs` with `threads` workers, each of which saves all of them, from another start.
fn save_all(
    repository: &Repository<Full>,
    index: &Index,
    blobs: &[Blob],
    threads: usize,
) -> Result<Uploaded> {
    let save = |upload: &Upload<'_>| {
        thread::scope(|scope| {
            let workers = (0..threads).map(|worker| {
                scope.spawn(move || {
                    let mut saver = upload.saver();
                    let start = worker * blobs.len() / threads;
                    for (kind, plain) in blobs[start..].iter().chain(&blobs[..start]) {
                        let saved = saver.save_blob(*kind, plain)?;
                        assert_eq!(saved.id, BlobId::of(plain));
                        assert!(upload.contains(*kind, &saved.id)?);
                    }
                    Ok(())
                })
            });
            let workers: Vec<_> = workers.collect();
            workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
        })
    };
    repository.upload(index, save).map(|((), uploaded)| uploaded)
}

/// The packs that an index names, sorted.
fn packs(index: &Index) -> Vec<PackId> {
    index.packs().map(|pack| pack.unwrap().0).collect()
}

fn totals(index: &Index) -> Vec<(PackId, PackTotals)> {
    index.pack_totals().unwrap().iter().map(Result::unwrap).collect()
}

fn entries(index: &Index) -> Vec<(BlobHandle, Place)> {
    index.iter().map(Result::unwrap).collect()
}

/// Every pack holds what the index says and nothing else, and is named by its hash.
fn verify_packs(backend: &Memory, repository: &Repository<Full>, index: &Index) {
    let by_pack = index.by_pack().unwrap();
    let listed = repository.list(FileKind::Pack).unwrap();
    assert!(listed.iter().map(|pack| PackId::from_id(pack.id)).eq(packs(index)));
    for (listed, (pack, totals)) in listed.iter().zip(totals(index)) {
        let entries = repository.load_pack_header(pack, listed.size).unwrap();
        let indexed = by_pack.blobs(&pack).unwrap().into_iter();
        assert!(indexed.map(|(blob, place)| place.entry(blob)).eq(entries.iter().copied()));
        assert_eq!([pack_size(&entries), totals.size], [listed.size; 2]);
        assert!(!totals.is_mixed());
        let mut whole = Vec::new();
        backend.load_whole(pack.file(), u64::MAX, &mut whole).unwrap();
        assert_eq!(pack.as_bytes()[..], Sha256::digest(&whole)[..]);
    }
}

fn check(blobs: &[Blob], version: u32, compression: Compression, memory: u64, threads: usize) {
    let backend = Arc::new(Memory::new());
    let repository = repository(&backend, version, |options| {
        (options.compression, options.memory) = (compression, memory);
    });
    let uploaded = save_all(&repository, &Index::default(), blobs, threads).unwrap();
    let index = repository.load_index(&Silent).unwrap();
    verify_packs(&backend, &repository, &index);
    let expect: BTreeMap<(BlobKind, BlobId), &Vec<u8>> =
        blobs.iter().map(|(kind, plain)| ((*kind, BlobId::of(plain)), plain)).collect();
    let entries = entries(&index);
    let named = entries.iter().map(|(blob, _)| (blob.kind, blob.id));
    assert!(named.eq(expect.keys().copied()), "each blob once");
    for ((kind, id), plain) in &expect {
        assert_eq!(&&repository.load_blob(&index, *kind, id).unwrap(), plain);
        assert_eq!(index.plain_length(*kind, id).unwrap(), Some(plain.len() as u32));
        let is_compressed = index.find(*kind, id).unwrap().unwrap().uncompressed_length > 0;
        let may_be = version == 2 && !plain.is_empty();
        assert_eq!(
            is_compressed, may_be,
            "in version 2 nothing is sealed as it is, and empty only what is empty"
        );
    }
    assert_eq!(uploaded.data_blobs + uploaded.tree_blobs, expect.len() as u64);
    assert_eq!(uploaded.plain_bytes, expect.values().map(|plain| plain.len() as u64).sum::<u64>());
    let totals = totals(&index);
    let full = totals.iter().filter(|(pack, _)| {
        let body = entries.iter().filter(|(_, place)| place.pack == *pack);
        body.map(|(_, place)| place.length).sum::<u32>() >= repository.options.pack_size
    });
    let blobs_and_entries: u64 = totals.iter().map(|(_, totals)| totals.size - FRAME as u64).sum();
    assert_eq!(uploaded.stored_bytes, blobs_and_entries + full.count() as u64 * FRAME as u64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_was_uploaded_is_loaded(
        seed: u64, count in 0usize..60, version in 1u32..=2, threads in 1usize..5, spill: bool,
        compression in prop::sample::select(vec![Compression::Auto, Compression::Off, Compression::Fastest])
    ) {
        check(&sample(seed, count), version, compression, if spill { 0 } else { 8 << 20 }, threads);
    }
}

#[test]
fn eight_racing_workers_store_each_blob_once() {
    check(&sample(11, 300), 2, Compression::Auto, 4 << 20, 8);
}

#[test]
fn a_second_upload_adds_only_what_is_new() {
    let backend = Arc::new(Memory::new());
    let repository = repository(&backend, 2, |_| {});
    let (mut blobs, fresh) = (sample(5, 40), (BlobKind::Data, b"fresh".to_vec()));
    save_all(&repository, &Index::default(), &blobs, 1).unwrap();
    let index = repository.load_index(&Silent).unwrap();
    assert_eq!(save_all(&repository, &index, &blobs, 2).unwrap(), Uploaded::default());
    blobs.push(fresh);
    assert_eq!(save_all(&repository, &index, &blobs, 2).unwrap().data_blobs, 1);
    assert_eq!(repository.list(FileKind::Index).unwrap().len(), 2);
    let entries = repository.load_index(&Silent).unwrap().len().unwrap();
    assert_eq!(entries, index.len().unwrap() + 1);
}

#[test]
fn small_rests_end_in_one_pack_in_an_order_of_chance() {
    let backend = Arc::new(Memory::new());
    let repository = repository(&backend, 2, |options| options.pack_size = 1 << 20);
    let blobs: Vec<Blob> = (0..100u8).map(|n| (BlobKind::Data, vec![n; 40])).collect();
    save_all(&repository, &Index::default(), &blobs, 1).unwrap();
    let index = repository.load_index(&Silent).unwrap();
    let packs = packs(&index);
    assert_eq!(packs.len(), 1);
    let stored = index.by_pack().unwrap().blobs(&packs[0]).unwrap();
    let stored: Vec<BlobId> = stored.iter().map(|(blob, _)| blob.id).collect();
    let in_order: Vec<BlobId> = blobs.iter().map(|(_, plain)| BlobId::of(plain)).collect();
    assert_ne!(stored, in_order, "a chance of 2 in 2^100");
}

#[test]
fn a_pack_that_was_not_saved_is_in_no_index_and_its_error_is_told() {
    for failing in [0, 1, 5] {
        let saved = AtomicUsize::new(0);
        let refuse = move |file: tresor_backend::FileName| {
            file.kind() == FileKind::Pack && saved.fetch_add(1, Ordering::SeqCst) >= failing
        };
        let backend = Arc::new(Refusing { inner: Memory::new(), refuse });
        let repository = repository(&backend, 2, |_| {});
        match save_all(&repository, &Index::default(), &sample(3, 200), 3) {
            Err(Error::Backend(error)) => assert_eq!(error.kind(), ErrorKind::NoSpace),
            other => panic!("{other:?}"),
        }
        let stored: BTreeSet<PackId> =
            repository.list(FileKind::Pack).unwrap().iter().map(|pack| PackId::from_id(pack.id)).collect();
        let index = repository.load_index(&Silent).unwrap();
        assert!(packs(&index).iter().all(|pack| stored.contains(pack)));
    }
}

#[test]
fn an_index_that_was_not_saved_fails_the_upload() {
    let refuse = |file: tresor_backend::FileName| file.kind() == FileKind::Index;
    let backend = Arc::new(Refusing { inner: Memory::new(), refuse });
    let repository = repository(&backend, 2, |_| {});
    assert!(matches!(save_all(&repository, &Index::default(), &sample(3, 2), 1), Err(Error::Backend(_))));
}

#[test]
fn an_upload_whose_work_fails_reports_that_and_lists_nothing() {
    let backend = Arc::new(Memory::new());
    let repository = repository(&backend, 2, |_| {});
    let failed = repository.upload(&Index::default(), |upload| {
        upload.saver().save_blob(BlobKind::Data, b"one")?;
        Err::<(), Error>(Error::Refused("enough".into()))
    });
    assert!(matches!(failed, Err(Error::Refused(_))));
    assert!(repository.list(FileKind::Index).unwrap().is_empty());
}

#[test]
fn a_cancelled_upload_says_so() {
    let backend = Arc::new(Memory::new());
    let repository = repository(&backend, 2, |_| {});
    let cancelled = repository.upload(&Index::default(), |upload| {
        let mut saver = upload.saver();
        saver.save_blob(BlobKind::Data, b"one")?;
        repository.cancel().set(tresor_backend::cancel::Reason::Interrupted);
        let _ = saver.save_blob(BlobKind::Data, b"two");
        Ok::<(), Error>(())
    });
    assert!(matches!(cancelled, Err(Error::Cancelled)));
    assert!(repository.list(FileKind::Index).unwrap().is_empty());
}

/// Has a saver of an upload tried by `work`.
fn with_saver(work: impl FnOnce(BlobSaver<'_>)) {
    let backend = Arc::new(Memory::new());
    let repository = repository(&backend, 2, |_| {});
    let tried = repository.upload(&Index::default(), |upload| {
        work(upload.saver());
        Ok::<(), Error>(())
    });
    tried.unwrap();
}

#[test]
fn a_blob_that_breaks_after_sealing_is_noticed() {
    with_saver(saver::tests::broken_blobs_are_noticed);
}

#[test]
fn ram_flip() {
    with_saver(saver::tests::flips_are_noticed);
}

#[test]
fn bad_zstd() {
    with_saver(saver::tests::bad_frames_are_noticed);
}

#[test]
fn damage_to_one_copy_is_survived_and_to_all_is_told() {
    let backend = Arc::new(Memory::new());
    let repository = repository(&backend, 2, |_| {});
    let blobs = sample(9, 60);
    for _ in 0..2 {
        save_all(&repository, &Index::default(), &blobs, 1).unwrap();
    }
    let index = repository.load_index(&Silent).unwrap();
    let mut places = entries(&index);
    let good: Vec<u8> = blobs[20].1.clone();
    let id = BlobId::of(&good);
    let copies = index.copies(blobs[20].0, &id).unwrap();
    assert_eq!(copies.len(), 2);
    for (round, copy) in copies.iter().enumerate() {
        let mut whole = Vec::new();
        backend.load_whole(copy.pack.file(), u64::MAX, &mut whole).unwrap();
        whole[copy.offset as usize + 20] ^= 1;
        backend.plant(copy.pack.file(), whole);
        let loaded = repository.load_blob(&index, blobs[20].0, &id);
        match round {
            0 => assert_eq!(loaded.unwrap(), good),
            _ => assert!(matches!(loaded, Err(Error::DamagedBlob { .. })), "{loaded:?}"),
        }
    }
    // Many at a time: every other blob still comes, each once and in order.
    let mut loader = repository.loader();
    let mut failed = Vec::new();
    for pack in packs(&index) {
        let mut wanted: Vec<_> = places.extract_if(.., |(_, place)| place.pack == pack).collect();
        let mut came = Vec::new();
        loader
            .load_from_pack(&index, pack, &mut wanted, &mut |blob, plain| {
                came.push(blob);
                match plain {
                    Ok(plain) => assert_eq!(BlobId::of(plain), blob.id),
                    Err(_) => failed.push(blob.id),
                }
                Ok::<(), Error>(())
            })
            .unwrap();
        assert!(wanted.iter().map(|(blob, _)| *blob).eq(came));
    }
    assert_eq!(failed, [id; 2]);
}

#[test]
fn the_error_of_the_work_is_reported_even_while_packs_wait() {
    let backend = Arc::new(Memory::new());
    let repository = repository(&backend, 2, |_| ());
    let mut numbers = Numbers(5);
    for _ in 0..20 {
        let ended = repository.upload(&Index::default(), |upload| {
            let mut saver = upload.saver();
            for _ in 0..12 {
                saver.save_blob(BlobKind::Data, &numbers.bytes(30_000, 256))?;
            }
            Err::<(), Error>(Error::Refused("the work's own reason".into()))
        });
        assert!(matches!(ended, Err(Error::Refused(_))), "{ended:?}");
    }
}

/// Stores all that `from` has in `to`, by `store`.
fn transfer(
    from: &Repository<Full>,
    to: &Repository<Full>,
    store: impl Fn(&mut BlobSaver<'_>, &Found<'_>) -> Result<Saved>,
) -> Uploaded {
    let index = from.load_index(&Silent).unwrap();
    let by_pack = index.by_pack().unwrap();
    let uploaded = to.upload(&Index::default(), |upload| {
        let (mut loader, mut saver) = (from.loader(), upload.saver());
        packs(&index).into_iter().try_for_each(|pack| {
            let mut wanted = by_pack.blobs(&pack)?;
            loader.load_stored_from_pack(&index, pack, &mut wanted, &mut |blob, found| {
                let saved = store(&mut saver, &found?)?;
                assert_eq!((saved.id, saved.was_new), (blob.id, true));
                Ok::<_, Error>(())
            })
        })
    });
    uploaded.unwrap().1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_moved_stays_as_it_is_and_what_is_copied_stays_compressed(
        seed: u64, versions in prop::array::uniform2(1u32..=2), verify: bool,
        levels in prop::array::uniform2(prop::sample::select(vec![
            Compression::Auto, Compression::Off, Compression::Max
        ])),
    ) {
        let blobs = sample(seed, 40);
        let backends = [Arc::new(Memory::new()), Arc::new(Memory::new())];
        let [source, destination] = [0, 1].map(|number| {
            repository(&backends[number], versions[number], |options| {
                (options.compression, options.verify_before_upload) = (levels[number], verify);
            })
        });
        save_all(&source, &Index::default(), &blobs, 1).unwrap();
        let before = source.load_index(&Silent).unwrap();
        let copied = transfer(&source, &destination, |saver, found| saver.copy_blob(found));
        let moved = transfer(&source, &source, |saver, found| saver.move_blob(found));
        prop_assert_eq!(moved.plain_bytes, copied.plain_bytes);
        let (twice, there) = (source.load_index(&Silent).unwrap(), destination.load_index(&Silent).unwrap());
        verify_packs(&backends[1], &destination, &there);
        let bytes = |place: &Place| {
            let range = ByteRange { offset: place.offset.into(), length: place.length.into() };
            let mut bytes = Vec::new();
            backends[0].load(place.pack.file(), range, &mut bytes).unwrap();
            bytes
        };
        for (blob, place) in entries(&before) {
            let copies = twice.copies(blob.kind, &blob.id).unwrap();
            prop_assert_eq!(copies.len(), 2);
            if levels[0] != Compression::Max {
                prop_assert_eq!(bytes(&copies[0]), bytes(&copies[1]));
            }
            let plain = source.load_blob(&before, blob.kind, &blob.id).unwrap();
            prop_assert_eq!(&destination.load_blob(&there, blob.kind, &blob.id).unwrap(), &plain);
            let at_destination = there.find(blob.kind, &blob.id).unwrap().unwrap();
            let is_raw = blob.kind == BlobKind::Data && levels[1] == Compression::Off;
            let is_compressed = versions[1] == 2 && !plain.is_empty();
            prop_assert_eq!(at_destination.uncompressed_length > 0, is_compressed);
            let was_raw = blob.kind == BlobKind::Data && levels[0] == Compression::Off;
            if is_compressed && is_raw {
                prop_assert!(u64::from(at_destination.length) > plain.len() as u64);
            } else if is_compressed && place.uncompressed_length > 0 && !was_raw && levels[1] != Compression::Max {
                prop_assert_eq!(at_destination.length, place.length);
            }
        }
    }
}

#[test]
fn no_two_forms_of_a_blob_have_one_length() {
    with_saver(saver::tests::forms_differ_in_length);
}

#[test]
fn a_copied_blob_that_breaks_after_sealing_is_noticed() {
    with_saver(saver::tests::broken_frames_are_noticed);
}

#[test]
fn a_blob_that_breaks_while_it_waits_fails_the_upload_even_if_it_is_the_last() {
    for more in [false, true] {
        let backend = Arc::new(Memory::new());
        let repository = repository(&backend, 2, |_| {});
        let outcome = repository.upload(&Index::default(), |upload| {
            let mut saver = saver::tests::damaged_in_waiting(upload.saver());
            if more {
                saver.save_blob(BlobKind::Data, b"another")?;
            }
            Ok::<_, Error>(())
        });
        assert!(matches!(outcome, Err(Error::Verification { .. })), "{outcome:?}");
        assert!(repository.list(FileKind::Index).unwrap().is_empty());
    }
}

/// A generator that is stuck: 10,000 different blobs, and not one nonce twice.
#[test]
fn rng_stuck() {
    let backend = Arc::new(Memory::new());
    let repository = repository(&backend, 2, |_| {});
    let blobs: Vec<Vec<u8>> = (0..10_000_u32).map(|number| number.to_le_bytes().repeat(9)).collect();
    with_fault(Fault::Constant(7), || {
        let save = |upload: &Upload<'_>| {
            let mut saver = upload.saver();
            blobs.iter().try_for_each(|plain| saver.save_blob(BlobKind::Data, plain).map(drop))
        };
        repository.upload(&Index::default(), save).unwrap();
    });
    let index = repository.load_index(&Silent).unwrap();
    let mut nonces = BTreeSet::new();
    for (_, place) in entries(&index) {
        let range = ByteRange { offset: place.offset.into(), length: 16 };
        let mut nonce = Vec::new();
        backend.load(place.pack.file(), range, &mut nonce).unwrap();
        assert!(nonces.insert(nonce));
    }
    assert_eq!(nonces.len(), blobs.len());
}

#[test]
fn rng_fail() {
    let backend = Arc::new(Memory::new());
    let repository = repository(&backend, 2, |_| {});
    let failed = with_fault(Fault::Fails, || {
        repository.upload(&Index::default(), |upload| {
            upload.saver().save_blob(BlobKind::Data, b"a secret").map(drop)?;
            Ok::<(), Error>(())
        })
    });
    assert!(matches!(failed, Err(Error::Random { .. })));
    for kind in [FileKind::Pack, FileKind::Index, FileKind::Snapshot] {
        assert_eq!(repository.list(kind).unwrap().len(), 0, "{kind:?}");
    }
}
