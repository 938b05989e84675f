//! What others learn of a running program: memory, environment, core file. Needs root, as mounting.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tresor_testkit::{Client, seal};

const PASSWORD: &str = "a password of tests, 4711 bytes long";
const PROGRAM: &str = env!("CARGO_BIN_EXE_tresor");
/// A user without any rights.
const NOBODY: u32 = 65534;

/// A program that runs, and is ended when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Begins a backup of standard input, and waits until it waits for more.
    fn backup(client: &Client) -> Running {
        let mut command = client.command(["backup", "--stdin"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut running = Running(command.spawn().unwrap());
        let some: Vec<u8> =
            (0..5_000_000_u32).flat_map(|number| (number ^ number << 13).to_le_bytes()).collect();
        running.0.stdin.as_mut().unwrap().write_all(&some).unwrap();
        running.wait_until_idle(client);
        running
    }

    /// Waits until the lock is taken and no more work is done.
    fn wait_until_idle(&mut self, client: &Client) {
        let locks = client.repository().join("locks");
        let (mut before, mut idle) = (String::new(), 0);
        while idle < 5 {
            if self.0.try_wait().unwrap().is_some() {
                let mut said = String::new();
                self.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                panic!("it has ended: {said}");
            }
            std::thread::sleep(Duration::from_millis(100));
            let stat = std::fs::read_to_string(self.file("stat")).unwrap();
            let worked = stat.split(' ').skip(13).take(2).collect();
            let is_locked = std::fs::read_dir(&locks).unwrap().next().is_some();
            idle = if is_locked && worked == before { idle + 1 } else { 0 };
            before = worked;
        }
    }

    fn file(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.0.id())
    }

    /// How often each needle is in the memory that root can read, and how often of these in locked, undumped pages.
    fn scan(&self, needles: &[(String, Vec<u8>)]) -> BTreeMap<String, (usize, usize)> {
        let mut begins = vec![false; 1 << 16];
        needles
            .iter()
            .for_each(|(_, needle)| begins[usize::from(needle[0]) << 8 | usize::from(needle[1])] = true);
        let mut found: BTreeMap<_, _> = needles.iter().map(|(name, _)| (name.clone(), (0, 0))).collect();
        let memory = std::fs::File::open(self.file("mem")).unwrap();
        let areas = std::fs::read_to_string(self.file("smaps")).unwrap();
        let (mut seen, mut is_locked) = (0, BTreeMap::new());
        let mut area = None;
        for line in areas.lines() {
            let first = line.split(' ').next().unwrap();
            if let Some((start, end)) = first.split_once('-') {
                let number = |text| u64::from_str_radix(text, 16).unwrap();
                area = line
                    .split(' ')
                    .nth(1)
                    .is_some_and(|rights| rights.starts_with('r'))
                    .then(|| (number(start), number(end)));
            } else if let (Some(area), Some(flags)) = (area, line.strip_prefix("VmFlags:")) {
                is_locked.insert(area, flags.contains(" lo") && flags.contains(" dd"));
            }
        }
        for ((start, end), locked) in is_locked {
            let mut bytes = vec![0; (end - start) as usize];
            if memory.read_exact_at(&mut bytes, start).is_err() {
                continue; // hidden, or the kernel's
            }
            seen += bytes.len();
            for at in 0..bytes.len().saturating_sub(1) {
                if !begins[usize::from(bytes[at]) << 8 | usize::from(bytes[at + 1])] {
                    continue;
                }
                for (name, needle) in needles {
                    if bytes[at..].starts_with(needle) {
                        let (all, within) = found.get_mut(name).unwrap();
                        (*all, *within) = (*all + 1, *within + usize::from(locked));
                    }
                }
            }
        }
        assert!(seen > 1 << 20, "only {seen} bytes could be read");
        found
    }
}

/// A repository with a password of its own, and what must not be found.
fn repository() -> (tempfile::TempDir, Client, Vec<(String, Vec<u8>)>) {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::tresor(PROGRAM, folder.path().join("repo")).password(PASSWORD);
    client.ok(["init"]);
    let file = std::fs::read_dir(client.repository().join("keys")).unwrap().next().unwrap().unwrap().path();
    let key = seal::Key::of_file(&std::fs::read(file).unwrap(), PASSWORD).unwrap();
    let mut needles = key.traces();
    needles.push(("password".into(), PASSWORD.into()));
    (folder, client, needles)
}

/// A copy of the program in a folder that is opened to all: where it was built, others perhaps may not look.
fn program_for_everybody(folder: &Path) -> PathBuf {
    let program = folder.join("tresor");
    std::fs::copy(PROGRAM, &program).unwrap();
    open_to_all(folder);
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    program
}

#[test]
fn mem_scan() {
    let (_folder, client, needles) = repository();
    let running = Running::backup(&client);
    let found = running.scan(&needles);
    // A kernel without secret memory, or a machine that may hibernate, gives locked pages, which root can read.
    let hides = std::fs::read_to_string(running.file("maps")).unwrap().contains("secretmem");
    let seen: Vec<_> =
        found.iter().filter(|(_, (all, within))| *all > if hides { 0 } else { *within }).collect();
    assert!(seen.is_empty(), "{seen:?}");
}

/// restic protects nothing, and a mount has locked pages, which root can read: there the keys are found.
#[test]
fn mem_scan_finds_what_is_not_hidden() {
    let (_folder, client, needles) = repository();
    let restic = Client::restic(client.repository()).password(PASSWORD);
    let found = Running::backup(&restic).scan(&needles);
    for name in ["password", "AES key", "MAC k", "MAC r"] {
        assert!(found[name].0 > 0, "{name}: {found:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let mut mount = client.command(["mount", folder.path().to_str().unwrap()]);
    let child = mount.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut running = Running(child);
    running.wait_until_idle(&client);
    let found = running.scan(&needles);
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(running.0.id().cast_signed()),
        nix::sys::signal::Signal::SIGINT,
    )
    .unwrap();
    running.0.wait().unwrap();
    for name in ["AES key", "MAC k", "MAC r", "round key 14"] {
        assert!(found[name].0 > 0, "{name}: {found:?}");
    }
    assert!(found.values().all(|(all, within)| all == within), "outside of secret pages: {found:?}");
}

#[test]
fn environ_scan() {
    let (_folder, client, _) = repository();
    let running = Running::backup(&client);
    for file in ["environ", "cmdline"] {
        let text = String::from_utf8_lossy(&std::fs::read(running.file(file)).unwrap()).into_owned();
        assert!(!text.is_empty() && !text.contains(PASSWORD), "{file}: {text}");
    }
}

/// Aborts a program that was started with unlimited core files; says whether it left one.
fn dumps_core(program: &mut Command) -> bool {
    let words: Vec<_> =
        [program.get_program()].into_iter().chain(program.get_args()).map(ToOwned::to_owned).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -c unlimited; exec \"$@\"", "sh"]).args(words).current_dir(folder.path());
    for (name, value) in program.get_envs() {
        shell.env(name, value.unwrap());
    }
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = Running(shell.spawn().unwrap());
    std::thread::sleep(Duration::from_secs(2));
    let pid = nix::unistd::Pid::from_raw(child.0.id().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGABRT).unwrap();
    let status = child.0.wait().unwrap();
    assert_eq!(status.signal(), Some(6));
    status.core_dumped() || std::fs::read_dir(folder.path()).unwrap().next().is_some()
}

#[test]
fn core_scan() {
    let (_folder, client, _) = repository();
    assert!(dumps_core(Command::new("sleep").arg("100")), "cores can be seen");
    assert!(!dumps_core(&mut client.command(["backup", "--stdin"])));
}

/// Lets everybody read and write all that is in a folder.
fn open_to_all(path: &Path) {
    let is_folder = path.is_dir();
    std::fs::set_permissions(path, PermissionsExt::from_mode(if is_folder { 0o777 } else { 0o666 })).unwrap();
    if is_folder {
        std::fs::read_dir(path).unwrap().for_each(|entry| open_to_all(&entry.unwrap().path()));
    }
}

#[test]
fn the_same_user_cannot_look_into_it() {
    let (folder, client, _) = repository();
    let program = program_for_everybody(folder.path());
    let client = Client::tresor(program, client.repository()).password(PASSWORD);
    let reads = |pid: u32| {
        let mut other = Command::new("cat");
        other.arg(format!("/proc/{pid}/environ")).uid(NOBODY).stdout(Stdio::null()).stderr(Stdio::null());
        other.status().unwrap().success()
    };
    let sleeper = Running(Command::new("sleep").arg("100").uid(NOBODY).spawn().unwrap());
    let mut command = client.command(["backup", "--stdin", "--no-cache"]);
    command.uid(NOBODY).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut running = Running(command.spawn().unwrap());
    running.wait_until_idle(&client);
    assert!(reads(sleeper.0.id()), "it can look into what is not protected");
    assert!(!reads(running.0.id()));
    assert_eq!(
        std::fs::metadata(running.file("mem"))
            .map_err(|error| error.kind() == ErrorKind::NotFound)
            .map(|_| ()),
        Ok(())
    );
}

/// `/dev/fd/63` leads through `/proc/self/fd`, which stays open to ourselves.
#[test]
fn a_password_comes_through_process_substitution_as_an_ordinary_user() {
    let (folder, client, _) = repository();
    let program = program_for_everybody(folder.path());
    let mut shell = Command::new("bash");
    let script = format!(
        "'{}' -r '{}' --no-cache --no-lock --password-file <(printf '{PASSWORD}') cat config",
        program.display(),
        client.repository().display()
    );
    let got = shell.args(["-c", &script]).uid(NOBODY).current_dir("/").output().unwrap();
    assert!(got.status.success(), "{}", String::from_utf8_lossy(&got.stderr));
}

/// A program that we start has the limits of whoever started us, and none of our passwords.
#[test]
fn a_command_whose_output_is_stored_keeps_its_limits_and_sees_no_password() {
    let (folder, client, _) = repository();
    let seen = folder.path().join("seen");
    let look = format!("sleep 1; ulimit -c > '{0}'; env >> '{0}'", seen.display());
    let mut shell = Command::new("sh");
    let backup = client.command(["backup", "--stdin-from-command", "--", "sh", "-c", &look]);
    shell.args(["-c", "ulimit -c 77; exec \"$@\"", "sh"]).arg(PROGRAM).args(backup.get_args());
    for (name, value) in backup.get_envs() {
        shell.env(name, value.unwrap());
    }
    let got = shell.output().unwrap();
    let seen = std::fs::read_to_string(seen).unwrap_or_default();
    assert!(seen.starts_with("77\n"), "{seen}{}", String::from_utf8_lossy(&got.stderr));
    assert!(!seen.contains(PASSWORD), "{seen}");
}

/// Whether a program has given up to get more rights by starting others.
fn has_given_up(running: &Running) -> bool {
    let status = std::fs::read_to_string(running.file("status")).unwrap();
    status.lines().any(|line| line == "NoNewPrivs:\t1")
}

#[test]
fn new_rights_are_given_up_once_nothing_needs_them() {
    let (_folder, client, _) = repository();
    assert!(has_given_up(&Running::backup(&client)));
    let mut stores = client.command(["backup", "--stdin-from-command", "--", "sleep", "100"]);
    stores.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut stores = Running(stores.spawn().unwrap());
    stores.wait_until_idle(&client);
    assert!(!has_given_up(&stores), "what it stores may be the output of `sudo`");
}

/// As `sudo cat FILE`: a set-id program reads what we may not.
#[test]
fn a_password_command_may_have_more_rights_than_we() {
    let (folder, client, _) = repository();
    let tresor = program_for_everybody(folder.path());
    let (program, file) = (folder.path().join("cat"), folder.path().join("password"));
    std::fs::copy("/bin/cat", &program).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o4755)).unwrap();
    std::fs::write(&file, PASSWORD).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let asks = format!("{} {}", program.display(), file.display());
    let mut command = Command::new(tresor);
    command.arg("-r").arg(client.repository()).args(["--password-command", &asks]);
    command.args(["--no-cache", "backup", "--stdin"]).uid(NOBODY).current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut running = Running(command.spawn().unwrap());
    running.wait_until_idle(&client);
    assert!(has_given_up(&running));
}
