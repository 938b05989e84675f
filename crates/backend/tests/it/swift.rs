//! OpenStack Swift: a real node, every way to log in, and what only a script can do wrong.

use crate::hostile::{self, Ask, Case, Expect, cases, chain, network};
use std::cell::Cell;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;
use tresor_backend::{Backend, ErrorKind, FileKind, FileName, Location, Options, Payload, conformance, open};
use tresor_testkit::servers::scripted::{Act, Scripted, Seen, answer, with_headers};
use tresor_testkit::servers::{swift, swift_logins};

fn at(location: &str, variables: &[(&str, String)]) -> Arc<dyn Backend> {
    let mut options = Options { network: network(), ..Options::default() };
    options.network.stuck_after = std::time::Duration::from_secs(60);
    for (name, value) in variables {
        options.swift.surroundings.variables.insert((*name).to_owned(), value.clone());
    }
    open(&Location::parse(OsStr::new(location)).unwrap(), &options).unwrap()
}

/// Each check gets a container of its own, or a prefix of one.
fn conforms(address: SocketAddr) {
    let (count, logins) = (Cell::new(0), swift_logins(address));
    conformance::run(&|| {
        count.set(count.get() + 1);
        let place = match count.get() {
            number if number % 4 == 0 => format!("own container {number}:/"),
            number => format!("container:/deep/er {number}?&ü"),
        };
        at(&format!("swift:{place}"), &logins[count.get() % logins.len()].1)
    });
}

#[test]
fn swift_conforms() {
    let folder = TempDir::new().unwrap();
    conforms(swift(&folder.path().join("node"), 0).address);
}

#[test]
fn swift_whose_tokens_soon_grow_old_conforms() {
    let folder = TempDir::new().unwrap();
    conforms(swift(&folder.path().join("node"), 60).address);
}

#[test]
fn every_way_to_log_in_leads_to_the_store_and_no_wrong_secret_does() {
    let folder = TempDir::new().unwrap();
    let server = swift(&folder.path().join("node"), 0);
    for (name, variables) in swift_logins(server.address) {
        let backend = at("swift:container:/", &variables);
        if name == "v1" {
            assert_eq!(backend.stat(FileName::CONFIG).unwrap_err().kind(), ErrorKind::NotFound, "{name}");
            assert!(backend.list(FileKind::Pack, &mut |_| Ok(())).is_err(), "no container is no empty one");
        }
        backend.create().unwrap();
        assert_eq!(backend.stat(FileName::CONFIG).unwrap_err().kind(), ErrorKind::NotFound, "{name}");
        let wrong: Vec<(&str, String)> = variables
            .into_iter()
            .map(|(name, value)| match name {
                "OS_PASSWORD" | "ST_KEY" | "OS_APPLICATION_CREDENTIAL_SECRET" => (name, "wr0ng".to_owned()),
                _ => (name, value),
            })
            .collect();
        let error = at("swift:container:/", &wrong).stat(FileName::CONFIG).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{name}: {error:?}");
        assert!(!format!("{error:?}").contains("wr0ng"), "{error:?}");
    }
}

#[test]
fn a_new_container_has_the_policy_that_was_asked_for() {
    let folder = TempDir::new().unwrap();
    let server = swift(&folder.path().join("node"), 0);
    let (_, variables) = swift_logins(server.address).remove(0);
    let make = |policy: &str| {
        let mut options = Options::default();
        options.swift.surroundings.variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        options.swift.policy = Some(policy.to_owned());
        let location = format!("swift:{policy}:/");
        open(&Location::parse(OsStr::new(&location)).unwrap(), &options).unwrap().create()
    };
    make("silver").unwrap();
    assert_eq!(make("lead").unwrap_err().kind(), ErrorKind::Unusable, "a policy that is none");
}

const TOKEN: &str = "t0ken-s3cr3t";

/// A server that answers as the store for a token somebody gave us.
fn with_token(address: SocketAddr) -> Arc<dyn Backend> {
    let mut options = Options { network: network(), ..Options::default() };
    let store = format!("http://{address}/v1/AUTH_x/");
    for (name, value) in [("OS_STORAGE_URL", store.as_str()), ("OS_AUTH_TOKEN", TOKEN)] {
        options.swift.surroundings.variables.insert(name.to_owned(), value.to_owned());
    }
    open(&Location::parse(OsStr::new("swift:container:/p")).unwrap(), &options).unwrap()
}

/// A server that logs us in by a version that its script knows.
fn logging_in(address: SocketAddr, version: &str) -> Arc<dyn Backend> {
    let mut options = Options { network: network(), ..Options::default() };
    for (name, value) in [
        ("OS_AUTH_URL", format!("http://{address}/{version}")),
        ("OS_USERNAME", "user".to_owned()),
        ("OS_PASSWORD", "s3cr3t".to_owned()),
    ] {
        options.swift.surroundings.variables.insert(name.to_owned(), value);
    }
    open(&Location::parse(OsStr::new("swift:container:/p")).unwrap(), &options).unwrap()
}

const fn case(name: &'static str, ask: Ask, script: fn(&Seen) -> Vec<Act>, expect: Expect) -> Case {
    Case { name, ask, script, expect }
}

const fn kind(kind: ErrorKind) -> Expect {
    Expect::Kind(kind)
}

const NO_MD5: &str = "Etag: 00000000000000000000000000000000\r\n";

/// What a store can do wrong.
const STORE: &[Case] = &[
    case("no JSON", Ask::List, |_| answer("200 OK", "<html>hello</html>"), Expect::Fails),
    case("plain text", Ask::List, |_| answer("200 OK", "p/locks/a\n"), Expect::Fails),
    case("nothing", Ask::List, |_| answer("200 OK", ""), Expect::Fails),
    case("nothing, said so", Ask::List, |_| answer("204 No Content", ""), Expect::Fails),
    case(
        "JSON that breaks off",
        Ask::List,
        |_| answer("200 OK", r#"[{"name":"a","bytes":1},"#),
        Expect::Fails,
    ),
    case("JSON and more", Ask::List, |_| answer("200 OK", "[] []"), Expect::Fails),
    case("an object", Ask::List, |_| answer("200 OK", r#"{"error":"no"}"#), Expect::Fails),
    case("no size", Ask::List, |_| answer("200 OK", r#"[{"name":"a"}]"#), Expect::Fails),
    case("no name", Ask::List, |_| answer("200 OK", r#"[{"bytes":1}]"#), Expect::Fails),
    case("a folder nobody asked for", Ask::List, |_| answer("200 OK", r#"[{"subdir":"p/"}]"#), Expect::Fails),
    case("a negative size", Ask::List, |_| answer("200 OK", r#"[{"name":"a","bytes":-1}]"#), Expect::Fails),
    case("a size in words", Ask::List, |_| answer("200 OK", r#"[{"name":"a","bytes":"1"}]"#), Expect::Fails),
    case("very deep", Ask::List, |_| answer("200 OK", "[".repeat(1_000_000)), Expect::Fails),
    case("no container", Ask::List, |_| answer("404 Not Found", ""), kind(ErrorKind::NotFound)),
    case(
        "the same page for ever",
        Ask::List,
        |_| answer("200 OK", r#"[{"name":"a","bytes":1}]"#),
        Expect::Fails,
    ),
    case(
        "names that are no ids, then the end",
        Ask::List,
        |seen| match seen.path().contains("marker=") {
            true => answer("200 OK", "[]"),
            false => {
                answer("200 OK", r#"[{"name":"../../x","bytes":1},{"name":"p/locks/é\u0000","bytes":1}]"#)
            }
        },
        Expect::Works,
    ),
    case(
        "a second page that fails",
        Ask::List,
        |seen| match seen.path().contains("marker=") {
            true => answer("503 Busy", ""),
            false => answer("200 OK", r#"[{"name":"a","bytes":1}]"#),
        },
        kind(ErrorKind::Temporary),
    ),
    case("another hash", Ask::Save, |_| with_headers("201 Created", NO_MD5, ""), kind(ErrorKind::Temporary)),
    case(
        "a hash that does not match",
        Ask::Save,
        |_| answer("422 Unprocessable", ""),
        kind(ErrorKind::Temporary),
    ),
    case("a full account", Ask::Save, |_| answer("413 Too Large", "quota"), kind(ErrorKind::NoSpace)),
    case("no storage left", Ask::Save, |_| answer("507 No Storage", ""), kind(ErrorKind::NoSpace)),
    case("a name it does not like", Ask::Save, |_| answer("412 No", "bad name"), kind(ErrorKind::Unusable)),
    case("a save that is sent elsewhere", Ask::Save, |_| answer("301 Moved", ""), kind(ErrorKind::Unusable)),
    case("too many requests", Ask::Save, |_| answer("498 Rate Limited", ""), kind(ErrorKind::Temporary)),
    case("a token that is too old", Ask::Stat, |_| answer("401 Unauthorized", ""), kind(ErrorKind::Denied)),
    case("removed by somebody else", Ask::Remove, |_| answer("404 Not Found", ""), kind(ErrorKind::NotFound)),
];

#[test]
fn no_store_confuses_us() {
    hostile::run(STORE, with_token);
}

#[test]
fn no_status_confuses_us() {
    hostile::run(cases::STATUS, with_token);
}

#[test]
fn no_connection_holds_us_up() {
    hostile::run(cases::CONNECTION, with_token);
}

#[test]
fn no_length_is_believed() {
    hostile::run(cases::LENGTHS, with_token);
}

const fn login(name: &'static str, script: fn(&Seen) -> Vec<Act>, expect: Expect) -> Case {
    Case { name, ask: Ask::Stat, script, expect }
}

/// What any identity service can do wrong.
const LOGIN: &[Case] = &[
    login("not found", |_| answer("404 Not Found", ""), kind(ErrorKind::Unusable)),
    login("wrong password", |_| answer("401 Unauthorized", ""), kind(ErrorKind::Denied)),
    login("busy", |_| answer("503 Busy", ""), kind(ErrorKind::Temporary)),
    login("a choice", |_| answer("300 Multiple Choices", "{}"), kind(ErrorKind::Unusable)),
    login("elsewhere", |_| with_headers("302 Found", "Location: /x\r\n", ""), kind(ErrorKind::Unusable)),
    login("no token", |_| answer("200 OK", ""), Expect::Fails),
    login("closed", |_| vec![Act::ReadBody, Act::Close], kind(ErrorKind::Temporary)),
    login("silent", |_| vec![Act::ReadBody, Act::Wait(hostile::STUCK * 4)], kind(ErrorKind::Temporary)),
    login(
        "endless",
        |_| vec![Act::Send(b"HTTP/1.1 200 OK\r\n\r\n[".to_vec()), Act::Endless(vec![b' '; 4096])],
        Expect::Fails,
    ),
];

/// What Keystone can tell in its answers.
const KEYSTONE: &[Case] = &[
    login("no JSON", |_| token("<html>"), Expect::Fails),
    login("JSON that breaks off", |_| token(r#"{"token":{"catalog":["#), Expect::Fails),
    login("no catalog", |_| token(r#"{"token":{}}"#), kind(ErrorKind::Unusable)),
    login("a catalog of nothing", |_| token(r#"{"token":{"catalog":[]}}"#), kind(ErrorKind::Unusable)),
    login(
        "a catalog of something else",
        |_| token(r#"{"token":{"catalog":{"a":[1]}}}"#),
        kind(ErrorKind::Unusable),
    ),
    login("no address", |_| store("null"), kind(ErrorKind::Unusable)),
    login("an address that is none", |_| store("\"AUTH_x\""), kind(ErrorKind::Unusable)),
    login("a file", |_| store("\"file:///etc/passwd\""), Expect::Fails),
    login("an address with a line break", |_| store("\"http://x\\r\\nHost: y/\""), Expect::Fails),
];

fn token(body: &str) -> Vec<Act> {
    with_headers("201 Created", "X-Subject-Token: t\r\n", body)
}

fn store(url: &str) -> Vec<Act> {
    token(&format!(
        r#"{{"token":{{"catalog":[{{"type":"object-store","endpoints":[{{"interface":"public","url":{url}}}]}}]}}}}"#
    ))
}

#[test]
fn no_identity_service_confuses_us() {
    hostile::run(LOGIN, |address| logging_in(address, "v1.0"));
    hostile::run(LOGIN, |address| logging_in(address, "v2.0"));
    hostile::run(LOGIN, |address| logging_in(address, "v3"));
    hostile::run(KEYSTONE, |address| logging_in(address, "v3"));
}

#[test]
fn a_token_that_is_always_refused_is_given_up_and_heard_by_nobody() {
    let logins = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&logins);
    let server = Scripted::start(move |seen| match seen.path() {
        "/v1.0" => {
            count.fetch_add(1, Ordering::Relaxed);
            let host = seen.header("host").unwrap_or_default();
            with_headers(
                "200 OK",
                &format!("X-Auth-Token: {TOKEN}\r\nX-Storage-Url: http://{host}/store\r\n"),
                "",
            )
        }
        _ => answer("401 Unauthorized", seen.header("x-auth-token").unwrap_or_default()),
    });
    let error = logging_in(server.address, "v1.0").stat(hostile::pack()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!((2..=4).contains(&logins.load(Ordering::Relaxed)), "{logins:?}");
    let error =
        logging_in(server.address, "v1.0").load_whole(hostile::pack(), 9, &mut Vec::new()).unwrap_err();
    assert!(!chain(&error).contains("s3cr3t"), "{}", chain(&error));
}

#[test]
fn who_hears_late_that_an_old_token_is_refused_keeps_the_new_one_of_another() {
    let [logins, late, renewed] = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&logins);
    let wait_for = |counter: &AtomicUsize, count| {
        while counter.load(Ordering::Relaxed) < count {
            std::thread::yield_now();
        }
    };
    let server = Scripted::start(move |seen| match (seen.path(), seen.header("x-auth-token")) {
        ("/v1.0", _) => {
            let token = count.fetch_add(1, Ordering::Relaxed) + 1;
            let host = seen.header("host").unwrap_or_default();
            let told = format!("X-Auth-Token: t{token}\r\nX-Storage-Url: http://{host}/store\r\n");
            with_headers("200 OK", &told, "")
        }
        (_, Some("t1")) => {
            // Two come with the old token before one is refused, and the other only when there is a new one.
            match late.fetch_add(1, Ordering::Relaxed) {
                0 => wait_for(&late, 2),
                _ => wait_for(&renewed, 1),
            }
            answer("401 Unauthorized", "")
        }
        _ => {
            renewed.fetch_add(1, Ordering::Relaxed);
            answer("204 No Content", "")
        }
    });
    let backend = logging_in(server.address, "v1.0");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| backend.remove(hostile::pack()).unwrap());
        }
    });
    assert_eq!(logins.load(Ordering::Relaxed), 2);
}

#[test]
fn an_upload_says_what_it_is_and_comes_again_with_a_new_token() {
    let puts = AtomicUsize::new(0);
    let server = Scripted::start(move |seen| match (seen.path(), seen.method()) {
        ("/v1.0", _) => {
            let host = seen.header("host").unwrap_or_default();
            with_headers("200 OK", &format!("X-Auth-Token: t\r\nX-Storage-Url: http://{host}/store\r\n"), "")
        }
        (_, "PUT") if puts.fetch_add(1, Ordering::Relaxed) == 0 => answer("401 Unauthorized", ""),
        _ => with_headers("201 Created", "ETag: 9a0364b9e99bb480dd25e1f0284c8555\r\n", ""),
    });
    let backend = logging_in(server.address, "v1.0");
    backend.save(hostile::pack(), &Payload::from(&b"content"[..])).unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 4, "login, refused, login, saved");
    assert_eq!(seen[3].path(), format!("/store/container/p/data/ab/{}", "ab".repeat(32)));
    assert_eq!(seen[3].header("etag"), Some("9a0364b9e99bb480dd25e1f0284c8555"));
    assert_eq!((seen[3].header("x-auth-token"), seen[3].header("content-length")), (Some("t"), Some("7")));
}

#[test]
fn without_anywhere_to_log_in_it_ends_at_once_and_says_what_is_missing() {
    for (variables, said) in [
        (&[][..], "OS_AUTH_URL"),
        (&[("OS_AUTH_URL", "http://127.0.0.1:1/"), ("OS_USERNAME", "x")], "names no version"),
        (&[("ST_AUTH", "//nowhere/v1")], "is no URL"),
        (&[("OS_AUTH_URL", "http://127.0.0.1:1/v1"), ("OS_PASSWORD", "a\nb")], "characters"),
    ] {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let error = at("swift:container:/", &variables).stat(FileName::CONFIG).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unusable, "{said}");
        assert!(chain(&error).contains(said), "{}", chain(&error));
    }
}
