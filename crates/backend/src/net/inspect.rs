//! Looking at a server: what it shows when TLS begins, and whether we would believe it.
//!
//! Nothing else is said to it.

use super::failure::verdict;
use super::pin::Pin;
use super::tls::{self, Verifier};
use super::{Options, http};
use crate::shown::escaped;
use crate::{Error, ErrorKind};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConnection, DigitallySignedStruct, ProtocolVersion, SignatureScheme};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::objects::{oid_registry, oid2sn};
use x509_parser::prelude::FromDer;

/// What a server showed. All text is fit to be printed.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Where it answered.
    pub address: SocketAddr,
    /// The version of TLS, as `TLS 1.3`.
    pub protocol: String,
    /// The cipher.
    pub cipher: String,
    /// How keys were agreed on, if the protocol lets us know.
    pub key_exchange: Option<String>,
    /// Its certificate, and what it sent along.
    pub chain: Vec<Certificate>,
    /// Why it is not believed; none if it is.
    pub refused: Option<String>,
}

/// A certificate, as far as people look at it.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// Whose it is.
    pub subject: String,
    /// Who vouches for it.
    pub issuer: String,
    /// The hosts it is for.
    pub names: Vec<String>,
    /// From when it holds, in seconds since 1970.
    pub not_before: i64,
    /// Until when it holds, in seconds since 1970.
    pub not_after: i64,
    /// By what it is signed.
    pub signature: String,
    /// The hash of its key.
    pub pin: Pin,
}

/// Begins TLS with a server and ends it again. Proxies are not used.
///
/// # Errors
/// [`ErrorKind::Unusable`] if no TLS comes about, or nobody answers.
pub fn inspect(host: &str, port: u16, options: &Options) -> Result<Shown, Error> {
    let failed = |why: String| {
        Error::about(ErrorKind::Unusable, "look at", format!("{host}:{port}")).caused_by(escaped(&why))
    };
    let name =
        ServerName::try_from(host.to_owned()).map_err(|_| failed("that is no name of a host".into()))?;
    let mut stream = connect(host, port, options).map_err(|error| failed(error.to_string()))?;
    let address = stream.peer_addr().map_err(|error| failed(error.to_string()))?;
    let witness = Arc::new(Witness { verifier: Verifier::new(options), seen: Mutex::default() });
    let config = tls::config_with(options, Arc::clone(&witness) as Arc<dyn ServerCertVerifier>);
    let config = config.map_err(|error| failed(error.to_string()))?;
    let mut connection =
        ClientConnection::new(Arc::new(config), name).map_err(|error| failed(error.to_string()))?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).map_err(|error| failed(no_handshake(&error)))?;
    }
    connection.send_close_notify();
    let _ = connection.write_tls(&mut stream); // a courtesy
    let refused = witness.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(Shown {
        address,
        protocol: connection.protocol_version().map(protocol).unwrap_or_default(),
        cipher: connection
            .negotiated_cipher_suite()
            .map(|suite| format!("{:?}", suite.suite()))
            .unwrap_or_default(),
        key_exchange: connection.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name())),
        chain: connection.peer_certificates().unwrap_or_default().iter().filter_map(read).collect(),
        refused,
    })
}

/// A connection to the first address that takes one.
fn connect(host: &str, port: u16, options: &Options) -> std::io::Result<TcpStream> {
    let patience = http::CONNECT.min(options.stuck_after);
    let mut last = std::io::ErrorKind::NotFound.into();
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => {
                stream.set_read_timeout(Some(patience))?;
                stream.set_write_timeout(Some(patience))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Why TLS did not come about.
fn no_handshake(error: &std::io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    inner.and_then(verdict).unwrap_or_else(|| error.to_string())
}

fn protocol(version: ProtocolVersion) -> String {
    match version {
        ProtocolVersion::TLSv1_2 => "TLS 1.2".to_owned(),
        ProtocolVersion::TLSv1_3 => "TLS 1.3".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Reads a certificate; one that cannot be read is not shown.
fn read(der: &CertificateDer<'_>) -> Option<Certificate> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|names| &names.value.general_names).filter_map(name);
    let algorithm = certificate.signature_algorithm.oid();
    Some(Certificate {
        subject: escaped(&certificate.subject().to_string()),
        issuer: escaped(&certificate.issuer().to_string()),
        names: names.collect(),
        not_before: certificate.validity().not_before.timestamp(),
        not_after: certificate.validity().not_after.timestamp(),
        signature: oid2sn(algorithm, oid_registry()).map_or_else(|_| algorithm.to_string(), str::to_owned),
        pin: Pin::of(der)?,
    })
}

/// A host that a certificate is for.
fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(escaped(name)),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(|bytes| std::net::IpAddr::from(bytes).to_string());
            let v6 = <[u8; 16]>::try_from(*bytes).map(|bytes| std::net::IpAddr::from(bytes).to_string());
            v4.or(v6).ok()
        }
        _ => None,
    }
}

/// Goes on whoever the server is, and remembers what the verifier says about it.
#[derive(Debug)]
struct Witness {
    verifier: Verifier,
    seen: Mutex<Option<String>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.verifier.verify_server_cert(certificate, chain, name, ocsp, now);
        let why = verified.err().map(|error| escaped(&verdict(&error).unwrap_or_else(|| error.to_string())));
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = why;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
