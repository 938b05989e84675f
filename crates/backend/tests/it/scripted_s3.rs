//! What S3 services may say that no test server says: a script answers.

use std::ffi::OsStr;
use std::sync::Arc;
use tresor_backend::{Backend, ErrorKind, FileKind, FileName, Id, Location, Options, Payload, Result, open};
use tresor_testkit::servers::scripted::{Act, Scripted, Seen, answer, with_headers};

const PACK: FileName = FileName::new(FileKind::Pack, Id::from_bytes([0xab; 32]));

fn backend(server: &Scripted, change: impl FnOnce(&mut Options)) -> Arc<dyn Backend> {
    let mut options = Options::default();
    for (name, value) in [("AWS_ACCESS_KEY_ID", "the-key"), ("AWS_SECRET_ACCESS_KEY", "the-secret")] {
        options.s3.surroundings.variables.insert(name.into(), value.into());
    }
    change(&mut options);
    let location = format!("s3:http://{}/bucket/prefix", server.address);
    open(&Location::parse(OsStr::new(&location)).unwrap(), &options).unwrap()
}

fn region(seen: &Seen) -> String {
    // AWS4-HMAC-SHA256 Credential=KEY/DAY/REGION/s3/aws4_request, …
    seen.header("authorization").and_then(|value| value.split('/').nth(2)).unwrap_or_default().to_owned()
}

fn list(backend: &dyn Backend) -> Result<usize> {
    let mut count = 0;
    backend.list(FileKind::Key, &mut |_| {
        count += 1;
        Ok(())
    })?;
    Ok(count)
}

#[test]
fn a_region_is_learned_from_a_refusal_and_kept() {
    let server = Scripted::start(|seen| match region(seen).as_str() {
        "far-away-1" => answer("200 OK", "12345"),
        _ => answer(
            "400 Bad Request",
            "<Error><Code>AuthorizationHeaderMalformed</Code><Region>far-away-1</Region></Error>",
        ),
    });
    let backend = backend(&server, |_| ());
    let mut into = Vec::new();
    for _ in 0..2 {
        backend.load_whole(PACK, 10, &mut into).unwrap();
    }
    let regions: Vec<String> = server.seen().iter().map(region).collect();
    assert_eq!(regions, ["us-east-1", "far-away-1", "far-away-1"]);
}

#[test]
fn a_region_is_asked_for_when_the_refusal_has_no_body_and_never_when_it_was_chosen() {
    let script = |seen: &Seen| match (region(seen).as_str(), seen.path().contains("location")) {
        (_, true) => answer("200 OK", "<LocationConstraint>EU</LocationConstraint>"),
        ("eu-west-1", _) => vec![Act::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n".to_vec())],
        _ => vec![Act::Send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec())],
    };
    let server = Scripted::start(script);
    assert_eq!(backend(&server, |_| ()).stat(PACK).unwrap(), 7);
    assert_eq!(server.seen().len(), 3);
    let server = Scripted::start(script);
    let chosen = backend(&server, |options| options.s3.region = Some("us-west-2".into()));
    assert!(chosen.stat(PACK).is_err());
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn a_redirect_to_the_region_of_the_bucket_is_signed_anew() {
    let server = Scripted::start(|seen| match region(seen).as_str() {
        "eu-central-1" => answer("200 OK", "12345"),
        _ => with_headers("301 Moved Permanently", "x-amz-bucket-region: eu-central-1\r\n", ""),
    });
    backend(&server, |_| ()).load_whole(PACK, 10, &mut Vec::new()).unwrap();
}

#[test]
fn an_upload_names_its_hash_and_class_and_an_archive_takes_packs_only() {
    let server = Scripted::start(|_| answer("200 OK", ""));
    let backend = backend(&server, |options| options.s3.storage_class = Some("GLACIER".into()));
    backend.save(PACK, &Payload::from(&b"content"[..])).unwrap();
    backend.save(FileName::new(FileKind::Index, PACK.id()), &Payload::from(&b"content"[..])).unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].path(), format!("/bucket/prefix/data/ab/{}", PACK.id()));
    assert_eq!(seen[0].header("x-amz-content-sha256"), Some("ab".repeat(32).as_str()));
    assert_eq!(seen[0].header("x-amz-checksum-sha256"), Some("q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="));
    assert_eq!(seen[0].header("x-amz-storage-class"), Some("GLACIER"));
    assert_eq!(seen[1].header("x-amz-storage-class"), None);
    assert!(seen[0].header("authorization").unwrap().contains("x-amz-checksum-sha256"), "it is signed");
}

#[test]
fn a_success_that_tells_of_an_error_is_none() {
    let server = Scripted::start(|_| {
        answer("200 OK", "<?xml version='1.0'?><Error><Code>InternalError</Code></Error>")
    });
    let backend = backend(&server, |_| ());
    let saved = backend.save(PACK, &Payload::from(&b"content"[..])).unwrap_err();
    assert_eq!(saved.kind(), ErrorKind::Temporary);
    assert!(backend.remove(PACK).is_err());
    assert!(list(&*backend).is_err());
}

#[test]
fn a_listing_that_is_cut_off_or_goes_round_in_circles_is_an_error() {
    let page =
        |more: &str| format!("<ListBucketResult><IsTruncated>true</IsTruncated>{more}</ListBucketResult>");
    let short = page("");
    let server = Scripted::start(move |_| answer("200 OK", short.clone()));
    assert!(list(&*backend(&server, |_| ())).is_err());
    let round = page("<NextContinuationToken>again</NextContinuationToken>");
    let server = Scripted::start(move |_| answer("200 OK", round.clone()));
    assert!(list(&*backend(&server, |_| ())).is_err());
    assert_eq!(server.seen().len(), 2, "it was noticed at once");
}

#[test]
fn a_busy_service_is_temporary_and_a_refusal_is_not() {
    for (status, code, kind) in [
        ("503 Slow Down", "SlowDown", ErrorKind::Temporary),
        ("400 Bad Request", "RequestTimeout", ErrorKind::Temporary),
        ("500 Internal Server Error", "InternalError", ErrorKind::Temporary),
        ("403 Forbidden", "AccessDenied", ErrorKind::Denied),
        ("403 Forbidden", "InvalidObjectState", ErrorKind::Unusable),
        ("404 Not Found", "NoSuchKey", ErrorKind::NotFound),
        ("404 Not Found", "NoSuchBucket", ErrorKind::Unusable),
    ] {
        let server = Scripted::start(move |_| answer(status, format!("<Error><Code>{code}</Code></Error>")));
        let error = backend(&server, |_| ()).load_whole(PACK, 10, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), kind, "{code}");
        assert!(!format!("{error:?}").contains("the-secret"));
    }
}
