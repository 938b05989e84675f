//! The real restic opens what we make, and we open what it changes.

use crate::{Strict, handle, open, options, password};
use serde_json::Value;
use tempfile::TempDir;
use tresor_backend::FileKind;
use tresor_repo::keyfile::{KeyCost, NewKey};
use tresor_repo::repository::InitOptions;
use tresor_repo::time::Time;
use tresor_repo::{Error, Repository};
use tresor_testkit::client::Client;
use tresor_testkit::fixtures::PASSWORD;

fn new_key(cost: KeyCost) -> NewKey {
    NewKey {
        username: "tester <&>".into(),
        hostname: "höst".into(),
        created: Time::new(1_700_000_000, 5, 3600),
        cost,
    }
}

#[test]
fn restic_opens_a_new_repository_of_ours() {
    for (version, cost) in [(1, KeyCost::Exact { n: 2, r: 1, p: 1 }), (2, KeyCost::default())] {
        let folder = TempDir::new().unwrap();
        let new = InitOptions { version, polynomial: None, key: new_key(cost) };
        let made = Repository::init(handle(folder.path()), &password(PASSWORD), &new, options()).unwrap();
        let (newest, oldest) = (Client::restic(folder.path()), Client::restic_old(folder.path()));
        for client in [&newest, &oldest] {
            let config: Value = serde_json::from_slice(&made.config().to_json()).unwrap();
            assert_eq!(client.ok(["cat", "config"]).json(), config);
            let keys = client.ok(["key", "list", "--json"]).json();
            assert_eq!((&keys[0]["userName"], &keys[0]["hostName"]), (&"tester <&>".into(), &"höst".into()));
            client.ok(["check", "--no-lock"]);
        }
        // The oldest shows r as it uses it, with bits cleared.
        let master: Value = serde_json::from_slice(&made.master_key_json()).unwrap();
        assert_eq!(newest.ok(["cat", "masterkey"]).json(), master);
    }
}

#[test]
fn keys_go_both_ways() {
    let folder = TempDir::new().unwrap();
    let restic = Client::restic(folder.path());
    restic.ok(["init"]);
    let mut ours = open(folder.path(), PASSWORD).unwrap();
    let added = ours.add_key(&password("ours ü"), &new_key(KeyCost::Exact { n: 64, r: 8, p: 3 })).unwrap();
    let listed = restic.clone().password("ours ü").ok(["key", "list", "--json"]).json();
    let current: Vec<_> = listed.as_array().unwrap().iter().filter(|key| key["current"] == true).collect();
    assert_eq!((current.len(), &current[0]["id"]), (1, &Value::from(added.hex())));
    restic.run_with_input(["key", "add"], b"theirs\n").ok();
    assert_eq!(open(folder.path(), "theirs").unwrap().keys(&Strict).unwrap().len(), 3);
    let lock = tresor_testkit::locks::exclusive(&ours);
    ours.change_password(&password("changed"), &new_key(KeyCost::Exact { n: 2, r: 1, p: 1 }), &lock).unwrap();
    lock.release().unwrap();
    restic.run(["cat", "config"]).exits(12);
    restic.password("changed").ok(["cat", "config"]);
}

#[test]
fn locks_are_seen_by_both() {
    let folder = TempDir::new().unwrap();
    let restic = Client::restic(folder.path());
    restic.ok(["init"]);
    let ours = open(folder.path(), PASSWORD).unwrap();
    let lock = tresor_testkit::locks::exclusive(&ours);
    let refused = restic.run(["snapshots"]).exits(11);
    assert!(refused.errors().contains("already locked exclusively by PID"), "{}", refused.errors());
    restic.ok(["unlock"]);
    assert_eq!(ours.list(FileKind::Lock).unwrap().len(), 1, "nobody there can say whether we are alive");
    restic.ok(["unlock", "--remove-all"]);
    assert_eq!(ours.list(FileKind::Lock).unwrap().len(), 0);
    assert!(matches!(lock.release(), Err(Error::Backend(error)) if error.is_not_found()));
}
