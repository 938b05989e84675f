//! What snapshots need, and that a prune by it leaves them whole wherever it ends.

use crate::store::{Store, dir, file, options, tree};
use std::path::Path;
use std::sync::Arc;
use tresor_repo::keyfile::Password;
use tresor_repo::lock::ExclusiveLock;
use tresor_repo::monitor::Phase;
use tresor_repo::prune::{MaxUnused, PruneOptions};
use tresor_repo::{BlobId, BlobKind, Repository, SnapshotId};
use tresor_snapshot::snapshot::Snapshot;
use tresor_snapshot::{Error, Node, NodeKind, used};
use tresor_testkit::backend::local::{CONNECTIONS, Local};
use tresor_testkit::backend::{Backend, Full, Handle};
use tresor_testkit::crash::{CrashBackend, LastWrite};
use tresor_testkit::{Client, Recorder, fixtures, locks};

fn save(store: &Store, root: BlobId, day: i64) -> SnapshotId {
    let snapshot = Snapshot::new(root, tresor_repo::time::Time::utc(day * 86400, 0), vec!["/".into()]);
    store.repo.append().save_snapshot(&snapshot.encode()).unwrap()
}

#[test]
fn trees_and_contents_of_files_are_needed_and_nothing_else() {
    let missing = BlobId::of(b"never saved");
    let mut others = Vec::new();
    let (store, root) = Store::planted(|saver| {
        let mut lost = file(saver, "lost", &[b"there"]);
        lost.content.as_mut().unwrap().push(missing);
        let mut pipe = Node::new(*b"pipe", NodeKind::Fifo);
        pipe.content = file(saver, "x", &[b"no content of a pipe"]).content;
        let mut nothing = file(saver, "nothing", &[]);
        nothing.content = None;
        let same = file(saver, "same", &[b"there", b"more"]);
        let below = dir(saver, "below", &[same]);
        let unread = Node::new(*b"without a tree", NodeKind::Dir);
        let other = file(saver, "other", &[b"other"]);
        others.push(tree(saver, &[other]));
        tree(saver, &[below, lost, nothing, pipe, unread])
    });
    let (first, second) = (save(&store, root, 1), save(&store, others[0], 2));
    let find = |except: &[SnapshotId]| {
        let recorder = Recorder::new();
        let roots = used::roots(&store.repo, except).unwrap();
        assert_eq!(roots.len(), 2 - except.len());
        let used = used::find(&store.repo, &store.index, roots, &recorder).unwrap();
        let phase = recorder.phases()[0];
        assert_eq!((phase.phase, phase.done, phase.ended), (Phase::Snapshots, 2 - except.len() as u64, true));
        let mut snapshots = used.snapshots.clone();
        snapshots.sort();
        assert!(snapshots.contains(&first) && snapshots.contains(&second), "also what is left out is known");
        used
    };
    let used = find(&[]);
    assert_eq!(used.unknown.iter().map(|blob| blob.id).collect::<Vec<_>>(), [missing]);
    for (plain, needed) in
        [(&b"there"[..], true), (b"more", true), (b"other", true), (b"no content of a pipe", false)]
    {
        assert_eq!(used.blobs.contains(BlobKind::Data, &BlobId::of(plain)).unwrap(), needed);
    }
    assert_eq!(used.blobs.len(), 3 + 3, "three trees and three contents");
    let used = find(&[first]);
    assert!(used.unknown.is_empty() && used.blobs.len() == 2);
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let missing = BlobId::of(b"no tree");
    let (store, root) = Store::planted(|saver| {
        let mut lost = Node::new(*b"lost", NodeKind::Dir);
        lost.subtree = Some(missing);
        tree(saver, &[lost])
    });
    save(&store, root, 1);
    let roots = used::roots(&store.repo, &[]).unwrap();
    let recorder = Recorder::new();
    match used::find(&store.repo, &store.index, roots, &recorder).err() {
        Some(Error::Repo(tresor_repo::Error::UnknownBlob { blob })) => assert_eq!(blob.id, missing),
        other => panic!("{other:?}"),
    }
    assert_eq!(recorder.phases()[0].done, 0, "that snapshot is not done");
    let junk = store.repo.append().save_snapshot(b"no snapshot").unwrap();
    assert!(matches!(used::roots(&store.repo, &[]), Err(Error::DecodeSnapshot { .. })));
    assert_eq!(used::roots(&store.repo, &[junk]).unwrap().len(), 1, "unless it is not to count");
}

fn open(backend: Arc<dyn Backend>) -> Repository<Full> {
    let password = Password::new(fixtures::PASSWORD.into());
    Repository::open(Handle::new(backend), &password, None, options(), &Recorder::new()).unwrap()
}

fn local(path: &Path) -> Local {
    Local::open(path, CONNECTIONS).unwrap()
}

fn prune(repository: &Repository<Full>, lock: &ExclusiveLock) -> Result<(), Error> {
    let monitor = Recorder::new();
    let index = repository.load_index(&monitor)?;
    let used = used::find(repository, &index, used::roots(repository, &[])?, &monitor)?;
    let options = PruneOptions { max_unused: MaxUnused::Bytes(0), ..PruneOptions::default() };
    let plan = repository.plan_prune(used, &options, &monitor).unwrap();
    Ok(repository.execute_prune(plan, &index, lock, &monitor, &|_, _| ())?)
}

#[test]
fn restic_finds_everything_wherever_a_prune_ended() {
    // Packs in no index and unused ones; small packs to repack, some of them unused.
    for (fixture, forget) in [("v2-garbage", None), ("v2-multi", Some("18231c9c")), ("v2-odd", None)] {
        // The tests of the storey below stop at every write; here each ninth, by turns lost and unanswered.
        let turns = (0..).zip([LastWrite::Lost, LastWrite::Unanswered].into_iter().cycle());
        for (turn, last) in turns.skip(1).step_by(9) {
            let unpacked = fixtures::unpack(fixture);
            let restic = Client::restic(&unpacked.path);
            if let Some(id) = forget {
                restic.ok(["forget", "-q", id]);
            }
            let before = restic.ok(["ls", "latest", "--recursive"]).text();
            let crashing = Arc::new(CrashBackend::new(local(&unpacked.path), turn, last));
            let whole = open(Arc::new(local(&unpacked.path)));
            let lock = locks::exclusive(&whole);
            let ended = prune(&open(crashing.clone()), &lock);
            assert!(ended.is_ok() || crashing.has_crashed()); // packs that stay are no failure
            lock.release().unwrap();
            restic.ok(["check", "--read-data"]);
            assert_eq!(restic.ok(["ls", "latest", "--recursive"]).text(), before);
            if !crashing.has_crashed() {
                break;
            }
        }
    }
}
