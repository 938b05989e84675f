//! Packs in an archive of S3: with a server that has one, and with answers that a script gives.

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::Duration;
use tresor_backend::object::s3::BringBack;
use tresor_backend::{
    Availability, Backend, Cancel, ErrorKind, FileKind, FileName, Full, Handle, Id, Location, ManualClock,
    Options, Payload, archive, open,
};
use tresor_testkit::servers::scripted::{Act, Scripted, Seen, answer, with_headers};
use tresor_testkit::servers::{self, S3_KEY};

const PACK: FileName = FileName::new(FileKind::Pack, Id::from_bytes([0xab; 32]));
const HOUR: Duration = Duration::from_secs(60 * 60);

fn options() -> Options {
    let mut options = Options::default();
    for (name, value) in [("AWS_ACCESS_KEY_ID", S3_KEY[0]), ("AWS_SECRET_ACCESS_KEY", S3_KEY[1])] {
        options.s3.surroundings.variables.insert(name.into(), value.into());
    }
    options.s3.storage_class = Some("DEEP_ARCHIVE".into());
    options.s3.bring_back =
        Some(BringBack { days: std::num::NonZeroU32::new(3), tier: "Bulk".into(), patience: HOUR });
    options
}

fn at(address: std::net::SocketAddr, options: &Options) -> Arc<dyn Backend> {
    let location = format!("s3:http://{address}/bucket/prefix");
    open(&Location::parse(OsStr::new(&location)).unwrap(), options).unwrap()
}

fn chain(error: &tresor_backend::Error) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    format!("{error}: {cause}")
}

#[test]
fn a_pack_comes_back_from_the_archive_of_moto_and_trees_never_go_there() {
    let server = servers::moto();
    let backend = at(server.address, &options());
    backend.create().unwrap();
    let named = |content: &'static [u8]| {
        use sha2::Digest;
        FileName::new(FileKind::Pack, Id::from_bytes(sha2::Sha256::digest(content).into()))
    };
    let (data, trees) = (named(b"data"), named(b"trees"));
    backend.save(data, &Payload::from(&b"data"[..])).unwrap();
    backend.save(trees, &Payload::from(&b"trees"[..]).for_everyday()).unwrap();
    let mut loaded = Vec::new();
    backend.load_whole(trees, 10, &mut loaded).unwrap();
    let error = backend.load_whole(data, 10, &mut loaded).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unusable);
    assert!(chain(&error).contains("-o s3.enable-restore=true"), "{}", chain(&error));

    assert_eq!(backend.bring_back(trees).unwrap(), Availability::Now);
    let (handle, cancel): (Handle<Full>, _) = (Handle::new(Arc::clone(&backend)), Cancel::new());
    let coming = archive::order(&handle, &[trees, data], &cancel).unwrap();
    assert_eq!(coming.files(), [data]);
    coming.wait(&handle, &ManualClock::default(), &cancel, &mut |_| ()).unwrap();
    backend.load_whole(data, 10, &mut loaded).unwrap();
    assert_eq!(loaded, b"data");
    let missing = backend.bring_back(named(b"nothing")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

/// A server that says this of the pack, and answers to an order with that.
fn archive_that_says(progress: Option<&'static str>, to_order: Vec<Act>) -> Scripted {
    Scripted::start(move |seen: &Seen| match seen.method() {
        "HEAD" => {
            let progress = progress.map(|text| format!("x-amz-restore: {text}\r\n")).unwrap_or_default();
            with_headers("200 OK", &format!("x-amz-storage-class: GLACIER\r\n{progress}"), "")
        }
        "POST" if seen.path() == format!("/bucket/prefix/data/ab/{}?restore=", PACK.id()) => to_order.clone(),
        _ => answer("400 Bad Request", ""),
    })
}

#[test]
fn a_pack_that_never_comes_is_waited_for_as_long_as_was_said_and_ordered_once() {
    let server = archive_that_says(Some("ongoing-request=\"true\""), answer("500 x", ""));
    let (handle, cancel): (Handle<Full>, _) = (Handle::new(at(server.address, &options())), Cancel::new());
    let clock = ManualClock::default();
    let coming = archive::order(&handle, &[PACK], &cancel).unwrap();
    let error = coming.wait(&handle, &clock, &cancel, &mut |_| panic!("it never comes")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unusable, "nobody tries that again");
    let text = chain(&error);
    assert!(text.contains("<data/ababababab>") && text.contains("-o s3.restore-timeout"), "{text}");
    assert!(server.seen().iter().all(|seen| seen.method() == "HEAD"), "it had been ordered before");
    assert!(server.seen().len() < 70, "and it is looked at once a minute");
}

#[test]
fn an_order_is_placed_or_was_placed_by_another_or_is_refused() {
    let outcome = |to_order: Vec<Act>| {
        let server = archive_that_says(None, to_order);
        at(server.address, &options()).bring_back(PACK).map_err(|error| error.kind())
    };
    assert_eq!(outcome(answer("202 Accepted", "")), Ok(Availability::Later));
    assert_eq!(outcome(answer("200 OK", "")), Ok(Availability::Later), "looked at once more");
    let code =
        |status, code| answer(status, format!("<Error><Code>{code}</Code><Message>m</Message></Error>"));
    let placed = outcome(code("409 Conflict", "RestoreAlreadyInProgress"));
    assert_eq!(placed, Ok(Availability::Later));
    assert_eq!(outcome(code("403 Forbidden", "AccessDenied")), Err(ErrorKind::Denied));
    let busy = outcome(code("503 x", "GlacierExpeditedRetrievalNotAvailable"));
    assert_eq!(busy, Err(ErrorKind::Temporary));
    assert_eq!(outcome(code("200 OK", "InternalError")), Err(ErrorKind::Temporary));
}

#[test]
fn progress_that_makes_no_sense_is_an_error_and_no_order() {
    for garbage in ["", "yes", "ongoing-request=\"\u{1}\"", "ongoing-request=\"maybe\", expiry-date=\"x\""] {
        let server = archive_that_says(Some(garbage), answer("202 Accepted", ""));
        let error = at(server.address, &options()).bring_back(PACK).unwrap_err();
        assert!(chain(&error).starts_with("cannot bring back <data/ababababab>"), "{}", chain(&error));
        assert!(server.seen().iter().all(|seen| seen.method() == "HEAD"), "{garbage}");
    }
}

#[test]
fn who_does_not_want_to_pay_has_no_archive() {
    let server = archive_that_says(None, answer("202 Accepted", ""));
    let mut frugal = options();
    frugal.s3.bring_back = None;
    let backend = at(server.address, &frugal);
    assert_eq!(backend.capabilities().archive, None);
    let coming = archive::order(&Handle::<Full>::new(backend), &[PACK], &Cancel::new()).unwrap();
    assert!(coming.files().is_empty() && server.seen().is_empty(), "nobody was asked");
}
