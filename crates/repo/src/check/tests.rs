//! What a check finds in repositories that were damaged on purpose.

use super::*;
use crate::blob::{BlobHandle, BlobKind};
use crate::id::BlobId;
use crate::id::IndexId;
use crate::index::file::encode;
use crate::monitor::Silent;
use crate::pack::{Entry, header};
use crate::testing::{Numbers, repository};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use tresor_backend::memory::Memory;
use tresor_backend::{Backend, ByteRange, Capabilities, FileKind, FileName, Full, Listed, Payload};

struct Sample {
    backend: Arc<Memory>,
    repository: Repository<Full>,
    index: Index,
}

/// A repository with a few packs of small blobs.
fn sample() -> Sample {
    let backend = Arc::new(Memory::new());
    let repository = repository(&backend, 2, |options| options.pack_size = 8000);
    let mut numbers = Numbers(3);
    let save = repository.upload(&Index::default(), |upload| {
        let mut saver = upload.saver();
        for n in 0..60 {
            let length = 1 + numbers.below(900) as usize;
            saver.save_blob(BlobKind::ALL[n % 2], &numbers.bytes(length, 200))?;
        }
        Ok::<(), Error>(())
    });
    save.unwrap();
    let index = repository.load_index(&Silent).unwrap();
    assert!(index.pack_count().unwrap() > 3);
    Sample { backend, repository, index }
}

impl Sample {
    fn bytes(&self, pack: PackId) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.backend.load_whole(pack.file(), u64::MAX, &mut bytes).unwrap();
        bytes
    }

    fn packs(&self) -> Vec<PackId> {
        packs(&self.index)
    }

    fn entries(&self, pack: PackId) -> Vec<Entry> {
        let blobs = self.index.by_pack().unwrap().blobs(&pack).unwrap();
        blobs.into_iter().map(|(blob, place)| place.entry(blob)).collect()
    }

    /// Replaces the index by one that says `packs`.
    fn say(&mut self, packs: &[(PackId, Vec<Entry>)]) {
        for listed in self.repository.list(FileKind::Index).unwrap() {
            self.backend.remove(FileName::new(FileKind::Index, listed.id)).unwrap();
        }
        self.say_too(packs);
    }

    /// Adds an index file, and loads the index again.
    fn say_too(&mut self, packs: &[(PackId, Vec<Entry>)]) -> IndexId {
        let mut json = Vec::new();
        encode(packs, &mut json);
        let id = self.repository.save_file(FileKind::Index, &json).unwrap();
        self.index = self.repository.load_index(&Silent).unwrap();
        IndexId::from_id(id)
    }

    /// Everything that a full check finds.
    fn check(&self) -> Vec<Finding> {
        let (index, mut findings) = self.repository.check_index(&Silent).unwrap();
        findings.extend(self.repository.check_packs(&index, &Silent).unwrap());
        findings.extend(read(&self.repository, &index));
        findings
    }

    fn texts(&self) -> Vec<String> {
        self.check().iter().map(Finding::to_string).collect()
    }
}

/// The packs that an index names, sorted.
fn packs(index: &Index) -> Vec<PackId> {
    index.packs().map(|pack| pack.unwrap().0).collect()
}

fn read(repository: &Repository<Full>, index: &Index) -> Vec<Finding> {
    let (packs, findings) = (packs(index), Mutex::new(Vec::new()));
    repository
        .check_pack_contents(index, &packs, &Silent, &|finding| findings.lock().unwrap().push(finding))
        .unwrap();
    findings.into_inner().unwrap()
}

#[test]
fn nothing_is_found_in_a_good_repository() {
    assert_eq!(sample().texts(), [""; 0]);
}

#[test]
fn every_flipped_bit_is_found_in_its_pack_alone() {
    let sample = sample();
    let mut numbers = Numbers(8);
    for pack in sample.packs() {
        let good = sample.bytes(pack);
        let header = sample.entries(pack).last().map_or(0, |last| last.offset + last.length) as usize;
        let mut places: Vec<usize> = (0..12).map(|_| numbers.below(good.len() as u64) as usize).collect();
        places.extend([0, header, header + 20, good.len() - 1]);
        for at in places {
            let mut bad = good.clone();
            bad[at] ^= 1 << numbers.below(8);
            sample.backend.plant(pack.file(), bad);
            let findings = sample.check();
            let [Finding::PackDamaged { pack: found, faults }] = &findings[..] else {
                panic!("{findings:?}")
            };
            assert_eq!(*found, pack);
            assert!(matches!(faults.last(), Some(PackFault::OtherHash(_))));
            assert_eq!(faults.len(), if at < header { 2 } else { 1 }, "{at} of {header}: {faults:?}");
            assert_eq!(findings[0].broken_pack(), Some(pack));
        }
        sample.backend.plant(pack.file(), good);
    }
}

#[test]
fn a_pack_may_be_missing_short_long_or_too_many() {
    let sample = sample();
    let packs = sample.packs();
    let (short, long, extra) = (packs[1], packs[2], PackId::from_bytes([7; 32]));
    let size = sample.bytes(short).len();
    sample.backend.remove(packs[0].file()).unwrap();
    sample.backend.plant(short.file(), &sample.bytes(short)[..size - 20]);
    sample.backend.plant(long.file(), [sample.bytes(long), vec![0; 3]].concat());
    sample.backend.plant(extra.file(), sample.bytes(long));
    let found = sample.texts();
    assert_eq!(found[0], format!("pack {}: does not exist", packs[0]));
    assert_eq!(found[1], format!("pack {short}: unexpected file size: got {}, expected {size}", size - 20));
    assert!(found[2].starts_with(&format!("pack {long}: unexpected file size")));
    assert_eq!(found[3], format!("pack {extra}: not referenced in any index"));
    let mut unreadable: Vec<&str> = found[4..].iter().map(|text| &text[..14]).collect();
    unreadable.sort_unstable();
    assert_eq!(unreadable.len(), 2, "the long pack's beginning is good: {found:?}");
    assert!(unreadable.iter().all(|text| *text == "download error"));
    let severe = sample.check().iter().filter(|finding| finding.severity() == Severity::Error).count();
    assert_eq!(severe, 5);
}

#[test]
fn an_index_that_lies_is_found() {
    let mut sample = sample();
    let pack = sample.packs().into_iter().max_by_key(|pack| sample.entries(*pack).len()).unwrap();
    let good = sample.entries(pack);
    let mut check = |change: &dyn Fn(&mut Vec<Entry>), expect: &dyn Fn(&[PackFault]) -> bool| {
        let mut entries = good.clone();
        change(&mut entries);
        sample.say(&[(pack, entries)]);
        let findings = read(&sample.repository, &sample.index);
        let [Finding::PackDamaged { faults, .. }] = &findings[..] else { panic!("{findings:?}") };
        assert!(expect(faults), "{faults:?}");
    };
    check(&|entries| entries[1].uncompressed_length += 1, &|faults| {
        matches!(faults, [PackFault::WrongBlob { .. }, PackFault::NotInIndex(_)])
    });
    check(&|entries| entries[0].uncompressed_length = 0, &|faults| {
        // Without that length the header is taken for shorter, and so is the file.
        matches!(faults, [PackFault::WrongBlob { .. }, PackFault::OtherHash(_)])
    });
    check(&|entries| _ = entries.remove(1), &|faults| {
        matches!(faults, [PackFault::NotContiguous, PackFault::OtherHash(_)])
    });
    check(&|entries| entries[2].offset -= 1, &|faults| {
        matches!(faults, [PackFault::NotContiguous, PackFault::NotAuthentic { .. }, ..])
    });
    check(&|entries| entries[1].blob.kind = BlobKind::ALL[1 - entries[1].blob.kind as usize], &|faults| {
        matches!(faults, [PackFault::NotInIndex(_)])
    });
}

#[test]
fn index_files_may_be_broken_repeated_or_contradict_each_other() {
    let mut sample = sample();
    let packs = sample.packs();
    let good = sample.entries(packs[0]);
    let first = IndexId::from_id(sample.repository.list(FileKind::Index).unwrap()[0].id);
    let same = sample.say_too(&[(packs[0], good.clone())]);
    let mut expect = [first, same];
    expect.sort_unstable();
    let findings = sample.check();
    let [Finding::PackInSeveralIndexes { pack, indexes, agree: true }] = &findings[..] else {
        panic!("{findings:?}")
    };
    assert_eq!((*pack, &indexes[..], findings[0].severity()), (packs[0], &expect[..], Severity::Hint));

    let other = BlobHandle { kind: BlobKind::ALL[1 - good[0].blob.kind as usize], ..good[0].blob };
    sample.say_too(&[(packs[0], vec![Entry { blob: other, ..good[0] }])]);
    let findings = sample.check();
    assert!(matches!(findings[0], Finding::PackInSeveralIndexes { agree: false, .. }));
    assert_eq!(findings[0].severity(), Severity::Error);
    assert!(findings.iter().any(|finding| matches!(finding, Finding::MixedPack { .. })));

    let junk = FileName::new(FileKind::Index, tresor_backend::Id::from_bytes([3; 32]));
    sample.backend.plant(junk, &b"junk"[..]);
    assert!(sample.repository.load_whole_index(&Silent).is_err());
    let (index, findings) = sample.repository.check_index(&Silent).unwrap();
    assert_eq!(index.len().unwrap(), sample.index.len().unwrap(), "the rest is used");
    assert!(matches!(&findings[0], Finding::IndexUnreadable { index, .. } if index.id() == junk.id()));
}

/// Flips a bit of the first pack that is loaded.
struct FlipsOnce {
    inner: Arc<Memory>,
    flipped: AtomicBool,
}

impl Backend for FlipsOnce {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    fn location(&self) -> String {
        self.inner.location()
    }
    fn create(&self) -> tresor_backend::Result<()> {
        self.inner.create()
    }
    fn save(&self, file: FileName, payload: &Payload<'_>) -> tresor_backend::Result<()> {
        self.inner.save(file, payload)
    }
    fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> tresor_backend::Result<()> {
        self.inner.load(file, range, into)?;
        if !self.flipped.swap(true, Ordering::SeqCst) {
            into[0] ^= 1;
        }
        Ok(())
    }
    fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> tresor_backend::Result<()> {
        self.inner.load_whole(file, at_most, into)
    }
    fn stat(&self, file: FileName) -> tresor_backend::Result<u64> {
        self.inner.stat(file)
    }
    fn list(
        &self,
        kind: FileKind,
        each: &mut dyn FnMut(Listed) -> tresor_backend::Result<()>,
    ) -> tresor_backend::Result<()> {
        self.inner.list(kind, each)
    }
    fn remove(&self, file: FileName) -> tresor_backend::Result<()> {
        self.inner.remove(file)
    }
}

#[test]
fn damage_seen_once_is_told_all_the_same() {
    let Sample { backend, repository: saved, index } = sample();
    let flips = Arc::new(FlipsOnce { inner: backend, flipped: AtomicBool::new(false) });
    let mut repository = repository(&flips, 2, |_| {});
    repository.key = saved.key;
    let findings = read(&repository, &index);
    let [Finding::PackDamaged { faults, .. }] = &findings[..] else { panic!("{findings:?}") };
    assert_eq!(faults.last(), Some(&PackFault::GoodAtSecondTry));
}

#[test]
fn texts_are_those_of_restic() {
    let pack = PackId::from_bytes([0x33; 32]);
    let blob = BlobHandle { kind: BlobKind::Data, id: crate::id::BlobId::from_bytes([0xa9; 32]) };
    let faults = vec![PackFault::NotAuthentic { blob }, PackFault::OtherHash(PackId::from_bytes([0xec; 32]))];
    let (p, b, h) = ("33".repeat(32), "a9".repeat(32), "ec".repeat(32));
    assert_eq!(
        Finding::PackDamaged { pack, faults }.to_string(),
        format!(
            "pack {p} contains 2 errors: [blob {b}: decrypting blob <data/a9a9a9a9> from pack {p} failed: \
             ciphertext verification failed unexpected pack id {h}]"
        )
    );
}

#[test]
fn a_cancelled_check_says_so() {
    let sample = sample();
    sample.repository.cancel().set(tresor_backend::cancel::Reason::Interrupted);
    let packs = sample.packs();
    let read = sample.repository.check_pack_contents(&sample.index, &packs, &Silent, &|finding| {
        panic!("{finding}");
    });
    assert!(matches!(read, Err(Error::Cancelled)));
    assert!(matches!(sample.repository.check_index(&Silent), Err(Error::Cancelled)));
}

/// A pack of these blobs, sealed already, planted beside the others and named by an index file.
fn plant_pack(sample: &mut Sample, blobs: &[(&[u8], &[u8])]) -> PackId {
    let (mut entries, mut pack) = (Vec::new(), Vec::new());
    for (plain, sealed) in blobs {
        let blob = BlobHandle { kind: BlobKind::Data, id: BlobId::of(plain) };
        let (offset, length) = (pack.len() as u32, sealed.len() as u32);
        entries.push(Entry { blob, offset, length, uncompressed_length: 0 });
        pack.extend_from_slice(sealed);
    }
    let (mut plain, mut head) = (Vec::new(), Vec::new());
    header::encode(&entries, &mut plain);
    sample.repository.key.seal(&plain, &mut head).unwrap();
    pack.extend_from_slice(&head);
    pack.extend_from_slice(&(head.len() as u32).to_le_bytes());
    let id = PackId::from_id(crate::sealed::id_of(&pack));
    sample.backend.plant(id.file(), pack);
    sample.say_too(&[(id, entries)]);
    id
}

#[test]
fn iv_audit() {
    let mut sample = sample();
    let key = Arc::clone(&sample.repository.key);
    let (one, other) = (key.seal_repeating([5; 16], b"one"), key.seal_repeating([5; 16], b"two"));
    plant_pack(&mut sample, &[(b"one", &one)]);
    plant_pack(&mut sample, &[(b"one", &one), (b"fine", &key.seal_repeating([6; 16], b"fine"))]);
    assert_eq!(sample.texts(), [""; 0], "a copy of a sealed blob is legal");

    let pack = plant_pack(&mut sample, &[(b"two", &other)]);
    let findings = sample.check();
    let [Finding::NonceUsedTwice { one, other, reuse: Reuse::OtherBytes }] = findings[..] else {
        panic!("{findings:?}")
    };
    assert!(one == pack.file() || other == pack.file());
    assert_eq!(findings[0].severity(), Severity::Error);
    assert_eq!(findings[0].broken_pack(), None);
}

#[test]
fn a_blob_that_was_made_a_file_is_found() {
    let mut sample = sample();
    let snapshot = br#"{"time":"2026-01-01T00:00:00Z"}"#;
    let sealed = sample.repository.key.seal_repeating([5; 16], snapshot);
    plant_pack(&mut sample, &[(snapshot, &sealed)]);
    assert_eq!(sample.texts(), [""; 0]);
    let file = FileName::new(FileKind::Snapshot, crate::sealed::id_of(&sealed));
    sample.backend.plant(file, sealed);
    let findings = sample.check();
    assert!(
        matches!(findings[..], [Finding::NonceUsedTwice { other, reuse: Reuse::OtherPurpose, .. }] if other == file),
        "{findings:?}"
    );
}

#[test]
fn what_another_key_sealed_has_nonces_of_its_own() {
    let mut sample = sample();
    let ours = sample.repository.key.seal_repeating([5; 16], b"one");
    plant_pack(&mut sample, &[(b"one", &ours)]);
    let junk = crate::crypto::Key::random().unwrap().seal_repeating([5; 16], b"two");
    sample.backend.plant(FileName::new(FileKind::Snapshot, crate::sealed::id_of(&junk)), junk);
    assert_eq!(sample.texts(), [""; 0]);
}
