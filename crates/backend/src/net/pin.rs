//! Keys of servers that a person named: by the hash of what a certificate says about its key.
//!
//! Source: RFC 7469, section 2.4; the notation is that of curl's `--pinnedpubkey`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use x509_parser::prelude::{FromDer, X509Certificate};

const PREFIX: &str = "sha256//";

/// The SHA-256 of a certificate's SubjectPublicKeyInfo, written `sha256//BASE64`.
///
/// It outlives the certificate, if the next one is made for the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin([u8; 32]);

/// A text that is no pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a pin is sha256// and 32 bytes in Base64 (`tls show` tells that of a server)")]
pub struct NotAPin;

/// A server has another key than it should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key of the server is {0}, which is not pinned")]
pub(crate) struct OtherKey(Pin);

impl Pin {
    /// Of the key that a certificate is about; `None` if it cannot be read.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        Some(Pin(Sha256::digest(certificate.public_key().raw).into()))
    }

    /// Whether a server's certificate is for one of these keys. Only its own counts: what else a server sends
    /// along proves nothing.
    ///
    /// # Errors
    /// It is not.
    pub(crate) fn check(pins: &[Self], certificate: &CertificateDer<'_>) -> Result<(), rustls::Error> {
        let Some(own) = Self::of(certificate) else {
            return Err(rustls::CertificateError::BadEncoding.into());
        };
        if pins.contains(&own) {
            return Ok(());
        }
        let why = rustls::OtherError(std::sync::Arc::new(OtherKey(own)));
        Err(rustls::CertificateError::Other(why).into())
    }
}

impl FromStr for Pin {
    type Err = NotAPin;

    fn from_str(text: &str) -> Result<Self, NotAPin> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(NotAPin)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| NotAPin)?;
        bytes.try_into().map(Pin).map_err(|_| NotAPin)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read_as_it_is_written() {
        let text = "sha256//AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        assert_eq!(text.parse::<Pin>().unwrap().to_string(), text);
        for bad in ["", "sha256//", "sha1//AAECAwQF", "sha256//AAEC", &text[8..], "sha256//????"] {
            assert_eq!(bad.parse::<Pin>(), Err(NotAPin), "{bad}");
        }
    }
}
