//! Certificate files: what the flags name, read and taken apart.

use std::path::Path;
use std::sync::Arc;
use tresor_backend::net::{Identity, PemError, Revoked, Roots};

use crate::args::Global;
use crate::causes::chain;
use crate::csv;
use crate::exit::{Failure, Result};

/// The authorities of `--cacert`; none is those of the system.
///
/// # Errors
/// A file that cannot be read, or holds no certificate.
pub(crate) fn roots(global: &Global) -> Result<Option<Roots>> {
    let mut roots = None;
    for list in &global.cacert {
        for file in csv::split(list).map_err(Failure::fatal)? {
            let pem = read(Path::new(&file))
                .map_err(|reason| Failure::fatal(format!("unable to read root certificate: {reason}")))?;
            let added = roots.get_or_insert_with(Roots::default).add_pem(&pem);
            added.map_err(|_| Failure::fatal(format!("cannot parse root certificate from {file:?}")))?;
        }
    }
    Ok(roots)
}

/// The certificate of `--tls-client-cert`.
///
/// # Errors
/// A file that cannot be read, or lacks the certificate or its key.
pub(crate) fn identity(global: &Global) -> Result<Option<Arc<Identity>>> {
    let Some(file) = &global.tls_client_cert else { return Ok(None) };
    let pem = read(file).map_err(|reason| Failure::fatal(format!("ReadFile: {reason}")))?;
    let identity = Identity::from_pem(&pem).map_err(|error| {
        let what = if error == PemError::NoCertificate { "certificate" } else { "key" };
        Failure::fatal(format!(
            "parse TLS client cert or key: tls: failed to find any PEM data in {what} input"
        ))
    })?;
    Ok(Some(Arc::new(identity)))
}

/// The revocation lists of `--tls-crl`; none is no question.
///
/// # Errors
/// A file that cannot be read, or holds no list.
pub(crate) fn revoked(global: &Global) -> Result<Option<Revoked>> {
    let mut revoked = None;
    for file in &global.tls_crl {
        let lists = read(file)
            .map_err(|reason| Failure::fatal(format!("unable to read revocation list: {reason}")))?;
        let added = revoked.get_or_insert_with(Revoked::default).add(&lists);
        added.map_err(|error| Failure::fatal(format!("{} is of no use: {error}", file.display())))?;
    }
    Ok(revoked)
}

fn read(file: &Path) -> std::result::Result<Vec<u8>, String> {
    let call = if file.is_dir() { "read" } else { "open" };
    std::fs::read(file).map_err(|error| format!("{call} {}: {}", file.display(), chain(&error)))
}
