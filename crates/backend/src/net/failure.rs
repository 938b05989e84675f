//! Why a request failed, and whether that may pass.

use super::plain::NotEncrypted;
pub(crate) use crate::shown::escaped;
use crate::{Error, ErrorKind, FileName};
use ::http::StatusCode;
use rustls::CertificateError;
use std::error::Error as StdError;
use std::time::Duration;

/// Why a request to a server failed. What the server said is cut and escaped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The server answered, but not with what was asked for.
    #[error("unexpected HTTP response ({}): {}{said}", status.as_u16(), line(*status))]
    Status {
        /// Its status.
        status: StatusCode,
        /// What it said in addition, with a separator before it.
        said: String,
    },
    /// The service said what is wrong in words of its own, by which we know the kind.
    #[error("{said}")]
    Refused {
        /// What a caller can do about it.
        kind: ErrorKind,
        /// What it said, cut and escaped.
        said: String,
    },
    /// No connection, or one that broke.
    #[error("{0}")]
    Transport(String),
    /// The server is not who it should be.
    #[error("{0}")]
    Untrusted(String),
    /// Whoever is on the way could have read it, so it was not sent.
    #[error("{0}")]
    Plaintext(#[source] NotEncrypted),
    /// Nothing moved for too long.
    #[error("request timeout: no progress for {0:?}")]
    Stuck(Duration),
    /// The answer is not what the protocol says.
    #[error("the server's answer {0}")]
    Answer(&'static str),
    /// The program between us and the server is no more.
    #[error("the program that connects us ended: {status}{}", if said.is_empty() { String::new() } else { format!(": {said}") })]
    Ended {
        /// How it ended.
        status: String,
        /// What it said last.
        said: String,
    },
    /// Our own side: a temporary file, say.
    #[error(transparent)]
    Here(#[from] std::io::Error),
}

impl Failure {
    /// A status that is an error, with the beginning of what the server said about it.
    pub(crate) fn status(status: StatusCode, body: &[u8]) -> Self {
        let said = escaped(&String::from_utf8_lossy(body));
        Failure::Status { status, said: if said.is_empty() { said } else { format!(": {said}") } }
    }

    /// What a service said, of a kind its code tells.
    pub(crate) fn refused(kind: ErrorKind, said: &str) -> Self {
        Failure::Refused { kind, said: escaped(said) }
    }

    /// What the HTTP library could not do.
    pub(crate) fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let text = chain(&error);
        match no_tls(&error) {
            Some(why) => Failure::Untrusted(why),
            None => Failure::Transport(text),
        }
    }

    /// The error of a call about one file, with this as its cause.
    pub(crate) fn of_file(self, doing: &'static str, file: FileName) -> Error {
        Error::new(self.kind(), doing, file).caused_by(self)
    }

    /// The error of a call about something else, with this as its cause.
    pub(crate) fn about(self, doing: &'static str, what: &str) -> Error {
        Error::about(self.kind(), doing, what).caused_by(self)
    }

    /// What a caller can do about it.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Failure::Status { status, .. } => kind_of(*status),
            Failure::Refused { kind, .. } => *kind,
            Failure::Transport(_) | Failure::Stuck(_) | Failure::Answer(_) | Failure::Ended { .. } => {
                ErrorKind::Temporary
            }
            Failure::Untrusted(_) | Failure::Plaintext(_) => ErrorKind::Unusable,
            Failure::Here(error) => ErrorKind::of(error),
        }
    }
}

/// What a status means for us; what is not listed may pass.
pub(crate) fn kind_of(status: StatusCode) -> ErrorKind {
    match status {
        StatusCode::NOT_FOUND => ErrorKind::NotFound,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            ErrorKind::Denied
        }
        StatusCode::RANGE_NOT_SATISFIABLE => ErrorKind::WrongSize,
        StatusCode::INSUFFICIENT_STORAGE | StatusCode::PAYLOAD_TOO_LARGE => ErrorKind::NoSpace,
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::URI_TOO_LONG | StatusCode::NOT_IMPLEMENTED => {
            ErrorKind::Unusable
        }
        status if status.is_redirection() => ErrorKind::Unusable,
        _ => ErrorKind::Temporary,
    }
}

/// A status with its usual words.
fn line(status: StatusCode) -> String {
    let words = status.canonical_reason().unwrap_or_default();
    format!("{} {words}", status.as_u16()).trim_end().to_owned()
}

/// An error and its causes; what a cause repeats is said once.
fn chain(error: &dyn StdError) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let this = error.to_string();
        if !text.contains(&this) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&this);
        }
        next = error.source();
    }
    escaped(&text)
}

/// Why there can be no TLS with this server, if that is what an error is about; another try is no help.
fn no_tls(error: &(dyn StdError + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        // An I/O error hides what it wraps from `source`.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
        if let Some(said) = error.downcast_ref().and_then(verdict) {
            return Some(escaped(&said));
        }
    }
    None
}

/// The TLS library's verdict on a server, in words.
pub(super) fn verdict(error: &rustls::Error) -> Option<String> {
    use rustls::Error::{
        AlertReceived, InvalidCertRevocationList, InvalidCertificate, InvalidMessage,
        NoCertificatesPresented, PeerIncompatible,
    };
    Some(match error {
        // In words of our own.
        InvalidCertificate(CertificateError::Other(why)) => {
            format!("the server's certificate is not accepted: {}", why.0)
        }
        InvalidCertificate(_) | InvalidCertRevocationList(_) | NoCertificatesPresented => {
            format!("the server's certificate is not accepted: {error}")
        }
        // That it wants another protocol, or that our own certificate is missing or not to its liking.
        AlertReceived(alert) => format!("the server refuses to speak TLS with us: {alert:?}"),
        PeerIncompatible(why) => format!("the server speaks no TLS that is safe: {why:?}"),
        InvalidMessage(_) => "the server does not speak TLS".to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_one_short_line_without_controls() {
        let failure = Failure::status(StatusCode::INTERNAL_SERVER_ERROR, b"a\x1b[31m\nb\xff \n");
        assert_eq!(
            failure.to_string(),
            "unexpected HTTP response (500): 500 Internal Server Error: a\\x1b[31m\\nb\u{fffd}"
        );
        assert_eq!(
            Failure::status(StatusCode::NOT_FOUND, b"").to_string(),
            "unexpected HTTP response (404): 404 Not Found"
        );
    }

    #[test]
    fn only_what_cannot_pass_is_permanent() {
        let kind = |code| Failure::status(StatusCode::from_u16(code).unwrap(), b"").kind();
        for (code, expected) in [
            (404, ErrorKind::NotFound),
            (401, ErrorKind::Denied),
            (403, ErrorKind::Denied),
            (416, ErrorKind::WrongSize),
            (507, ErrorKind::NoSpace),
            (301, ErrorKind::Unusable),
        ] {
            assert_eq!(kind(code), expected, "{code}");
        }
        for code in [400, 408, 409, 429, 500, 502, 503, 504, 599] {
            assert!(kind(code).is_temporary(), "{code}");
        }
        assert!(Failure::Stuck(Duration::from_secs(1)).kind().is_temporary());
    }
}
