//! Packs and index files of the real restic are read as they are, and it reads ours.

use crate::{Strict, handle, open, options, packs_of, password};
use std::collections::BTreeSet;
use std::sync::Mutex;
use tempfile::TempDir;
use tresor_backend::{FileKind, Full};
use tresor_repo::check::{Finding, PackFault, Severity};
use tresor_repo::codec::Compression;
use tresor_repo::index::Index;
use tresor_repo::keyfile::{KeyCost, NewKey};
use tresor_repo::pack::Entry;
use tresor_repo::repository::InitOptions;
use tresor_repo::time::Time;
use tresor_repo::{BlobHandle, BlobId, BlobKind, Error, PackId, Repository};
use tresor_testkit::client::Client;
use tresor_testkit::fixtures::{Fixture, PASSWORD, Pack, manifest, noise, unpack};

/// The manifest's table of a pack.
fn table(pack: &Pack) -> Vec<Entry> {
    let number = |number: u64| u32::try_from(number).expect("packs of fixtures are small");
    let entries = pack.blobs.iter().map(|blob| Entry {
        blob: BlobHandle {
            kind: if blob.kind.starts_with("tree") { BlobKind::Tree } else { BlobKind::Data },
            id: BlobId::from_hex(blob.id.as_bytes()).unwrap(),
        },
        offset: number(blob.offset),
        length: number(blob.length),
        uncompressed_length: number(blob.uncompressed_length.unwrap_or(0)),
    });
    entries.collect()
}

#[test]
fn every_pack_is_as_the_manifest_says() {
    for (name, facts) in manifest().fixtures.iter().filter(|(name, _)| !name.starts_with("bad-")) {
        if name == "v2-random20" {
            continue; // the chunker's vector; its archive is made by a generator
        }
        let unpacked = unpack(name);
        let repository = open(&unpacked.path, &facts.password).unwrap();
        let index = repository.load_index(&Strict).unwrap();
        let by_pack = index.by_pack().unwrap();
        for (id, pack) in &facts.packs {
            let id = PackId::from_hex(id.as_bytes()).unwrap();
            let expect = table(pack);
            assert_eq!(repository.load_pack_header(id, pack.size).unwrap(), expect, "{name} {id}");
            if index.contains_pack(&id).unwrap() {
                let blobs = by_pack.blobs(&id).unwrap().into_iter();
                let indexed: Vec<Entry> = blobs.map(|(blob, place)| place.entry(blob)).collect();
                assert_eq!(indexed, expect, "{name} {id}");
            }
        }
        load_everything(name, &repository, &index, facts);
        let findings = check(&repository);
        assert!(findings.iter().all(|finding| finding.severity() == Severity::Hint), "{name}: {findings:?}");
        let unindexed = findings.iter().filter(|finding| matches!(finding, Finding::PackUnindexed { .. }));
        assert_eq!(unindexed.count() > 0, name == "v2-garbage", "{name}: {findings:?}");
        let several =
            findings.iter().filter(|finding| matches!(finding, Finding::PackInSeveralIndexes { .. }));
        assert_eq!(several.count() > 0, name == "v2-odd", "{name}: {findings:?}");
    }
}

fn load_everything(name: &str, repository: &Repository<Full>, index: &Index, facts: &Fixture) {
    let (by_pack, mut loader, mut loaded) = (index.by_pack().unwrap(), repository.loader(), 0);
    for pack in packs_of(index) {
        let mut wanted = by_pack.blobs(&pack).unwrap();
        loader
            .load_from_pack(index, pack, &mut wanted, &mut |blob, plain| {
                loaded += 1;
                assert_eq!(BlobId::of(plain?), blob.id);
                Ok::<(), Error>(())
            })
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert_eq!(loaded, index.len().unwrap());
    for (id, tree) in facts.trees() {
        let id = BlobId::from_hex(id.as_bytes()).unwrap();
        if name == "v2-garbage" && !index.contains(BlobKind::Tree, &id).unwrap() {
            continue; // in a pack that no index file names
        }
        assert_eq!(repository.load_blob(index, BlobKind::Tree, &id).unwrap(), tree);
        assert_eq!(index.plain_length(BlobKind::Tree, &id).unwrap(), Some(tree.len() as u32));
    }
}

/// Everything that a full check finds.
fn check(repository: &Repository<Full>) -> Vec<Finding> {
    let (index, mut findings) = repository.check_index(&Strict).unwrap();
    findings.extend(repository.check_packs(&index, &Strict).unwrap());
    let (packs, read) = (packs_of(&index), Mutex::new(Vec::new()));
    repository
        .check_pack_contents(&index, &packs, &Strict, &|finding| read.lock().unwrap().push(finding))
        .unwrap();
    findings.extend(read.into_inner().unwrap());
    findings
}

#[test]
fn planted_damage_is_found_and_told_as_restic_tells_it() {
    let mut told = 0;
    for (name, facts) in manifest().fixtures.iter().filter(|(name, _)| name.starts_with("bad-")) {
        let unpacked = unpack(name);
        let repository = open(&unpacked.path, &facts.password).unwrap();
        let findings = check(&repository);
        let restic = facts.restic_check_output.as_deref().unwrap();
        for finding in &findings {
            let text = finding.to_string();
            match finding {
                Finding::PackUnindexed { .. } | Finding::PackUnreadable { .. } => {}
                _ => assert!(restic.contains(&text), "{name}: {text}"),
            }
        }
        told += restic.lines().filter(|line| line.starts_with("pack ")).count();
        let broken: BTreeSet<String> =
            findings.iter().filter_map(Finding::broken_pack).map(|pack| pack.hex()).collect();
        for pack in &broken {
            assert!(restic.contains(&format!("restic repair packs {pack}")), "{name}");
        }
        let shape = |finding: &Finding| match finding {
            Finding::PackMissing { .. } => "missing",
            Finding::PackSize { .. } => "size",
            Finding::PackUnindexed { .. } => "unindexed",
            Finding::PackUnreadable { .. } => "unreadable",
            Finding::PackDamaged { faults, .. } => {
                assert!(matches!(faults[..], [PackFault::NotAuthentic { .. }, PackFault::OtherHash(_)]));
                "damaged"
            }
            other => panic!("{name}: {other}"),
        };
        let expect: &[&str] = match name.as_str() {
            "bad-bitflip" => &["damaged"],
            "bad-truncated" => &["size", "unreadable"],
            "bad-missing-pack" | "bad-missing-treepack" => &["missing", "unreadable"],
            "bad-no-index" => &["unindexed", "unindexed"],
            other => panic!("what is planted in {other}?"),
        };
        assert_eq!(findings.iter().map(shape).collect::<Vec<_>>(), expect, "{name}");
    }
    assert_eq!(told, 4, "restic names a pack in four of the fixtures");
}

#[test]
fn undamaged_blobs_of_damaged_packs_are_loaded() {
    for name in ["bad-bitflip", "bad-truncated"] {
        let unpacked = unpack(name);
        let repository = open(&unpacked.path, PASSWORD).unwrap();
        let index = repository.load_index(&Strict).unwrap();
        let (by_pack, mut loader, mut bad) = (index.by_pack().unwrap(), repository.loader(), 0);
        for pack in packs_of(&index) {
            let mut wanted = by_pack.blobs(&pack).unwrap();
            let mut each = |_: BlobHandle, plain: Result<&[u8], Error>| {
                bad += usize::from(plain.is_err());
                Ok::<(), Error>(())
            };
            loader.load_from_pack(&index, pack, &mut wanted, &mut each).unwrap();
        }
        // 20 bytes off the end hit nothing but the header.
        assert_eq!(bad, usize::from(name == "bad-bitflip"), "{name}");
    }
}

#[test]
fn restic_finds_nothing_wrong_with_what_we_upload() {
    for (version, compression, memory) in [
        (1, Compression::Auto, 48 << 20),
        (2, Compression::Auto, 48 << 20),
        (2, Compression::Auto, 0),
        (2, Compression::Off, 1 << 20),
        (2, Compression::Max, 48 << 20),
    ] {
        let folder = TempDir::new().unwrap();
        let key = NewKey {
            username: "tester".into(),
            hostname: "here".into(),
            created: Time::new(1_700_000_000, 0, 0),
            cost: KeyCost::Exact { n: 2, r: 1, p: 1 },
        };
        let new = InitOptions { version, polynomial: None, key };
        let mut options = options();
        (options.compression, options.memory, options.pack_size) = (compression, memory, 4 << 20);
        let repository = Repository::init(handle(folder.path()), &password(PASSWORD), &new, options).unwrap();
        let blobs = blobs();
        repository
            .upload(&Index::default(), |upload| {
                let mut saver = upload.saver();
                blobs.iter().try_for_each(|(kind, plain)| saver.save_blob(*kind, plain).map(drop))
            })
            .unwrap_or_else(|error: Error| panic!("{error}"));
        assert!(repository.list(FileKind::Pack).unwrap().len() >= 3);
        let mut clients = vec![Client::restic(folder.path())];
        if version == 1 || compression != Compression::Off {
            clients.push(Client::restic_old(folder.path()));
        }
        for restic in clients {
            restic.ok(["check", "--read-data"]);
            let listed = restic.ok(["list", "blobs", "--no-lock"]).text();
            assert_eq!(listed.lines().count(), blobs.len());
            for (kind, plain) in &blobs {
                assert!(listed.contains(&format!("{} {}", kind.word(), BlobId::of(plain).hex())));
            }
        }
    }
}

/// Blobs of all sizes, each once.
fn blobs() -> Vec<(BlobKind, Vec<u8>)> {
    let mut blobs = vec![
        (BlobKind::Data, vec![]),
        (BlobKind::Data, vec![0; 512 * 1024]),
        (BlobKind::Tree, b"{\"nodes\":[]}\n".to_vec()),
        (BlobKind::Tree, b"{\"nodes\":[]}\n".repeat(400_000)),
    ];
    let sizes = [1, 31, 32, 33, 255, 256, 257, 4096, 100_000, 1_500_000, 4_300_000, 2_000_000, 700_000];
    blobs
        .extend(sizes.into_iter().enumerate().map(|(seed, size)| (BlobKind::Data, noise(seed as u64, size))));
    blobs
}
