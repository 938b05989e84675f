//! Misbehaving servers of restic's REST protocol.

use super::{Ask, Case, Expect, cases, chain, names, network, patient};
use std::net::SocketAddr;
use std::sync::Arc;
use tresor_backend::net::Login;
use tresor_backend::rest::{self, Rest};
use tresor_backend::{Backend, ErrorKind};
use tresor_testkit::servers::scripted::{Act, Scripted, Seen, answer, with_headers};

fn open(address: SocketAddr) -> Arc<dyn Backend> {
    let url = format!("http://user:s3cr3t@{address}/");
    Arc::new(Rest::open(&url, "rest:here".into(), &Login::default(), rest::CONNECTIONS, &network()).unwrap())
}

const fn listing(name: &'static str, script: fn(&Seen) -> Vec<Act>, expect: Expect) -> Case {
    Case { name, ask: Ask::List, script, expect }
}

const LISTINGS: &[Case] = &[
    listing("no JSON", |_| answer("200 OK", "<html>hello</html>"), Expect::Fails),
    listing("nothing", |_| answer("200 OK", ""), Expect::Fails),
    listing("nothing, said so", |_| answer("204 No Content", ""), Expect::Fails),
    listing("JSON that breaks off", |_| answer("200 OK", r#"[{"name":"ab","size":1},"#), Expect::Fails),
    listing("JSON and more", |_| answer("200 OK", "[] []"), Expect::Fails),
    listing("an object", |_| answer("200 OK", r#"{"error":"no"}"#), Expect::Fails),
    listing("a negative size", |_| answer("200 OK", r#"[{"name":"ab","size":-1}]"#), Expect::Fails),
    listing("a size in words", |_| answer("200 OK", r#"[{"name":"ab","size":"1"}]"#), Expect::Fails),
    listing("very deep", |_| answer("200 OK", "[".repeat(1_000_000)), Expect::Fails),
    listing("an endless name", |_| endless("[{\"name\":\"", "x"), Expect::Fails),
    listing("endless blanks", |_| endless("[", " "), Expect::Fails),
    listing("names that are no ids", |_| answer("200 OK", r#"["../../x","","AB","é"]"#), Expect::Works),
    listing("a folder that was never made", |_| answer("404 Not Found", ""), Expect::Works),
    listing(
        "rclone's way to say that it failed",
        |_| with_headers("404 Not Found", "Server: rclone/v1\r\n", ""),
        Expect::Kind(ErrorKind::NotFound),
    ),
    listing(
        "closed in the middle",
        |_| {
            vec![
                Act::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[{\"name\":\"ab\",".to_vec()),
                Act::Close,
            ]
        },
        Expect::Kind(ErrorKind::Temporary),
    ),
];

fn endless(begin: &str, again: &str) -> Vec<Act> {
    let head = format!("HTTP/1.1 200 OK\r\n\r\n{begin}");
    vec![Act::Send(head.into_bytes()), Act::Endless(again.repeat(1000).into_bytes())]
}

#[test]
fn no_status_confuses_us() {
    super::run(cases::STATUS, open);
}

#[test]
fn no_connection_holds_us_up() {
    super::run(cases::CONNECTION, open);
}

#[test]
fn no_length_is_believed() {
    super::run(cases::LENGTHS, open);
}

#[test]
fn a_listing_is_complete_or_an_error() {
    super::run(LISTINGS, open);
}

#[test]
fn the_same_page_for_ever_is_given_up() {
    let server = Scripted::start(|_| {
        let entry = format!("{{\"name\":\"{}\",\"size\":1}},", "ab".repeat(32));
        endless("[", &entry)
    });
    let error = names(&patient(open(server.address))).unwrap_err();
    assert!(chain(&error).contains("repeats itself without end"), "{}", chain(&error));
}

#[test]
fn a_burst_of_failures_passes() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let server = Scripted::start(move |_| match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0 => answer("500 Oops", ""),
        1 => answer("429 Too Many Requests", ""),
        2 => vec![Act::Close],
        3 => answer("503 Slow Down", ""),
        _ => answer("200 OK", "12345"),
    });
    assert_eq!(patient(open(server.address)).stat(super::pack()).unwrap(), 5);
}

#[test]
fn credentials_go_to_their_server_only_and_never_into_an_error() {
    let thief = Scripted::start(|_| answer("200 OK", "x".repeat(10)));
    let elsewhere = format!("Location: http://{}/x\r\n", thief.address);
    let server = Scripted::start(move |_| with_headers("302 Found", &elsewhere, ""));
    let backend = open(server.address);
    let mut into = Vec::new();
    backend.load_whole(super::pack(), 10, &mut into).unwrap();
    assert!(server.seen()[0].header("authorization").is_some());
    assert!(thief.seen()[0].header("authorization").is_none());

    let server = Scripted::start(|seen| answer("401 Unauthorized", seen.path().to_owned()));
    let error = open(server.address).stat(super::pack()).unwrap_err();
    assert!(!chain(&error).contains("s3cr3t"), "{}", chain(&error));
}
