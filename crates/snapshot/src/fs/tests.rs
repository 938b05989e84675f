//! Tests of reading the file system, on real files.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::{AttributeReader, Directory, Metadata, Names};
use crate::node::NodeKind;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn names_come_sorted_by_their_bytes() {
    let folder = folder();
    for name in ["b", "a", "A", "ä", "a.b", "aa"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let mut names = Names::default();
    Directory::open(folder.path()).unwrap().names(&mut names).unwrap();
    let mut found = Vec::new();
    names.for_each(|name| found.push(String::from_utf8_lossy(name).into_owned())).unwrap();
    assert_eq!(found, ["A", "a", "a.b", "aa", "b", "ä"]);
}

#[test]
fn a_directory_with_many_names_is_listed_completely() {
    let folder = folder();
    for number in 0..3000 {
        std::fs::write(folder.path().join(format!("{number:0>200}")), "").unwrap();
    }
    let mut names = Names::default();
    Directory::open(folder.path()).unwrap().names(&mut names).unwrap();
    let mut count = 0;
    names.for_each(|_| count += 1).unwrap();
    assert_eq!(count, 3000);
}

#[test]
fn metadata_is_that_of_the_entry_itself() {
    let folder = folder();
    std::fs::write(folder.path().join("file"), "four").unwrap();
    std::fs::set_permissions(folder.path().join("file"), std::fs::Permissions::from_mode(0o640)).unwrap();
    symlink("file", folder.path().join("link")).unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    let file = directory.child_metadata(b"file").unwrap();
    assert_eq!((file.kind(), file.size, file.st_mode & 0o777, file.links), (NodeKind::File, 4, 0o640, 1));
    assert_eq!(directory.child_metadata(b"link").unwrap().kind(), NodeKind::Symlink);
    assert_eq!(directory.link_target(b"link").unwrap(), b"file");
    assert_eq!(Metadata::try_from(&directory.open_file(b"file").unwrap()).unwrap(), file);
    assert!(directory.metadata().unwrap().is_dir());
    assert_eq!(directory.child_metadata(b"none").unwrap_err().kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn links_are_not_followed_and_pipes_do_not_block() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("dir")).unwrap();
    symlink("dir", folder.path().join("link")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, folder.path().join("pipe"), rustix::fs::FileType::Fifo, mode, 0)
        .unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    assert!(directory.open_child(b"link").is_err());
    assert!(directory.open_file(b"link").is_err());
    assert!(directory.open_child_following(b"link").is_ok());
    assert!(directory.open_child_to_pass(b"link").is_ok());
    let pipe = directory.open_file(b"pipe").unwrap();
    assert_eq!(Metadata::try_from(&pipe).unwrap().kind(), NodeKind::Fifo);
}

#[test]
fn attributes_are_read_from_files_and_by_name() {
    let folder = folder();
    let path = folder.path().join("file");
    std::fs::write(&path, "").unwrap();
    for (name, value) in [("user.one", &b"1"[..]), ("user.empty", b""), ("user.bytes", &[0, 255])] {
        rustix::fs::setxattr(&path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
    }
    let directory = Directory::open(folder.path()).unwrap();
    let (file, mut reader) = (directory.open_file(b"file").unwrap(), AttributeReader::default());
    let device = directory.metadata().unwrap().device;
    let (mut of_open, mut of_entry) = (Vec::new(), Vec::new());
    reader.of_open(&file, device, &mut of_open).unwrap();
    reader.of_entry(&directory, b"file", device, &mut of_entry).unwrap();
    assert_eq!(of_open, of_entry);
    let mut found: Vec<_> = of_open.into_iter().filter(|one| one.name.starts_with(b"user.")).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let values: Vec<_> = found.into_iter().map(|one| one.value.unwrap()).collect();
    assert_eq!(values, [vec![0, 255], vec![], vec![b'1']]);
}

#[test]
fn accounts_know_root_and_remember_nobody() {
    let accounts = super::Accounts::default();
    for _ in 0..2 {
        assert_eq!(accounts.user(0).as_deref(), Some("root"));
        assert_eq!(accounts.group(0).as_deref(), Some("root"));
        assert_eq!(accounts.user(4_000_000_001), None);
        assert_eq!((accounts.user_id("root"), accounts.group_id("no such group")), (Some(0), None));
    }
}
