//! Locks hold across the programs, and stale ones are removed by the `unlock` of either.

use crate::interrupted::signal;
use crate::scene::Scene;
use nix::sys::signal::Signal;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};
use tresor_testkit::{Client, Random, Spec, TestTree, generate, mutate};

/// A stopped `check`, which holds an exclusive lock for as long as it is not killed.
struct Holder(Child);

impl Holder {
    fn new(scene: &Scene, program: &Client) -> Holder {
        let child = program.start(["check"]);
        let start = Instant::now();
        while !scene.files("locks").iter().any(|file| is_final(file)) {
            assert!(start.elapsed() < Duration::from_secs(60), "no lock was taken");
            std::thread::yield_now();
        }
        signal(&child, Signal::SIGSTOP);
        Holder(child)
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Whether the file has its final name: before, nobody else takes it for a lock.
fn is_final(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.len() == 64)
}

/// The exclusive lock of `one` keeps `other` from everything that needs a lock, until it is stale and removed.
#[track_caller]
fn keeps_out(scene: &Scene, one: &Client, other: &Client) {
    let holder = Holder::new(scene, one);
    let locks = scene.files("locks");
    for words in [&["backup", "source"][..], &["check"], &["snapshots"], &["restore", "latest", "-t", "out"]]
    {
        let refused = other.run(words).exits(11);
        assert!(refused.errors().contains("repository is already locked exclusively by PID"), "{refused}");
        let pid = format!("PID {}", holder.0.id());
        assert!(refused.errors().contains(&pid), "{pid} is not named: {refused}");
    }
    other.ok(["snapshots", "--no-lock"]);
    other.ok(["unlock"]);
    assert_eq!(scene.files("locks"), locks, "the holder lives");
    holder.kill();
    other.run(["check"]).exits(11);
    other.ok(["unlock"]);
    scene.has_no_lock();
    other.ok(["backup", "source"]);
}

#[test]
fn an_exclusive_lock_of_either_keeps_the_other_out() {
    let scene = Scene::new();
    let _source = TestTree::at(scene.join("source")).file("f", "contents");
    keeps_out(&scene, &scene.restic, &scene.tresor);
    keeps_out(&scene, &scene.tresor, &scene.restic);
    scene.is_whole();
}

/// What `program` does after a wait of at most 600 ms: it succeeds (true), or a lock is in its way.
fn joins(program: &Client, words: &[&str], random: &mut Random) -> impl FnOnce() -> bool + Send + use<> {
    let wait = Duration::from_millis(random.below(600));
    let (program, words) = (program.clone(), words.iter().map(ToString::to_string).collect::<Vec<_>>());
    move || {
        std::thread::sleep(wait);
        let run = program.run(&words);
        assert!(matches!(run.code, Some(0 | 11)), "{run}");
        run.code == Some(0)
    }
}

#[test]
fn what_begins_before_its_second_look_harms_nothing_beside_a_prune() {
    let (scene, mut random) = (Scene::new(), Random::new(1));
    let source = scene.join("source");
    let _source = generate(&source, 1, &Spec { files: 40, directories: 4, largest: 4096 });
    scene.tresor.ok(["backup", "source"]);
    let forget = ["forget", "--keep-last", "1", "--prune", "--max-unused", "0"];
    for round in 0..16 {
        mutate(&source, round, 20.0);
        let remover = if round % 2 == 0 { &scene.restic } else { &scene.tresor };
        let remove = joins(remover, &forget, &mut random);
        let add = joins(&scene.tresor, &["backup", "source"], &mut random);
        let read = joins(&scene.tresor, &["dump", "latest", "/", "--target", "all.tar"], &mut random);
        let [_, added, _] = std::thread::scope(|scope| {
            let all = [scope.spawn(remove), scope.spawn(add), scope.spawn(read)];
            all.map(|run| run.join().unwrap())
        });
        if added {
            scene.restores(&scene.restic, "latest", &source);
        }
        scene.restic.ok(["check", "--read-data"]);
    }
    scene.has_no_lock();
}
