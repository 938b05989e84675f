//! Backups that are told to stop, and readers that go away: no lock stays, and no half snapshot.

use crate::scene::Scene;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use tresor_testkit::{Random, Spec, generate};

/// Sends a signal to a child that has not been waited for.
pub(crate) fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
}

/// A backup of a stream that falls silent is told to stop once some of it is stored.
#[track_caller]
fn stops_at(told: Signal) {
    let scene = Scene::new();
    let mut command = scene.tresor.command(["backup", "--stdin", "--pack-size", "4"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut random = Random::new(5);
    while scene.files("data").is_empty() {
        stdin.write_all(&random.bytes(1 << 20)).unwrap();
    }
    signal(&child, told);
    // The stream stays open: the backup has to end without its end.
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    assert_eq!(output.status.code(), Some(130), "{told}: {output:?}");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("received, cleaning up") && !errors.contains("error: "), "{errors}");
    scene.has_no_lock();
    assert!(scene.files("snapshots").is_empty(), "{told}");
    scene.is_whole();
}

#[test]
fn an_interrupt_ends_a_backup() {
    stops_at(Signal::SIGINT);
}

#[test]
fn a_request_to_terminate_ends_a_backup() {
    stops_at(Signal::SIGTERM);
}

#[test]
fn a_reader_that_has_seen_enough_leaves_no_lock() {
    let scene = Scene::new();
    let _source = generate(scene.join("source"), 3, &Spec { files: 3_000, largest: 64, ..Spec::default() });
    scene.tresor.ok(["backup", "source"]);
    for words in [["list", "blobs"], ["ls", "latest"]] {
        let mut child = scene.tresor.start(words);
        let mut line = String::new();
        BufReader::with_capacity(1, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty());
        assert_eq!(child.wait().unwrap().code(), Some(141), "{words:?}");
        scene.has_no_lock();
    }
}

#[test]
fn a_command_that_is_silent_is_not_waited_for() {
    let scene = Scene::new();
    let mut child = scene.tresor.start(["backup", "--stdin-from-command", "--", "sleep", "600"]);
    while scene.files("locks").is_empty() {
        assert!(child.try_wait().unwrap().is_none());
        std::thread::yield_now();
    }
    signal(&child, Signal::SIGTERM);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    scene.has_no_lock();
    assert!(scene.files("snapshots").is_empty());
}
