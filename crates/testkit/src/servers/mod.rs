//! Real servers on loopback, started for one test and stopped with it.

mod double;
mod b2;
mod delay;
mod object;
mod rest;
pub mod scripted;
mod sshd;
mod swift;
mod webdav;

pub use b2::{B2, B2_KEY};
pub use delay::far_away;
pub use object::{AZURE_ACCOUNT, S3_KEY, azurite, fake_gcs, moto, rclone_s3};
pub use rest::{rclone_rest, rest_server, rest_server_with};
pub use sshd::{Sshd, sftp_server};
pub use swift::{Variables, swift, swift_logins};
pub use webdav::{WEBDAV_LOGIN, rclone_webdav, wsgidav};

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to answer the first time.
const START: Duration = Duration::from_secs(60);

/// A server that ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    pub(super) child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts a program that will listen at `address`, and waits until it does.
    ///
    /// # Panics
    /// If it ends, or does not listen within a minute.
    pub fn start(command: &mut Command, address: SocketAddr) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let child = child.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let mut server = Server { child, address };
        let begin = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = server.child.try_wait().expect("a child can be waited for") {
                panic!("{command:?} ended: {status}");
            }
            assert!(begin.elapsed() < START, "{command:?} does not listen at {address}");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// The port it listens at.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Ends it at once, as a power failure would.
    pub fn kill(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A loopback address with a port that is free now.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("a bound socket has an address")
}
