//! What bytes of strangers are fed to the parsers of this storey.
//!
//! What only our key can have sealed (index runs, the files cache) is authenticated before it is parsed: it is no
//! stranger's.

use crate::codec::{Decoder, stream};
use crate::config::Config;
use crate::crypto::{KEY_BYTES, Key};
use crate::pack::header;
use crate::time::Time;
use crate::trust::{Entry, View, judge};
use crate::{FileKind, index, keyfile, lock, sealed};
pub use tresor_backend::fuzz::Target;
use tresor_backend::{FileName, Id};

/// The parsers.
pub const TARGETS: &[Target] = &[
    Target {
        name: "config",
        feed: config,
        seeds: &[br#"{"version":2,"id":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","chunker_polynomial":"3abc9bff07d9e5"}"#],
    },
    Target {
        name: "index-file",
        feed: index::file::fuzz,
        seeds: &[br#"{"supersedes":["0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"],"packs":[{"id":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","blobs":[{"id":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","type":"data","offset":0,"length":38,"uncompressed_length":7}]}]}"#],
    },
    Target {
        name: "key-file",
        feed: keyfile::fuzz,
        seeds: &[
            br#"{"created":"2024-02-03T10:00:00Z","username":"u","hostname":"h","kdf":"scrypt","N":32768,"r":8,"p":5,"salt":"AAAA","data":"AAAA"}"#,
            br#"{"mac":{"k":"AAAAAAAAAAAAAAAAAAAAAA==","r":"AAAAAAAAAAAAAAAAAAAAAA=="},"encrypt":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}"#,
        ],
    },
    Target {
        name: "lock-file",
        feed: lock::fuzz,
        seeds: &[br#"{"time":"2024-02-03T10:00:00.5+01:00","exclusive":true,"hostname":"h","username":"u","pid":7,"uid":1,"gid":1}"#],
    },
    Target {
        name: "pack-header",
        feed: pack_header,
        seeds: &[
            b"\0\x20\0\0\0ABCDEFGHIJKLMNOPQRSTUVWXYZ012345",
            b"\x03\x20\0\0\0\x40\0\0\0ABCDEFGHIJKLMNOPQRSTUVWXYZ012345",
        ],
    },
    Target { name: "sealed-file", feed: sealed_file, seeds: &[b"{}", b"\x02\x28\xb5\x2f\xfd\x20\x02\x11\0\0{}"] },
    Target {
        name: "sightings",
        feed: lock::fuzz_sightings,
        seeds: &[b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345\x01\0\0\0\0\0\0\0"],
    },
    Target {
        name: "time",
        feed: time,
        seeds: &[b"2024-02-29T10:00:00.123456789+01:00", b"0000-01-01T00:00:00Z", b"9999-12-31T23:59:60,5-23:59"],
    },
    Target {
        name: "trust-store",
        feed: trust_store,
        seeds: &[br#"{"version":1,"address":"/srv/r","plaintext":false,"pins":[],"repositories":[]}"#],
    },
    Target { name: "zstd", feed: zstd, seeds: &[b"\x28\xb5\x2f\xfd\x20\x02\x11\0\0{}", b"\x50\x2a\x4d\x18\x01\0\0\0x"] },
];

/// What a parser takes for content at most here: enough for every path, and little time.
const CONTENT: u64 = 1 << 20;

/// A config that is read is written as itself.
fn config(bytes: &[u8]) {
    let Ok(config) = Config::parse(bytes) else { return };
    let again = Config::parse(&config.to_json()).expect("what we write, we read");
    assert_eq!(again.to_json(), config.to_json());
    let _ = config.chunker();
}

/// A header that is read is what is written for its entries, byte for byte.
fn pack_header(bytes: &[u8]) {
    if let Some((field, _)) = bytes.split_first_chunk() {
        let _ = header::sealed_length(*field, bytes.len() as u64);
    }
    let Ok(entries) = header::decode(bytes) else { return };
    let mut again = Vec::new();
    header::encode(&entries, &mut again);
    // A compressed blob of no content has two ways to be written; every other entry has one.
    assert!(again == bytes || entries.iter().any(|entry| entry.uncompressed_length == 0));
    assert!(header::pack_size(&entries) > bytes.len() as u64);
}

/// Whoever has the key may seal anything: what it is taken for depends on version and kind alone.
fn sealed_file(bytes: &[u8]) {
    let key = Key::new(&[7; KEY_BYTES]).expect("a key of sevens can be used");
    let mut stored = Vec::new();
    key.seal(bytes, &mut stored).expect("random numbers are there");
    for (version, kind) in [(1, FileKind::Index), (2, FileKind::Snapshot), (2, FileKind::Lock)] {
        let file = FileName::new(kind, Id::from_bytes([0; 32]));
        let _ = sealed::open(&key, version, file, stored.clone());
    }
}

/// A time that is read is the same when written and read again.
fn time(bytes: &[u8]) {
    let Ok(time) = Time::parse(bytes) else { return };
    let mut text = Vec::new();
    time.write(&mut text);
    let again = Time::parse(&text).expect("what we write, we read");
    assert!(again.same_instant(&time), "{}", String::from_utf8_lossy(&text));
}

/// An entry that is read is the same when written and read again, and can be looked at.
fn trust_store(bytes: &[u8]) {
    let Ok(entry) = Entry::parse(bytes) else { return };
    let again = Entry::parse(&entry.to_json()).expect("what we write, we read");
    assert_eq!(again, entry);
    for known in &entry.repositories {
        let _ = judge(known, &View::default());
    }
}

/// At once or in pieces, the same frames are taken, and with the same content.
fn zstd(bytes: &[u8]) {
    let mut whole = Vec::new();
    let at_once = Decoder::new().decode(bytes, CONTENT, &mut whole);
    let mut pieces = Vec::new();
    let in_pieces = stream::in_pieces(bytes, CONTENT, |piece| pieces.extend_from_slice(piece));
    assert_eq!(at_once.is_ok(), in_pieces.is_ok(), "{at_once:?} {in_pieces:?}");
    assert!(at_once.is_err() || whole == pieces);
    assert!(whole.len() as u64 <= CONTENT);
    let _ = crate::codec::is_short_frame(bytes, CONTENT);
}
