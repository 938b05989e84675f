//! Behind SFTP.

use crate::exchange::Pair;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;
use tresor_testkit::client::Run;
use tresor_testkit::servers::{self, Mortal, Sshd};
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
fn an_sshd_killed_in_the_middle_of_a_backup_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let mut sshd = Sshd::start();
    let repository = folder.path().join("repository");
    let option = sshd.option();
    Pair::new(&format!("sftp:backup-host:{}", repository.display()), &[&option], &[])
        .outlive(&mut sshd, folder.path());
}

/// A file system of its own, so that it can be full; only the superuser can have that.
struct Small(TempDir);

impl Small {
    fn new(size: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let size = format!("size={size}");
        Run::of(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(folder.path())).ok();
        Small(folder)
    }

    fn resize(&self, size: &str) {
        Run::of(Command::new("mount").args(["-o", &format!("remount,size={size}")]).arg(self.0.path())).ok();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is left out has to say so")]
fn a_full_server_is_told_at_once_and_with_room_the_next_run_succeeds() {
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("left out: only the superuser can make a small file system");
    }
    let small = Small::new("12m");
    let location = format!("sftp:unused:{}/repo", small.0.path().display());
    let tresor = Client::tresor(env!("CARGO_BIN_EXE_tresor"), location);
    let option = format!("sftp.command={}", servers::sftp_server().display());
    // One after the other: what one save frees when it fails would be room for another.
    let one = "sftp.connections=1";
    let words = |words: &[&str]| {
        ["-o", &option, "-o", one].iter().chain(words).map(ToString::to_string).collect::<Vec<_>>()
    };
    tresor.ok(words(&["init"]));
    let noise = Random::new(3).bytes(30 << 20);
    let backup = words(&["backup", "--stdin", "--pack-size", "4"]);
    let run = tresor.run_with_input(&backup, &noise).exits(1);
    assert!(run.errors().contains("the storage is full") && !run.errors().contains("retrying"), "{run}");
    small.resize("100m");
    tresor.ok(words(&["unlock"]));
    tresor.run_with_input(&backup, &noise).ok();
    tresor.ok(words(&["check", "--read-data"]));
    assert!(tresor.ok(words(&["dump", "latest", "/stdin"])).stdout == noise);
}

/// ssh asks for a password on the terminal and gets it; afterwards Ctrl-C is for us alone, and the lock goes.
#[test]
fn ssh_may_ask_on_the_terminal_and_is_not_interrupted_with_us() {
    let folder = TempDir::new().unwrap();
    let ssh = folder.path().join("ssh");
    let server = servers::sftp_server();
    let script = format!(
        "#!/bin/sh\nprintf 'Password: ' >/dev/tty\nread answer </dev/tty\necho \"got $answer\" >&2\nexec {}\n",
        server.display()
    );
    std::fs::write(&ssh, script).unwrap();
    std::fs::set_permissions(&ssh, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let repository = folder.path().join("repository");
    let tresor =
        Client::tresor(env!("CARGO_BIN_EXE_tresor"), format!("sftp:unused:{}", repository.display()));
    let option = format!("sftp.command={}", server.display());
    tresor.ok(["-o", &option, "init"]);

    let line = format!(
        "exec {} -o sftp.command={} backup --stdin-from-command -- sleep 600",
        env!("CARGO_BIN_EXE_tresor"),
        ssh.display()
    );
    let prepared = tresor.command([""; 0]);
    let mut terminal = Command::new("script");
    terminal.args(["-q", "-e", "-c", &line, "/dev/null"]).env_clear();
    terminal.envs(prepared.get_envs().filter_map(|(name, value)| Some((name, value?))));
    terminal.env("SHELL", "/bin/sh").current_dir(folder.path());
    let mut child = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut seen = Vec::new();
    until(&mut screen, &mut seen, "Password: ");
    keys.write_all(b"secret\n").unwrap();
    until(&mut screen, &mut seen, "got secret");
    let locks = || std::fs::read_dir(repository.join("locks")).unwrap().count();
    while locks() == 0 {
        std::thread::yield_now();
    }
    keys.write_all(b"\x03").unwrap();
    until(&mut screen, &mut seen, "signal interrupt received");
    screen.read_to_end(&mut seen).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{}", String::from_utf8_lossy(&seen));
    assert_eq!(locks(), 0);
}

/// Reads from a terminal until it shows `text`.
fn until(screen: &mut impl Read, seen: &mut Vec<u8>, text: &str) {
    let mut piece = [0; 1024];
    while !String::from_utf8_lossy(seen).contains(text) {
        let read = screen.read(&mut piece).unwrap();
        assert!(read > 0, "no {text:?} in {}", String::from_utf8_lossy(seen));
        seen.extend_from_slice(&piece[..read]);
    }
}
