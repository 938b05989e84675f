//! The SFTP backend against real servers.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tresor_backend::sftp::{self, Options, Sftp};
use tresor_backend::{Backend, ErrorKind, FileKind, FileName, Id, Payload, conformance, location};
use tresor_testkit::servers::{Mortal, Sshd, sftp_server};

/// The backend in `folder`, over a program that speaks SFTP on its standard input and output.
fn over(command: &[&str], folder: &Path) -> Sftp {
    let place = location::Sftp {
        user: None,
        host: "unused".into(),
        port: None,
        path: folder.to_str().unwrap().to_owned(),
    };
    let command = Some(command.iter().map(OsString::from).collect());
    let options = Options { command, ..Options::default() };
    Sftp::open(&place, format!("sftp:unused:{}", place.path), &options, sftp::CONNECTIONS).unwrap()
}

/// Each check gets a folder of its own behind a server of its own.
fn conforms(command: &[&str]) {
    let folder = TempDir::new().unwrap();
    let count = std::cell::Cell::new(0);
    conformance::run(&|| {
        count.set(count.get() + 1);
        Arc::new(over(command, &folder.path().join(format!("a/r{}", count.get()))))
    });
}

#[test]
fn openssh_conforms() {
    conforms(&[sftp_server().to_str().unwrap()]);
}

#[test]
fn rclone_conforms() {
    conforms(&[
        tresor_testkit::peers::rclone().to_str().unwrap(),
        "--config=/dev/null",
        "serve",
        "sftp",
        "--stdio",
        "/",
    ]);
}

/// The backend at `path` behind an `sshd`.
fn behind(sshd: &Sshd, path: &str) -> Sftp {
    let place = location::Sftp { user: None, host: "backup-host".into(), port: None, path: path.to_owned() };
    let options = Options { arguments: sshd.arguments().map(OsString::from).into(), ..Options::default() };
    Sftp::open(&place, format!("sftp:backup-host:{path}"), &options, sftp::CONNECTIONS).unwrap()
}

#[test]
fn sshd_conforms() {
    let (folder, sshd) = (TempDir::new().unwrap(), Sshd::start());
    let count = std::cell::Cell::new(0);
    conformance::run(&|| {
        count.set(count.get() + 1);
        Arc::new(behind(&sshd, folder.path().join(count.get().to_string()).to_str().unwrap()))
    });
}

/// As storage boxes have it: one sees nothing but one's own folder. Only the superuser can start that.
#[test]
#[expect(clippy::print_stderr, reason = "a test that is left out has to say so")]
fn sshd_in_a_folder_of_its_own_conforms() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("left out: only the superuser can confine sshd to a folder");
    }
    // Every folder above has to belong to the superuser alone, so it cannot lie with the temporary ones.
    let root = TempDir::with_prefix_in("tresor-chroot-", "/run").unwrap();
    std::fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let sshd = Sshd::with_root(root.path());
    let count = std::cell::Cell::new(0);
    conformance::run(&|| {
        count.set(count.get() + 1);
        // In turns absolute and relative; the login folder is `/` where the user's own is not to be seen.
        let path = format!("{}r/{}", if count.get() % 2 == 0 { "/" } else { "" }, count.get());
        Arc::new(behind(&sshd, &path))
    });
    assert!(root.path().join("r/1/config").is_file() || root.path().join("r/1/data/00").is_dir());
}

fn pack(first: u8) -> FileName {
    FileName::new(FileKind::Pack, Id::from_bytes([first; 32]))
}

fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions()) & 0o7777
}

fn listed(backend: &Sftp, kind: FileKind) -> Vec<(u8, u64)> {
    let mut all = Vec::new();
    let listing = backend.list(kind, &mut |listed| {
        all.push((listed.id.as_bytes()[0], listed.size));
        Ok(())
    });
    listing.unwrap();
    all.sort_unstable();
    all
}

#[test]
fn modes_follow_the_config_and_nothing_else_stays() {
    let folder = TempDir::new().unwrap();
    let program = sftp_server();
    let open = || over(&[program.to_str().unwrap(), "-u", "0"], folder.path());
    let save = |backend: &Sftp, file| backend.save(file, &Payload::from(&b"bytes"[..])).unwrap();
    let private = open();
    private.create().unwrap();
    save(&private, FileName::CONFIG);
    save(&private, pack(1));
    let path = |first: u8| folder.path().join(format!("data/{first:02x}/{}", pack(first).id().hex()));
    assert_eq!((mode(&folder.path().join("config")), mode(&path(1))), (0o400, 0o400));
    assert_eq!((mode(&folder.path().join("data/00")), mode(&folder.path().join("keys"))), (0o700, 0o700));

    let config = folder.path().join("config");
    std::fs::set_permissions(config, std::os::unix::fs::PermissionsExt::from_mode(0o440)).unwrap();
    std::fs::remove_dir(folder.path().join("data/02")).unwrap();
    save(&open(), pack(2)); // and makes the folder
    assert_eq!((mode(&path(2)), mode(&folder.path().join("data/02"))), (0o440, 0o770));
    save(&open(), pack(2)); // replaces a file that nobody may write
    assert_eq!(std::fs::read_dir(folder.path().join("data/02")).unwrap().count(), 1);
}

#[test]
fn strangers_are_not_listed_whatever_they_are_called() {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    let folder = TempDir::new().unwrap();
    let backend = over(&[sftp_server().to_str().unwrap()], folder.path());
    backend.create().unwrap();
    let (keys, data) = (folder.path().join("keys"), folder.path().join("data"));
    let name = |first: u8| pack(first).id().hex();
    std::fs::write(keys.join(name(1)), "one").unwrap();
    std::fs::write(keys.join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "not UTF-8").unwrap();
    std::fs::write(keys.join(format!("{}-tmp-0", name(1))), "half").unwrap();
    std::fs::create_dir(keys.join(name(2))).unwrap();
    symlink(keys.join(name(1)), keys.join(name(3))).unwrap();
    symlink("nowhere", keys.join(name(4))).unwrap();
    assert_eq!(listed(&backend, FileKind::Key), [(1, 3), (3, 3)]);

    std::fs::write(data.join("00").join(name(0)), "right").unwrap();
    std::fs::write(data.join("01").join(name(0)), "in the wrong folder").unwrap();
    std::fs::remove_dir(data.join("02")).unwrap();
    std::fs::write(data.join("02"), "no folder").unwrap();
    std::fs::remove_dir(data.join("03")).unwrap();
    for stranger in ["FF", "abc", "000"] {
        std::fs::create_dir(data.join(stranger)).unwrap();
    }
    assert_eq!(listed(&backend, FileKind::Pack), [(0, 5)]);
    std::fs::remove_dir_all(data).unwrap();
    assert_eq!(listed(&backend, FileKind::Pack), []);
}

#[test]
fn a_long_listing_is_complete() {
    let folder = TempDir::new().unwrap();
    let backend = over(&[sftp_server().to_str().unwrap()], folder.path());
    backend.create().unwrap();
    for number in 0..3000u16 {
        let mut id = [7; 32];
        id[30..].copy_from_slice(&number.to_be_bytes());
        let path = format!("data/07/{}", Id::from_bytes(id).hex());
        std::fs::write(folder.path().join(path), vec![0; usize::from(number % 7)]).unwrap();
    }
    let all = listed(&backend, FileKind::Pack);
    assert_eq!(
        (all.len(), all.iter().map(|(_, size)| size).sum::<u64>()),
        (3000, (0..3000).map(|n| n % 7).sum())
    );
}

#[test]
fn a_lost_connection_is_temporary_and_the_next_call_connects_again() {
    let (folder, mut sshd) = (TempDir::new().unwrap(), Sshd::start());
    let backend = behind(&sshd, folder.path().join("r").to_str().unwrap());
    backend.create().unwrap();
    backend.save(pack(1), &Payload::from(&b"bytes"[..])).unwrap();
    sshd.kill();
    assert_eq!(backend.stat(pack(1)).unwrap_err().kind(), ErrorKind::Temporary);
    assert_eq!(backend.stat(pack(1)).unwrap_err().kind(), ErrorKind::Temporary);
    sshd.start_again();
    assert_eq!(backend.stat(pack(1)).unwrap(), 5);
}

#[test]
fn a_full_or_closed_place_is_permanent() {
    let folder = TempDir::new().unwrap();
    let backend = over(&[sftp_server().to_str().unwrap(), "-R"], folder.path());
    assert_eq!(backend.create().unwrap_err().kind(), ErrorKind::Denied);
    let denied = backend.save(FileName::CONFIG, &Payload::from(&b"x"[..])).unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Denied);
}
