//! Behind servers of restic's REST protocol.

use crate::exchange::Pair;
use tempfile::TempDir;
use tresor_testkit::servers;

#[test]
fn programs_take_turns_behind_rest_server() {
    let folder = TempDir::new().unwrap();
    let server = servers::rest_server(folder.path());
    Pair::new(&format!("rest:http://{}/some/repo", server.address), &[], &[]).exchanges();
}

#[test]
fn programs_take_turns_behind_rclone() {
    let folder = TempDir::new().unwrap();
    let server = servers::rclone_rest(folder.path());
    Pair::new(&format!("rest:http://{}/", server.address), &["rest.connections=3"], &[]).exchanges();
}
