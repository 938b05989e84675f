//! Behind WebDAV servers; restic, which does not speak it, is given the folder behind them.

use crate::exchange::Pair;
use tempfile::TempDir;
use tresor_testkit::Client;
use tresor_testkit::servers::{Server, WEBDAV_LOGIN, rclone_webdav, wsgidav};

/// tresor behind rclone, and restic on the folder itself.
fn rclone(server: &Server, folder: &TempDir) -> Pair {
    let [user, password] = WEBDAV_LOGIN;
    let variables = [("OPENDAL_WEBDAV_USERNAME", user), ("OPENDAL_WEBDAV_PASSWORD", password)];
    let location = format!("opendal:webdav:http://{}/some/repo", server.address);
    let restic = folder.path().join("some/repo");
    Pair::apart(&location, restic.to_str().unwrap(), &["opendal.connections=3"], &variables)
}

/// tresor behind WsgiDAV, and restic on the folder itself.
fn wsgi(server: &Server, folder: &TempDir) -> Pair {
    let location = format!("opendal:webdav:http://{}/repo/", server.address);
    Pair::apart(&location, folder.path().join("repo").to_str().unwrap(), &[], &[])
}

#[test]
fn programs_take_turns_on_a_folder_behind_rclone() {
    let folder = TempDir::new().unwrap();
    let server = rclone_webdav(folder.path());
    rclone(&server, &folder).exchanges();
}

#[test]
fn an_rclone_killed_in_the_middle_of_a_backup_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let mut server = rclone_webdav(folder.path());
    rclone(&server, &folder).outlive(&mut server, folder.path());
}

#[test]
fn a_wsgidav_killed_in_the_middle_of_a_backup_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let mut server = wsgidav(folder.path());
    wsgi(&server, &folder).outlive(&mut server, folder.path());
}

#[test]
fn programs_take_turns_on_a_folder_behind_wsgidav() {
    let folder = TempDir::new().unwrap();
    let server = wsgidav(folder.path());
    wsgi(&server, &folder).exchanges();
}

#[test]
fn a_repository_that_is_not_there_and_a_service_that_is_not_known_are_told() {
    let folder = TempDir::new().unwrap();
    let server = wsgidav(folder.path());
    let tresor = |location: &str| Client::tresor(env!("CARGO_BIN_EXE_tresor"), location).run(["snapshots"]);
    tresor(&format!("opendal:webdav:http://{}/nowhere", server.address)).exits(10);
    let unknown = tresor("opendal:onedrive:/x").exits(1).errors();
    assert!(unknown.contains("opendal: ") && unknown.contains("webdav"), "{unknown}");
}
