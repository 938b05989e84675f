//! Whom to trust over TLS, and who we are.

use super::pin::Pin;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::{Arc, OnceLock};
use x509_parser::prelude::{CertificateRevocationList, FromDer};

/// Authorities whose word on servers is believed.
#[derive(Debug, Clone, Default)]
pub struct Roots(Vec<CertificateDer<'static>>);

/// Why the text of a certificate file is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// No certificate that can be read.
    #[error("it holds no certificate that can be read")]
    NoCertificate,
    /// No private key that can be read.
    #[error("it holds no private key that can be read")]
    NoKey,
    /// No revocation list that can be read.
    #[error("it holds no revocation list that can be read")]
    NoList,
}

impl Roots {
    /// Adds the certificates of a PEM file.
    ///
    /// # Errors
    /// [`PemError::NoCertificate`] if there is none in it that can be an authority's.
    pub fn add_pem(&mut self, pem: &[u8]) -> Result<(), PemError> {
        let before = self.0.len();
        let mut trial = RootCertStore::empty();
        self.0.extend(
            CertificateDer::pem_slice_iter(pem)
                .filter_map(Result::ok)
                .filter(|certificate| trial.add(certificate.clone()).is_ok()),
        );
        if self.0.len() == before { Err(PemError::NoCertificate) } else { Ok(()) }
    }
}

/// Lists of certificates that their authorities have taken back.
#[derive(Debug, Clone, Default)]
pub struct Revoked(Vec<CertificateRevocationListDer<'static>>);

impl Revoked {
    /// Adds the lists of a PEM file, or the one that the file is (DER).
    ///
    /// # Errors
    /// [`PemError::NoList`] if there is none in it, or one that cannot be read.
    pub fn add(&mut self, file: &[u8]) -> Result<(), PemError> {
        let lists: Result<Vec<_>, _> = match file.starts_with(b"0") {
            true => Ok(vec![CertificateRevocationListDer::from(file.to_vec())]),
            false => CertificateRevocationListDer::pem_slice_iter(file).collect(),
        };
        let lists = lists.map_err(|_| PemError::NoList)?;
        let can_be_read =
            |list: &CertificateRevocationListDer<'_>| CertificateRevocationList::from_der(list).is_ok();
        if lists.is_empty() || !lists.iter().all(can_be_read) {
            return Err(PemError::NoList);
        }
        self.0.extend(lists);
        Ok(())
    }
}

/// A client's certificate with its key.
pub struct Identity {
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// From a PEM file that holds both.
    ///
    /// # Errors
    /// [`PemError`] for what is missing.
    pub fn from_pem(pem: &[u8]) -> Result<Self, PemError> {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
        if certificates.is_empty() {
            return Err(PemError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| PemError::NoKey)?;
        Ok(Identity { certificates, key })
    }
}

/// The configuration of every TLS connection.
///
/// # Errors
/// A key that does not belong to its certificate.
pub(crate) fn config(options: &super::Options) -> Result<ClientConfig, rustls::Error> {
    config_with(options, Arc::new(Verifier::new(options)))
}

/// The same, with another opinion on servers.
///
/// # Errors
/// As [`config`].
pub(crate) fn config_with(
    options: &super::Options,
    verifier: Arc<dyn ServerCertVerifier>,
) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    match &options.identity {
        Some(identity) => {
            builder.with_client_auth_cert(identity.certificates.clone(), identity.key.clone_key())
        }
        None => Ok(builder.with_no_client_auth()),
    }
}

/// The given authorities, else the system's; what cannot be read of those vouches for nobody.
fn store(roots: Option<&Roots>) -> RootCertStore {
    let mut store = RootCertStore::empty();
    match roots {
        Some(Roots(certificates)) => store.add_parsable_certificates(certificates.iter().cloned()),
        None => store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    };
    store
}

/// Whether a server is who it should be. The handshake must be the certificate's owner's in any case.
///
/// The authorities are read when the first server shows a certificate: plain HTTP needs none.
#[derive(Debug)]
pub(crate) struct Verifier {
    provider: Arc<CryptoProvider>,
    /// For `--insecure-tls`: any certificate will do.
    insecure: bool,
    roots: Option<Roots>,
    revoked: Option<Revoked>,
    pins: Vec<Pin>,
    /// An error on a machine without any authorities: nobody is believed.
    made: OnceLock<Result<Arc<WebPkiServerVerifier>, rustls::Error>>,
}

impl Verifier {
    /// That judges by `options`.
    pub(crate) fn new(options: &super::Options) -> Self {
        Verifier {
            provider: Arc::new(aws_lc_rs::default_provider()),
            insecure: options.insecure_tls,
            roots: options.roots.clone(),
            revoked: options.revoked.clone(),
            pins: options.pins.clone(),
            made: OnceLock::new(),
        }
    }

    fn authorities(&self) -> Result<&WebPkiServerVerifier, rustls::Error> {
        let made = self.made.get_or_init(|| {
            let roots = Arc::new(store(self.roots.as_ref()));
            let mut builder = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&self.provider));
            if let Some(Revoked(lists)) = &self.revoked {
                builder = builder.with_crls(lists.iter().cloned()).enforce_revocation_expiration();
            }
            builder.build().map_err(|error| match error {
                VerifierBuilderError::InvalidCrl(error) => rustls::Error::InvalidCertRevocationList(error),
                _ => rustls::CertificateError::UnknownIssuer.into(),
            })
        });
        made.as_deref().map_err(Clone::clone)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if !self.insecure {
            self.authorities()?.verify_server_cert(certificate, chain, name, ocsp, now)?;
        }
        if !self.pins.is_empty() {
            Pin::check(&self.pins, certificate)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
