//! Requests that nobody encrypts: to whom they may go.

use super::failure::Failure;
use crate::child::Listener;
use reqwest::Url;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Who gives out credentials over plain HTTP, by a name that only a cloud's own machines can resolve.
const METADATA: &str = "metadata.google.internal";

/// What becomes of requests over plain HTTP that would leave this machine.
///
/// Whoever keeps an exception for one repository decides here which of the two it is.
#[derive(Clone, Default)]
pub enum Plaintext {
    /// Nothing is sent, not even a request for a connection.
    #[default]
    Refused,
    /// They are made. The listener is told each server once, as `http://host:port`.
    Allowed(Listener),
}

/// A request that was not made, since everybody on the way could read and change it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{server} is not spoken to: nothing would be encrypted")]
pub struct NotEncrypted {
    server: String,
}

/// Lets requests pass, or not.
pub(crate) struct Gate {
    rule: Plaintext,
    /// Nothing leaves this machine: a unix socket, a program's streams.
    is_inside: bool,
    told: Mutex<BTreeSet<String>>,
}

impl Gate {
    /// A gate that follows `rule`, for connections that may leave this machine or cannot (`is_inside`).
    pub(crate) fn new(rule: Plaintext, is_inside: bool) -> Self {
        Gate { rule, is_inside, told: Mutex::default() }
    }

    /// Whether a request for this URL may be made.
    ///
    /// # Errors
    /// [`Failure::Plaintext`] if not.
    pub(crate) fn pass(&self, url: &Url) -> Result<(), Failure> {
        if url.scheme() == "https" || self.is_inside || is_this_machine(url) {
            return Ok(());
        }
        let server = url.origin().ascii_serialization();
        let Plaintext::Allowed(listener) = &self.rule else {
            return Err(Failure::Plaintext(NotEncrypted { server }));
        };
        if self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(server.clone()) {
            listener(&server);
        }
        Ok(())
    }

    /// The same for who gives out a machine's credentials: clouds do that over plain HTTP, at addresses that no
    /// router forwards.
    ///
    /// # Errors
    /// As [`Gate::pass`].
    pub(crate) fn pass_for_credentials(&self, url: &Url) -> Result<(), Failure> {
        let is_cloud = match address(url) {
            Some(IpAddr::V4(address)) => address.is_link_local(),
            Some(IpAddr::V6(address)) => address.segments()[..2] == [0xfd00, 0x0ec2],
            None => url.host_str() == Some(METADATA),
        };
        if is_cloud { Ok(()) } else { self.pass(url) }
    }
}

/// Whether a URL names this machine: by `localhost`, which we resolve ourselves, or a loopback address.
fn is_this_machine(url: &Url) -> bool {
    match address(url) {
        Some(address) => address.to_canonical().is_loopback(),
        None => url.host_str() == Some("localhost"),
    }
}

/// The address that a URL names, if it names one.
fn address(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_matches(['[', ']']).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn passes(gate: &Gate, url: &str) -> bool {
        gate.pass(&Url::parse(url).unwrap()).is_ok()
    }

    #[test]
    fn only_what_cannot_leave_this_machine_goes_without_encryption() {
        let gate = Gate::new(Plaintext::Refused, false);
        for url in [
            "http://127.0.0.1:1/",
            "http://127.9.8.7/",
            "http://127.1/",
            "http://0x7f000001/",
            "http://[::1]:8000/",
            "http://[::ffff:127.0.0.1]/",
            "http://LOCALHOST/",
            "https://example.org/",
        ] {
            assert!(passes(&gate, url), "{url}");
        }
        for url in [
            "http://example.org/",
            "http://10.0.0.1/",
            "http://0.0.0.0/",
            "http://[::]/",
            "http://[::ffff:10.0.0.1]/",
            "http://localhost.example.org/",
            "http://127.0.0.1.example.org/",
            "http://localhost@example.org/",
            "http://169.254.169.254/",
        ] {
            assert!(!passes(&gate, url), "{url}");
            assert!(passes(&Gate::new(Plaintext::Refused, true), url), "{url} through a socket");
        }
    }

    #[test]
    fn credentials_also_come_from_the_cloud_a_machine_is_in() {
        let gate = Gate::new(Plaintext::Refused, false);
        let passes = |url| gate.pass_for_credentials(&Url::parse(url).unwrap()).is_ok();
        for url in ["http://169.254.169.254/x", "http://[fd00:ec2::254]/", "http://metadata.google.internal/"]
        {
            assert!(passes(url), "{url}");
        }
        for url in ["http://10.0.0.1/", "http://[fd00::1]/", "http://metadata.google.internal.example.org/"] {
            assert!(!passes(url), "{url}");
        }
    }

    #[test]
    fn what_is_allowed_is_told_once_for_each_server() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&told);
        let listener: Listener = Arc::new(move |server: &str| log.lock().unwrap().push(server.to_owned()));
        let gate = Gate::new(Plaintext::Allowed(listener), false);
        for url in ["http://me:secret@example.org/a", "http://example.org/b", "http://example.org:81/"] {
            assert!(passes(&gate, url));
        }
        assert_eq!(*told.lock().unwrap(), ["http://example.org", "http://example.org:81"]);
    }
}
