//! Certificate files: whether what the flags name can be used at all.

use base64::Engine;
use std::path::Path;

use crate::args::Global;
use crate::causes::chain;
use crate::csv;
use crate::exit::{Failure, Result};

/// Looks at the files of `--cacert` and `--tls-client-cert`, whatever the backend needs of them.
///
/// # Errors
/// A file that cannot be read, or holds no certificate or no key.
pub(crate) fn check(global: &Global) -> Result<()> {
    for list in &global.cacert {
        for file in csv::split(list).map_err(Failure::fatal)? {
            let bytes = read(Path::new(&file))
                .map_err(|reason| Failure::fatal(format!("unable to read root certificate: {reason}")))?;
            if !blocks(&bytes).iter().any(|(label, der)| label == "CERTIFICATE" && is_whole(der)) {
                return Err(Failure::fatal(format!("cannot parse root certificate from {file:?}")));
            }
        }
    }
    if let Some(file) = &global.tls_client_cert {
        let bytes = read(file).map_err(|reason| Failure::fatal(format!("ReadFile: {reason}")))?;
        let blocks = blocks(&bytes);
        let has = |is: fn(&str) -> bool| blocks.iter().any(|(label, _)| is(label));
        let missing = |what| {
            Failure::fatal(format!(
                "parse TLS client cert or key: tls: failed to find any PEM data in {what} input"
            ))
        };
        if !has(|label| label == "CERTIFICATE") {
            return Err(missing("certificate"));
        }
        if !has(|label| label.ends_with("PRIVATE KEY")) {
            return Err(missing("key"));
        }
    }
    Ok(())
}

fn read(file: &Path) -> std::result::Result<Vec<u8>, String> {
    let call = if file.is_dir() { "read" } else { "open" };
    std::fs::read(file).map_err(|error| format!("{call} {}: {}", file.display(), chain(&error)))
}

/// The PEM blocks of a file: label and content.
fn blocks(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let text = String::from_utf8_lossy(bytes);
    let mut found = Vec::new();
    for part in text.split("-----BEGIN ").skip(1) {
        let Some((label, rest)) = part.split_once("-----") else { continue };
        let Some((body, _)) = rest.split_once(&format!("-----END {label}-----")) else { continue };
        let body: String = body.split_whitespace().collect();
        if let Ok(content) = base64::engine::general_purpose::STANDARD.decode(body) {
            found.push((label.to_owned(), content));
        }
    }
    found
}

/// Whether bytes are one whole DER sequence.
fn is_whole(der: &[u8]) -> bool {
    let Some((0x30, rest)) = der.split_first() else { return false };
    match rest.split_first() {
        Some((&length, content)) if length < 0x80 => content.len() == usize::from(length),
        Some((&count, rest)) => {
            let count = usize::from(count & 0x7f);
            let Some((length, content)) = rest.split_at_checked(count).filter(|_| count <= 4) else {
                return false;
            };
            content.len() as u64 == length.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte))
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_found_and_its_content_must_be_whole() {
        let pem = |body: &str| format!("x\n-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        let whole = |body: &str| blocks(pem(body).as_bytes()).iter().any(|(_, der)| is_whole(der));
        assert!(whole("MAMCAQE="));
        assert!(!whole("MAMCAQ=="));
        assert!(!whole("MIIB"));
        assert!(blocks(b"junk").is_empty());
        assert!(!is_whole(&[0x30, 0xff, 1]));
    }
}
