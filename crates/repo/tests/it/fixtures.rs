//! Every fixture opens, and its files hold what its manifest says.

use crate::{Strict, open};
use serde_json::Value;
use std::collections::BTreeMap;
use tresor_backend::FileKind;
use tresor_repo::Repository;
use tresor_repo::keys::KeyInfo;
use tresor_repo::time::Time;
use tresor_testkit::fixtures::{Fixture, manifest, unpack};

fn undamaged() -> impl Iterator<Item = (&'static str, &'static Fixture)> {
    let all = manifest().fixtures.iter();
    all.filter(|(name, _)| !name.starts_with("bad-")).map(|(name, facts)| (name.as_str(), facts))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn all_open_and_their_small_files_are_as_the_manifest_says() {
    for (name, facts) in undamaged() {
        let unpacked = unpack(name);
        let repository =
            open(&unpacked.path, &facts.password).unwrap_or_else(|error| panic!("{name}: {error}"));
        let config = repository.config();
        assert_eq!((config.version, config.id.hex()), (facts.repo_version, facts.repo_id.clone()), "{name}");
        assert_eq!(config.polynomial.to_string(), facts.chunker_polynomial, "{name}");
        let written: Value = serde_json::from_slice(&config.to_json()).unwrap();
        let stored: Value = serde_json::from_str(&facts.config_plaintext).unwrap();
        assert_eq!(written, stored, "{name}: nothing of the config is lost");
        let master: Value = serde_json::from_slice(&repository.master_key_json()).unwrap();
        assert_eq!(master, facts.master_key, "{name}");
        compare_keys(&repository.keys(&Strict).unwrap(), facts);
        compare_files(name, &repository, facts);
    }
}

fn compare_keys(keys: &[KeyInfo], facts: &Fixture) {
    assert_eq!(keys.len(), facts.key_files.len());
    assert_eq!(keys.iter().filter(|key| key.is_current).count(), 1);
    for key in keys {
        let expected = &facts.key_files[&key.id.hex()];
        assert_eq!(key.username, expected["username"]);
        assert_eq!(key.hostname, expected["hostname"]);
        assert_eq!(key.created, Time::parse(expected["created"].as_str().unwrap()).unwrap());
    }
}

fn compare_files(name: &str, repository: &Repository<tresor_backend::Full>, facts: &Fixture) {
    let snapshots = repository.list(FileKind::Snapshot).unwrap().into_iter();
    let snapshots: BTreeMap<String, Value> = snapshots
        .map(|listed| {
            let json = repository.load_file(FileKind::Snapshot, listed.id).unwrap();
            (listed.id.hex(), serde_json::from_slice(&json).unwrap())
        })
        .collect();
    assert_eq!(snapshots, facts.snapshots, "{name}");
    for listed in repository.list(FileKind::Index).unwrap() {
        let json = repository.load_file(FileKind::Index, listed.id).unwrap();
        let index: Value = serde_json::from_slice(&json).unwrap();
        assert!(index["packs"].is_array(), "{name}");
        assert!(facts.index_files.contains(&hex(listed.id.as_bytes())), "{name}");
    }
}

#[test]
fn each_of_several_passwords_opens_its_key() {
    let unpacked = unpack("v2-keys");
    let passwords = &unpacked.facts.passwords;
    assert_eq!(passwords.len(), 4);
    let mut opened: Vec<_> =
        passwords.iter().map(|password| open(&unpacked.path, password).unwrap().key_id()).collect();
    opened.sort_unstable();
    opened.dedup();
    assert_eq!(opened.len(), 4);
}
