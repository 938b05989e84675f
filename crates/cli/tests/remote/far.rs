//! Behind SFTP servers that are far away.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tresor_testkit::servers::{Mortal, Sshd};
use tresor_testkit::{Client, Random};

const FAR: Duration = Duration::from_millis(20);

/// tresor on a repository behind the server, with `folder` for sockets.
fn tresor(repository: &Path, folder: &Path) -> Client {
    let client =
        Client::tresor(env!("CARGO_BIN_EXE_tresor"), format!("sftp:backup-host:{}", repository.display()));
    client.variable("XDG_RUNTIME_DIR", folder)
}

/// Makes a repository and backs up into it what needs many packs; answers with what was said on standard error.
#[track_caller]
fn back_up(client: &Client, repository: &Path, option: &str) -> String {
    client.ok(["-o", option, "init"]);
    let content = Random::new(8).bytes(24 << 20);
    let words = ["-o", option, "--pack-size", "4", "backup", "--stdin"];
    let run = client.run_with_input(words, &content).exits(0);
    assert!(client.ok(["-o", option, "dump", "latest", "/stdin"]).stdout == content);
    Client::restic(repository).ok(["check", "--read-data"]);
    run.errors()
}

#[test]
fn a_far_server_is_spoken_to_in_several_conversations() {
    let (folder, sockets, sshd) = (TempDir::new().unwrap(), TempDir::new().unwrap(), Sshd::start());
    let repository = folder.path().join("repository");
    let client = tresor(&repository, sockets.path());
    assert_eq!(back_up(&client, &repository, &sshd.option_at(FAR)), "");
    // Three commands, and at least one more conversation in two of them.
    assert!(sshd.sessions() >= 5, "{}", sshd.sessions());
    assert_eq!(sockets.path().read_dir().unwrap().count(), 0, "no socket is left");
}

#[test]
fn a_far_server_that_wants_one_conversation_has_one() {
    let (folder, sshd) = (TempDir::new().unwrap(), Sshd::start_with("MaxSessions 1"));
    let repository = folder.path().join("repository");
    let client = tresor(&repository, folder.path());
    assert_eq!(back_up(&client, &repository, &sshd.option_at(FAR)), "", "nobody has to know");
    assert_eq!(sshd.sessions(), 3);
}

#[test]
fn a_connection_that_the_user_shares_is_used() {
    let (folder, sshd) = (TempDir::new().unwrap(), Sshd::start());
    let repository = folder.path().join("repository");
    let sockets = folder.path().join("sockets");
    std::fs::create_dir(&sockets).unwrap();
    let client = tresor(&repository, &sockets);
    let own = format!("-o ControlMaster=auto -o ControlPath={}/own", folder.path().display());
    assert_eq!(back_up(&client, &repository, &format!("{} {own}", sshd.option_at(FAR))), "");
    assert!(sshd.sessions() >= 5, "{}", sshd.sessions());
    assert_eq!(sockets.read_dir().unwrap().count(), 0);
}

#[test]
fn a_far_server_killed_in_the_middle_of_a_backup_and_restarted_loses_nothing() {
    let (folder, mut sshd) = (TempDir::new().unwrap(), Sshd::start());
    let repository = folder.path().join("repository");
    let (client, option) = (tresor(&repository, folder.path()), sshd.option_at(FAR));
    client.ok(["-o", &option, "init"]);
    let mut command = client.command(["-o", &option, "--pack-size", "4", "backup", "--stdin"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let content = Random::new(9).bytes(48 << 20);
    let (before, after) = content.split_at(24 << 20);
    stdin.write_all(before).unwrap();
    sshd.kill();
    sshd.start_again();
    stdin.write_all(after).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(client.ok(["-o", &option, "dump", "latest", "/stdin"]).stdout == content);
    Client::restic(&repository).ok(["check", "--read-data"]);
}
