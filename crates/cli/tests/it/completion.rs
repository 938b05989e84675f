//! What shells ask when somebody presses Tab, by our scripts and by those that restic made.

use crate::pair::{Pair, TRESOR};
use std::process::Command;
use tresor_testkit::{Client, Run};

/// Three snapshots of one file: `v2-multi` has hosts and tags.
fn pair() -> Pair {
    Pair::on("v2-multi")
}

/// The candidates that restic's scripts are given, without descriptions.
fn candidates(client: &Client, words: &[&str]) -> Vec<String> {
    let run = client.ok([&["__completeNoDesc"], words].concat());
    let text = run.text();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert!(matches!(lines.pop().as_deref(), Some(":4" | ":0")), "{run}");
    lines
}

fn strings(values: &serde_json::Value, of: impl Fn(&serde_json::Value) -> Vec<String>) -> Vec<String> {
    let mut all: Vec<String> = values.as_array().unwrap().iter().flat_map(of).collect();
    all.sort();
    all.dedup();
    all
}

#[test]
fn ids_hosts_tags_and_paths_come_from_the_repository() {
    let pair = pair();
    let snapshots = pair.restic.ok(["snapshots", "--json"]).json();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let mut ids = strings(&snapshots, |snapshot| vec![text(&snapshot["short_id"])]);
    ids.push("latest".into());
    ids.sort();
    for line in [&["ls", ""][..], &["diff", "latest", ""], &["restore", ""], &["find", "--snapshot", ""]] {
        let mut found = candidates(&pair.tresor, line);
        found.sort();
        assert_eq!(found, ids, "{line:?}");
    }
    let begun = candidates(&pair.tresor, &["ls", &ids[0][..4]]);
    assert_eq!(begun, [ids[0].clone()]);
    let hosts = strings(&snapshots, |snapshot| vec![text(&snapshot["hostname"])]);
    assert_eq!(candidates(&pair.tresor, &["snapshots", "--host", ""]), hosts);
    let list =
        |value: &serde_json::Value| value.as_array().map_or(Vec::new(), |a| a.iter().map(text).collect());
    let tags = strings(&snapshots, |snapshot| list(&snapshot["tags"]));
    assert_eq!(candidates(&pair.tresor, &["forget", "--tag", ""]), tags);
    let paths = strings(&snapshots, |snapshot| list(&snapshot["paths"]));
    assert_eq!(candidates(&pair.tresor, &["snapshots", "--path", ""]), paths);
}

#[test]
fn paths_in_the_named_snapshot_are_completed() {
    let pair = pair();
    let listed = pair.restic.ok(["ls", "latest", "/"]).text();
    let first = listed.lines().find(|line| line.starts_with('/')).unwrap();
    let found = candidates(&pair.tresor, &["dump", "latest", &first[..2]]);
    assert!(found.iter().any(|path| path.trim_end_matches('/') == first), "{found:?} {first}");
}

#[test]
fn nothing_is_asked_and_nothing_is_written_for_a_completion() {
    let pair = pair();
    let nobody = Client::tresor(TRESOR, pair.tresor.repository()).password("");
    assert_eq!(candidates(&nobody, &["ls", ""]), [] as [&str; 0]);
    assert_eq!(candidates(&Client::tresor(TRESOR, "no-such-folder"), &["ls", ""]), [] as [&str; 0]);
    assert_eq!(candidates(&pair.tresor, &["snapsh"]), ["snapshots"]);
    assert_eq!(pair.restic.ok(["list", "locks"]).text(), "");
}

/// A shell in an environment of its own, in which `tresor` is found and knows repository and password.
fn shell(program: &str, words: &[&str], script: &str, pair: &Pair) -> Run {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(TRESOR, folder.path().join("tresor")).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let mut shell = Command::new("timeout");
    shell.args(["60", program]).args(words).arg(script).env_clear().env("PATH", path);
    shell.env("HOME", folder.path()).env("RESTIC_REPOSITORY", pair.tresor.repository()).env("TERM", "dumb");
    shell.env("RESTIC_PASSWORD_COMMAND", format!("cat {}/password", folder.path().display()));
    std::fs::write(folder.path().join("password"), fixture_password()).unwrap();
    Run::of(&mut shell).ok()
}

#[test]
fn bash_completes_with_the_script_of_generate() {
    let pair = pair();
    let drive = r#"
        source <(tresor generate --bash-completion -)
        COMP_WORDS=(tresor snapshots --host ''); COMP_CWORD=3; COMP_TYPE=9
        _clap_complete_tresor tresor '' --host
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let seen = shell("bash", &["--norc", "-c"], drive, &pair);
    let hosts = candidates(&pair.tresor, &["snapshots", "--host", ""]);
    assert_eq!(seen.text().lines().collect::<Vec<_>>(), hosts);
}

/// What is typed, and the line after Tab: a command, a flag, a snapshot.
fn typed(pair: &Pair) -> [(String, String); 3] {
    let ids = candidates(&pair.tresor, &["ls", ""]);
    let id = ids.iter().find(|id| *id != "latest").unwrap();
    let line = |text: &str| format!("tresor {text}");
    [
        (line("snapsh"), line("snapshots")),
        (line("snapshots --hos"), line("snapshots --host")),
        (line(&format!("ls {}", &id[..7])), line(&format!("ls {id}"))),
    ]
}

#[test]
fn fish_completes_with_the_script_of_generate() {
    let pair = pair();
    for (begun, done) in typed(&pair) {
        let drive = format!("tresor generate --fish-completion - | source; complete -C '{begun}'");
        let seen = shell("fish", &["--no-config", "-c"], &drive, &pair).text();
        let words: Vec<&str> = seen.lines().filter_map(|line| line.split('\t').next()).collect();
        assert_eq!(words, [done.rsplit(' ').next().unwrap()], "{begun}");
    }
}

#[test]
fn zsh_completes_with_the_script_of_generate() {
    let pair = pair();
    for (begun, done) in typed(&pair) {
        // A zsh within zsh has a terminal, in which Tab is pressed, then Control-T, which shows the line.
        let drive = format!(
            r#"
            zmodload zsh/zpty
            zpty z zsh -f -i
            zpty -w z 'autoload -Uz compinit; compinit -u -D; source <(tresor generate --zsh-completion -)'
            zpty -w z 'show() {{ print -r -- "<line:$BUFFER>" }}; zle -N show; bindkey "^T" show'
            zpty -w -n z $'{begun}\t\C-t'
            zpty -r z seen $'*<line:[^$]*>*'
            seen=${{seen##*<line:}}
            print -r -- "${{seen%%>*}}"
            "#
        );
        let seen = shell("zsh", &["-f", "-c"], &drive, &pair).text();
        assert_eq!(seen.trim_end(), done);
    }
}

fn fixture_password() -> String {
    tresor_testkit::fixtures::unpack("v2-multi").facts.password.clone()
}

#[test]
fn man_pages_are_there_for_every_command() {
    let pair = pair();
    let folder = tempfile::tempdir().unwrap();
    pair.tresor.ok(["generate", "--man", folder.path().to_str().unwrap()]);
    let page = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(page("tresor.1").contains("EXIT STATUS"));
    assert!(page("tresor-key-add.1").contains("new\\-password\\-file"));
    let under_our_name: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "tresor-explain.1")
        .collect();
    let theirs = tempfile::tempdir().unwrap();
    pair.restic.ok(["generate", "--man", theirs.path().to_str().unwrap()]);
    for entry in std::fs::read_dir(theirs.path()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap().replace("restic", "tresor");
        assert!(under_our_name.contains(&name), "{name} is missing");
    }
}
