//! Every form of restic's locations, and what is no location.

use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Result<Location, LocationError> {
    Location::parse(OsStr::new(text))
}

fn place(text: &str) -> Place {
    parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).place
}

#[test]
fn a_path_needs_no_scheme_unless_its_colon_looks_like_one() {
    for path in ["repo", "/srv/repo", "/srv/a:b", "../a:b", "..\\a:b", "\\\\host\\a:b", "c:/x", "C:\\x", ""] {
        assert_eq!(place(path), Place::Local(path.into()), "{path}");
    }
    assert_eq!(place("local:a:b"), Place::Local("a:b".into()));
    for bad in ["foo:bar", "./a:b", "a:b/c", ":x", "LOCAL:/srv", "c:x", "https://host/"] {
        assert_eq!(parse(bad), Err(LocationError::InvalidBackend), "{bad}");
    }
    let text = LocationError::InvalidBackend.to_string();
    assert!(text.starts_with("invalid backend\n") && text.contains("`local:`"), "{text}");
}

#[test]
fn a_path_may_be_no_utf8() {
    use std::os::unix::ffi::OsStrExt;
    for (text, path) in [(&b"local:a\xff"[..], &b"a\xff"[..]), (b"/x:\xff", b"/x:\xff"), (b"\xff", b"\xff")] {
        let location = Location::parse(OsStr::from_bytes(text)).unwrap();
        assert_eq!(location.place, Place::Local(OsStr::from_bytes(path).into()));
    }
    assert_eq!(Location::parse(OsStr::from_bytes(b"rest:\xff")), Err(LocationError::InvalidBackend));
}

#[test]
fn sftp_has_two_forms() {
    let sftp = |user: Option<&str>, host: &str, port, path: &str| {
        Place::Sftp(Sftp { user: user.map(str::to_owned), host: host.into(), port, path: path.into() })
    };
    assert_eq!(place("sftp:host:repo"), sftp(None, "host", None, "repo"));
    assert_eq!(place("sftp:u@domain@host:/srv/r:x"), sftp(Some("u@domain"), "host", None, "/srv/r:x"));
    assert_eq!(place("sftp://host/repo"), sftp(None, "host", None, "repo"));
    assert_eq!(place("sftp://u@host:2222//srv/repo"), sftp(Some("u"), "host", Some(2222), "/srv/repo"));
    assert_eq!(place("sftp://[::1]:22/repo"), sftp(None, "::1", Some(22), "repo"));
    assert_eq!(place("sftp://[::1]/repo"), sftp(None, "::1", None, "repo"));
    for bad in [
        "sftp:host",
        "sftp:host:~x",
        "sftp:host:",
        "sftp://host",
        "sftp://h:99999/x",
        "sftp://[::1/x",
        "sftp://[::1]x/y",
        "sftp://host/~x",
        "sftp:",
    ] {
        assert!(matches!(parse(bad), Err(LocationError::Malformed { scheme: "sftp", .. })), "{bad}");
    }
}

#[test]
fn a_password_where_none_is_taken_is_not_shown_either() {
    for (given, shown) in [
        ("sftp://u:secret@host/r", "sftp://u:***@host/r"),
        ("sftp://u@host:22/r", "sftp://u@host:22/r"),
        ("sftp:u@host:/r//x", "sftp:u@host:/r//x"),
        ("s3:https://u:secret@host/b", "s3:https://u:***@host/b"),
    ] {
        assert_eq!(parse(given).unwrap().to_string(), shown);
    }
}

#[test]
fn a_rest_url_is_completed_and_its_password_never_shown() {
    assert_eq!(place("rest:http://host:8000/a"), Place::Rest { url: "http://host:8000/a/".into() });
    assert_eq!(place("rest:https://u:p@host"), Place::Rest { url: "https://u:p@host/".into() });
    assert_eq!(
        place("rest:http+unix:///run/s.sock:/r/"),
        Place::Rest { url: "http+unix:///run/s.sock:/r/".into() }
    );
    for (given, shown) in [
        ("rest:https://u:secret@host/r/", "rest:https://u:***@host/r/"),
        ("rest:https://u:sec@ret@host:1/r", "rest:https://u:***@host:1/r/"),
        ("rest:https://u@host/r/", "rest:https://u@host/r/"),
        ("rest:https://host/a:b@c/", "rest:https://host/a:b@c/"),
    ] {
        let location = parse(given).unwrap();
        assert_eq!(location.to_string(), shown);
        assert!(!format!("{location:?} {:?}", location.place()).contains("ret"), "{given}");
    }
    for bad in [
        "rest:foo",
        "rest:ftp://x/",
        "rest:http://",
        "rest:http:///x",
        "rest:http://u:pa/ss@host/",
        "rest:http://host:x/",
        "rest:http+unix://sock",
    ] {
        assert!(matches!(parse(bad), Err(LocationError::Malformed { scheme: "rest", .. })), "{bad}");
    }
}

#[test]
fn object_stores_have_buckets_and_clean_prefixes() {
    let s3 = |endpoint: &str, plain_http, bucket: &str, prefix: &str| {
        Place::S3(S3 { endpoint: endpoint.into(), plain_http, bucket: bucket.into(), prefix: prefix.into() })
    };
    assert_eq!(place("s3:host:9000/b"), s3("host:9000", false, "b", ""));
    assert_eq!(place("s3://host/b/x//y/"), s3("host", false, "b", "x/y"));
    assert_eq!(place("s3:http://host:1/b/./p/../q"), s3("host:1", true, "b", "q"));
    assert_eq!(place("s3:https://host/b"), s3("host", false, "b", ""));
    let bucket =
        |store, name: &str, prefix: &str| Place::Bucket { store, name: name.into(), prefix: prefix.into() };
    assert_eq!(place("b2:bucket-1:/p/q"), bucket(Store::B2, "bucket-1", "p/q"));
    assert_eq!(place("b2:bucket"), bucket(Store::B2, "bucket", ""));
    assert_eq!(place("azure:c:/"), bucket(Store::Azure, "c", ""));
    assert_eq!(place("gs:b:/p"), bucket(Store::Gs, "b", "p"));
    assert_eq!(place("swift:c:/p"), bucket(Store::Swift, "c", "p"));
    assert_eq!(place("rclone:remote:a/b"), Place::Rclone { remote: "remote:a/b".into() });
    for (bad, of) in [
        ("s3:http://host", "s3"),
        ("s3:ftp://h/b", "s3"),
        ("b2:", "b2"),
        ("b2:abc", "b2"),
        ("b2:buck_et", "b2"),
        ("gs:bucket", "gs"),
        ("swift:x", "swift"),
        ("swift:x:y", "swift"),
        ("azure:c", "azure"),
    ] {
        assert!(matches!(parse(bad), Err(LocationError::Malformed { scheme, .. }) if scheme == of), "{bad}");
    }
}

#[test]
fn the_scheme_is_the_word_before_the_colon() {
    for text in [
        "local:x",
        "sftp:h:p",
        "rest:http://h/",
        "s3:h/b",
        "b2:bucket",
        "azure:c:/",
        "gs:b:/",
        "swift:c:/p",
        "rclone:r:",
    ] {
        let location = parse(text).unwrap();
        assert_eq!(Some(location.scheme()), text.split(':').next());
        assert_eq!(location.to_string(), text);
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_and_no_password_is_shown(
        scheme in "(local|sftp|rest|s3|b2|azure|gs|swift|rclone|x|):?",
        rest in "(//|http://|https://)?[a-z:@/.\\[\\]~0-9é]{0,20}",
        password in "[A-Z@:]{3,9}",
    ) {
        let _ = parse(&format!("{scheme}{rest}"));
        if let Ok(location) = parse(&format!("rest:https://user:{password}@host/{rest}")) {
            let shown = format!("{location} {location:?} {:?}", location.place());
            prop_assert!(!shown.contains(&password), "{shown}");
        }
    }
}

#[test]
fn webdav_is_a_service_with_a_url() {
    let url = |url: &str| Place::WebDav { url: url.into() };
    assert_eq!(place("opendal:webdav:https://host/dav"), url("https://host/dav/"));
    let location = parse("opendal:webdav:http://me:s3cr3t@host:80/").unwrap();
    assert_eq!(location.to_string(), "opendal:webdav:http://me:***@host:80/");
    assert!(!format!("{location:?} {:?}", location.place).contains("s3cr3t"));
    assert_eq!(location.scheme(), "opendal");
    for bad in [
        "opendal:",
        "opendal:webdav",
        "opendal:webdav:host",
        "opendal:webdav:http+unix:///s:/",
        "opendal:s3:x",
    ] {
        assert!(matches!(parse(bad), Err(LocationError::Malformed { scheme: "opendal", .. })), "{bad}");
    }
}
