//! Certificates: the files that flags name, read and taken apart, and who would show one.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use tresor_backend::Location;
use tresor_backend::location::Place;
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

/// Host and port that a text means: a URL, both with a colon between them, or a repository's location.
///
/// # Errors
/// It names no server that speaks TLS.
pub(crate) fn server(text: &str) -> Result<(String, u16)> {
    let wrong = || Failure::fatal(format!("{text:?} names no server that speaks TLS (https://host:port)"));
    let endpoint = match Location::parse(OsStr::new(text)).as_ref().map(Location::place) {
        Ok(Place::Rest { url } | Place::WebDav { url }) => url.clone(),
        Ok(Place::S3(s3)) if !s3.plain_http => s3.endpoint.clone(),
        Ok(Place::S3(_)) => return Err(wrong()),
        _ => text.to_owned(),
    };
    let rest = match endpoint.split_once("://") {
        Some(("https", rest)) => rest,
        Some(_) => return Err(wrong()),
        None => &endpoint,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let address = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
    let (host, port) = match address.strip_prefix('[') {
        Some(ipv6) => ipv6.split_once(']').ok_or_else(wrong)?,
        None => address.split_at(address.find(':').unwrap_or(address.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(digits) => digits.parse().map_err(|_| wrong())?,
        None => 443,
    };
    if host.is_empty() { Err(wrong()) } else { Ok((host.to_owned(), port)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_found_in_whatever_names_it() {
        for (text, host, port) in [
            ("https://host", "host", 443),
            ("https://me:pass@host:8000/path/", "host", 8000),
            ("host", "host", 443),
            ("host:1234", "host", 1234),
            ("[::1]:8000", "::1", 8000),
            ("rest:https://user@host:8000/a/", "host", 8000),
            ("s3:host:9000/bucket", "host", 9000),
            ("s3:https://host/bucket", "host", 443),
            ("opendal:webdav:https://host/dav/", "host", 443),
        ] {
            assert_eq!(server(text).unwrap(), (host.to_owned(), port), "{text}");
        }
        for text in ["http://host", "rest:http://host/", "s3:http://host/b", "https://", "host:x", "[::1"] {
            assert!(server(text).is_err(), "{text}");
        }
    }
}
