//! The rclone backend: restic's REST protocol, spoken with a program over its standard streams.

use crate::child::Listener;
use crate::net;
use crate::net::pipe::Pipe;
use crate::random::Random;
use crate::rest::Rest;
use crate::{Error, ErrorKind, Result};
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::time::Duration;

/// How to run rclone.
#[derive(Clone)]
pub struct Options {
    /// The program, with arguments of its own (`rclone.program`).
    pub program: Vec<OsString>,
    /// What it is to do (`rclone.args`); the remote follows.
    pub arguments: Vec<OsString>,
    /// How long the first answer may take (`rclone.timeout`).
    pub timeout: Duration,
    /// Told what it says on standard error, each line behind `rclone: `.
    pub listener: Option<Listener>,
}

impl Default for Options {
    fn default() -> Self {
        let words = |text: &str| text.split(' ').map(OsString::from).collect();
        Options {
            program: words("rclone"),
            arguments: words("serve restic --stdio --b2-hard-delete"),
            timeout: Duration::from_secs(60),
            listener: None,
        }
    }
}

/// The repository that rclone calls `remote`; the program runs when this returns.
///
/// # Errors
/// [`ErrorKind::Unusable`] if it cannot be started, ends, or does not answer.
pub fn open(
    remote: &str,
    shown: String,
    options: &Options,
    connections: NonZeroUsize,
    network: &net::Options,
) -> Result<Rest> {
    let command: Vec<OsString> =
        options.program.iter().chain(&options.arguments).cloned().chain([remote.into()]).collect();
    let greeting = net::Options { stuck_after: options.timeout, ..network.clone() };
    let pipe = Pipe::new(command, "rclone: ", options.listener.clone());
    let mut rest = Rest::through(pipe, shown.clone(), connections, &greeting)?;
    let nobody = format!("file-{:016x}", Random::fresh().next());
    rest.greet(&nobody).map_err(|failure| {
        Error::about(ErrorKind::Unusable, "talk to rclone for", shown).caused_by(failure)
    })?;
    rest.patience(network.stuck_after);
    Ok(rest)
}
