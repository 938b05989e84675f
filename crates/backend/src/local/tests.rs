//! The local backend's own promises: modes, missing folders, strangers, paths that cannot be.

use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use tempfile::TempDir;

fn file(kind: FileKind, first: u8) -> FileName {
    let mut id = [0x5a; 32];
    id[0] = first;
    FileName::new(kind, Id::from_bytes(id))
}

fn created() -> (TempDir, Local) {
    let folder = tempfile::tempdir().unwrap();
    let local = Local::open(folder.path(), CONNECTIONS).unwrap();
    local.create().unwrap();
    (folder, local)
}

fn save(local: &Local, name: FileName, bytes: &[u8]) {
    local.save(name, &Payload::from(bytes)).unwrap();
}

fn listed(local: &Local, kind: FileKind) -> Vec<Listed> {
    let mut all = Vec::new();
    local
        .list(kind, &mut |listed| {
            all.push(listed);
            Ok(())
        })
        .unwrap();
    all.sort_by_key(|listed| listed.id);
    all
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn create_makes_every_folder_for_the_owner_alone_and_tolerates_existing_ones() {
    let above = tempfile::tempdir().unwrap();
    let path = above.path().join("a/b");
    fs::create_dir_all(path.join("data/00")).unwrap();
    let local = Local::open(&path, CONNECTIONS).unwrap();
    local.create().unwrap();
    local.create().unwrap();
    for folder in layout::folders().skip(1).filter(|folder| folder != "data/00") {
        assert_eq!(mode(path.join(&folder)), 0o700, "{folder}");
    }
    assert_eq!(fs::read_dir(path.join("data")).unwrap().count(), 256);
}

#[test]
fn create_refuses_where_a_config_is() {
    let (_folder, local) = created();
    save(&local, FileName::CONFIG, b"config");
    assert_eq!(local.create().unwrap_err().kind(), ErrorKind::AlreadyExists);
}

#[test]
fn finished_files_are_read_only_and_no_temporary_file_stays() {
    let (folder, local) = created();
    for name in [FileName::CONFIG, file(FileKind::Key, 1), file(FileKind::Pack, 0xab)] {
        save(&local, name, b"bytes");
        let path = folder.path().join(layout::path(name));
        assert_eq!(mode(&path), 0o400);
        save(&local, name, b"other bytes"); // replaces a file that nobody may write
        assert_eq!(fs::read(&path).unwrap(), b"other bytes");
        let beside = path.parent().unwrap();
        let temporary = |name: &str| name.contains("-tmp-");
        let names = fs::read_dir(beside).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(!names.into_iter().any(|name| temporary(name.to_str().unwrap())));
    }
}

#[test]
fn a_config_the_group_may_read_opens_what_comes_after_it() {
    let (folder, local) = created();
    save(&local, FileName::CONFIG, b"config");
    fs::set_permissions(folder.path().join("config"), fs::Permissions::from_mode(0o440)).unwrap();
    fs::remove_dir(folder.path().join("data/01")).unwrap();
    let local = Local::open(folder.path(), CONNECTIONS).unwrap();
    assert_eq!(local.modes, Modes::GROUP);
    save(&local, file(FileKind::Pack, 1), b"pack");
    assert_eq!(mode(folder.path().join(layout::path(file(FileKind::Pack, 1)))), 0o440);
    // The umask decides about the rest of a folder's mode, as ever.
    assert_eq!(mode(folder.path().join("data/01")) & 0o750, 0o750);
}

#[test]
fn missing_folders_are_made_by_a_save_and_empty_for_a_listing() {
    let folder = tempfile::tempdir().unwrap();
    let local = Local::open(folder.path(), CONNECTIONS).unwrap();
    for kind in FileKind::WITH_ID {
        assert_eq!(listed(&local, kind), []);
        save(&local, file(kind, 0x11), b"x");
        assert_eq!(listed(&local, kind).len(), 1);
        assert_eq!(mode(folder.path().join(layout::folder(kind))), 0o700);
    }
}

#[test]
fn a_missing_repository_is_empty_and_not_made_by_a_save() {
    let above = tempfile::tempdir().unwrap();
    let path = above.path().join("none");
    let local = Local::open(&path, CONNECTIONS).unwrap();
    assert_eq!(listed(&local, FileKind::Pack), []);
    assert!(local.stat(FileName::CONFIG).unwrap_err().is_not_found());
    let save = local.save(file(FileKind::Pack, 1), &Payload::from(&b"x"[..]));
    assert_eq!(save.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(!path.exists());
    fs::create_dir(&path).unwrap();
    assert!(local.save(FileName::CONFIG, &Payload::from(&b"x"[..])).is_ok());
}

#[test]
fn a_path_that_is_or_lies_below_a_file_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let occupied = folder.path().join("file");
    fs::write(&occupied, "").unwrap();
    for path in [occupied.clone(), occupied.join("below"), occupied.join("far/below")] {
        let error = Local::open(&path, CONNECTIONS).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unusable, "{error}");
        assert_eq!(error.to_string(), format!("cannot open {}", path.display()));
    }
    symlink("circle", folder.path().join("circle")).unwrap();
    let error = Local::open(folder.path().join("circle"), CONNECTIONS).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unusable);
}

#[test]
fn create_says_when_something_else_stands_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link");
    symlink("nowhere", &link).unwrap();
    let local = Local::open(&link, CONNECTIONS).unwrap();
    assert_eq!(local.create().unwrap_err().kind(), ErrorKind::Unusable);
}

#[test]
fn a_listing_shows_whole_files_at_their_places_only() {
    let (folder, local) = created();
    let (here, away) = (file(FileKind::Pack, 0xab), file(FileKind::Pack, 0xcd));
    save(&local, here, b"12345");
    let hex = away.id().hex();
    fs::write(folder.path().join("data/ab").join(&hex), "in a wrong folder").unwrap();
    fs::write(folder.path().join("data").join(&hex), "in no folder").unwrap();
    fs::write(folder.path().join("data/cd").join(format!("{hex}-tmp-0")), "unfinished").unwrap();
    fs::write(folder.path().join("data/cd").join(hex.to_uppercase()), "no id").unwrap();
    fs::create_dir(folder.path().join("data/cd").join(&hex)).unwrap();
    fs::remove_dir(folder.path().join("data/ee")).unwrap();
    fs::write(folder.path().join("data/ee"), "a file for a folder").unwrap();
    assert_eq!(listed(&local, FileKind::Pack), [Listed { id: here.id(), size: 5 }]);

    let key = file(FileKind::Key, 1).id();
    fs::create_dir(folder.path().join("keys").join(key.hex())).unwrap();
    symlink("nowhere", folder.path().join("keys").join(away.id().hex())).unwrap();
    symlink("../config", folder.path().join("keys").join(here.id().hex())).unwrap();
    save(&local, FileName::CONFIG, b"123");
    assert_eq!(listed(&local, FileKind::Key), [Listed { id: here.id(), size: 3 }]);
    assert_eq!(listed(&local, FileKind::Config), []);
}

#[test]
fn what_is_no_regular_file_is_unusable_and_never_waited_for() {
    let (folder, local) = created();
    fs::create_dir(folder.path().join(layout::path(file(FileKind::Key, 1)))).unwrap();
    let pipe = folder.path().join(layout::path(file(FileKind::Key, 2)));
    rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let mut bytes = Vec::new();
    for name in [file(FileKind::Key, 1), file(FileKind::Key, 2)] {
        assert_eq!(local.stat(name).unwrap_err().kind(), ErrorKind::Unusable);
        assert_eq!(local.load_whole(name, 100, &mut bytes).unwrap_err().kind(), ErrorKind::Unusable);
        let range = ByteRange { offset: 0, length: 1 };
        assert_eq!(local.load(name, range, &mut bytes).unwrap_err().kind(), ErrorKind::Unusable);
    }
    let below = folder.path().join("data/05");
    fs::remove_dir(&below).unwrap();
    fs::write(&below, "").unwrap();
    let save = local.save(file(FileKind::Pack, 5), &Payload::from(&b"x"[..]));
    assert_eq!(save.unwrap_err().kind(), ErrorKind::Unusable);
}

#[test]
fn a_huge_range_asks_for_no_memory() {
    let (_folder, local) = created();
    let name = file(FileKind::Pack, 1);
    save(&local, name, b"small");
    let mut bytes = vec![1, 2, 3];
    for range in [ByteRange { offset: 0, length: u64::MAX }, ByteRange { offset: u64::MAX, length: 2 }] {
        assert_eq!(local.load(name, range, &mut bytes).unwrap_err().kind(), ErrorKind::WrongSize);
        assert!(bytes.is_empty());
    }
}

#[test]
fn the_repository_stays_the_same_when_its_folder_is_moved() {
    let (folder, local) = created();
    let aside = tempfile::tempdir().unwrap();
    let moved = aside.path().join("moved");
    fs::rename(folder.path(), &moved).unwrap();
    save(&local, file(FileKind::Pack, 1), b"x");
    assert!(moved.join(layout::path(file(FileKind::Pack, 1))).exists());
    fs::rename(&moved, folder.path()).unwrap();
}
