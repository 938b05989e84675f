//! Dumps: contents and archives.

use crate::store::{Store, dir, file, link, tree};
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use tresor_repo::BlobId;
use tresor_repo::time::Time;
use tresor_snapshot::dump::{Found, dump_file, dump_tar, dump_zip, find};
use tresor_snapshot::node::ExtendedAttribute;
use tresor_snapshot::{Node, NodeKind};

const LONG: [u8; 120] = [b'n'; 120];

fn planted() -> (Store, BlobId) {
    Store::planted(|saver| {
        let mut a = file(saver, "a", &[b"con", b"tent"]);
        (a.mtime, a.mode, a.uid, a.gid) = (Time::utc(-2, 500_000_000), 1 << 23 | 0o755, 3_000_000, 7);
        (a.user, a.group) = (Some("somebody".into()), None);
        let attribute =
            |name: &[u8], value: &[u8]| ExtendedAttribute { name: name.into(), value: Some(value.to_vec()) };
        let list =
            [&[2, 0, 0, 0][..], &[1, 0, 6, 0, 255, 255, 255, 255], &[2, 0, 4, 0, 232, 3, 0, 0]].concat();
        a.rare_mut().extended_attributes =
            vec![attribute(b"user.x", b"v\0w\n"), attribute(b"system.posix_acl_access", &list)];
        a.size = 99;
        let long = file(saver, LONG, &[&[7; 512]]);
        let odd = file(saver, b"\xff", &[]);
        let inner = dir(saver, "d", &[a.clone(), long]);
        let pipe = Node::new(*b"pipe", NodeKind::Fifo);
        let outer = dir(saver, "top", &[inner, link("l", "d/a"), odd, pipe]);
        tree(saver, &[outer])
    })
}

fn subtree(store: &Store, root: BlobId, path: &str) -> (BlobId, Vec<u8>) {
    match find(&store.repo, &store.index, root, path.as_bytes()).unwrap() {
        Found::Dir { tree, prefix } => (tree, prefix),
        Found::File(_) => panic!("{path} is a file"),
    }
}

#[test]
fn paths_are_found_or_said_to_be_something_else() {
    let (store, root) = planted();
    let find = |path: &str| find(&store.repo, &store.index, root, path.as_bytes());
    assert_eq!(find("/").unwrap(), Found::Dir { tree: root, prefix: vec![] });
    assert!(matches!(find("/top/d/").unwrap(), Found::Dir { prefix, .. } if prefix == b"top/d"));
    assert!(matches!(find("top/d/a").unwrap(), Found::File(node) if *node.name == *b"a"));
    for (path, expected) in [
        ("/nope", "path \"/nope\" not found in snapshot"),
        ("/top/l", "\"/top/l\" should be a file, but is a \"symlink\""),
        ("/top/d/a/x", "\"/top/d/a\" should be a dir, but is a \"file\""),
    ] {
        assert_eq!(find(path).unwrap_err().to_string(), expected);
    }
}

#[test]
fn content_comes_in_order() {
    let blobs: Vec<Vec<u8>> = (0..100u8).map(|n| vec![n; 1000 + usize::from(n)]).collect();
    let (store, root) = Store::planted(|saver| {
        let slices: Vec<&[u8]> = blobs.iter().map(Vec::as_slice).collect();
        let node = file(saver, "f", &slices);
        tree(saver, &[node])
    });
    let Found::File(node) = find(&store.repo, &store.index, root, b"f").unwrap() else {
        panic!("it is a file")
    };
    let mut out = Vec::new();
    dump_file(&store.repo, &store.index, &node, &mut out).unwrap();
    assert_eq!(out, blobs.concat());
}

/// Reads records by their length: values may hold anything.
fn pax_records(mut bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut records = BTreeMap::new();
    while !bytes.is_empty() {
        let blank = bytes.iter().position(|byte| *byte == b' ').unwrap();
        let length: usize = std::str::from_utf8(&bytes[..blank]).unwrap().parse().unwrap();
        let (record, rest) = bytes.split_at(length);
        let record = record[blank + 1..].strip_suffix(b"\n").unwrap();
        let equals = record.iter().position(|byte| *byte == b'=').unwrap();
        let key = String::from_utf8(record[..equals].to_vec()).unwrap();
        records.insert(key, record[equals + 1..].to_vec());
        bytes = rest;
    }
    records
}

#[test]
fn a_tar_archive_has_what_the_nodes_have() {
    let (store, root) = planted();
    let (tree, prefix) = subtree(&store, root, "/top");
    let mut out = Vec::new();
    dump_tar(&store.repo, &store.index, tree, &prefix, &mut out).unwrap();
    let mut archive = tar::Archive::new(Cursor::new(out));
    let mut seen = Vec::new();
    let mut records = BTreeMap::new();
    for entry in archive.entries().unwrap().raw(true) {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let header = entry.header().clone();
        if header.entry_type() == tar::EntryType::XHeader {
            records = pax_records(&content);
            continue;
        }
        let records = std::mem::take(&mut records);
        let path = records.get("path").cloned().unwrap_or_else(|| entry.path_bytes().into_owned());
        match path.as_slice() {
            b"top/d/a" => {
                assert_eq!(content, b"content");
                assert_eq!((header.mode().unwrap(), header.gid().unwrap()), (0o4755, 7));
                assert_eq!(header.username().unwrap(), Some("somebody"));
                assert_eq!(records["mtime"], b"-1.5");
                assert_eq!(records["atime"], b"1700000000.123456789");
                assert_eq!(records["uid"], b"3000000");
                assert_eq!(records["SCHILY.xattr.user.x"], b"v\0w\n");
                assert_eq!(records["SCHILY.acl.access"], b"user::rw-\nuser:1000:r--\n");
            }
            b"top/l" => assert_eq!(entry.link_name_bytes().unwrap().as_ref(), b"d/a"),
            _ => {}
        }
        seen.push((path, header.entry_type(), content.len()));
    }
    let long = [b"top/d/", &LONG[..]].concat();
    let expected = [
        (b"top/d/".to_vec(), tar::EntryType::Directory, 0),
        (b"top/d/a".to_vec(), tar::EntryType::Regular, 7),
        (long, tar::EntryType::Regular, 512),
        (b"top/l".to_vec(), tar::EntryType::Symlink, 0),
        (b"top/\xff".to_vec(), tar::EntryType::Regular, 0),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_zip_archive_holds_files_and_links() {
    let (store, root) = planted();
    let (tree, prefix) = subtree(&store, root, "/top");
    let mut out = Vec::new();
    dump_zip(&store.repo, &store.index, tree, &prefix, &mut out).unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(out)).unwrap();
    assert_eq!(archive.len(), 5);
    assert!(archive.by_name("top/d/").unwrap().is_dir());
    let mut entry = archive.by_name("top/d/a").unwrap();
    let mut content = String::new();
    entry.read_to_string(&mut content).unwrap();
    assert_eq!((content.as_str(), entry.unix_mode()), ("content", Some(0o100_755)));
    drop(entry);
    let mut entry = archive.by_name("top/l").unwrap();
    let mut target = String::new();
    assert!(entry.is_symlink());
    entry.read_to_string(&mut target).unwrap();
    assert_eq!(target, "d/a");
}

#[test]
fn a_name_that_leads_out_of_the_archive_stops_the_dump() {
    let (store, root) = Store::planted(|saver| {
        let node = file(saver, "../x", &[]);
        tree(saver, &[node])
    });
    let error = dump_tar(&store.repo, &store.index, root, b"", &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "invalid child node name \"../x\"");
}
