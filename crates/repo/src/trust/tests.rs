//! The rules of the trust store on made-up storages, and its file.

use super::*;
use crate::id::RepoId;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use tresor_backend::memory::Memory;
use tresor_backend::{Backend, FileKind, FileName, Full, Handle, Id, Payload};

/// A storage of files without meaning, whose names are small numbers.
#[derive(Default, Clone)]
struct Storage(BTreeMap<(usize, u8), u64>);

const KINDS: [FileKind; 3] = [FileKind::Snapshot, FileKind::Index, FileKind::Key];
const SNAPSHOT: usize = 0;
const INDEX: usize = 1;
const KEY: usize = 2;

fn file(kind: usize, number: u8) -> FileName {
    FileName::new(KINDS[kind], Id::from_bytes([number; 32]))
}

impl Storage {
    /// Snapshots and small index files of these numbers, and one key.
    fn of(snapshots: &[u8], indexes: &[u8]) -> Self {
        let mut storage = Storage(BTreeMap::from([((KEY, 1), 400)]));
        storage.0.extend(snapshots.iter().map(|number| ((SNAPSHOT, *number), 300)));
        storage.0.extend(indexes.iter().map(|number| ((INDEX, *number), 700)));
        storage
    }

    fn watched(&self) -> (Handle<Full>, Arc<Mutex<View>>) {
        let memory = Memory::new();
        for ((kind, number), size) in &self.0 {
            memory.plant(file(*kind, *number), vec![0; *size as usize]);
        }
        let view = Arc::<Mutex<View>>::default();
        let watch = Watch::new(Arc::new(memory), Arc::clone(&view));
        (Handle::new(Arc::new(watch)), view)
    }

    /// What a command sees that lists all three kinds.
    fn view(&self) -> View {
        let (handle, view) = self.watched();
        KINDS.iter().for_each(|kind| drop(handle.list_all(*kind).unwrap()));
        view.lock().unwrap().clone()
    }
}

fn identity() -> Identity {
    Identity { id: RepoId::from_bytes([7; 32]), polynomial: "2f".into() }
}

/// A client that has looked at these states, one after the other.
fn client(states: &[&Storage]) -> Known {
    let mut known = Known::new(identity());
    for (time, state) in states.iter().enumerate() {
        look(&mut known, state, time as i64);
    }
    known
}

fn look(known: &mut Known, storage: &Storage, time: i64) -> Findings {
    let view = storage.view();
    let findings = judge(known, &view);
    let before = known.clone();
    known.record(&before, &view, &findings, time);
    findings
}

fn shorts(names: &[Name]) -> Vec<String> {
    names.iter().map(Name::short).collect()
}

#[test]
fn hide_one() {
    let whole = Storage::of(&[1, 2, 3, 4], &[1, 2, 3, 4]);
    for hidden in 1..=4 {
        let mut known = client(&[&Storage::of(&[1, 2], &[1, 2]), &whole]);
        let mut without = whole.clone();
        without.0.remove(&(SNAPSHOT, hidden));
        let findings = look(&mut known, &without, 3);
        assert_eq!(shorts(&findings.vanished), [format!("{hidden:02x}").repeat(4)], "it is named");
        assert_eq!(findings.snapshots, Some((4, 3)));
        assert!(!findings.went_back(), "others forget, too");
        assert!(look(&mut known, &without, 4).is_empty(), "it is told once");
        assert!(look(&mut known, &whole, 5).went_back(), "nobody brings it back");
    }
}

#[test]
fn rollback() {
    let (old, new) = (Storage::of(&[1, 2], &[1, 2]), Storage::of(&[1, 2, 3, 4], &[1, 2, 3, 4]));
    let mut known = client(&[&old, &new]);
    let findings = look(&mut known, &old, 3);
    assert!(findings.went_back() && findings.lost() == (2, 2) && findings.snapshots == Some((4, 2)));
    assert!(look(&mut known, &old, 4).went_back(), "until it is accepted");
    let mut patient = known.clone();
    assert!(look(&mut patient, &new, 5).is_empty() && !patient.is_alarmed(), "or undone");
    let later = Storage::of(&[1, 2, 5], &[1, 2, 5]);
    assert!(look(&mut known, &later, 5).went_back(), "also when life goes on");
    let mut accepted = known.clone();
    accepted.accept(&later.view(), 6);
    assert!(look(&mut accepted, &later, 7).is_empty() && accepted.snapshots() == 3);
    assert!(look(&mut accepted, &new, 8).went_back(), "and to and fro");
    assert!(look(&mut known, &new, 9).went_back(), "what was done since is lost");
}

#[test]
fn rollback_over_a_prune() {
    let before = Storage::of(&[1, 2, 3], &[1, 2, 3]);
    let after = Storage::of(&[3, 4], &[9]);
    let mut known = client(&[&before, &after]);
    assert_eq!(known.gone(), 2 + 3);
    let findings = look(&mut known, &before, 3);
    assert!(findings.went_back());
    assert_eq!((findings.returned(), findings.lost()), (5, (1, 1)));
}

#[test]
fn a_key_that_was_removed_does_not_come_back() {
    let mut two = Storage::of(&[1], &[1]);
    two.0.insert((KEY, 2), 400);
    let one = Storage::of(&[1], &[1]);
    let mut known = client(&[&one, &two, &one]);
    assert!(look(&mut known, &two, 4).went_back());
}

#[test]
fn what_others_do_is_no_alarm() {
    let full = |mut storage: Storage, number: u8| {
        storage.0.insert((INDEX, number), 2 << 20);
        storage
    };
    let new = Storage::of(&[1, 2, 3], &[1, 2, 3]);
    let big = full(full(Storage::of(&[1, 2, 3], &[]), 1), 2);
    let cases = [
        ("a forget", new.clone(), Storage::of(&[1, 2], &[1, 2, 3])),
        ("a forget of all", new.clone(), Storage::of(&[], &[1, 2, 3])),
        ("a prune", new.clone(), Storage::of(&[1, 2, 3], &[9])),
        ("a forget of the newest and a prune", new.clone(), Storage::of(&[1, 2], &[9])),
        ("everything is removed", new.clone(), Storage::of(&[], &[])),
        ("a prune that was cut short, before", new.clone(), Storage::of(&[1, 2], &[1, 2, 3, 9])),
        ("a prune that was cut short, within", new.clone(), Storage::of(&[1, 2], &[2, 9])),
        ("junk is removed from the index", new.clone(), Storage::of(&[1, 2, 3], &[1, 2])),
        ("a prune that leaves full files alone", big, full(Storage::of(&[1, 2], &[]), 1)),
        ("a year passed", new.clone(), Storage::of(&[90, 91], &[92])),
        ("backups", new, Storage::of(&[1, 2, 3, 4], &[1, 2, 3, 4])),
    ];
    for (what, before, after) in cases {
        let mut known = client(&[&Storage::of(&[1], &[1]), &before]);
        let findings = look(&mut known, &after, 3);
        assert!(!findings.went_back(), "{what}");
        assert!(look(&mut known, &after, 4).is_empty(), "{what}, once more");
    }
}

#[test]
fn what_was_not_listed_is_not_judged() {
    let (old, new) = (Storage::of(&[1], &[1]), Storage::of(&[1, 2], &[1, 2]));
    let known = client(&[&old, &new]);
    let (handle, view) = old.watched();
    handle.list_all(FileKind::Index).unwrap();
    let view = view.lock().unwrap().clone();
    assert!(judge(&known, &view).is_empty() && !view.has_listed(FileKind::Snapshot));
    let mut after = known.clone();
    after.record(&known, &view, &judge(&known, &view), 5);
    assert_eq!((after.snapshots(), after.indexes()), (2, 1));
}

#[test]
fn our_own_changes_are_known_at_once() {
    let storage = Storage::of(&[1, 2], &[1, 2]);
    let mut known = client(&[&storage]);
    let (handle, view) = storage.watched();
    KINDS.iter().for_each(|kind| drop(handle.list_all(*kind).unwrap()));
    handle.save(file(SNAPSHOT, 3), &Payload::from(&b"new"[..])).unwrap();
    handle.remove(file(SNAPSHOT, 1)).unwrap();
    handle.remove(file(SNAPSHOT, 77)).unwrap_err();
    let view = view.lock().unwrap().clone();
    let findings = judge(&known, &view);
    assert!(findings.is_empty());
    let before = known.clone();
    known.record(&before, &view, &findings, 1);
    assert!(look(&mut known, &Storage::of(&[2, 3], &[1, 2]), 2).is_empty());
    assert!(look(&mut known, &Storage::of(&[1, 2, 3], &[1, 2]), 3).went_back());
}

/// One program lists; another saves and removes, and writes first; then the one writes what it saw before.
#[test]
fn two_programs_at_once_take_nothing_back() {
    let start = Storage::of(&[1, 2], &[1, 2]);
    let before = client(&[&start]);
    let slow = start.view();
    let after = Storage::of(&[2, 3], &[1, 2, 3]);
    for slow_is_last in [true, false] {
        let mut stored = before.clone();
        let mut views = [(start.clone(), slow.clone()), (after.clone(), after.view())];
        if !slow_is_last {
            views.reverse();
        }
        for (_, view) in &views {
            let findings = judge(&before, view);
            stored.record(&before, view, &findings, 1);
        }
        let findings = look(&mut stored, &after, 2);
        assert!(findings.is_empty(), "slow is last: {slow_is_last}, {findings:?}");
        assert_eq!((stored.snapshots(), stored.gone()), (2, 1));
    }
}

#[test]
fn a_listing_without_end_does_not_grow_the_store_without_end() {
    let mut known = client(&[&Storage::of(&[1], &[1])]);
    let memory = Memory::new();
    for number in 0..(1 << 17) + 10_u32 {
        let mut id = [9; 32];
        id[..4].copy_from_slice(&number.to_be_bytes());
        memory.plant(FileName::new(FileKind::Snapshot, Id::from_bytes(id)), *b"junk");
    }
    let view = Arc::<Mutex<View>>::default();
    let watch = Watch::new(Arc::new(memory), Arc::clone(&view));
    watch.list(FileKind::Snapshot, &mut |_| Ok(())).unwrap();
    let view = view.lock().unwrap().clone();
    let findings = judge(&known, &view);
    let before = known.clone();
    known.record(&before, &view, &findings, 1);
    assert_eq!(known.snapshots(), 1 << 17);
    look(&mut known, &Storage::of(&[2], &[1]), 2);
    assert_eq!(known.gone(), 1 << 14);
}

fn entry() -> Entry {
    let mut entry = Entry::new("rest:https://example.com/");
    entry.plaintext = true;
    entry.pins = vec!["sha256//RnVja29mZiwgTlNBLiAgTm8ga2V5IGZvciB5b3UuLi4=".parse().unwrap()];
    let states = [&Storage::of(&[1, 2], &[1, 2]), &Storage::of(&[2, 3], &[9])];
    *entry.expect(&identity()) = client(&states);
    look(entry.expect(&identity()), states[0], 5);
    entry
}

#[test]
fn an_entry_is_kept_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("state/trust"));
    let address = "rest:https://example.com/";
    assert!(store.load(address).unwrap().is_none() && store.all().unwrap().is_empty());
    store.update(address, |kept| *kept = entry()).unwrap();
    assert_eq!(store.load(address).unwrap().unwrap(), entry());
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&store.path(address)), mode(&folder.path().join("state/trust"))), (0o600, 0o700));
    let written = std::fs::metadata(store.path(address)).unwrap().modified().unwrap();
    store.update(address, |_| ()).unwrap();
    assert_eq!(
        std::fs::metadata(store.path(address)).unwrap().modified().unwrap(),
        written,
        "nothing changed"
    );
    assert_eq!(store.all().unwrap().len(), 1);
    assert!(store.forget(address).unwrap() && !store.forget(address).unwrap());
}

#[test]
fn what_cannot_be_understood_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().to_owned());
    let whole = String::from_utf8(entry().to_json()).unwrap();
    let bad = [
        "",
        "{}",
        "[[[[[[[[[",
        &whole[..whole.len() / 2],
        &whole.replace("\"version\":1", "\"version\":2"),
        &whole.replace("\"gone\":{", "\"gone\":{\"1\":\"zz\","),
        &whole.replace("\"plaintext\"", "\"plain\""),
        &whole.replace("example.com", "example.org"),
    ];
    for text in bad {
        std::fs::write(store.path(&entry().address), text).unwrap();
        assert!(store.load(&entry().address).is_err(), "{text}");
        assert!(store.update(&entry().address, |_| ()).is_err(), "{text}");
        assert_eq!(std::fs::read_to_string(store.path(&entry().address)).unwrap(), text);
    }
    let long = std::fs::File::create(store.path(&entry().address)).unwrap();
    long.set_len(1 << 40).unwrap();
    assert!(store.load(&entry().address).is_err());
}

#[test]
fn many_programs_write_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().to_owned());
    std::thread::scope(|scope| {
        for thread in 0..8_u8 {
            let store = &store;
            scope.spawn(move || {
                for step in 0..5 {
                    let identity = Identity { id: RepoId::from_bytes([thread; 32]), polynomial: "2f".into() };
                    let storage = Storage::of(&[thread * 5 + step + 1], &[]);
                    store.update("here", |entry| look(entry.expect(&identity), &storage, 1)).unwrap();
                }
            });
        }
    });
    let entry = store.load("here").unwrap().unwrap();
    assert_eq!(entry.repositories.iter().map(Known::gone).collect::<Vec<_>>(), [4; 8]);
}

#[test]
fn disks_may_take_turns_at_one_place() {
    let mut entry = Entry::new("/mnt/backup");
    let other = |number: u8| Identity { id: RepoId::from_bytes([number; 32]), polynomial: "2f".into() };
    (0..40).for_each(|number| entry.expect(&other(number)).time = i64::from(number));
    assert_eq!(entry.repositories.len(), 16);
    assert!(
        entry.known(&other(39)).is_some()
            && entry.known(&other(24)).is_some()
            && entry.known(&other(3)).is_none()
    );
    let forged = Identity { polynomial: "31".into(), ..other(39) };
    assert!(entry.known(&forged).is_none());
    entry.expect(&forged);
    assert!(entry.known(&other(39)).is_none(), "the same repository has one polynomial");
}

proptest! {
    #[test]
    fn nothing_that_is_read_makes_it_panic(cut in 0..2000_usize, at in 0..2000_usize, byte: u8, junk: Vec<u8>) {
        let mut json = entry().to_json();
        let length = json.len();
        json[at % length] = byte;
        json.truncate(length - cut % 3);
        drop(Entry::parse(&json));
        drop(Entry::parse(&junk));
    }

    /// Files come and go and never return, in the order of a queue or not: that is what forget, prune and removal of
    /// keys do, if whoever rewrites the index merges the small files of it.
    #[test]
    fn no_history_of_what_programs_do_is_an_alarm(steps in prop::collection::vec((0..6_u8, any::<prop::sample::Index>()), 1..60)) {
        let mut storage = Storage::of(&[], &[]);
        let (mut known, mut next) = (client(&[&storage]), 1_u8);
        for (step, which) in steps {
            let of = |kind: usize, storage: &Storage| -> Vec<(usize, u8)> {
                storage.0.keys().filter(|(k, _)| *k == kind).copied().collect()
            };
            next += 1;
            match step {
                0 | 1 => {
                    storage.0.insert((SNAPSHOT, next), 300);
                    storage.0.insert((INDEX, next), if which.index(5) == 0 { 3 << 18 } else { 900 });
                }
                2 => {
                    let snapshots = of(SNAPSHOT, &storage);
                    if !snapshots.is_empty() {
                        storage.0.remove(&snapshots[which.index(snapshots.len())]);
                    }
                }
                3 => {
                    let small = of(INDEX, &storage).into_iter().filter(|file| storage.0[file] <= 256 << 10);
                    let small: Vec<_> = small.collect();
                    let full = of(INDEX, &storage).into_iter().find(|file| storage.0[file] > 256 << 10);
                    storage.0.retain(|file, _| !small.contains(file) && full != Some(*file));
                    if !small.is_empty() && !of(SNAPSHOT, &storage).is_empty() {
                        storage.0.insert((INDEX, next), 900);
                    }
                }
                4 => drop(storage.0.insert((KEY, next), 400)),
                _ => {
                    let findings = look(&mut known, &storage, 1);
                    prop_assert!(!findings.went_back(), "{findings:?}");
                }
            }
        }
    }
}
