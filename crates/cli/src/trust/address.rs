//! The address of a repository: what its location means, without credentials, in one spelling.

use sha2::{Digest, Sha256};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use tresor_backend::Location;
use tresor_backend::location::{Place, Store};

use crate::environment::Environment;

/// Variables that say which account, and so which containers, a location of this store means.
const AZURE: &[&str] = &["AZURE_ACCOUNT_NAME", "AZURE_ENDPOINT_SUFFIX"];
const SWIFT: &[&str] = &[
    "OS_STORAGE_URL",
    "OS_AUTH_URL",
    "OS_REGION_NAME",
    "OS_PROJECT_ID",
    "OS_PROJECT_NAME",
    "OS_TENANT_ID",
    "OS_TENANT_NAME",
    "ST_AUTH",
    "ST_USER",
];
const GOOGLE: &[&str] = &["STORAGE_EMULATOR_HOST"];

/// The address that a location means here.
pub(crate) fn address(location: &Location, environment: &Environment) -> String {
    match location.place() {
        Place::Local(path) => local(path),
        Place::Sftp(sftp) => {
            let user = sftp.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
            let port = sftp.port.map(|port| format!(":{port}")).unwrap_or_default();
            format!("sftp://{user}{}{port}/{}", sftp.host.to_lowercase(), sftp.path)
        }
        Place::Rest { url } => format!("rest:{}", without_credentials(url)),
        Place::WebDav { url } => format!("opendal:webdav:{}", without_credentials(url)),
        Place::S3(s3) => {
            let scheme = if s3.plain_http { "http" } else { "https" };
            format!("s3:{scheme}://{}/{}/{}", s3.endpoint.to_lowercase(), s3.bucket, s3.prefix)
        }
        Place::Bucket { store, name, prefix } => {
            let (store, variables) = match store {
                Store::B2 => ("b2", &[][..]),
                Store::Azure => ("azure", AZURE),
                Store::Gs => ("gs", GOOGLE),
                Store::Swift => ("swift", SWIFT),
            };
            format!("{store}:{name}:/{prefix}{}", account(variables, environment))
        }
        Place::Rclone { remote } => rclone(remote),
        // A place that is new has a text at least, which masks what it must.
        _ => location.to_string(),
    }
}

fn local(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // Without the slash at the end, and without doubled ones.
    let plain: std::path::PathBuf = absolute.components().collect();
    match plain.to_str() {
        Some(text) => text.to_owned(),
        None => plain.as_os_str().as_bytes().escape_ascii().to_string(),
    }
}

/// A URL with scheme and host in small letters, and without user and password.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{}://{}{path}", scheme.to_lowercase(), host.to_lowercase())
}

/// Which account is meant, as a digest: some of these texts are nobody's business.
fn account(variables: &[&str], environment: &Environment) -> String {
    let set = variables.iter().filter_map(|name| Some((name, environment.get(name)?)));
    let mut hash = Sha256::new();
    let mut any = false;
    for (name, value) in set {
        hash = hash.chain_update(name).chain_update([0]).chain_update(value.as_bytes()).chain_update([0]);
        any = true;
    }
    if any { format!(" (account {})", hex(&hash.finalize())) } else { String::new() }
}

/// A remote may be spelt out with its password.
fn rclone(remote: &str) -> String {
    match remote.contains([',', '=']) {
        true => format!("rclone: spelt out, {}", hex(&Sha256::digest(remote.as_bytes()))),
        false => format!("rclone:{remote}"),
    }
}

fn hex(digest: &[u8]) -> String {
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    fn of(text: &str, pairs: [(&str, &str); 1]) -> String {
        address(&Location::parse(OsStr::new(text)).unwrap(), &Environment::from(pairs))
    }

    #[test]
    fn an_address_has_one_spelling_and_no_credentials() {
        let same = |a: &str, b: &str| assert_eq!(of(a, [("X", "")]), of(b, [("X", "")]), "{a}, {b}");
        same("/srv//backup/", "local:/srv/backup");
        same("rest:https://me:secret@Example.com:8000/me/", "rest:https://example.com:8000/me");
        same("sftp:me@Host:/srv", "sftp://me@host//srv");
        for text in [
            "rest:https://me:secret@h/",
            "rclone::sftp,user=me,pass=secret:/srv",
            "opendal:webdav:https://u:secret@h/",
        ] {
            assert!(!of(text, [("X", "")]).contains("secret"), "{text}");
        }
    }

    #[test]
    fn what_differs_has_another_address() {
        let one = of("azure:c:/", [("AZURE_ACCOUNT_NAME", "one")]);
        assert_ne!(one, of("azure:c:/", [("AZURE_ACCOUNT_NAME", "two")]));
        assert_eq!(one, of("azure:c:/", [("AZURE_ACCOUNT_NAME", "one")]));
        assert_ne!(of("s3:http://h/b", [("X", "")]), of("s3:https://h/b", [("X", "")]));
        assert_ne!(of("rclone:a:b", [("X", "")]), of("rclone:a:c", [("X", "")]));
    }
}
