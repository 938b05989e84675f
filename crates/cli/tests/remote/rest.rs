//! Behind servers of restic's REST protocol.

use crate::exchange::{Pair, no_more_requests};
use tempfile::TempDir;
use tresor_testkit::{Client, servers};

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

#[test]
fn a_rest_server_killed_in_the_middle_of_a_backup_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let mut server = servers::rest_server(folder.path());
    let pair = Pair::new(&format!("rest:http://{}/repo", server.address), &[], &[]);
    pair.outlive(&mut server, folder.path());
}

#[test]
fn an_rclone_killed_in_the_middle_of_a_backup_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let mut server = servers::rclone_rest(folder.path());
    let pair = Pair::new(&format!("rest:http://{}/", server.address), &[], &[]);
    pair.outlive(&mut server, folder.path());
}

#[test]
fn no_more_requests_are_made_than_restic_makes() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("log");
    let server = servers::rest_server_with(folder.path(), &["--no-auth", "--log", log.to_str().unwrap()]);
    let url = format!("rest:http://{}/repo", server.address);
    let clients = [Client::tresor(env!("CARGO_BIN_EXE_tresor"), &url), Client::restic(&url)];
    let requests = |client: &Client, words: &[&str]| {
        let lines = || std::fs::read_to_string(&log).unwrap().lines().count();
        let before = lines();
        client.ok(words);
        lines() - before
    };
    no_more_requests(&folder.path().join("source"), &clients, &requests);
    // Each prunes a copy of its own, of the same id, with its own cache.
    let copied =
        std::process::Command::new("cp").args(["-r", "repo", "copy"]).current_dir(folder.path()).status();
    assert!(copied.unwrap().success());
    let copy = Client::restic(format!("rest:http://{}/copy", server.address));
    for client in [&clients[0], &copy] {
        client.ok(["forget", "--keep-last", "2"]);
    }
    let prune = ["prune", "--max-unused", "0"];
    let [ours, theirs] = [&clients[0], &copy].map(|client| requests(client, &prune));
    assert!(ours <= theirs, "prune: {ours} requests, restic makes {theirs}");
    clients[1].ok(["check", "--read-data"]);
}
