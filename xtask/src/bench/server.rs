//! The servers behind which repositories can be, each contender's its own.

use crate::Result;
use std::any::Any;
use std::fmt;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;
use tresor_testkit::peers;
use tresor_testkit::servers::{self, S3_KEY, Server, Sshd};

/// A server that restic speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    RestServer,
    RcloneRest,
    /// rclone over its standard streams.
    Rclone,
    /// sftp-server over its standard streams.
    SftpServer,
    Sshd,
    RcloneS3,
    Moto,
    FakeGcs,
    Swift,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::RestServer => "rest-server",
            Kind::RcloneRest => "rclone-rest",
            Kind::Rclone => "rclone",
            Kind::SftpServer => "sftp-server",
            Kind::Sshd => "sshd",
            Kind::RcloneS3 => "rclone-s3",
            Kind::Moto => "moto",
            Kind::FakeGcs => "fake-gcs",
            Kind::Swift => "swift",
        })
    }
}

/// Where the repositories of a run are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) kind: Kind,
    /// How much longer each answer takes than it would on loopback.
    pub(super) round_trip: Duration,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.round_trip.as_millis() {
            0 => write!(f, "behind {}", self.kind),
            away => write!(f, "behind {}, {away} ms away", self.kind),
        }
    }
}

/// A server that runs until it is dropped, and how a program reaches the repository behind it.
pub(super) struct Running {
    pub(super) location: String,
    pub(super) options: Vec<String>,
    pub(super) variables: Vec<(&'static str, String)>,
    _server: Box<dyn Any>,
}

impl Place {
    /// Starts the server with `folder` to keep what it has in, as far as it keeps it in files.
    pub(super) fn start(self, folder: &Path) -> Result<Running> {
        fs::create_dir_all(folder)?;
        let repository = folder.join("repository");
        let running = |location, server| Ok(Running::new(location, server));
        match self.kind {
            Kind::RestServer => {
                let server = servers::rest_server(folder);
                running(format!("rest:http://{}/repository/", self.front(server.address)), Box::new(server))
            }
            Kind::RcloneRest => {
                let server = servers::rclone_rest(folder);
                running(format!("rest:http://{}/repository/", self.front(server.address)), Box::new(server))
            }
            Kind::Rclone => self.piped("rclone", &repository, "rclone.program", &peers::rclone()),
            Kind::SftpServer => {
                self.piped("sftp:server", &repository, "sftp.command", &servers::sftp_server())
            }
            Kind::Sshd => {
                let server = Sshd::start();
                let option = match self.round_trip {
                    Duration::ZERO => server.option(),
                    round_trip => server.option_at(round_trip),
                };
                let location = format!("sftp:backup-host:{}", repository.display());
                Ok(Running::new(location, Box::new(server)).option(option))
            }
            Kind::RcloneS3 => Ok(self.s3(servers::rclone_s3(folder))),
            Kind::Moto => Ok(self.s3(servers::moto())),
            Kind::FakeGcs => {
                let server = servers::fake_gcs();
                make_bucket(server.address)?;
                let running = Running::new("gs:bucket:/repository".to_owned(), Box::new(()));
                let running =
                    running.variable("STORAGE_EMULATOR_HOST", &self.front(server.address).to_string());
                let running = running.variable("GOOGLE_ACCESS_TOKEN", "a-token");
                Ok(Running { _server: Box::new(server), ..running.variable("GOOGLE_PROJECT_ID", "project") })
            }
            Kind::Swift => {
                let server = servers::swift(folder, 0);
                let logins = servers::swift_logins(self.front(server.address));
                let login = logins.into_iter().next().ok_or("there is no way to log in")?;
                let running = Running::new("swift:container:/repository".to_owned(), Box::new(server));
                Ok(Running { variables: login.1, ..running })
            }
        }
    }

    /// The address at which the server is as far away as it should be.
    fn front(self, server: SocketAddr) -> SocketAddr {
        match self.round_trip {
            Duration::ZERO => server,
            round_trip => servers::far_away(server, round_trip),
        }
    }

    fn s3(self, server: Server) -> Running {
        let location = format!("s3:http://{}/bucket/repository", self.front(server.address));
        let running = Running::new(location, Box::new(server)).variable("AWS_ACCESS_KEY_ID", S3_KEY[0]);
        running.variable("AWS_SECRET_ACCESS_KEY", S3_KEY[1])
    }

    /// A program that the contender starts by itself, and so is as near as anything.
    fn piped(self, scheme: &str, repository: &Path, option: &str, program: &Path) -> Result<Running> {
        if self.round_trip > Duration::ZERO {
            return Err(format!("{} is spoken to through a pipe: it cannot be far away", self.kind).into());
        }
        let location = format!("{scheme}:{}", repository.display());
        Ok(Running::new(location, Box::new(())).option(format!("{option}={}", program.display())))
    }
}

/// Makes the bucket, which restic does not do there.
fn make_bucket(server: SocketAddr) -> Result<()> {
    let body = r#"{"name":"bucket"}"#;
    let mut stream = TcpStream::connect(server)?;
    let head = format!("POST /storage/v1/b?project=project HTTP/1.0\r\nHost: {server}\r\n");
    write!(stream, "{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.contains(" 200 ") { Ok(()) } else { Err(format!("no bucket was made: {answer}").into()) }
}

impl Running {
    fn new(location: String, server: Box<dyn Any>) -> Self {
        Running { location, options: Vec::new(), variables: Vec::new(), _server: server }
    }

    fn option(mut self, option: String) -> Self {
        self.options.extend(["-o".to_owned(), option]);
        self
    }

    fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }
}
