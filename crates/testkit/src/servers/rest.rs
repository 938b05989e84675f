//! Servers of restic's REST protocol: rest-server and rclone.

use super::{Server, free_address};
use crate::peers;
use std::path::Path;
use std::process::Command;

/// rest-server on `folder`, open to everybody on this machine.
pub fn rest_server(folder: &Path) -> Server {
    rest_server_with(folder, &["--no-auth"])
}

/// rest-server on `folder` with more arguments (`--append-only`, `--tls`…).
pub fn rest_server_with(folder: &Path, arguments: &[&str]) -> Server {
    let address = free_address();
    let mut command = Command::new(peers::rest_server());
    command.arg("--path").arg(folder).args(["--listen", &address.to_string()]).args(arguments);
    Server::start(command, address)
}

/// `rclone serve restic` on `folder`.
pub fn rclone_rest(folder: &Path) -> Server {
    let address = free_address();
    let mut command = Command::new(peers::rclone());
    command.args(["serve", "restic", "--addr", &address.to_string()]).arg(folder);
    command.args(["--config", "/dev/null"]);
    Server::start(command, address)
}
