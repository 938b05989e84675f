//! Misbehaving servers of B2's protocol.

use super::{Ask, Case, Expect, cases, chain, names, network, patient};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tresor_backend::b2::{self, B2};
use tresor_backend::{Backend, ErrorKind, FileKind, Payload};
use tresor_testkit::servers::scripted::{Act, Scripted, Seen, answer, with_headers};

const KEY: &str = "the-s3cr3t-key";

fn open(address: SocketAddr) -> Arc<dyn Backend> {
    let endpoint = Some(format!("http://{address}"));
    let options = b2::Options { key_id: "id".into(), key: KEY.into(), endpoint };
    Arc::new(B2::open("bucket", "", "b2:bucket".into(), &options, b2::CONNECTIONS, &network()).unwrap())
}

fn call(seen: &Seen) -> &str {
    seen.path().strip_prefix("/b2api/v2/").unwrap_or_default()
}

fn ok(body: impl Into<Vec<u8>>) -> Vec<Act> {
    answer("200 OK", body)
}

fn refused(status: &str, code: &str) -> Vec<Act> {
    answer(status, format!(r#"{{"status":1,"code":"{code}","message":"no \u001b[1m"}}"#))
}

fn url(seen: &Seen) -> String {
    format!("http://{}", seen.header("host").unwrap())
}

fn login_to(api: &str, token: &str) -> Vec<Act> {
    ok(format!(
        r#"{{"accountId":"a","authorizationToken":"{token}","apiUrl":"{api}","downloadUrl":"{api}","allowed":{{}}}}"#
    ))
}

fn login(seen: &Seen) -> Option<Vec<Act>> {
    (call(seen) == "b2_authorize_account").then(|| login_to(&url(seen), "token"))
}

fn bucket(seen: &Seen) -> Option<Vec<Act>> {
    let bucket = r#"{"buckets":[{"bucketId":"7","bucketName":"bucket"}]}"#;
    login(seen).or_else(|| (call(seen) == "b2_list_buckets").then(|| ok(bucket)))
}

/// All that comes before the call that matters.
fn honest(seen: &Seen) -> Option<Vec<Act>> {
    bucket(seen).or_else(|| (call(seen) == "b2_get_upload_url").then(|| target(&format!("{}/up", url(seen)))))
}

fn target(url: &str) -> Vec<Act> {
    ok(format!(r#"{{"bucketId":"7","uploadUrl":"{url}","authorizationToken":"upload"}}"#))
}

fn endless(begin: &str, again: &str) -> Vec<Act> {
    let head = format!("HTTP/1.1 200 OK\r\n\r\n{begin}");
    vec![Act::ReadBody, Act::Send(head.into_bytes()), Act::Endless(again.repeat(1000).into_bytes())]
}

/// An entry of a listing, of a file whose name is this byte again and again.
fn file(byte: &str, action: &str) -> String {
    let name = format!("locks/{}", byte.repeat(32));
    format!(r#"{{"fileName":"{name}","fileId":"i","action":"{action}","contentLength":1}}"#)
}

fn page(files: &str, next: &str) -> Vec<Act> {
    ok(format!(r#"{{"files":[{files}],"nextFileName":{next}}}"#))
}

fn pack() -> String {
    let name = "ab".repeat(32);
    format!("data/ab/{name}")
}

/// A page of versions of the pack.
fn versions(versions: &str, next: &str) -> Vec<Act> {
    ok(format!(r#"{{"files":[{versions}],"nextFileName":"{}","nextFileId":{next}}}"#, pack()))
}

fn version(id: &str, action: &str) -> String {
    format!(r#"{{"fileName":"{}","fileId":{id},"action":"{action}"}}"#, pack())
}

const fn at(name: &'static str, ask: Ask, script: fn(&Seen) -> Vec<Act>, expect: Expect) -> Case {
    Case { name, ask, script, expect }
}

const fn kind(kind: ErrorKind) -> Expect {
    Expect::Kind(kind)
}

const TEMPORARY: Expect = kind(ErrorKind::Temporary);

const LOGIN: &[Case] = &[
    at("no JSON", Ask::Stat, |_| ok("<html>hello</html>"), Expect::Fails),
    at("a list", Ask::Stat, |_| ok("[]"), Expect::Fails),
    at("no token", Ask::Stat, |_| ok(r#"{"accountId":"a"}"#), Expect::Fails),
    at("a token of two lines", Ask::Stat, |seen| login_to(&url(seen), r"a\r\nX: y"), Expect::Fails),
    at("an address that is none", Ask::Stat, |_| login_to("hello", "token"), Expect::Fails),
    at("an address of a file", Ask::Stat, |_| login_to("file:///etc/passwd", "token"), Expect::Fails),
    at("an address of another protocol", Ask::Stat, |_| login_to("ftp://127.0.0.1", "token"), Expect::Fails),
    at("an address where nobody is", Ask::Stat, |_| login_to("http://127.0.0.1:1", "token"), TEMPORARY),
    at("very deep", Ask::Stat, |_| ok("[".repeat(1_000_000)), Expect::Fails),
    at("an endless token", Ask::Stat, |_| endless(r#"{"authorizationToken":""#, "x"), Expect::Fails),
    at("a key that is not known", Ask::Stat, |_| refused("401 X", "bad_auth_token"), kind(ErrorKind::Denied)),
    at("a cap", Ask::Stat, |_| refused("403 X", "transaction_cap_exceeded"), kind(ErrorKind::Denied)),
    at("too many requests", Ask::Stat, |_| refused("429 X", "too_many_requests"), TEMPORARY),
    at("busy", Ask::Stat, |_| refused("503 X", "service_unavailable"), TEMPORARY),
];

const BUCKET: &[Case] = &[
    at("no bucket", Ask::Save, |_| ok(r#"{"buckets":[]}"#), kind(ErrorKind::NotFound)),
    at(
        "another one",
        Ask::List,
        |_| ok(r#"{"buckets":[{"bucketId":"7","bucketName":"bucke"}]}"#),
        kind(ErrorKind::NotFound),
    ),
    at("no JSON", Ask::List, |_| ok("hello"), Expect::Fails),
    at("no id", Ask::List, |_| ok(r#"{"buckets":[{"bucketName":"bucket"}]}"#), Expect::Fails),
    at("a key of another bucket", Ask::List, |_| refused("401 X", "unauthorized"), kind(ErrorKind::Denied)),
    at("endless blanks", Ask::Remove, |_| endless("[", " "), Expect::Fails),
];

const TARGET: &[Case] = &[
    at("an address that is none", Ask::Save, |_| target("hello"), Expect::Fails),
    at("an address of another protocol", Ask::Save, |_| target("ftp://127.0.0.1/x"), Expect::Fails),
    at("no address", Ask::Save, |_| ok("{}"), Expect::Fails),
    at("busy", Ask::Save, |_| refused("503 X", "service_unavailable"), TEMPORARY),
    at("a cap", Ask::Save, |_| refused("403 X", "storage_cap_exceeded"), kind(ErrorKind::NoSpace)),
];

fn uploaded(sha1: &str, length: usize) -> Vec<Act> {
    ok(format!(r#"{{"contentSha1":"{sha1}","contentLength":{length}}}"#))
}

const UPLOAD: &[Case] = &[
    at("always busy", Ask::Save, |_| refused("503 X", "service_unavailable"), TEMPORARY),
    at("always too old", Ask::Save, |_| refused("401 X", "expired_auth_token"), TEMPORARY),
    at("never known", Ask::Save, |_| refused("401 X", "bad_auth_token"), kind(ErrorKind::Denied)),
    at("no room", Ask::Save, |_| refused("403 X", "storage_cap_exceeded"), kind(ErrorKind::NoSpace)),
    at("arrived otherwise", Ask::Save, |_| refused("400 X", "bad_request"), TEMPORARY),
    at("too slow", Ask::Save, |_| refused("408 X", "request_timeout"), TEMPORARY),
    at("nothing", Ask::Save, |_| ok(""), Expect::Fails),
    at("no JSON", Ask::Save, |_| ok("<html>"), Expect::Fails),
    at("another content", Ask::Save, |_| uploaded(&"0".repeat(40), 16 << 20), Expect::Fails),
    at(
        "another length",
        Ask::Save,
        |seen| uploaded(seen.header("x-bz-content-sha1").unwrap(), 16),
        Expect::Fails,
    ),
    at("an endless answer", Ask::Save, |_| endless(r#"{"contentSha1":""#, "x"), Expect::Fails),
];

const LISTINGS: &[Case] = &[
    at("no JSON", Ask::List, |_| ok("<html>hello</html>"), Expect::Fails),
    at("nothing", Ask::List, |_| ok(""), Expect::Fails),
    at("nothing, said so", Ask::List, |_| answer("204 No Content", ""), Expect::Fails),
    at("JSON that breaks off", Ask::List, |_| ok(r#"{"files":[{"#), Expect::Fails),
    at("JSON and more", Ask::List, |_| ok(r#"{"files":[],"nextFileName":null} {}"#), Expect::Fails),
    at("a list", Ask::List, |_| ok("[]"), Expect::Fails),
    at("files that are none", Ask::List, |_| page("1", "null"), Expect::Fails),
    at(
        "a name that is a number",
        Ask::List,
        |_| page(r#"{"fileName":1,"action":"upload"}"#, "null"),
        Expect::Fails,
    ),
    at(
        "a negative size",
        Ask::List,
        |_| page(&file("ab", "upload").replace(":1", ":-1"), "null"),
        Expect::Fails,
    ),
    at(
        "a size in words",
        Ask::List,
        |_| page(&file("ab", "upload").replace(":1", ":\"1\""), "null"),
        Expect::Fails,
    ),
    at("no size", Ask::List, |_| page(&file("ab", "upload").replace(":1", ":null"), "null"), Expect::Fails),
    at("no word of the next page", Ask::List, |_| ok(r#"{"files":[]}"#), Expect::Fails),
    at("very deep", Ask::List, |_| ok("[".repeat(1_000_000)), Expect::Fails),
    at("an endless name", Ask::List, |_| endless(r#"{"files":[{"fileName":""#, "x"), Expect::Fails),
    at(
        "endless files",
        Ask::List,
        |_| endless(r#"{"files":["#, &format!("{},", file("ab", "upload"))),
        Expect::Fails,
    ),
    at(
        "a file twice",
        Ask::List,
        |_| page(&[file("ab", "upload"), file("ab", "upload")].join(","), "null"),
        TEMPORARY,
    ),
    at("the same page for ever", Ask::List, |_| page("", r#""locks/x""#), TEMPORARY),
    at("another kind's files", Ask::List, |_| page(&version("null", "upload"), "null"), Expect::Works),
    at("the bucket is gone", Ask::List, |_| refused("400 X", "bad_bucket_id"), kind(ErrorKind::NotFound)),
    at("too many requests", Ask::List, |_| refused("429 X", "too_many_requests"), TEMPORARY),
    at("always too old", Ask::List, |_| refused("401 X", "expired_auth_token"), TEMPORARY),
];

const VERSIONS: &[Case] = &[
    at("none", Ask::Remove, |_| versions("", "null"), kind(ErrorKind::NotFound)),
    at("hidden", Ask::Remove, |_| versions(&version(r#""1""#, "hide"), "null"), kind(ErrorKind::NotFound)),
    at("no id", Ask::Remove, |_| versions(&version("null", "upload"), "null"), Expect::Fails),
    at(
        "the same page for ever",
        Ask::Remove,
        |_| versions(&version(r#""1""#, "upload"), r#""1""#),
        TEMPORARY,
    ),
    at("always another page", Ask::Remove, |_| versions("", r#""1""#), TEMPORARY),
    at("ever new versions", Ask::Remove, |_| new_versions(), TEMPORARY),
    at("an endless page", Ask::Remove, |_| endless(r#"{"files":["#, " "), Expect::Fails),
    at(
        "may not be deleted",
        Ask::Remove,
        |seen| deleted(seen, || refused("401 X", "unauthorized")),
        kind(ErrorKind::Denied),
    ),
    at(
        "somebody was faster",
        Ask::Remove,
        |seen| deleted(seen, || refused("400 X", "file_not_present")),
        Expect::Works,
    ),
    at("nowhere to delete", Ask::Remove, |seen| deleted(seen, || answer("404 Not Found", "")), Expect::Fails),
    at("nothing", Ask::Remove, |seen| deleted(seen, || ok("")), Expect::Fails),
    at("busy", Ask::Remove, |seen| deleted(seen, || refused("503 X", "service_unavailable")), TEMPORARY),
];

/// A page with a version nobody has seen before, and the promise of another one.
fn new_versions() -> Vec<Act> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let [this, next] = [0, 1].map(|_| format!("\"{}\"", COUNT.fetch_add(1, Ordering::Relaxed)));
    versions(&version(&this, "upload"), &next)
}

fn deleted(seen: &Seen, answer: fn() -> Vec<Act>) -> Vec<Act> {
    match call(seen) {
        "b2_list_file_versions" => versions(&version(r#""1""#, "upload"), "null"),
        _ => answer(),
    }
}

const DOWNLOADS: &[Case] = &[
    at(
        "not what its SHA-1 says",
        Ask::Whole,
        |_| with_headers("200 OK", &format!("X-Bz-Content-Sha1: {}\r\n", "0".repeat(40)), "hello"),
        TEMPORARY,
    ),
    at("no SHA-1", Ask::Whole, |_| with_headers("200 OK", "X-Bz-Content-Sha1: none\r\n", "x"), Expect::Works),
    at("not there", Ask::Whole, |_| refused("404 X", "not_found"), kind(ErrorKind::NotFound)),
    at("a cap", Ask::Load, |_| refused("403 X", "download_cap_exceeded"), kind(ErrorKind::Denied)),
    at("always too old", Ask::Load, |_| refused("401 X", "expired_auth_token"), TEMPORARY),
];

#[test]
fn no_status_confuses_us() {
    super::run_behind(cases::STATUS, honest, open);
}

#[test]
fn no_connection_holds_us_up() {
    super::run_behind(cases::CONNECTION, honest, open);
}

#[test]
fn no_length_is_believed() {
    super::run_behind(cases::LENGTHS, honest, open);
}

#[test]
fn nothing_that_is_told_before_is_believed() {
    super::run(LOGIN, open);
    super::run_behind(BUCKET, login, open);
    super::run_behind(TARGET, bucket, open);
}

#[test]
fn an_upload_has_worked_only_if_it_was_ours() {
    super::run_behind(UPLOAD, honest, open);
}

#[test]
fn a_listing_is_complete_or_an_error() {
    super::run_behind(LISTINGS, honest, open);
}

#[test]
fn nothing_is_removed_by_half() {
    super::run_behind(VERSIONS, honest, open);
}

#[test]
fn a_file_is_what_its_sha1_says() {
    super::run_behind(DOWNLOADS, honest, open);
}

#[test]
fn only_files_of_ours_are_listed() {
    let server = Scripted::start(|seen| {
        honest(seen).unwrap_or_else(|| {
            let odd = ["../../x", "locks/", "locks/\\u001b[2J", "locks/AB", "é", "locks/../keys/ab"];
            let mut files =
                odd.map(|name| file("xx", "upload").replace(&format!("locks/{}", "xx".repeat(32)), name));
            files.sort();
            page(
                &[files.join(","), file("aa", "hide"), file("ab", "upload"), file("ac", "start")].join(","),
                "null",
            )
        })
    });
    let listed = names(&*open(server.address)).unwrap();
    assert_eq!(listed.iter().map(|one| one.id.hex()).collect::<Vec<_>>(), ["ab".repeat(32)]);
}

#[test]
fn what_is_refused_for_ever_is_asked_for_only_so_often() {
    let server = Scripted::start(|seen| {
        honest(seen).unwrap_or_else(|| match seen.path() {
            "/up" => refused("503 X", "service_unavailable"),
            _ => refused("401 X", "expired_auth_token"),
        })
    });
    let backend = open(server.address);
    let count = |call: &str| server.seen().iter().filter(|seen| seen.path().ends_with(call)).count();
    backend.save(super::pack(), &Payload::from(&b"x"[..])).unwrap_err();
    assert_eq!((count("/up"), count("b2_get_upload_url"), count("b2_authorize_account")), (4, 4, 1));
    backend.list(FileKind::Lock, &mut |_| Ok(())).unwrap_err();
    assert_eq!((count("b2_list_file_names"), count("b2_authorize_account")), (3, 3));
}

#[test]
fn a_burst_of_failures_passes() {
    let count = AtomicUsize::new(0);
    let server = Scripted::start(move |seen| match count.fetch_add(1, Ordering::Relaxed) {
        0 => refused("503 X", "service_unavailable"),
        2 => refused("429 X", "too_many_requests"),
        4 => vec![Act::Close],
        6 => answer("500 Oops", ""),
        _ => honest(seen).unwrap_or_else(|| page(&file("ab", "upload"), "null")),
    });
    assert_eq!(names(&patient(open(server.address))).unwrap().len(), 1);
}

#[test]
fn the_key_goes_to_its_server_only_and_never_into_an_error() {
    let thief = Scripted::start(|_| ok("{}"));
    let elsewhere = format!("Location: http://{}/x\r\n", thief.address);
    let server = Scripted::start(move |_| with_headers("302 Found", &elsewhere, ""));
    let error = open(server.address).stat(super::pack()).unwrap_err();
    assert!(!chain(&error).contains(KEY), "{}", chain(&error));
    assert!(server.seen()[0].header("authorization").is_some());
    assert!(thief.seen()[0].header("authorization").is_none());

    let server = Scripted::start(|_| refused("401 X", "bad_auth_token"));
    let error = chain(&open(server.address).stat(super::pack()).unwrap_err());
    assert!(error.contains("B2_ACCOUNT_KEY") && !error.contains(KEY), "{error}");
}
