//! Behind SFTP.

use crate::exchange::Pair;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;
use tresor_testkit::servers::{self, Sshd};
use tresor_testkit::{Client, Random, peers};

#[test]
fn programs_take_turns_over_an_sftp_server() {
    let folder = TempDir::new().unwrap();
    let command = format!("sftp.command={}", servers::sftp_server().display());
    Pair::new(&format!("sftp:unused:{}/some/repo", folder.path().display()), &[&command], &[]).exchanges();
}

#[test]
fn programs_take_turns_over_ssh() {
    let folder = TempDir::new().unwrap();
    let sshd = Sshd::start();
    let location = format!("sftp:backup-host:{}/some/repo", folder.path().display());
    Pair::new(&location, &[&sshd.option()], &[]).exchanges();
}

#[test]
fn programs_take_turns_over_rclone() {
    let folder = TempDir::new().unwrap();
    let rclone = peers::rclone();
    let command = format!("sftp.command={} --config=/dev/null serve sftp --stdio /", rclone.display());
    Pair::new(&format!("sftp:unused:{}/repo", folder.path().display()), &[&command], &[]).exchanges();
}

/// tresor on a repository behind the server that is called so.
fn tresor(path: &Path) -> Client {
    Client::tresor(env!("CARGO_BIN_EXE_tresor"), format!("sftp:backup-host:{}", path.display()))
}

/// A run that has to fail soon: not after a quarter of an hour of trying.
#[track_caller]
fn fails(sshd: &Sshd, client: &Client, arguments: &[&str], code: i32) -> String {
    let option = sshd.option();
    let words = ["-o", &option].into_iter().chain(arguments.iter().copied());
    let run = client.run(words).exits(code);
    assert!(!run.errors().contains("retrying"), "{run}");
    run.errors()
}

#[test]
fn ssh_says_why_it_does_not_connect() {
    let folder = TempDir::new().unwrap();
    let mut sshd = Sshd::start();
    let tresor = tresor(folder.path());
    sshd.lose_key();
    let errors = fails(&sshd, &tresor, &["snapshots"], 1);
    assert!(
        errors.contains("subprocess ssh: ") && errors.contains("Permission denied (publickey)"),
        "{errors}"
    );
    assert!(errors.contains("Fatal: cannot open sftp:backup-host:"), "{errors}");
    sshd.distrust();
    assert!(fails(&sshd, &tresor, &["snapshots"], 1).contains("Host key verification failed"));
    sshd.kill();
    assert!(fails(&sshd, &tresor, &["snapshots"], 1).contains("Connection refused"));
}

#[test]
fn where_there_is_no_repository_it_is_said_at_once() {
    let folder = TempDir::new().unwrap();
    let sshd = Sshd::start();
    fails(&sshd, &tresor(&folder.path().join("missing")), &["snapshots"], 10);
    std::fs::write(folder.path().join("file"), "").unwrap();
    let below = tresor(&folder.path().join("file/below"));
    fails(&sshd, &below, &["snapshots"], 10);
    let errors = fails(&sshd, &below, &["init"], 1);
    assert!(errors.contains("it is not a folder"), "{errors}");
}

#[test]
fn a_host_that_looks_like_an_option_is_refused() {
    let folder = TempDir::new().unwrap();
    let made = folder.path().join("made");
    let location = format!("sftp:-oProxyCommand=touch {}:path", made.display());
    let run = Client::tresor(env!("CARGO_BIN_EXE_tresor"), location).run(["snapshots"]).exits(1);
    assert!(run.errors().contains("begins with a hyphen") && !made.exists(), "{run}");
}

#[test]
fn a_server_killed_in_the_middle_of_a_backup_and_restarted_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let mut sshd = Sshd::start();
    let repository = folder.path().join("repository");
    let tresor = tresor(&repository);
    let option = sshd.option();
    tresor.ok(["-o", &option, "init"]);
    let mut command = tresor.command(["-o", &option, "backup", "--stdin", "--pack-size", "4"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut random = Random::new(4);
    let mut content = Vec::new();
    let mut feed = |content: &mut Vec<u8>| {
        let piece = random.bytes(1 << 20);
        stdin.write_all(&piece).unwrap();
        content.extend_from_slice(&piece);
    };
    while packs(&repository) < 2 {
        feed(&mut content);
    }
    sshd.restart();
    for _ in 0..12 {
        feed(&mut content);
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.contains("operation successful after"), "{errors}");
    let over_ssh = |words: &[&str]| tresor.ok(["-o", &option].iter().chain(words));
    assert!(over_ssh(&["dump", "latest", "/stdin"]).stdout == content);
    over_ssh(&["check", "--read-data"]);
    Client::restic(&repository).ok(["check", "--read-data"]);
}

/// How many packs there are.
fn packs(repository: &Path) -> usize {
    let folders = std::fs::read_dir(repository.join("data")).unwrap();
    folders.map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count()).sum()
}
