//! What bytes of strangers are fed to the parsers of this storey.

use crate::{Location, object, rest, sftp, shown, webdav};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// A parser, and how it is tried.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of the folder of its inputs.
    pub name: &'static str,
    /// Feeds it. Panics if what it answers is wrong; an input that it refuses is fine.
    pub feed: fn(&[u8]),
    /// Inputs that it takes, to begin with.
    pub seeds: &'static [&'static [u8]],
}

/// The parsers.
pub const TARGETS: &[Target] = &[
    Target {
        name: "azure-page",
        feed: object::azure::fuzz,
        seeds: &[b"<EnumerationResults><Blobs><Blob><Name>a/b</Name><Properties><Content-Length>7</Content-Length></Properties></Blob></Blobs><NextMarker>x</NextMarker></EnumerationResults>"],
    },
    Target {
        name: "gs-page",
        feed: object::gs::fuzz,
        seeds: &[br#"{"kind":"storage#objects","items":[{"name":"a/b","size":"7"}],"nextPageToken":"x"}"#],
    },
    Target { name: "location", feed: location, seeds: LOCATIONS },
    Target {
        name: "rest-listing",
        feed: rest::fuzz,
        seeds: &[
            br#"["0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"]"#,
            br#"[{"name":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","size":7}]"#,
            b"null",
        ],
    },
    Target {
        name: "s3-page",
        feed: object::s3::fuzz,
        seeds: &[b"<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\"><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken><Contents><Key>a%2Fb+c</Key><Size>7</Size></Contents></ListBucketResult>"],
    },
    Target {
        name: "sftp-packet",
        feed: sftp::fuzz,
        seeds: &[
            b"\x02\0\0\0\x03\0\0\0\x18posix-rename@openssh.com\0\0\0\x011",
            b"\x65\0\0\0\x07\0\0\0\x02\0\0\0\x07no such\0\0\0\0",
            b"\x68\0\0\0\x07\0\0\0\x01\0\0\0\x01a\0\0\0\x03-rw\0\0\0\x05\0\0\0\0\0\0\0\x09\0\0\x81\xa4",
            b"\x69\0\0\0\x07\x80\0\0\x01\0\0\0\0\0\0\0\x09\0\0\0\x01\0\0\0\x01k\0\0\0\x01v",
        ],
    },
    Target { name: "shown", feed: shown, seeds: &[b"plain", b"\x1b[2J\xe2\x80\xae\xc2\x9b\r\n\xff"] },
    Target {
        name: "swift-page",
        feed: object::swift::fuzz,
        seeds: &[br#"[{"name":"a/b","bytes":7,"hash":"x"}]"#],
    },
    Target {
        name: "webdav-listing",
        feed: webdav::fuzz,
        seeds: &[b"<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>/r/keys/</D:href><D:propstat><D:prop><D:resourcetype><D:collection/></D:resourcetype></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response><D:response><D:href>/r/keys/ab%20c</D:href><D:propstat><D:prop><D:getcontentlength>7</D:getcontentlength></D:prop></D:propstat></D:response></D:multistatus>"],
    },
];

const LOCATIONS: &[&[u8]] = &[
    b"/srv/backup",
    b"local:a b",
    b"rest:https://me:secret@host:8000/r",
    b"sftp:me@host:/r",
    b"sftp://me@[::1]:22//r",
    b"s3:https://host/bucket/prefix",
    b"b2:bucket:prefix",
    b"azure:container:/",
    b"gs:bucket:/p",
    b"swift:container:/p",
    b"rclone:remote:path",
    b"opendal:webdav:https://me:secret@host/r",
];

/// What is shown of a location is one itself, and shows itself.
fn location(bytes: &[u8]) {
    let Ok(location) = Location::parse(OsStr::from_bytes(bytes)) else { return };
    let shown = location.to_string();
    if let Ok(again) = Location::parse(OsStr::new(&shown)) {
        assert_eq!(again.to_string(), shown, "masking is done once");
    }
}

/// Whatever came, nothing that moves a cursor is shown.
fn shown(bytes: &[u8]) {
    let text = shown::escaped(&String::from_utf8_lossy(bytes));
    assert!(!text.chars().any(shown::is_steering), "{text:?}");
    let lines = String::from_utf8(shown::lines(bytes).into_owned()).expect("what is shown is text");
    let steers = |c: char| shown::is_steering(c) && !matches!(c, '\n' | '\t');
    assert!(!lines.chars().any(steers), "{lines:?}");
}
