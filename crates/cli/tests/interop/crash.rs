//! A backup that stops at any of its writes harms nothing, and the next one needs no repair.

use crate::scene::{Scene, local, options, password};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tresor_backend::local::Local;
use tresor_backend::{Cancel, Handle};
use tresor_repo::Repository;
use tresor_repo::lock::{Gate, LockOptions, Owner, Pace};
use tresor_repo::monitor::{Monitor, Silent};
use tresor_repo::time::{Time, Zone};
use tresor_snapshot::backup::{BackupOptions, Files, FilesCacheUse, Source, SourceFilter, backup};
use tresor_testkit::crash::LastWrite;
use tresor_testkit::{CrashBackend, Random, Spec, generate};

/// A repository with one snapshot, of the folder `first/source`; the folder `source` has more in it.
fn scene() -> Scene {
    let scene = Scene::new();
    let spec = Spec { files: 20, directories: 4, largest: 4096 };
    let _first = generate(scene.join("first/source"), 1, &spec);
    scene.tresor.clone().within(scene.join("first")).ok(["backup", "source"]);
    // Two full packs of noise and the beginning of a third one.
    let source = generate(scene.join("source"), 1, &spec);
    let _source = (0..9).fold(source, |tree, number| {
        tree.file(format!("noise/{number}"), Random::new(number).bytes(1 << 20))
    });
    scene
}

/// One whole run over a backend that may stop: lock, index, backup, lock given back.
fn run(scene: &Scene, backend: Arc<CrashBackend<Local>>) -> Result<(), tresor_snapshot::Error> {
    let monitor: Arc<dyn Monitor> = Arc::new(Silent);
    let repository = Repository::open(Handle::new(backend).append(), &password(), None, options(), &Silent)?;
    let lock = repository.lock_shared(&lock_options(), &monitor)?;
    let index = repository.load_index(&Silent)?;
    let (current, targets) = (scene.join(""), ["source".into()]);
    let filter = SourceFilter::default();
    let source = Source::Files(Files {
        current: &current,
        targets: &targets,
        filter: &filter,
        estimate: false,
        files_cache: FilesCacheUse::Full,
    });
    backup(
        &repository,
        &index,
        source,
        &BackupOptions::new(Time::utc(1_800_000_000, 0), Zone::utc()),
        &Silent,
    )?;
    Ok(lock.release()?)
}

/// A lock of a process that is gone, as after a crash.
fn lock_options() -> LockOptions {
    let hostname = nix::unistd::gethostname().unwrap().into_string().unwrap();
    let owner = Owner { hostname, username: String::new(), pid: 1 << 30, uid: 0, gid: 0 };
    let pace = Pace { double_check: Duration::ZERO, ..Pace::default() };
    let (gate, cancel) = (Gate::default(), Cancel::new());
    LockOptions { owner, zone: Zone::utc(), retry: Duration::ZERO, pace, gate, cancel }
}

/// A run that may write `allowed` times; then everything has to be as if nothing had happened.
fn survives(allowed: u64, last: LastWrite) {
    let scene = scene();
    let earlier = scene.tresor.ok(["snapshots", "--json"]).json()[0]["id"].as_str().unwrap().to_owned();
    let backend = Arc::new(CrashBackend::new(local(&scene.repository()), allowed, last));
    let outcome = run(&scene, Arc::clone(&backend));
    // Blobs go into packs at random: this run may need one pack less, and end before it is stopped.
    assert_eq!(outcome.is_err(), backend.has_crashed(), "write {allowed}, {last:?}: {outcome:?}");
    scene.restores(&scene.tresor, &earlier, &scene.join("first/source"));
    scene.restic.ok(["unlock"]);
    scene.has_no_lock();
    scene.restic.ok(["check"]);
    scene.tresor.ok(["backup", "source"]);
    scene.restic.ok(["check", "--read-data"]);
    scene.restores(&scene.restic, "latest", &scene.join("source"));
}

/// How often a run writes that nothing stops.
fn writes() -> u64 {
    let scene = scene();
    let backend = Arc::new(CrashBackend::counting(local(&scene.repository())));
    run(&scene, Arc::clone(&backend)).unwrap();
    backend.writes()
}

/// Every write in turn, two at a time.
fn survives_each(last: LastWrite) {
    let (writes, next) = (writes(), AtomicU64::new(0));
    assert!(writes >= 7, "lock, three packs of data, one of trees, index, snapshot, lock: {writes}");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    match next.fetch_add(1, Ordering::Relaxed) {
                        allowed if allowed < writes => survives(allowed, last),
                        _ => break,
                    }
                }
            });
        }
    });
}

#[test]
fn whichever_write_is_lost() {
    survives_each(LastWrite::Lost);
}

#[test]
fn whichever_write_is_not_answered() {
    survives_each(LastWrite::Unanswered);
}
