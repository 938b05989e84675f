//! Certificates by an authority of our own, and how servers show them.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;

/// An authority.
pub type Authority = CertifiedIssuer<'static, KeyPair>;

/// A new authority.
///
/// # Panics
/// If there is no randomness.
pub fn authority() -> Authority {
    let mut params = CertificateParams::new([]).expect("no names are no wrong names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, key()).expect("what was just made can be signed")
}

/// A certificate by `issuer` with its key, as PEM.
///
/// # Panics
/// If `host` cannot be one.
pub fn certificate(issuer: &Authority, host: &str, change: fn(&mut CertificateParams)) -> String {
    let (mut params, key) = (CertificateParams::new([host.to_owned()]).expect("it is a host"), key());
    change(&mut params);
    let certificate = params.signed_by(&key, issuer).expect("what was just made can be signed");
    format!("{}{}", certificate.pem(), key.serialize_pem())
}

fn key() -> KeyPair {
    KeyPair::generate().expect("keys can be made")
}

/// A server that shows what `pem` holds; with `clients`, theirs have to be by that authority.
///
/// # Panics
/// If it holds no certificate with a key.
pub fn server(pem: &str, clients: Option<&Authority>) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("they go with the provider");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der().clone()).expect("it is an authority");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("there is an authority"))
        }
    };
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes()).map(|der| der.expect("it is PEM")).collect();
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("there is a key");
    Arc::new(builder.with_single_cert(chain, key).expect("the key is that of the certificate"))
}
