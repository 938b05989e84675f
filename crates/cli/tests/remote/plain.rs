//! Nothing is said without encryption to another machine, whoever names it.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tresor_testkit::Client;
use tresor_testkit::servers::scripted::{Scripted, answer, with_headers};

const TRESOR: &str = env!("CARGO_BIN_EXE_tresor");

/// A server at an address of this machine that is no loopback address: to a program it is another machine. It
/// counts connections, and has no file.
struct Elsewhere {
    /// `http://address:port`
    url: String,
    connections: Arc<AtomicUsize>,
}

impl Elsewhere {
    fn start() -> Self {
        let listener = TcpListener::bind((own_address(), 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&connections);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, mut line) = (stream.unwrap(), String::new());
                count.fetch_add(1, Ordering::SeqCst);
                let mut head = BufReader::new(stream.try_clone().unwrap());
                while head.read_line(&mut line).is_ok_and(|length| length > 2) {
                    line.clear();
                }
                // Who has gone away does not want it.
                let _ = stream
                    .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        Elsewhere { url, connections }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// An address of this machine by which others reach it. Nothing is sent to find it out.
fn own_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let routed = socket.connect("203.0.113.1:9").and_then(|()| socket.local_addr());
    let address = routed.expect("this machine needs an address besides that of loopback, and a route").ip();
    assert!(!address.is_loopback(), "{address}");
    address
}

/// What is said to be where, and by which variables.
type Case = (&'static str, String, Vec<(&'static str, String)>);

/// Locations and variables that a person gives.
fn named(url: &str) -> Vec<Case> {
    let aws = || vec![("AWS_ACCESS_KEY_ID", "id".into()), ("AWS_SECRET_ACCESS_KEY", "secret".into())];
    let swift = |more: &[(&'static str, String)]| {
        [&[("ST_USER", "me".into()), ("ST_KEY", "secret".into())], more].concat()
    };
    vec![
        ("rest", format!("rest:{url}/"), vec![]),
        ("rest with a password", format!("rest:{}/", url.replace("//", "//me:secret@")), vec![]),
        ("s3", format!("s3:{url}/bucket"), aws()),
        ("webdav", format!("opendal:webdav:{url}/dav/"), vec![]),
        ("swift, version 1", "swift:c:/".into(), swift(&[("ST_AUTH", format!("{url}/v1"))])),
        ("swift, version 2", "swift:c:/".into(), swift(&[("OS_AUTH_URL", format!("{url}/v2"))])),
        ("swift, version 3", "swift:c:/".into(), swift(&[("OS_AUTH_URL", format!("{url}/v3"))])),
        (
            "swift, a token",
            "swift:c:/".into(),
            vec![("OS_STORAGE_URL", format!("{url}/store")), ("OS_AUTH_TOKEN", "secret".into())],
        ),
        (
            "google",
            "gs:bucket:/".into(),
            vec![("STORAGE_EMULATOR_HOST", url.to_owned()), ("GOOGLE_ACCESS_TOKEN", "secret".into())],
        ),
        (
            "google, without a scheme",
            "gs:bucket:/".into(),
            vec![("STORAGE_EMULATOR_HOST", url.replace("http://", "")), ("GOOGLE_ACCESS_TOKEN", "x".into())],
        ),
    ]
}

fn client((_, location, variables): &Case) -> Client {
    let client = Client::tresor(TRESOR, location);
    variables.iter().fold(client, |client, (name, value)| client.variable(name, value))
}

#[track_caller]
fn is_refused(case: &Case, flags: &[&str], elsewhere: &Elsewhere) {
    let run = client(case).run(flags.iter().chain(&["cat", "config"])).exits(2);
    let errors = run.errors();
    assert!(errors.contains("nothing would be encrypted"), "{}: {run}", case.0);
    assert!(
        errors.contains("hint: `--insecure-plaintext`") && !errors.contains("secret"),
        "{}: {run}",
        case.0
    );
    assert_eq!(elsewhere.connections(), 0, "{}", case.0);
}

#[test]
fn no_plain() {
    let elsewhere = Elsewhere::start();
    for case in named(&elsewhere.url) {
        is_refused(&case, &[], &elsewhere);
    }
    let b2 =
        ("B2", "b2:bucket-1:/".into(), vec![("B2_ACCOUNT_ID", "id".into()), ("B2_ACCOUNT_KEY", "k".into())]);
    is_refused(&b2, &["-o", &format!("b2.endpoint={}", elsewhere.url)], &elsewhere);
}

/// The server that a person named is this machine; it names another one.
#[test]
fn no_plain_to_where_a_server_sends_us() {
    let elsewhere = Elsewhere::start();
    let url = elsewhere.url.clone();
    let here = Scripted::start(move |seen| match seen.path() {
        "/v1" => with_headers("200 OK", &format!("X-Auth-Token: secret\r\nX-Storage-Url: {url}/s\r\n"), ""),
        "/v3/auth/tokens" => {
            let endpoint = format!(r#"{{"interface":"public","url":"{url}/s"}}"#);
            let catalog = format!(r#"[{{"type":"object-store","endpoints":[{endpoint}]}}]"#);
            with_headers(
                "201 Created",
                "X-Subject-Token: secret\r\n",
                format!(r#"{{"token":{{"catalog":{catalog}}}}}"#),
            )
        }
        "/b2api/v2/b2_authorize_account" => answer(
            "200 OK",
            format!(
                r#"{{"accountId":"a","authorizationToken":"secret","apiUrl":"{url}","downloadUrl":"{url}"}}"#
            ),
        ),
        path if path.starts_with("/redirect") => {
            with_headers("307 Temporary Redirect", &format!("Location: {url}/elsewhere\r\n"), "")
        }
        _ => answer("404 Not Found", ""),
    });
    let at = |path: &str| format!("http://{}{path}", here.address);
    let swift = |name: &'static str, path: &str| {
        vec![(name, at(path)), ("ST_USER", "me".into()), ("ST_KEY", "secret".into())]
    };
    is_refused(&("swift 1", "swift:c:/".into(), swift("ST_AUTH", "/v1")), &[], &elsewhere);
    is_refused(&("swift 3", "swift:c:/".into(), swift("OS_AUTH_URL", "/v3")), &[], &elsewhere);
    let b2 =
        ("B2", "b2:bucket-1:/".into(), vec![("B2_ACCOUNT_ID", "id".into()), ("B2_ACCOUNT_KEY", "k".into())]);
    is_refused(&b2, &["-o", &format!("b2.endpoint={}", at(""))], &elsewhere);
    let keys = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let role =
        [("RESTIC_AWS_ASSUME_ROLE_ARN", "arn"), ("RESTIC_AWS_ASSUME_ROLE_STS_ENDPOINT", &elsewhere.url)];
    let variables = keys.iter().chain(&role).map(|(name, value)| (*name, (*value).to_owned()));
    is_refused(&("S3, a role", format!("s3:{}", at("/bucket")), variables.collect()), &[], &elsewhere);
    let rest = Client::tresor(TRESOR, format!("rest:{}", at("/redirect/")));
    let errors = rest.variable("RESTIC_REST_PASSWORD", "x").run(["cat", "config"]).exits(1).errors();
    assert!(errors.contains("a redirect to another host"), "{errors}");
    assert!(here.seen().iter().any(|seen| seen.path().starts_with("/redirect")), "it was asked");
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn plain_where_it_is_allowed_is_told_in_every_run() {
    let elsewhere = Elsewhere::start();
    let tresor = Client::tresor(TRESOR, format!("rest:{}/", elsewhere.url));
    let allowed = ["--insecure-plaintext", "cat", "config"];
    let runs = [
        tresor.run(allowed),
        tresor.clone().called("restic").run(["cat", "config"]),
        tresor.clone().variable("TRESOR_COMPAT", "restic").run(["cat", "config"]),
    ];
    for (count, run) in runs.into_iter().enumerate() {
        let errors = run.clone().exits(10).errors();
        assert_eq!(errors.matches("without encryption").count(), 1, "{run}");
        assert!(elsewhere.connections() > count, "{run}");
    }
    let json = tresor.run(["--json", "--insecure-plaintext", "cat", "config"]).exits(10);
    assert!(json.stdout.is_empty() && json.errors().contains(r#""message_type":"warning""#), "{json}");
}

#[test]
fn an_unverified_server_is_told_in_every_run() {
    let tresor = Client::tresor(TRESOR, "rest:https://localhost:1/");
    let warned = |client: &Client, words: &[&str]| {
        let mut started = client.start(words);
        std::thread::sleep(std::time::Duration::from_millis(800));
        rustix::process::kill_process(
            rustix::process::Pid::from_child(&started),
            rustix::process::Signal::TERM,
        )
        .unwrap();
        let mut told = String::new();
        std::io::Read::read_to_string(&mut started.stderr.take().unwrap(), &mut told).unwrap();
        started.wait().unwrap();
        told.matches("--insecure-tls").count()
    };
    for client in [&tresor, &tresor.clone().called("restic")] {
        assert_eq!(warned(client, &["--insecure-tls", "cat", "config"]), 1);
        assert_eq!(warned(client, &["cat", "config"]), 0);
    }
}

#[test]
fn plain_that_was_allowed_once_is_remembered_and_told_in_every_run() {
    let repository = tresor_testkit::fixtures::empty_repository();
    let address = std::net::SocketAddr::new(own_address(), free_port());
    let mut command = std::process::Command::new(tresor_testkit::peers::rest_server());
    command.arg("--path").arg(&repository.path).args(["--listen", &address.to_string(), "--no-auth"]);
    let _server = tresor_testkit::servers::Server::start(command, address);
    let tresor = Client::tresor(TRESOR, format!("rest:http://me:secret@{address}/"));
    let said = |run: tresor_testkit::Run| run.errors().matches("without encryption").count();
    tresor.run(["snapshots"]).exits(2);
    assert_eq!(said(tresor.ok(["--insecure-plaintext", "snapshots"])), 1);
    assert_eq!(said(tresor.ok(["snapshots"])), 1);
    let shown = tresor.ok(["trust", "show"]).text();
    assert!(shown.contains("plain HTTP is allowed") && !shown.contains("secret"), "{shown}");
    Client::tresor(TRESOR, format!("rest:http://{address}/other/")).run(["snapshots"]).exits(2);
    tresor.ok(["trust", "forget"]);
    tresor.run(["snapshots"]).exits(2);
}

fn free_port() -> u16 {
    tresor_testkit::servers::free_address().port()
}
