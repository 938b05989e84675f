//! Behind servers of restic's REST protocol.

use crate::exchange::Pair;
use tempfile::TempDir;
use tresor_testkit::{Client, Spec, generate, mutate, servers};

#[test]
fn programs_take_turns_behind_rest_server() {
    let folder = TempDir::new().unwrap();
    let server = servers::rest_server(folder.path());
    Pair::new(&format!("rest:http://{}/some/repo", server.address), &[], &[]).exchanges();
}

#[test]
fn programs_take_turns_behind_rclone() {
    let folder = TempDir::new().unwrap();
    let server = servers::rclone_rest(folder.path());
    Pair::new(&format!("rest:http://{}/", server.address), &["rest.connections=3"], &[]).exchanges();
}

/// How many requests `work` makes, as a server logs them.
fn requests(log: &std::path::Path, work: impl FnOnce()) -> usize {
    let lines = || std::fs::read_to_string(log).unwrap().lines().count();
    let before = lines();
    work();
    lines() - before
}

#[test]
fn no_more_requests_are_made_than_restic_makes() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("log");
    let server = servers::rest_server_with(folder.path(), &["--no-auth", "--log", log.to_str().unwrap()]);
    let url = format!("rest:http://{}/repo", server.address);
    let tree = generate(folder.path().join("source"), 7, &Spec { files: 200, ..Spec::default() });
    let source = tree.path().to_str().unwrap();
    let clients = [Client::tresor(env!("CARGO_BIN_EXE_tresor"), &url), Client::restic(&url)];
    clients[1].ok(["init"]);
    for round in 0..3 {
        clients[1].ok(["backup", source]);
        mutate(tree.path(), round, 20.0);
    }
    for client in &clients {
        client.ok(["backup", source]); // and now both caches are warm
        client.ok(["snapshots"]);
    }
    for command in [&["snapshots"][..], &["backup", source], &["check"]] {
        let [ours, theirs] = [0, 1].map(|i| requests(&log, || drop(clients[i].ok(command))));
        assert!(ours <= theirs, "{command:?}: {ours} requests, restic makes {theirs}");
    }
    // Each prunes a copy of its own, of the same id, with its own cache.
    let copied =
        std::process::Command::new("cp").args(["-r", "repo", "copy"]).current_dir(folder.path()).status();
    assert!(copied.unwrap().success());
    let copy = Client::restic(format!("rest:http://{}/copy", server.address));
    for client in [&clients[0], &copy] {
        client.ok(["forget", "--keep-last", "2"]);
    }
    let prune = ["prune", "--max-unused", "0"];
    let [ours, theirs] = [&clients[0], &copy].map(|client| requests(&log, || drop(client.ok(prune))));
    assert!(ours <= theirs, "prune: {ours} requests, restic makes {theirs}");
    clients[1].ok(["check", "--read-data"]);
}
