//! What any HTTP server can do wrong, whatever is asked of it.

use super::{Ask, Case, Expect, STUCK};
use tresor_backend::ErrorKind;
use tresor_testkit::servers::scripted::{Act, Seen, answer, with_headers};

fn raw(bytes: &str) -> Vec<Act> {
    vec![Act::ReadBody, Act::Send(bytes.as_bytes().to_vec())]
}

fn raw_then_close(bytes: &str) -> Vec<Act> {
    vec![Act::ReadBody, Act::Send(bytes.as_bytes().to_vec()), Act::Close]
}

fn part(seen: &Seen, range: &str, body: &str) -> Vec<Act> {
    assert!(seen.header("range").is_some(), "a part is asked for");
    with_headers("206 Partial Content", &format!("Content-Range: bytes {range}\r\n"), body)
}

const fn case(name: &'static str, ask: Ask, script: fn(&Seen) -> Vec<Act>, expect: Expect) -> Case {
    Case { name, ask, script, expect }
}

const fn kind(kind: ErrorKind) -> Expect {
    Expect::Kind(kind)
}

const TEMPORARY: Expect = kind(ErrorKind::Temporary);

/// Misbehaviours of status lines and what goes with them.
pub(crate) const STATUS: &[Case] = &[
    case("401", Ask::Stat, |_| answer("401 Unauthorized", ""), kind(ErrorKind::Denied)),
    case("403", Ask::Load, |_| answer("403 Forbidden", "no"), kind(ErrorKind::Denied)),
    case("404", Ask::Load, |_| answer("404 Not Found", "no"), kind(ErrorKind::NotFound)),
    case("429", Ask::Stat, |_| answer("429 Too Many Requests", ""), TEMPORARY),
    case("500", Ask::Load, |_| answer("500 Oops", "no"), TEMPORARY),
    case("503", Ask::Remove, |_| answer("503 Slow Down", "no"), TEMPORARY),
    case("507 on save", Ask::Save, |_| answer("507 Insufficient Storage", "no"), kind(ErrorKind::NoSpace)),
    case(
        "a status without words",
        Ask::Load,
        |_| raw("HTTP/1.1 500\r\nContent-Length: 0\r\n\r\n"),
        TEMPORARY,
    ),
    case(
        "a status out of range",
        Ask::Load,
        |_| raw("HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n"),
        Expect::Fails,
    ),
    case("no status at all", Ask::Load, |_| raw_then_close("hello\r\n\r\n"), Expect::Fails),
    case("another version", Ask::Load, |_| raw_then_close("HTTP/7.3 200 OK\r\n\r\n"), Expect::Fails),
    case(
        "an upgrade nobody asked for",
        Ask::Load,
        |_| raw_then_close("HTTP/1.1 101 Switch\r\nUpgrade: x\r\n\r\n"),
        Expect::Fails,
    ),
    case(
        "a redirect to itself",
        Ask::Load,
        |seen| with_headers("302 Found", &format!("Location: {}\r\n", seen.path()), ""),
        Expect::Fails,
    ),
    case(
        "a redirect to another protocol",
        Ask::Load,
        |_| with_headers("302 Found", "Location: ftp://127.0.0.1/x\r\n", ""),
        Expect::Fails,
    ),
    case("a redirect to nowhere", Ask::Load, |_| answer("302 Found", ""), Expect::Fails),
    case(
        "a save is redirected",
        Ask::Save,
        |seen| match seen.method() {
            "GET" | "HEAD" => answer("200 OK", ""),
            _ => with_headers("303 See Other", "Location: /elsewhere\r\n", ""),
        },
        Expect::Fails,
    ),
    case(
        "an error that drives a terminal",
        Ask::Load,
        |_| answer("500 Oops", "\x1b]0;gotcha\x07\x1b[2J\u{202e}"),
        TEMPORARY,
    ),
    case("a very long error", Ask::Load, |_| answer("500 Oops", "x".repeat(1_000_000)), TEMPORARY),
    case(
        "an endless error",
        Ask::Load,
        |_| vec![Act::Send(b"HTTP/1.1 500 Oops\r\n\r\n".to_vec()), Act::Endless(vec![b'x'; 1000])],
        TEMPORARY,
    ),
    case(
        "an error that is told very slowly",
        Ask::Load,
        |_| {
            let drip = [Act::Send(b"x".to_vec()), Act::Wait(STUCK / 3)];
            let head = Act::Send(b"HTTP/1.1 500 Oops\r\n\r\n".to_vec());
            std::iter::once(head).chain(drip.iter().cycle().take(600).cloned()).collect()
        },
        TEMPORARY,
    ),
];

/// Misbehaviours of connections.
pub(crate) const CONNECTION: &[Case] = &[
    case("closed at once", Ask::Load, |_| vec![Act::Close], TEMPORARY),
    case("closed in the head", Ask::Load, |_| raw_then_close("HTTP/1.1 200 O"), TEMPORARY),
    case(
        "closed after the head",
        Ask::Whole,
        |_| raw_then_close("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"),
        TEMPORARY,
    ),
    case(
        "closed in the body",
        Ask::Whole,
        |_| raw_then_close("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"),
        TEMPORARY,
    ),
    case("silent", Ask::Stat, |_| vec![Act::Wait(STUCK * 10)], TEMPORARY),
    case("silent after a save", Ask::Save, |_| vec![Act::ReadBody, Act::Wait(STUCK * 10)], TEMPORARY),
    case("silent in a save", Ask::Save, |_| vec![Act::Wait(STUCK * 10)], TEMPORARY),
    case(
        "silent in the head",
        Ask::Load,
        |_| vec![Act::Send(b"HTTP/1.1 200 OK\r\n".to_vec()), Act::Wait(STUCK * 10)],
        TEMPORARY,
    ),
    case(
        "silent in the body",
        Ask::Whole,
        |_| {
            vec![
                Act::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc".to_vec()),
                Act::Wait(STUCK * 10),
            ]
        },
        TEMPORARY,
    ),
    case("closed in a save", Ask::Save, |_| vec![Act::Wait(STUCK / 10), Act::Close], TEMPORARY),
    case(
        "a save that is praised unread",
        Ask::Save,
        |_| {
            vec![
                Act::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()),
                Act::Wait(STUCK),
                Act::Close,
            ]
        },
        TEMPORARY,
    ),
    case(
        "endless interim answers",
        Ask::Load,
        |_| vec![Act::Endless(b"HTTP/1.1 102 Processing\r\n\r\n".to_vec())],
        Expect::Fails,
    ),
    case(
        "an endless header",
        Ask::Load,
        |_| vec![Act::Send(b"HTTP/1.1 200 OK\r\nX: ".to_vec()), Act::Endless(vec![b'x'; 1000])],
        Expect::Fails,
    ),
    case(
        "endless headers",
        Ask::Load,
        |_| vec![Act::Send(b"HTTP/1.1 200 OK\r\n".to_vec()), Act::Endless(b"X: y\r\n".to_vec())],
        Expect::Fails,
    ),
];

/// Lies about lengths and parts.
pub(crate) const LENGTHS: &[Case] = &[
    case("no length for a stat", Ask::Stat, |_| raw_then_close("HTTP/1.1 200 OK\r\n\r\n"), Expect::Fails),
    case(
        "a length that is no number",
        Ask::Stat,
        |_| raw_then_close("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"),
        Expect::Fails,
    ),
    case(
        "a negative length",
        Ask::Whole,
        |_| raw_then_close("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx"),
        Expect::Fails,
    ),
    case(
        "two lengths",
        Ask::Whole,
        |_| raw_then_close("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
        Expect::Fails,
    ),
    case(
        "a length beyond all memory",
        Ask::Whole,
        |_| raw_then_close("HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\nx"),
        kind(ErrorKind::WrongSize),
    ),
    case(
        "longer than wanted",
        Ask::Whole,
        |_| answer("200 OK", "x".repeat(1001)),
        kind(ErrorKind::WrongSize),
    ),
    case(
        "endless without a length",
        Ask::Whole,
        |_| vec![Act::Send(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()), Act::Endless(vec![b'x'; 1000])],
        kind(ErrorKind::WrongSize),
    ),
    case(
        "endless chunks",
        Ask::Whole,
        |_| {
            vec![
                Act::Send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()),
                Act::Endless(b"3\r\nabc\r\n".to_vec()),
            ]
        },
        kind(ErrorKind::WrongSize),
    ),
    case(
        "a chunk that is none",
        Ask::Whole,
        |_| raw_then_close("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n"),
        Expect::Fails,
    ),
    case(
        "a chunk beyond all memory",
        Ask::Whole,
        |_| raw_then_close("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\nabc"),
        Expect::Fails,
    ),
    case(
        "chunks that end too early",
        Ask::Whole,
        |_| raw_then_close("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
        Expect::Fails,
    ),
    case("the whole file for a part", Ask::Load, |_| answer("200 OK", "x".repeat(50)), Expect::Fails),
    case("another part", Ask::Load, |seen| part(seen, "0-99/1000", &"x".repeat(100)), Expect::Fails),
    case(
        "a part of a file that is too short",
        Ask::Load,
        |seen| part(seen, "50-99/100", &"x".repeat(50)),
        kind(ErrorKind::WrongSize),
    ),
    case("less than the part", Ask::Load, |seen| part(seen, "50-149/1000", &"x".repeat(99)), Expect::Fails),
    case("more than the part", Ask::Load, |seen| part(seen, "50-149/1000", &"x".repeat(5000)), Expect::Works),
    case(
        "a part that does not say which",
        Ask::Load,
        |_| answer("206 Partial Content", "x".repeat(100)),
        Expect::Fails,
    ),
    case("a part that is nonsense", Ask::Load, |seen| part(seen, "x-y/z", &"x".repeat(100)), Expect::Fails),
    case(
        "a part beyond the end",
        Ask::Load,
        |_| answer("416 Range Not Satisfiable", ""),
        kind(ErrorKind::WrongSize),
    ),
    case("nothing for a part", Ask::Load, |_| answer("204 No Content", ""), Expect::Fails),
];
