//! Command lines and paths.

use super::*;
use crate::location::Place;
use crate::{Location, open};
use std::error::Error as _;
use std::ffi::OsStr;

fn place(text: &str) -> location::Sftp {
    match Location::parse(OsStr::new(text)).unwrap().place() {
        Place::Sftp(place) => place.clone(),
        other => panic!("{text} is {other:?}"),
    }
}

#[test]
fn no_host_and_no_user_becomes_an_option() {
    let error = Sftp::open(&place("sftp:-v:path"), "sftp:-v:path", &Options::default(), CONNECTIONS);
    assert_eq!(error.err().unwrap().kind(), ErrorKind::Unusable);
}

#[test]
fn paths_begin_at_the_login_folder_or_the_root() {
    let prefixes = ["repo", "/srv/repo/", "/", ".", "./a//"].map(prefix);
    assert_eq!(prefixes, ["repo/", "/srv/repo/", "/", "", "./a/"]);
    assert_eq!(["repo/", "/", ""].map(folders::at), ["repo", "/", "."]);
}

#[test]
fn what_a_server_allows_is_believed_within_reason() {
    assert_eq!(content(0), 32 * 1024);
    assert_eq!(content(261_120), 261_120);
    assert_eq!(content(u64::MAX) as usize, LONGEST_CONTENT);
    assert_eq!(content(1), 512);
}

fn fails_to_open(program: &[&str]) -> String {
    let location = Location::parse(OsStr::new("sftp:host:path")).unwrap();
    let command = Some(program.iter().map(Into::into).collect());
    let sftp = Options { command, ..Options::default() };
    let error = open(&location, &open::Options { sftp, ..open::Options::default() }).err().unwrap();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Unusable, "cannot open sftp:host:path")
    );
    error.source().unwrap().to_string()
}

#[test]
fn a_program_that_ends_at_once_is_quoted() {
    assert!(fails_to_open(&["/no/such/program"]).contains("cannot start /no/such/program"));
    let quoted = fails_to_open(&["sh", "-c", "echo first >&2; printf 'last \\033[1m' >&2; exit 255"]);
    assert_eq!(quoted, "no connection: first; last \\x1b[1m");
    assert_eq!(fails_to_open(&["true"]), "no connection: it was closed");
}

#[test]
fn a_chatty_login_shell_is_told_from_a_server() {
    let chatty = fails_to_open(&["sh", "-c", "echo Welcome to this machine; cat >/dev/null"]);
    assert!(chatty.contains("Welcome to this machine") && chatty.contains("start-up file"), "{chatty}");
}

#[test]
fn every_line_of_the_program_is_told_with_its_name() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&heard);
    let listener: Listener = Arc::new(move |line: &str| told.lock().unwrap().push(line.to_owned()));
    let command = Some(["sh", "-c", "echo one >&2; printf two >&2"].map(OsString::from).to_vec());
    let options = Options { command, listener: Some(listener), ..Options::default() };
    Sftp::open(&place("sftp:host:path"), "", &options, CONNECTIONS).err().unwrap();
    assert_eq!(*heard.lock().unwrap(), ["subprocess sh: one", "subprocess sh: two"]);
}
