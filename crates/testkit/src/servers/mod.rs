//! Real servers on loopback, started for one test and stopped with it.

mod double;
mod b2;
mod delay;
mod named;
mod object;
mod proxy;
mod rest;
pub mod scripted;
mod sshd;
mod swift;
mod webdav;

pub use b2::{B2, B2_KEY};
pub use delay::far_away;
pub use named::Named;
pub use object::{
    AZURE_ACCOUNT, AZURE_HOST, S3_KEY, azurite, azurite_with, fake_gcs, fake_gcs_on, moto, rclone_s3,
};
pub use proxy::proxy_to;
pub use rest::{rclone_rest, rest_server, rest_server_with};
pub use sshd::{Sshd, sftp_server};
pub use swift::{Variables, swift, swift_logins};
pub use webdav::{WEBDAV_LOGIN, rclone_webdav, wsgidav};

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to answer the first time.
const START: Duration = Duration::from_secs(60);

/// What may die in the middle of its work, and stand up again with all that it had stored.
pub trait Mortal {
    /// Ends it at once, as a power failure would.
    fn kill(&mut self);

    /// Starts it again at the same address, on the same storage.
    fn start_again(&mut self);
}

/// A server that ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    pub(super) child: Child,
    command: Command,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts a program that will listen at `address`, and waits until it does.
    ///
    /// # Panics
    /// If it ends, or does not listen within a minute.
    pub fn start(mut command: Command, address: SocketAddr) -> Self {
        let child = started(&mut command, address);
        Server { child, command, address }
    }

    /// The port it listens at.
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Mortal for Server {
    fn kill(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn start_again(&mut self) {
        self.child = started(&mut self.command, self.address);
    }
}

fn started(command: &mut Command, address: SocketAddr) -> Child {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let begin = Instant::now();
    while TcpStream::connect(address).is_err() {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            panic!("{command:?} ended: {status}");
        }
        assert!(begin.elapsed() < START, "{command:?} does not listen at {address}");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
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
