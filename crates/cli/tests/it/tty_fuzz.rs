//! Nothing that a repository holds steers the terminal of the one who looks at it.

use crate::pair::TRESOR;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;
use tresor_testkit::{Client, Random, asked, backend::shown::is_steering, fixtures, secret_file};

/// What strings are made of: what clears, colours, titles, moves, turns and hides, and harmless letters.
const PIECES: &[&[u8]] = &[
    b"\x1b[2J",
    b"\x1b]0;title\x07",
    b"\x1b]52;c;eA==\x1b\\",
    b"\x1bP+q\x1b\\",
    b"\xc2\x9b31m",
    b"\xc2\x9d0;t\xc2\x9c",
    b"\r",
    b"\n",
    b"\x08",
    b"\x7f",
    b"\xe2\x80\xae",
    b"\xe2\x81\xa6",
    b"\xe2\x80\xa8",
    b"\x9b31m",
    b"\xff",
    b"a b",
    b"\"'\\",
    "Grüße 世界".as_bytes(),
];

/// A string of a few pieces, none of them `/`, and neither empty nor `.`.
fn string(random: &mut Random) -> Vec<u8> {
    (0..random.within(1..=4)).flat_map(|_| random.pick(PIECES).to_vec()).chain(*b"x").collect()
}

/// The same for arguments: text, without what separates.
fn text(random: &mut Random) -> String {
    String::from_utf8_lossy(&string(random)).replace('\n', "\u{85}")
}

/// A word of a shell that is just these bytes.
fn quoted(word: &OsStr) -> Vec<u8> {
    let mut quoted = b"'".to_vec();
    for byte in word.as_bytes() {
        match byte {
            b'\'' => quoted.extend_from_slice(b"'\\''"),
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

/// What the command shows on a terminal, by `script`.
fn on_a_terminal(client: &Client, words: &[&str]) -> Vec<u8> {
    let wanted = client.command(words);
    let words = std::iter::once(wanted.get_program()).chain(wanted.get_args());
    let line = words.map(quoted).collect::<Vec<_>>().join(&b' ');
    let mut script = Command::new("script");
    script.args(["-q", "-c"]).arg(OsStr::from_bytes(&line)).arg("/dev/null").env_clear();
    script.envs(wanted.get_envs().filter_map(|(name, value)| Some((name, value?))));
    script.env("TERM", "xterm").current_dir(wanted.get_current_dir().unwrap()).stdin(Stdio::null());
    script.output().expect("script(1) is part of every Debian").stdout
}

/// Panics if anything but text, ends of lines, and our own redrawing of the status is shown.
#[track_caller]
fn judge(words: &[&str], shown: &[u8]) {
    let without = |text: Vec<u8>, ours: &str| {
        String::from_utf8(text)
            .unwrap_or_else(|bad| panic!("{words:?} shows no text: {bad}"))
            .replace(ours, "")
            .into_bytes()
    };
    let text = ["\r\x1b[2K", "\x1b[1A\x1b[2K", "\r\n"].into_iter().fold(shown.to_vec(), without);
    let text = String::from_utf8(text).unwrap();
    let found = text.char_indices().find(|(_, c)| is_steering(*c) && !matches!(c, '\n' | '\t'));
    if let Some((at, c)) = found {
        panic!("{words:?} shows {c:?} in {:?}", text[..at].chars().rev().take(80).collect::<String>());
    }
}

/// Files, folders, links and attributes of such names.
fn plant(source: &Path, random: &mut Random, names: u64) {
    fs::create_dir(source).unwrap();
    let mut folder = source.to_owned();
    for number in 0..names {
        let name = std::ffi::OsString::from_vec(string(random));
        let path = folder.join(name);
        match number % 7 {
            0 => drop(symlink(OsStr::from_bytes(&string(random)), path)), // another may have the name
            1 if fs::create_dir(&path).is_ok() && number % 3 == 0 => folder = path,
            _ => drop(fs::write(path, number.to_string())),
        }
        if number % 50 == 49 {
            folder = source.to_owned();
        }
    }
}

#[test]
fn tty_fuzz() {
    let names = asked("TRESOR_TTY_NAMES", 120);
    let (mut random, scene) = (Random::new(11), TempDir::new().unwrap());
    let repository = fixtures::empty_repository();
    let client = Client::tresor(TRESOR, &repository.path).within(scene.path());
    plant(&scene.path().join("source"), &mut random, names);
    for (word, name) in [("new", "second password"), ("list", &*text(&mut random))] {
        secret_file(scene.path().join(word), name);
    }
    let look = |words: &[&str]| judge(words, &on_a_terminal(&client, words));
    let mut random = Random::new(12);
    for _ in 0..3 {
        let (host, tag, path) = (text(&mut random), text(&mut random), text(&mut random));
        look(&["backup", "-vv", "source", "--host", &host, "--tag", &tag]);
        fs::write(scene.path().join("source").join(&path), "new").unwrap();
        look(&["backup", "--exclude", &text(&mut random), &format!("source/{path}"), "nowhere\x1b[2J"]);
        look(&["key", "add", "--new-password-file", "new", "--user", &host, "--host", &tag]);
        look(&["tag", "--add", &path, "latest"]);
        look(&["restore", "latest", "-vv", "--target", &format!("restored-{}", path.replace('\n', ""))]);
        look(&["snapshots", "--host", &host]);
        look(&["stats", &text(&mut random)]);
    }
    let ids = client.ok(["snapshots", "--json"]).json();
    let ids: Vec<_> =
        ids.as_array().unwrap().iter().map(|found| found["id"].as_str().unwrap().to_owned()).collect();
    for json in [&[][..], &["--json"]] {
        let look = |words: &[&str]| look(&[json, words].concat());
        for words in WORDS {
            look(words);
        }
        look(&["diff", &ids[0], &ids[1]]);
        look(&["cat", "snapshot", &ids[0]]);
        look(&["cat", "tree", &ids[0]]);
        look(&["rewrite", "--dry-run", "-vv", "--exclude", "*x", "--new-host", "\x1b[2J"]);
    }
}

/// Commands that show what is in the repository.
const WORDS: &[&[&str]] = &[
    &["snapshots"],
    &["snapshots", "--compact", "--group-by", "host,tags,paths"],
    &["ls", "latest", "--recursive"],
    &["ls", "latest", "-l", "--recursive", "--sort", "size"],
    &["ls", "latest", "--ncdu"],
    &["find", "*x"],
    &["find", "-l", "*x*"],
    &["stats", "--mode", "files-by-contents"],
    &["key", "list"],
    &["list", "snapshots"],
    &["forget", "--keep-last", "1", "--dry-run", "-vv"],
    &["check"],
    &["prune", "--dry-run"],
    &["restore", "latest", "--dry-run", "-vv", "--target", "nowhere"],
    &["repair", "snapshots", "--dry-run"],
    &["dump", "latest", "\x1b[2J"],
    &["ls", "\x1b[2J"],
    &["restore", "latest:\x1b[2J", "--target", "nowhere"],
    &["--repo", "/nowhere/\x1b[2J", "snapshots"],
    &["\x1b[2J"],
    &["ls", "--\x1b[2J"],
];
