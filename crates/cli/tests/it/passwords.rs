//! Passwords: weak ones, open files, programs that print them, keepers, and keys without names.

use crate::pair::TRESOR;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use tresor_testkit::{Client, Run, fixtures, secret_file};

/// Passwords that many people have, the commonest first: the first thousand of a list that Openwall's Solar Designer
/// collected from 1996 to 2011, as Debian ships it for `john`; it is in the public domain.
const COMMON: &str = include_str!("passwords/common.txt");

const STRONG: &str = "mild-otter-quartz-91-Lamp";

/// A client under the rules, which the testkit's clients are free of.
fn strict(repository: impl AsRef<Path>) -> Client {
    Client::tresor(TRESOR, repository).variable("TRESOR_ALLOW_WEAK_PASSWORD", "")
}

fn chmod(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// A folder with a program in it that is called so and consists of these lines of shell.
fn program(name: &str, script: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    chmod(&path, 0o755);
    (folder, path)
}

#[test]
fn pw_policy() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(COMMON.lines().count(), 1000);
    // All of them are tried where they are judged.
    for (number, weak) in COMMON.lines().step_by(20).enumerate() {
        let repository = folder.path().join("new");
        let client = strict(&repository).password(weak);
        let run = client.run(["init"]).exits(2);
        assert!(!repository.exists(), "{run}");
        if number < 3 {
            let errors = run.errors();
            assert!(errors.starts_with("Fatal: the new password is weak: some 10^"), "{run}");
            assert!(errors.contains("`--allow-weak-password`") && !errors.contains(weak), "{run}");
        }
    }
}

#[test]
fn generated_passwords_are_taken_and_open_for_restic() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..5 {
        let repository = folder.path().join(number.to_string());
        let generated = strict(&repository).ok(["key", "generate"]).text();
        let client = strict(&repository).password(generated.trim_end());
        assert_eq!(client.ok(["init"]).errors(), "");
        Client::restic(&repository).password(generated.trim_end()).ok(["snapshots"]);
    }
    let client = strict(folder.path());
    let message = client.ok(["key", "generate", "--json", "--words", "12"]).json();
    assert_eq!((&message["message_type"], &message["words"]), (&"passphrase".into(), &12.into()));
    assert_eq!(message["passphrase"].as_str().unwrap().split('-').count(), 12);
    assert_eq!(message["bits"], 155);
    for wrong in ["4", "21", "-1", "x"] {
        client.run(["key", "generate", "--words", wrong]).exits(1);
    }
}

#[test]
fn weak_new_keys_are_refused_and_change_nothing() {
    let empty = fixtures::empty_repository();
    let client = strict(&empty.path);
    secret_file(client.home().join("weak"), "letmein\n");
    secret_file(client.home().join("host"), "kellerassel\n");
    secret_file(client.home().join("strong"), STRONG);
    let keys = || client.ok(["list", "keys"]).text();
    let before = keys();
    client.run(["key", "add", "--new-password-file", "weak"]).exits(2);
    client.run(["key", "passwd", "--new-password-file", "weak"]).exits(2);
    client.run(["key", "add", "--host", "kellerassel", "--new-password-file", "host"]).exits(2);
    client.run_with_input(["key", "add"], b"letmein\n").exits(2);
    assert_eq!((keys(), client.ok(["list", "locks"]).text()), (before, String::new()));
    client.ok(["key", "add", "--new-password-file", "strong"]);
    client.ok(["key", "add", "--allow-weak-password", "--new-password-file", "weak"]);
    let allowed = client.clone().variable("TRESOR_ALLOW_WEAK_PASSWORD", "true");
    assert_eq!(allowed.ok(["key", "add", "--new-password-file", "weak"]).errors(), "");
    let json = client.run(["key", "add", "--json", "--new-password-file", "weak"]).exits(2);
    let error: Value = serde_json::from_str(json.errors().lines().last().unwrap()).unwrap();
    assert_eq!((&error["message_type"], &error["code"]), (&"exit_error".into(), &2.into()));
}

#[test]
fn a_backup_that_makes_its_repository_is_under_the_same_rule() {
    let folder = tempfile::tempdir().unwrap();
    let (repository, source) = (folder.path().join("new"), folder.path().join("source"));
    fs::write(&source, "x").unwrap();
    let backup = ["backup", "--init", source.to_str().unwrap()];
    strict(&repository).password("letmein").run(backup).exits(2);
    assert!(!repository.exists());
    strict(&repository).password(STRONG).ok(backup);
}

#[test]
fn as_restic_a_weak_password_is_told_and_taken() {
    let folder = tempfile::tempdir().unwrap();
    let client = strict(folder.path().join("new")).password("letmein");
    let told = client.clone().called("restic").ok(["init"]).errors();
    assert!(told.starts_with("warning: the new password is weak") && told.lines().count() == 1, "{told}");
    let client = strict(folder.path().join("other")).password("letmein");
    assert_eq!(client.variable("TRESOR_COMPAT", "restic").ok(["init"]).errors(), told);
}

/// A repository, and a client that is told no password.
fn without_password() -> (fixtures::Unpacked, Client) {
    let empty = fixtures::empty_repository();
    let client = Client::tresor(TRESOR, &empty.path).password("");
    (empty, client)
}

#[test]
fn pwfile_mode() {
    let (_repository, client) = without_password();
    let folder = client.home().join("folder");
    fs::create_dir(&folder).unwrap();
    let file = folder.join("pw");
    let link = client.home().join("link");
    symlink(&file, &link).unwrap();
    secret_file(&file, fixtures::PASSWORD);
    let flag = |path: &Path| {
        ["--password-file".to_owned(), path.to_str().unwrap().to_owned(), "cat".into(), "config".into()]
    };
    let mut tried = 0;
    let mut check = |path: &Path, refused: bool, what: &str| {
        tried += 1;
        let run = client.run(flag(path));
        assert_eq!(run.code, Some(if refused { 2 } else { 0 }), "{what}: {run}");
        let as_restic = client.clone().called("restic").ok(flag(path)).errors();
        assert_eq!(as_restic.starts_with("warning: "), refused, "{what}: {as_restic}");
        assert!(as_restic.lines().count() <= 1, "{what}: {as_restic}");
        let allowed = client.run([&["--allow-open-password-file".to_owned()], &flag(path)[..]].concat());
        assert_eq!(allowed.ok().errors(), "", "{what}");
    };
    for (mode, refused) in [
        (0o600, false),
        (0o400, false),
        (0o700, false),
        (0o644, true),
        (0o640, true),
        (0o604, true),
        (0o620, true),
        (0o602, true),
    ] {
        chmod(&file, mode);
        check(&file, refused, &format!("a file of mode {mode:o}"));
        check(&link, refused, &format!("a link to a file of mode {mode:o}"));
    }
    chmod(&file, 0o600);
    for (mode, refused) in [(0o755, false), (0o770, false), (0o777, true), (0o1777, false)] {
        chmod(&folder, mode);
        check(&file, refused, &format!("a folder of mode {mode:o}"));
        check(&link, refused, &format!("a link into a folder of mode {mode:o}"));
    }
    chmod(&folder, 0o755);
    // Only root can make others the owner; for others a test below the program does it.
    if nobody_can_own(&link) {
        check(&link, true, "a link of another user");
        lchown(&file, Some(65534), None).unwrap();
        check(&file, true, "a file of another user");
    }
    assert!(tried >= 24, "{tried}");
}

fn nobody_can_own(link: &Path) -> bool {
    lchown(link, Some(65534), None).is_ok()
}

#[test]
fn a_password_file_may_be_a_pipe_and_is_read_once() {
    let (repository, client) = without_password();
    secret_file(client.home().join("pw"), fixtures::PASSWORD);
    chmod(client.home().join("pw"), 0o644);
    let shell = |line: &str| {
        let mut command = client.command(["unused"]);
        let mut bash = Command::new("bash");
        bash.args(["-c", line, TRESOR]).env_clear().current_dir(client.home());
        bash.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env_remove("RESTIC_PASSWORD");
        Run::of(&mut bash)
    };
    let password = fixtures::PASSWORD;
    shell(&format!("$0 -p <(echo {password}) cat config")).ok();
    shell(&format!("echo {password} | $0 -p /dev/stdin cat config")).ok();
    shell(&format!("$0 -p /dev/stdin cat config <<<{password}")).ok();
    shell("$0 -p /dev/fd/3 cat config 3<pw").ok();
    shell(&format!("mkfifo -m 600 fifo; echo {password} >fifo & $0 -p fifo cat config")).ok();
    // The password is needed more than once: to see that it is not on stdin, to open, to make a repository.
    shell(&format!("echo data | $0 -p <(echo {password}) backup --stdin")).ok();
    shell(&format!("$0 -r new -p <(echo {STRONG}) backup --init pw")).ok();
    drop(repository);
}

#[test]
fn password_command_argv() {
    let (_repository, client) = without_password();
    let (folder, printer) = program(
        "printer",
        &format!(
            "printf '%s\\n' \"$0\" \"$@\" >\"$(dirname \"$0\")/argv\"; env -0 >\"$(dirname \"$0\")/environ\"; echo '{}'",
            fixtures::PASSWORD
        ),
    );
    let odd = [
        "a b",
        "\"",
        ";",
        "$(touch planted)",
        "`touch planted`",
        "&& touch planted",
        "*",
        "-x",
        "$HOME",
        "ä",
    ];
    let quoted: Vec<String> = odd.iter().map(|word| format!("'{word}'")).collect();
    let command = format!("{} {}", printer.display(), quoted.join(" "));
    client.ok(["--password-command", &command, "cat", "config"]);
    let told = fs::read_to_string(folder.path().join("argv")).unwrap();
    assert_eq!(told.lines().skip(1).collect::<Vec<_>>(), odd);
    assert_eq!(told.lines().next(), printer.to_str());
    assert!(!client.home().join("planted").exists());
    let as_restic = Client::restic(client.repository()).password("");
    as_restic.ok(["--password-command", &command, "cat", "config"]);
    assert_eq!(fs::read_to_string(folder.path().join("argv")).unwrap(), told, "restic passes the same");
}

#[test]
fn a_password_command_sees_no_secret_of_ours() {
    let (_repository, client) = without_password();
    let (folder, printer) = program("printer", "env >\"$(dirname \"$0\")/environ\"; cat >&2; exit 1");
    let client = client.password("secret-1").variable("RESTIC_REST_PASSWORD", "secret-2");
    let client =
        client.variable("RESTIC_FROM_PASSWORD", "secret-3").variable("AWS_SECRET_ACCESS_KEY", "for-s3");
    let client = client.variable("RESTIC_FROM_REPOSITORY", "rest:https://me:secret-4@host/");
    let command = printer.to_str().unwrap();
    let client = client.variable("AWS_ACCESS_KEY_ID", "id");
    let sees = |client: &Client, location: &str| {
        let _ = fs::remove_file(folder.path().join("environ")); // of the run before
        client.run_with_input(["-r", location, "--password-command", command, "cat", "config"], b"secret-5");
        fs::read_to_string(folder.path().join("environ")).unwrap()
    };
    let (local, s3) = (client.repository().to_str().unwrap(), "s3:http://localhost:1/bucket");
    let seen = sees(&client, local);
    assert!(!seen.contains("secret-"), "{seen}");
    assert!(
        seen.contains("RESTIC_FROM_REPOSITORY=rest:https://me:***@host/") && seen.contains("for-s3"),
        "{seen}"
    );
    assert!(!sees(&client, s3).contains("for-s3"));
    assert!(sees(&client.clone().variable("TRESOR_LEND_CREDENTIALS", "1"), s3).contains("for-s3"));
    let restic = client.clone().called("restic");
    let seen = sees(&restic, s3);
    assert!(seen.contains("for-s3") && !seen.contains("secret-"), "{seen}");
}

#[test]
fn planted_pass_in_dot() {
    let (_repository, client) = without_password();
    let (good, _) = program("pass", &format!("echo {}", fixtures::PASSWORD));
    let (planted, _) = program("pass", "touch planted; echo x");
    let client = client.within(planted.path());
    let run = |client: &Client, path: &str| {
        let path = path.replace("GOOD", good.path().to_str().unwrap());
        client.clone().variable("PATH", path).run(["--password-command", "pass", "cat", "config"])
    };
    for path in
        [".:GOOD:/usr/bin:/bin", ":GOOD:/usr/bin:/bin", "./:GOOD:/usr/bin:/bin", "GOOD::/usr/bin:/bin"]
    {
        run(&client, path).ok();
    }
    let restic = Client::restic(client.repository()).password("").within(planted.path());
    for path in [".:/usr/bin", "/usr/bin:", "::", "../x/.././:/usr/bin"] {
        let refused = run(&client, path).exits(1).errors();
        if path != "../x/.././:/usr/bin" {
            assert_eq!(refused, run(&restic, path).exits(1).errors(), "{path}");
        }
    }
    assert!(!planted.path().join("planted").exists());
    // What the user names with a slash is what the user means.
    client.run(["--password-command", "./pass", "cat", "config"]).exits(12);
    assert!(planted.path().join("planted").exists());
}

#[test]
fn what_a_password_command_prints_is_bounded() {
    let (_repository, client) = without_password();
    let run = client.run(["--password-command", "cat /dev/zero", "cat", "config"]).exits(1);
    assert!(run.errors().contains("prints more than 65536 bytes"), "{run}");
    for line in ["no-such-program", "./no-such-program", "false", "/etc/passwd"] {
        let ours = client.run(["--password-command", line, "cat", "config"]).exits(1).errors();
        let restic = Client::restic(client.repository()).password("").within(client.home());
        assert_eq!(ours, restic.run(["--password-command", line, "cat", "config"]).exits(1).errors());
    }
}

#[test]
fn a_systemd_credential_opens_a_repository() {
    let (_repository, client) = without_password();
    let folder = client.home().join("credentials");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("backup"), fixtures::PASSWORD).unwrap();
    let config = ["--password-from", "systemd:backup", "cat", "config"];
    let run = client.run(config).exits(1);
    assert!(run.errors().contains("$CREDENTIALS_DIRECTORY"), "{run}");
    let client = client.variable("CREDENTIALS_DIRECTORY", &folder);
    client.ok(config);
    client.clone().variable("TRESOR_PASSWORD_FROM", "systemd:backup").ok(["cat", "config"]);
    client.run(["--password-from", "systemd:other", "cat", "config"]).exits(1);
    client.run(["--password-from", "systemd:../x", "cat", "config"]).exits(1);
    client.run(["--password-from", "systemd:backup", "--password-command", "true", "cat", "config"]).exits(1);
    let copy = ["copy", "--from-repo", client.repository().to_str().unwrap()];
    let target = fixtures::empty_repository();
    let into = Client::tresor(TRESOR, &target.path).variable("CREDENTIALS_DIRECTORY", &folder);
    into.ok([&copy[..], &["--from-password-from", "systemd:backup"]].concat());
    into.variable("TRESOR_FROM_PASSWORD_FROM", "systemd:backup").ok(copy);
}

/// A session bus of our own, with GNOME's keyring on it.
#[test]
fn a_keyring_opens_a_repository() {
    let (_repository, client) = without_password();
    let line = "printf keyring | gnome-keyring-daemon --unlock --components=secrets >/dev/null && \
                printf '%s\n' \"$1\" | secret-tool store --label=Backup service tresor name 'the backup' && \
                \"$0\" --password-from 'keyring:the backup' cat config && \
                ! \"$0\" --password-from keyring:other cat config";
    let prepared = client.command([""; 0]);
    let mut session = Command::new("timeout");
    session.args(["60", "dbus-run-session", "--", "sh", "-c", line, TRESOR, fixtures::PASSWORD]);
    session.env_clear().envs(prepared.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let runtime = client.home().join("runtime");
    fs::create_dir(&runtime).unwrap();
    chmod(&runtime, 0o700);
    let run = Run::of(session.env("XDG_RUNTIME_DIR", &runtime).current_dir(client.home())).ok();
    assert!(run.text().contains("chunker_polynomial"), "{run}");
    assert!(run.errors().contains("the keyring gives no \"other\": exit status 1"), "{run}");
}

/// With `--anonymous-key` nothing in a repository says in clear whose it is.
#[test]
fn clear_scan() {
    let folder = tempfile::tempdir().unwrap();
    let (repository, source) = (folder.path().join("new"), folder.path().join("source-of-marks"));
    fs::create_dir(&source).unwrap();
    fs::write(source.join("marked-name"), "marked-content").unwrap();
    let client = strict(&repository).password(STRONG).variable("TRESOR_HOST", "marked-host");
    let host = Run::of(&mut Command::new("hostname")).ok().text().trim_end().to_owned();
    let user = Run::of(&mut Command::new("id")).ok().text().split(['(', ')']).nth(1).unwrap().to_owned();
    client.ok(["init", "--anonymous-key"]);
    client.ok(["backup", source.to_str().unwrap(), "--tag", "marked-tag"]);
    secret_file(client.home().join("new"), "another-Otter-mild-17-lamp");
    client.ok(["key", "add", "--anonymous-key", "--new-password-file", "new"]);
    client.ok(["key", "passwd", "--anonymous-key", "--new-password-file", "new"]);
    client.run(["key", "add", "--anonymous-key", "--user", "x", "--new-password-file", "new"]).exits(1);
    let client = client.password("another-Otter-mild-17-lamp");
    let marks = [&host, &user, "marked", "source-of-marks", "tresor"].map(str::to_owned);
    let (mut files, mut found) = (0, Vec::new());
    for path in files_below(&repository) {
        files += 1;
        let bytes = fs::read(&path).unwrap();
        let name = path.strip_prefix(&repository).unwrap().display().to_string();
        // In sealed bytes a short name stands by chance: in key files, the only ones in clear, it is looked for elsewhere.
        let is_key = name.starts_with("keys/");
        let clear = if is_key { said_by_key(&bytes) } else { bytes };
        let marks = if is_key { &marks[..] } else { &marks[2..] };
        let hit = |mark: &&String| clear.windows(mark.len()).any(|window| window == mark.as_bytes());
        found.extend(marks.iter().filter(hit).map(|mark| format!("{mark} in {name}")));
    }
    assert!(files >= 6 && found.is_empty(), "{files} files: {found:?}");
    let keys = client.ok(["key", "list", "--json"]).json();
    assert!(
        keys.as_array().unwrap().iter().all(|key| key["userName"] == "" && key["hostName"] == ""),
        "{keys}"
    );
    let restic = Client::restic(&repository).password("another-Otter-mild-17-lamp");
    restic.ok(["check", "--read-data"]);
    restic.ok(["key", "list"]);
}

/// A key file without its random and sealed parts, and without the names of members.
fn said_by_key(bytes: &[u8]) -> Vec<u8> {
    let key: Value = serde_json::from_slice(bytes).unwrap();
    let members = key.as_object().unwrap().iter();
    let sealed = ["salt", "data"];
    let said =
        members.filter(|(name, _)| !sealed.contains(&name.as_str())).map(|(_, value)| value.to_string());
    said.collect::<Vec<_>>().join(" ").into_bytes()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}
