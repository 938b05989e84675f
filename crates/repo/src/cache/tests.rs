//! The cache over a memory backend: what is kept, what is dropped, what is never believed.

use super::*;
use std::path::Path;
use tresor_backend::Operation;
use tresor_backend::count::Count;
use tresor_backend::memory::Memory;

use crate::id::RepoId;

struct Setup {
    base: tempfile::TempDir,
    inner: Arc<Memory>,
    cache: Arc<Cache>,
    cached: Cached,
}

fn setup() -> Setup {
    let base = tempfile::tempdir().unwrap();
    let inner = Arc::new(Memory::default());
    let cache = Cache::open(base.path(), &RepoId::from_bytes([7; 32])).unwrap().cache;
    let cached = Cached::new(Arc::clone(&inner) as Arc<dyn Backend>, Arc::clone(&cache));
    Setup { base, inner, cache, cached }
}

fn file(kind: FileKind, n: u8) -> FileName {
    FileName::new(kind, tresor_backend::Id::from_bytes([n; 32]))
}

fn copies(folder: &Path) -> usize {
    let count = |path: std::path::PathBuf| if path.is_dir() { copies(&path) } else { 1 };
    std::fs::read_dir(folder).map_or(0, |entries| entries.map(|entry| count(entry.unwrap().path())).sum())
}

#[test]
fn snapshots_are_kept_on_save_and_on_load() {
    let Setup { base: _base, inner, cache, cached } = setup();
    let content = vec![1; 100];
    let (saved, loaded) = (file(FileKind::Snapshot, 1), file(FileKind::Snapshot, 2));
    cached.save(saved, &Payload::from(&content[..])).unwrap();
    inner.save(loaded, &Payload::from(&content[..])).unwrap();
    let mut got = Vec::new();
    cached.load_whole(loaded, 1000, &mut got).unwrap();
    for file in [saved, loaded] {
        inner.remove(file).unwrap(); // now only the copy is left
        cached.load_whole(file, 1000, &mut got).unwrap();
        assert_eq!(got, content);
    }
    assert!(cached.load_whole(saved, 99, &mut got).is_err(), "the limit holds for copies too");
    assert_eq!(copies(&cache.folder().join("snapshots")), 2);
}

#[test]
fn index_files_are_kept_when_saved_until_they_are_merged() {
    let Setup { base: _base, inner, cache, cached } = setup();
    let (saved, loaded, copied) =
        (file(FileKind::Index, 1), file(FileKind::Index, 2), file(FileKind::Index, 3));
    let mut got = Vec::new();
    cached.save(saved, &Payload::from(&[1; 100][..])).unwrap();
    inner.save(loaded, &Payload::from(&[2; 100][..])).unwrap();
    cached.load_whole(loaded, 1000, &mut got).unwrap();
    assert_eq!(copies(&cache.folder().join("index")), 1, "what is loaded is not kept");
    cache.save_with(copied, |sink| sink(&[3; 100]));
    cached.load_whole(copied, 1000, &mut got).unwrap();
    assert_eq!(got, [3; 100], "what is there is used");
    cache.drop_index_files();
    assert_eq!(copies(&cache.folder().join("index")), 0);
}

#[test]
fn packs_are_kept_only_when_they_hold_trees() {
    let Setup { base: _base, inner, cache, cached } = setup();
    let (data, tree) = (file(FileKind::Pack, 1), file(FileKind::Pack, 2));
    for pack in [data, tree] {
        inner.save(pack, &Payload::from(&[9; 200][..])).unwrap();
    }
    cache.note_tree_pack(PackId::from_id(tree.id()));
    let mut got = Vec::new();
    for pack in [data, tree] {
        cached.load(pack, ByteRange { offset: 50, length: 10 }, &mut got).unwrap();
        assert_eq!(got, [9; 10]);
    }
    assert_eq!(copies(&cache.folder().join("data")), 1);
    inner.remove(tree).unwrap();
    cached.load(tree, ByteRange { offset: 0, length: 200 }, &mut got).unwrap();
    assert!(
        cached.load(tree, ByteRange { offset: 150, length: 51 }, &mut got).is_err(),
        "a range past the end"
    );
}

#[test]
fn what_the_listing_lacks_is_dropped() {
    let Setup { base: _base, inner, cache, cached } = setup();
    for (kind, folder) in [(FileKind::Snapshot, "snapshots"), (FileKind::Index, "index")] {
        let copies = || copies(&cache.folder().join(folder));
        for n in 1..=3 {
            inner.save(file(kind, n), &Payload::from(&[n; 64][..])).unwrap();
            cache.save_with(file(kind, n), |sink| sink(&[n; 64]));
        }
        inner.remove(file(kind, 2)).unwrap();
        assert_eq!(copies(), 3);
        cached.list(kind, &mut |_| Ok(())).unwrap();
        assert_eq!(copies(), 2);
        cached.remove(file(kind, 1)).unwrap();
        assert_eq!(copies(), 1);
    }
}

#[test]
fn a_wrong_copy_is_dropped_once_and_not_read_again() {
    let Setup { base: _base, cache, cached, .. } = setup();
    let snapshot = file(FileKind::Snapshot, 1);
    cached.save(snapshot, &Payload::from(&[1; 64][..])).unwrap();
    assert!(cache.distrust(snapshot));
    assert!(!cache.distrust(snapshot));
    let mut got = Vec::new();
    cached.load_whole(snapshot, 1000, &mut got).unwrap();
    assert_eq!(got, [1; 64]);
    assert!(!cache.may_hold(snapshot));
}

#[test]
fn a_cache_of_a_newer_version_or_in_an_unusable_place_is_refused() {
    let Setup { base, cache, .. } = setup();
    for version in ["2", "1\n", "x"] {
        std::fs::write(cache.folder().join("version"), version).unwrap();
        assert!(Cache::open(base.path(), &RepoId::from_bytes([7; 32])).is_err(), "{version:?}");
    }
    let not_a_folder = base.path().join("CACHEDIR.TAG");
    assert!(Cache::open(&not_a_folder, &RepoId::from_bytes([7; 32])).is_err());
}

#[test]
fn a_cache_that_cannot_be_written_is_only_a_miss() {
    let Setup { base: _base, inner, cache, cached } = setup();
    std::fs::remove_dir_all(cache.folder()).unwrap();
    std::fs::write(cache.folder(), b"in the way").unwrap();
    let snapshot = file(FileKind::Snapshot, 1);
    cached.save(snapshot, &Payload::from(&[1; 64][..])).unwrap();
    let mut got = Vec::new();
    cached.load_whole(snapshot, 1000, &mut got).unwrap();
    assert_eq!(inner.stat(snapshot).unwrap(), 64);
}

#[test]
fn a_pack_that_several_want_at_once_is_fetched_by_one_request() {
    let Setup { base: _base, inner, cache, .. } = setup();
    let tree = file(FileKind::Pack, 2);
    inner.save(tree, &Payload::from(&[9; 5 << 20][..])).unwrap();
    cache.note_tree_pack(PackId::from_id(tree.id()));
    let count = Count::new(Arc::clone(&inner));
    let counters = count.counters();
    let cached = Cached::new(Arc::new(count), cache);
    std::thread::scope(|scope| {
        for offset in 0..8 {
            let cached = &cached;
            scope.spawn(move || {
                let mut got = Vec::new();
                cached.load(tree, ByteRange { offset, length: 100 }, &mut got).unwrap();
                assert_eq!(got, [9; 100]);
            });
        }
    });
    assert_eq!((counters.requests(Operation::Load), counters.requests(Operation::Stat)), (1, 0));
}

#[test]
fn only_what_has_no_copy_is_brought_back_from_an_archive() {
    let Setup { base: _base, inner, cache, .. } = setup();
    let (data, tree) = (file(FileKind::Pack, 1), file(FileKind::Pack, 2));
    cache.note_tree_pack(PackId::from_id(tree.id()));
    let count = Count::new(inner);
    let counters = count.counters();
    let cached = Cached::new(Arc::new(count), cache);
    for pack in [data, tree] {
        cached.save(pack, &Payload::from(&[9; 200][..])).unwrap();
        assert_eq!(cached.bring_back(pack).unwrap(), Availability::Now);
    }
    assert_eq!(counters.requests(Operation::BringBack), 1);
}
