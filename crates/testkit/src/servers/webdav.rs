//! WebDAV by rclone and by WsgiDAV.

use super::object::python;
use super::{Server, free_address};
use crate::peers;
use std::path::Path;
use std::process::Command;

/// The user that [`rclone_webdav`] knows, and the password.
pub const WEBDAV_LOGIN: [&str; 2] = ["me", "the-password-for-webdav"];

/// `rclone serve webdav` on `folder`, for [`WEBDAV_LOGIN`]; sees at once what others do there.
pub fn rclone_webdav(folder: &Path) -> Server {
    let address = free_address();
    let mut command = Command::new(peers::rclone());
    command.args(["serve", "webdav", "--addr", &address.to_string(), "--dir-cache-time", "1ms"]).arg(folder);
    let [user, password] = WEBDAV_LOGIN;
    command.args(["--user", user, "--pass", password, "--config", "/dev/null", "--log-level", "ERROR"]);
    Server::start(command, address)
}

/// WsgiDAV on `folder`, open to everybody on this machine.
pub fn wsgidav(folder: &Path) -> Server {
    let address = free_address();
    let mut command = Command::new(python("wsgidav"));
    command.args(["--host", &address.ip().to_string(), "--port", &address.port().to_string()]);
    command.arg("--root").arg(folder).args(["--auth", "anonymous", "--no-config", "-q"]);
    command.stderr(std::process::Stdio::null());
    Server::start(command, address)
}
