//! WebDAV: two real servers, and what only a script can do wrong.

use crate::hostile::{self, Ask, Case, Expect, cases, chain, network, patient};
use std::cell::Cell;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tresor_backend::{
    Backend, Error, ErrorKind, FileKind, FileName, Location, Options, Part, Payload, conformance, open,
};
use tresor_testkit::servers::scripted::{Act, Scripted, Seen, answer, with_headers};
use tresor_testkit::servers::{Server, WEBDAV_LOGIN, rclone_webdav, wsgidav};

fn at(location: &str) -> Arc<dyn Backend> {
    open(&Location::parse(OsStr::new(location)).unwrap(), &Options::default()).unwrap()
}

/// Each check gets a path of its own behind one server.
fn conforms(login: &str, start: impl Fn(&Path) -> Server) {
    let folder = TempDir::new().unwrap();
    let server = start(folder.path());
    let count = Cell::new(0);
    conformance::run(&|| {
        count.set(count.get() + 1);
        let path = if count.get() % 3 == 0 { "a%20folder/deep/er" } else { "r" };
        at(&format!("opendal:webdav:http://{login}{}/{path}/{}", server.address, count.get()))
    });
}

#[test]
fn rclone_conforms() {
    let [user, password] = WEBDAV_LOGIN;
    conforms(&format!("{user}:{password}@"), rclone_webdav);
}

#[test]
fn wsgidav_conforms() {
    conforms("", wsgidav);
}

/// Every file below a folder.
fn files(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
}

#[test]
fn an_upload_that_breaks_off_leaves_nothing_under_its_name() {
    let [user, password] = WEBDAV_LOGIN;
    for (login, start) in
        [(format!("{user}:{password}@"), rclone_webdav as fn(&Path) -> Server), (String::new(), wsgidav)]
    {
        let folder = TempDir::new().unwrap();
        let server = start(folder.path());
        let backend = at(&format!("opendal:webdav:http://{login}{}/repo", server.address));
        backend.create().unwrap();
        let (content, empty) = (vec![7; 3 << 20], tempfile::tempfile().unwrap());
        let mut payload = Payload::from(&content[..]);
        payload.push(Part::File { file: &empty, len: 1 << 20 }); // reading it fails, after much has been sent
        backend.save(hostile::pack(), &payload).unwrap_err();
        backend
            .save(FileName::new(FileKind::Key, hostile::pack().id()), &Payload::from(&b"key"[..]))
            .unwrap();
        let mut found = Vec::new();
        files(folder.path(), &mut found);
        found.retain(|name| !name.contains("-tmp-"));
        assert_eq!(found, ["ab".repeat(32)], "only the key");
        let mut listed = 0;
        backend
            .list(FileKind::Pack, &mut |_| {
                listed += 1;
                Ok(())
            })
            .unwrap();
        assert_eq!(listed, 0);
    }
}

#[test]
fn a_login_is_shown_to_the_server_and_a_wrong_one_is_denied() {
    let folder = TempDir::new().unwrap();
    let server = rclone_webdav(folder.path());
    let [user, password] = WEBDAV_LOGIN;
    let location =
        Location::parse(OsStr::new(&format!("opendal:webdav:http://{}/x/", server.address))).unwrap();
    let with = |password: &str| {
        let mut options = Options::default();
        (options.webdav.user, options.webdav.password) = (user.to_owned(), password.to_owned());
        open(&location, &options).unwrap().create()
    };
    with(password).unwrap();
    let error = with("wr0ng").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(!format!("{error:?}").contains("wr0ng"));
}

fn scripted(address: SocketAddr) -> Arc<dyn Backend> {
    let options = Options { network: network(), ..Options::default() };
    let location = format!("opendal:webdav:http://user:s3cr3t@{address}/dav/");
    open(&Location::parse(OsStr::new(&location)).unwrap(), &options).unwrap()
}

const fn case(name: &'static str, ask: Ask, script: fn(&Seen) -> Vec<Act>, expect: Expect) -> Case {
    Case { name, ask, script, expect }
}

const fn kind(kind: ErrorKind) -> Expect {
    Expect::Kind(kind)
}

/// A listing with these responses after that of the folder itself.
fn listing(more: &str) -> Vec<Act> {
    let itself = response("/dav/locks/", "<D:resourcetype><D:collection/></D:resourcetype>");
    answer("207 Multi-Status", format!("<D:multistatus xmlns:D=\"DAV:\">{itself}{more}</D:multistatus>"))
}

fn response(href: &str, properties: &str) -> String {
    format!(
        "<D:response><D:href>{href}</D:href><D:propstat><D:prop>{properties}</D:prop>\
         <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    )
}

/// The answer to what uploads and renames ask, but for one method.
fn saving(seen: &Seen, method: &str, then: Vec<Act>) -> Vec<Act> {
    if seen.method() == method { then } else { answer("201 Created", "") }
}

const LISTINGS: &[Case] = &[
    case("nothing", Ask::List, |_| answer("207 Multi-Status", ""), Expect::Fails),
    case("no XML", Ask::List, |_| answer("207 Multi-Status", "[]"), Expect::Fails),
    case(
        "a page for people",
        Ask::List,
        |_| answer("200 OK", "<html><body>login</body></html>"),
        Expect::Fails,
    ),
    case(
        "a page for people, as a listing",
        Ask::List,
        |_| answer("207 Multi-Status", "<html></html>"),
        Expect::Fails,
    ),
    case("no content", Ask::List, |_| answer("204 No Content", ""), Expect::Fails),
    case(
        "a listing of nothing at all",
        Ask::List,
        |_| answer("207 Multi-Status", "<multistatus/>"),
        Expect::Fails,
    ),
    case("the folder alone", Ask::List, |_| listing(""), Expect::Works),
    case(
        "XML that breaks off",
        Ask::List,
        |_| answer("207 Multi-Status", "<multistatus><response><href>/dav/locks/</href>"),
        Expect::Fails,
    ),
    case(
        "without the folder itself",
        Ask::List,
        |_| {
            let file = response("/dav/locks/a", "<D:getcontentlength>1</D:getcontentlength>");
            answer("207 Multi-Status", format!("<D:multistatus xmlns:D=\"DAV:\">{file}</D:multistatus>"))
        },
        Expect::Fails,
    ),
    case(
        "another folder's",
        Ask::List,
        |_| listing(&response("/dav/keys/a", "<D:getcontentlength>1</D:getcontentlength>")),
        Expect::Fails,
    ),
    case("a file without a length", Ask::List, |_| listing(&response(&lock(), "")), Expect::Fails),
    case("a negative length", Ask::List, |_| listing(&response(&lock(), &length("-1"))), Expect::Fails),
    case("a length in words", Ask::List, |_| listing(&response(&lock(), &length("much"))), Expect::Fails),
    case(
        "a length beyond all measure",
        Ask::List,
        |_| listing(&response(&lock(), &length("1e99"))),
        Expect::Fails,
    ),
    case("a file", Ask::List, |_| listing(&response(&lock(), &length(" 12 "))), Expect::Works),
    case("names that are no ids", Ask::List, |_| listing(&response("/dav/locks/%2e%2e", "")), Expect::Works),
    case(
        "a part that failed",
        Ask::List,
        |_| {
            listing(
                "<D:response><D:href>/dav/locks/x</D:href><D:status>HTTP/1.1 500 No</D:status></D:response>",
            )
        },
        kind(ErrorKind::Temporary),
    ),
    case(
        "a listing that is cut off",
        Ask::List,
        |_| {
            listing(
                "<D:response><D:href>/dav/locks/</D:href><D:status>HTTP/1.1 507 Full</D:status></D:response>",
            )
        },
        Expect::Fails,
    ),
    case("no name", Ask::List, |_| listing("<D:response></D:response>"), Expect::Fails),
    case("an entity of its own", Ask::List, |_| listing(&response("/dav/locks/&lol;", "")), Expect::Fails),
    case("very deep", Ask::List, |_| answer("207 Multi-Status", "<a>".repeat(1_000_000)), Expect::Fails),
    case(
        "endless",
        Ask::List,
        |_| {
            let head = b"HTTP/1.1 207 Multi-Status\r\n\r\n<multistatus>".to_vec();
            vec![Act::ReadBody, Act::Send(head), Act::Endless(b"<response/>".repeat(1000))]
        },
        Expect::Fails,
    ),
    case(
        "neither the folder nor the one above",
        Ask::List,
        |_| answer("404 Not Found", ""),
        kind(ErrorKind::NotFound),
    ),
    case(
        "a folder that was never made",
        Ask::List,
        |seen| match seen.path() {
            "/dav/" => answer("207 Multi-Status", "<multistatus/>"),
            _ => answer("404 Not Found", ""),
        },
        Expect::Works,
    ),
    case(
        "a server that knows no folders",
        Ask::List,
        |_| answer("405 Not Allowed", ""),
        kind(ErrorKind::Unusable),
    ),
    case(
        "a folder that is elsewhere",
        Ask::List,
        |_| with_headers("301 Moved", "Location: /x/\r\n", ""),
        kind(ErrorKind::Unusable),
    ),
];

fn lock() -> String {
    format!("/dav/locks/{}", "ab".repeat(32))
}

fn length(text: &str) -> String {
    format!("<D:getcontentlength>{text}</D:getcontentlength><D:resourcetype/>")
}

const CHANGES: &[Case] = &[
    case("accepted", Ask::Save, |seen| saving(seen, "PUT", answer("202 Accepted", "")), Expect::Fails),
    case(
        "a list of failures",
        Ask::Save,
        |seen| saving(seen, "PUT", answer("207 Multi-Status", "")),
        Expect::Fails,
    ),
    case(
        "no folder, and none can be made",
        Ask::Save,
        |_| answer("409 Conflict", ""),
        kind(ErrorKind::Temporary),
    ),
    case(
        "no folder that one may make",
        Ask::Save,
        |seen| if seen.method() == "PUT" { answer("409 Conflict", "") } else { answer("403 Forbidden", "") },
        kind(ErrorKind::Denied),
    ),
    case(
        "locked",
        Ask::Save,
        |seen| saving(seen, "MOVE", answer("423 Locked", "")),
        kind(ErrorKind::Temporary),
    ),
    case(
        "moved in part",
        Ask::Save,
        |seen| saving(seen, "MOVE", answer("207 Multi-Status", "")),
        Expect::Fails,
    ),
    case(
        "taken and lost",
        Ask::Save,
        |seen| saving(seen, "MOVE", answer("404 Not Found", "")),
        kind(ErrorKind::Temporary),
    ),
    case(
        "there already",
        Ask::Save,
        |seen| saving(seen, "MOVE", answer("412 Precondition Failed", "")),
        kind(ErrorKind::AlreadyExists),
    ),
    case(
        "a server that knows no other names",
        Ask::Save,
        |seen| saving(seen, "MOVE", answer("405 Not Allowed", "")),
        kind(ErrorKind::Unusable),
    ),
    case("full", Ask::Save, |seen| saving(seen, "PUT", answer("507 Full", "")), kind(ErrorKind::NoSpace)),
    case("removed in part", Ask::Remove, |_| answer("207 Multi-Status", "<multistatus/>"), Expect::Fails),
    case("removed one day", Ask::Remove, |_| answer("202 Accepted", ""), Expect::Fails),
    case("removed before", Ask::Remove, |_| answer("404 Not Found", ""), kind(ErrorKind::NotFound)),
];

#[test]
fn a_listing_is_complete_or_an_error() {
    hostile::run(LISTINGS, scripted);
}

#[test]
fn a_change_is_done_or_an_error() {
    hostile::run(CHANGES, scripted);
}

#[test]
fn no_status_confuses_us() {
    hostile::run(cases::STATUS, scripted);
}

#[test]
fn no_connection_holds_us_up() {
    hostile::run(cases::CONNECTION, scripted);
}

#[test]
fn no_length_is_believed() {
    hostile::run(cases::LENGTHS, scripted);
}

#[test]
fn a_file_gets_its_name_when_it_is_whole_and_a_failure_is_cleared_away() {
    let server = Scripted::start(|seen| match (seen.method(), seen.header("destination")) {
        ("MOVE", Some(path)) if path.starts_with('/') => answer("502 Bad Gateway", ""),
        ("MOVE", _) => answer("201 Created", ""),
        _ => answer("201 Created", ""),
    });
    scripted(server.address).save(hostile::pack(), &Payload::from(&b"content"[..])).unwrap();
    let seen = server.seen();
    let asked: Vec<&str> = seen.iter().map(Seen::method).collect();
    assert_eq!(asked, ["PUT", "MOVE", "MOVE"]);
    let name = format!("/dav/data/ab/{}", "ab".repeat(32));
    assert!(seen[0].path().starts_with(&format!("{name}-tmp-")), "{}", seen[0].path());
    assert_eq!((seen[1].header("destination"), seen[1].header("overwrite")), (Some(&*name), Some("F")));
    assert_eq!(seen[2].header("destination"), Some(&*format!("http://{}{name}", server.address)));
    assert!(seen.iter().all(|seen| seen.header("authorization").is_some()));

    let server = Scripted::start(|seen| saving(seen, "MOVE", answer("500 Oops", "")));
    scripted(server.address).save(hostile::pack(), &Payload::from(&b"content"[..])).unwrap_err();
    let seen = server.seen();
    assert_eq!((seen[2].method(), seen[2].path()), ("DELETE", seen[0].path()));
}

#[test]
fn a_folder_that_is_missing_is_made_with_those_above_it() {
    let made = Mutex::new(Vec::<String>::new());
    let server = Scripted::start(move |seen| {
        let mut made = made.lock().unwrap();
        let path = seen.path().trim_end_matches('/').to_owned();
        let above = path.rsplit_once('/').map_or("", |(above, _)| above).to_owned();
        match seen.method() {
            "PUT" | "MKCOL" if !above.is_empty() && !made.contains(&above) => answer("409 Conflict", ""),
            "MKCOL" => {
                made.push(path);
                answer("201 Created", "")
            }
            _ => answer("201 Created", ""),
        }
    });
    scripted(server.address).save(hostile::pack(), &Payload::from(&b"content"[..])).unwrap();
    let made: Vec<String> = server
        .seen()
        .iter()
        .filter(|seen| seen.method() == "MKCOL")
        .map(|seen| seen.path().to_owned())
        .collect();
    assert_eq!(made, ["/dav/data/ab/", "/dav/data/", "/dav/", "/dav/data/", "/dav/data/ab/"]);
}

#[test]
fn a_folder_is_made_by_one_at_a_time() {
    let (busy, made) = (AtomicBool::new(false), AtomicBool::new(false));
    let server = Scripted::start(move |seen| match seen.method() {
        "MKCOL" if made.load(Ordering::SeqCst) => answer("405 Method Not Allowed", ""),
        "MKCOL" if busy.swap(true, Ordering::SeqCst) => answer("500 Internal Server Error", "it exists"),
        "MKCOL" => {
            std::thread::sleep(Duration::from_millis(100));
            made.store(true, Ordering::SeqCst);
            answer("201 Created", "")
        }
        "PUT" if !made.load(Ordering::SeqCst) => answer("409 Conflict", ""),
        _ => answer("201 Created", ""),
    });
    let backend = scripted(server.address);
    std::thread::scope(|scope| {
        let save = || backend.save(hostile::pack(), &Payload::from(&b"content"[..]));
        let saves = [(); 4].map(|()| scope.spawn(save));
        for saved in saves {
            saved.join().unwrap().unwrap();
        }
    });
}

#[test]
fn a_save_whose_answer_is_lost_is_found_to_be_done() {
    let moves = AtomicUsize::new(0);
    let server = Scripted::start(move |seen| match seen.method() {
        "MOVE" if moves.fetch_add(1, Ordering::Relaxed) == 0 => vec![Act::ReadBody, Act::Close],
        "HEAD" => vec![Act::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n".to_vec())],
        "GET" => with_headers("206 Partial Content", "Content-Range: bytes 0-6/7\r\n", "content"),
        _ => answer("201 Created", ""),
    });
    patient(scripted(server.address)).save(hostile::pack(), &Payload::from(&b"content"[..])).unwrap();
    assert_eq!(server.seen().iter().filter(|seen| seen.method() == "MOVE").count(), 1);
}

#[test]
fn a_password_is_in_no_error() {
    let server = Scripted::start(|seen| answer("401 Unauthorized", seen.path().to_owned()));
    let error: Error = scripted(server.address).stat(hostile::pack()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(!chain(&error).contains("s3cr3t") && !scripted(server.address).location().contains("s3cr3t"));
}
