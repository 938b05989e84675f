//! No location, whoever wrote it, becomes an option or a command of ssh.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use tresor_testkit::servers::Sshd;
use tresor_testkit::{Client, Run};

const TRESOR: &str = env!("CARGO_BIN_EXE_tresor");

/// Locations that want `CANARY` to be made; each is refused, or reaches ssh as a name and nothing else.
const LOCATIONS: [&str; 40] = [
    // A host that is an option.
    "sftp:-oProxyCommand=touch CANARY:path",
    "sftp:-oProxyCommand=touch${IFS}CANARY:path",
    "sftp:-oPermitLocalCommand=yes:path",
    "sftp:-oLocalCommand=touch CANARY:path",
    "sftp:-oKnownHostsCommand=CANARY:path",
    "sftp:-oPKCS11Provider=CANARY:path",
    "sftp:-oControlPath=CANARY:path",
    "sftp:-FCANARY:path",
    "sftp:-F:path",
    "sftp:-ECANARY:path",
    "sftp:-SCANARY:path",
    "sftp:-Jhost:path",
    "sftp:-D1080:path",
    "sftp:-L1:host:2:path",
    "sftp:-v:path",
    "sftp:--:path",
    "sftp:-:path",
    // The same in the form of a URL.
    "sftp://-oProxyCommand=touch CANARY/path",
    "sftp://-oProxyCommand=touch${IFS}CANARY/path",
    "sftp://-F/path",
    "sftp://[-oProxyCommand=touch CANARY]/path",
    "sftp://host:-1/path",
    "sftp://host:22 -oProxyCommand=touch CANARY/path",
    "sftp://host:22-oProxyCommand=x/path",
    // A user that is one.
    "sftp:-oProxyCommand=touch CANARY@host:path",
    "sftp:-lroot@host:path",
    "sftp://-oProxyCommand=touch CANARY@host/path",
    "sftp://-o@host:22/path",
    "sftp:@-oProxyCommand=touch CANARY:path",
    "sftp:user@-oProxyCommand=touch CANARY:path",
    // Names that a shell behind ssh would read as commands.
    "sftp:$(touch CANARY):path",
    "sftp:`touch CANARY`:path",
    "sftp:host;touch CANARY:path",
    "sftp:host|touch CANARY:path",
    "sftp:host&touch CANARY:path",
    "sftp:host\ntouch CANARY:path",
    "sftp:$(touch CANARY)@host:path",
    "sftp:x;touch CANARY;@host:path",
    "sftp:' -oProxyCommand=touch CANARY '@host:path",
    // The path goes to the server, and to nobody here.
    "sftp:host:-oProxyCommand=touch CANARY",
];

/// What ssh may be told with `-o` by us: what hardens, and what shares a connection.
const OURS: [&str; 9] = [
    "PermitLocalCommand=no",
    "ClearAllForwardings=yes",
    "ControlMaster=auto",
    "ControlMaster=no",
    "ControlPersist=no",
    "ControlPath=/",
    "BatchMode=yes",
    "LogLevel=QUIET",
    "ProxyCommand=false",
];

fn script(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A folder with an `ssh` that writes down its words, each ended by a zero byte, and a call by two more.
fn fake_ssh() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("log");
    let text = format!("#!/bin/sh\nprintf '%s\\0' \"$@\" '' '' >>{}\nexit 255\n", log.display());
    script(&folder.path().join("ssh"), &text);
    (folder, log)
}

/// Checks one call: options of ours, a port, a user, `--`, a host, the subsystem. Panics on any other word.
fn is_harmless(words: &[&str], location: &str) {
    let mut words = words.iter();
    let fits = |word: &str, more: &str| {
        !word.starts_with('-') && word.chars().all(|c| c.is_alphanumeric() || more.contains(c))
    };
    loop {
        let next = words.next().copied().unwrap_or_else(|| panic!("no -- for {location:?}"));
        let mut value = || words.next().copied().unwrap_or_default();
        let is_good = match next {
            "--" => break,
            "-s" | "-G" => true,
            "-o" => {
                let option = value();
                OURS.iter().any(|ours| option == *ours || (ours.ends_with('/') && option.starts_with(ours)))
            }
            "-p" => value().parse::<u16>().is_ok(),
            "-l" => fits(value(), "._-+@=~/\\"),
            _ => false,
        };
        assert!(is_good, "{location:?}: {next:?}");
    }
    let rest: Vec<&str> = words.copied().collect();
    assert!(matches!(rest[..], [host] | [host, "sftp"] if fits(host, "._-:%")), "{location:?}: {rest:?}");
}

#[test]
fn ssh_inject() {
    let (folder, log) = fake_ssh();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let canary = folder.path().join("canary");
    let called = |location: &str| {
        let _ = std::fs::remove_file(&log); // there may be none
        let run = Client::tresor(TRESOR, location).variable("PATH", &path).run(["cat", "config"]).exits(1);
        assert!(!canary.exists(), "{location:?}: {run}");
        let told = String::from_utf8(std::fs::read(&log).unwrap_or_default()).unwrap();
        let calls = told.split("\0\0\0").filter(|call| !call.is_empty());
        calls.inspect(|call| is_harmless(&Vec::from_iter(call.split('\0')), location)).count()
    };
    let reached: Vec<&str> = LOCATIONS
        .into_iter()
        .filter(|text| called(&text.replace("CANARY", canary.to_str().unwrap())) > 0)
        .collect();
    assert_eq!(reached, [LOCATIONS[39]], "only what is a name reaches ssh");
    for good in
        ["sftp:host:p", "sftp:me@host:p", "sftp://me@x@host:22/p", "sftp://[::1]:22//p", "sftp:D\\me@h_1:p"]
    {
        assert!(called(good) > 0, "{good}: the ssh that writes down its words is the one that is called");
    }
}

/// The same with the real program, and with settings by which a name would become a command.
#[test]
fn ssh_inject_into_the_real_one() {
    let folder = TempDir::new().unwrap();
    let canary = folder.path().join("canary");
    let config = folder.path().join("config");
    let settings = "Host *\nBatchMode yes\nConnectTimeout 2\nProxyCommand sh -c 'exit 1' %h %r %n\n";
    std::fs::write(&config, settings).unwrap();
    let option = format!("sftp.args=-F {}", config.display());
    for text in LOCATIONS {
        let location = text.replace("CANARY", canary.to_str().unwrap());
        let run = Client::tresor(TRESOR, &location).run(["-o", &option, "cat", "config"]).exits(1);
        assert!(!canary.exists(), "{text:?}: {run}");
    }
}

#[test]
fn ssh_runs_no_command_here_and_forwards_nothing() {
    let (folder, sshd) = (TempDir::new().unwrap(), Sshd::start());
    let (canary, config) = (folder.path().join("canary"), folder.path().join("config"));
    let [_, settings] = sshd.arguments();
    let own = format!(
        "PermitLocalCommand yes\nLocalCommand touch {}\nLocalForward {} 127.0.0.1:9\nInclude {settings}\n",
        canary.display(),
        folder.path().join("forward").display(),
    );
    std::fs::write(&config, own).unwrap();
    let ssh = || {
        let mut command = Command::new("ssh");
        command.arg("-F").arg(&config);
        command
    };
    Run::of(ssh().args(["backup-host", "true"])).ok();
    assert!(canary.exists(), "these settings run a command when nobody prevents it");
    std::fs::remove_file(&canary).unwrap();
    let location = format!("sftp:backup-host:{}/repository", folder.path().display());
    let tresor = Client::tresor(TRESOR, location);
    tresor.ok(["-o", &format!("sftp.args=-F {}", config.display()), "init"]);
    assert!(!canary.exists());
}
