//! Where a repository is: the text after `-r`, taken apart by restic's rules.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

/// A repository's location. It is shown as it was given, with the password masked.
#[derive(Clone, PartialEq, Eq)]
pub struct Location {
    place: Place,
    shown: String,
}

/// The kinds of places, each with what its backend needs to find the repository.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// A folder of this machine; a relative path is up to the caller to resolve.
    Local(PathBuf),
    /// A folder behind an SSH server.
    Sftp(Sftp),
    /// A server that speaks restic's REST protocol.
    Rest {
        /// The whole URL with a `/` at its end; it may hold a password.
        url: String,
    },
    /// A bucket of an S3 service.
    S3(S3),
    /// A container of an object store that needs no address.
    Bucket {
        /// Whose store.
        store: Store,
        /// The bucket or container.
        name: String,
        /// What every file's name begins with, without slashes around it; may be empty.
        prefix: String,
    },
    /// A folder behind a WebDAV server.
    WebDav {
        /// The whole URL with a `/` at its end; it may hold a password.
        url: String,
    },
    /// Whatever the program rclone calls by this name.
    Rclone {
        /// Everything after `rclone:`, for rclone to understand.
        remote: String,
    },
}

/// A folder behind an SSH server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sftp {
    /// The user to log in as, if it is not ssh's to decide.
    pub user: Option<String>,
    /// The host, or a name ssh's settings know; IPv6 without brackets.
    pub host: String,
    /// The port, if it is not ssh's to decide.
    pub port: Option<u16>,
    /// The path; relative to the login folder unless it begins with `/`.
    pub path: String,
}

/// A bucket of an S3 service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3 {
    /// Host with optional port.
    pub endpoint: String,
    /// Whether to speak plain HTTP.
    pub plain_http: bool,
    /// The bucket.
    pub bucket: String,
    /// What every file's name begins with, without slashes around it; may be empty.
    pub prefix: String,
}

/// An object store with an address of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// Backblaze B2.
    B2,
    /// Microsoft Azure Blob Storage.
    Azure,
    /// Google Cloud Storage.
    Gs,
    /// OpenStack Swift.
    Swift,
}

/// Why a text is no location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocationError {
    /// It has a colon, but no known scheme before it.
    #[error("invalid backend\nIf the repository is in a local directory, you need to add a `local:` prefix")]
    InvalidBackend,
    /// The scheme is known, the rest is not in its form.
    #[error("{scheme}: {reason}")]
    Malformed {
        /// The scheme.
        scheme: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
}

type Parsed<T> = Result<T, &'static str>;

impl Location {
    /// Takes a location apart.
    ///
    /// # Errors
    /// [`LocationError`] if no backend can be meant by it.
    pub fn parse(text: &OsStr) -> Result<Self, LocationError> {
        let Some(utf8) = text.to_str() else { return Self::parse_bytes(text) };
        let plain = |place| Ok(Location { place, shown: utf8.to_owned() });
        let Some((scheme, rest)) = utf8.split_once(':') else { return plain(Place::Local(text.into())) };
        let (scheme, place) = match scheme {
            "local" => ("local", Ok(Place::Local(rest.into()))),
            "sftp" => ("sftp", sftp(rest).map(Place::Sftp)),
            "rest" => {
                return rest_url(rest).map_err(|reason| LocationError::Malformed { scheme: "rest", reason });
            }
            "opendal" => {
                return opendal(rest)
                    .map_err(|reason| LocationError::Malformed { scheme: "opendal", reason });
            }
            "s3" => ("s3", s3(rest).map(Place::S3)),
            "b2" => ("b2", b2(rest)),
            "azure" => ("azure", bucket(Store::Azure, rest)),
            "gs" => ("gs", bucket(Store::Gs, rest)),
            "swift" => ("swift", bucket(Store::Swift, rest)),
            "rclone" => ("rclone", Ok(Place::Rclone { remote: rest.to_owned() })),
            _ if looks_like_a_path(utf8) => return plain(Place::Local(text.into())),
            _ => return Err(LocationError::InvalidBackend),
        };
        let place = place.map_err(|reason| LocationError::Malformed { scheme, reason })?;
        // Neither ssh nor S3 takes a password from here; who wrote one all the same does not want it shown.
        let is_url = matches!(scheme, "sftp" | "s3") && utf8.contains("//");
        Ok(Location { place, shown: if is_url { masked(utf8) } else { utf8.to_owned() } })
    }

    /// Only a local path can be anything but UTF-8.
    fn parse_bytes(text: &OsStr) -> Result<Self, LocationError> {
        use std::os::unix::ffi::{OsStrExt, OsStringExt};
        let bytes = text.as_bytes();
        let path = match bytes.strip_prefix(b"local:") {
            Some(path) => OsString::from_vec(path.to_vec()),
            None if bytes.contains(&b':') && !bytes.starts_with(b"/") && !bytes.starts_with(b"../") => {
                return Err(LocationError::InvalidBackend);
            }
            None => text.to_owned(),
        };
        Ok(Location { place: Place::Local(path.into()), shown: text.to_string_lossy().into_owned() })
    }

    /// A folder of this machine.
    pub fn local(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Location { shown: path.display().to_string(), place: Place::Local(path) }
    }

    /// What it means.
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// The word before the colon; also the first part of the backend's extended options.
    pub const fn scheme(&self) -> &'static str {
        match self.place {
            Place::Local(_) => "local",
            Place::Sftp(_) => "sftp",
            Place::Rest { .. } => "rest",
            Place::WebDav { .. } => "opendal",
            Place::S3(_) => "s3",
            Place::Bucket { store: Store::B2, .. } => "b2",
            Place::Bucket { store: Store::Azure, .. } => "azure",
            Place::Bucket { store: Store::Gs, .. } => "gs",
            Place::Bucket { store: Store::Swift, .. } => "swift",
            Place::Rclone { .. } => "rclone",
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({:?})", self.shown)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Local(path) => f.debug_tuple("Local").field(path).finish(),
            Place::Sftp(sftp) => sftp.fmt(f),
            Place::Rest { url } => f.debug_struct("Rest").field("url", &masked(url)).finish(),
            Place::WebDav { url } => f.debug_struct("WebDav").field("url", &masked(url)).finish(),
            Place::S3(s3) => s3.fmt(f),
            Place::Bucket { store, name, prefix } => write!(f, "{store:?}({name:?}, {prefix:?})"),
            Place::Rclone { remote } => f.debug_struct("Rclone").field("remote", remote).finish(),
        }
    }
}

fn looks_like_a_path(text: &str) -> bool {
    let drive = |text: &[u8]| {
        text.len() >= 3 && text[0].is_ascii_alphabetic() && text[1] == b':' && matches!(text[2], b'\\' | b'/')
    };
    ["/", "\\", "../", "..\\"].iter().any(|start| text.starts_with(start)) || drive(text.as_bytes())
}

fn sftp(rest: &str) -> Parsed<Sftp> {
    let sftp = match rest.strip_prefix("//") {
        Some(url) => sftp_url(url)?,
        None => {
            let (host, path) = rest.split_once(':').ok_or("no colon between host and path")?;
            let (user, host) = split_user(host);
            Sftp { user, host: host.to_owned(), port: None, path: path.to_owned() }
        }
    };
    if sftp.host.is_empty() || sftp.path.is_empty() {
        return Err("host or path is missing");
    }
    if sftp.path.starts_with('~') {
        return Err("a path cannot begin with ~: leave it out, a relative path begins at the login folder");
    }
    Ok(sftp)
}

/// `[user@]host[:port]/path`; the first slash only ends the host.
fn sftp_url(url: &str) -> Parsed<Sftp> {
    let (authority, path) = url.split_once('/').ok_or("host or path is missing")?;
    let (user, address) = split_user(authority);
    let (host, port) = host_and_port(address)?;
    Ok(Sftp { user, host: host.to_owned(), port, path: path.to_owned() })
}

const BAD_PORT: &str = "the port is no number from 0 to 65535";

/// `host[:port]`, with brackets around an IPv6 address.
fn host_and_port(address: &str) -> Parsed<(&str, Option<u16>)> {
    let (host, port) = match address.strip_prefix('[') {
        Some(ipv6) => ipv6.split_once(']').ok_or("the bracket of the IPv6 address is not closed")?,
        None => address.split_at(address.find(':').unwrap_or(address.len())),
    };
    match port.strip_prefix(':') {
        Some(digits) => Ok((host, Some(digits.parse().map_err(|_| BAD_PORT)?))),
        None if port.is_empty() => Ok((host, None)),
        None => Err(BAD_PORT),
    }
}

/// A user's name may itself hold an `@`.
fn split_user(address: &str) -> (Option<String>, &str) {
    match address.rsplit_once('@') {
        Some((user, host)) => (Some(user.to_owned()), host),
        None => (None, address),
    }
}

fn rest_url(rest: &str) -> Parsed<Location> {
    let (scheme, after) = rest.split_once("://").ok_or("not a URL")?;
    if !matches!(scheme, "http" | "https" | "http+unix" | "https+unix") {
        return Err("the protocol is none of http, https, http+unix, https+unix");
    }
    if scheme.ends_with("unix") {
        if !after.starts_with('/') {
            return Err("the path of the socket is missing");
        }
    } else {
        let authority = after.split('/').next().unwrap_or_default();
        let (host, _) = host_and_port(authority.rsplit_once('@').map_or(authority, |(_, address)| address))?;
        if host.is_empty() {
            return Err("the host is missing");
        }
    }
    let url = if rest.ends_with('/') { rest.to_owned() } else { format!("{rest}/") };
    Ok(Location { shown: format!("rest:{}", masked(&url)), place: Place::Rest { url } })
}

/// `SERVICE:` and what that service wants to know; the only one is WebDAV, with a URL as in `rest:`.
fn opendal(rest: &str) -> Parsed<Location> {
    let url = rest.strip_prefix("webdav:").ok_or("the only service is webdav (opendal:webdav:https://…)")?;
    match rest_url(url)?.place {
        Place::Rest { url } if !url.contains("unix://") => {
            Ok(Location { shown: format!("opendal:webdav:{}", masked(&url)), place: Place::WebDav { url } })
        }
        _ => Err("the protocol is none of http, https"),
    }
}

/// The URL with `***` in the place of its password.
fn masked(url: &str) -> String {
    let start = url.find("//").map_or(0, |at| at + 2);
    // To the last `@` before the path: a password that was not encoded may hold one too.
    let authority = &url[start..][..url[start..].find('/').unwrap_or(url.len() - start)];
    match authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')) {
        Some((user, password)) => {
            let secret = start + user.len() + 1;
            format!("{}***{}", &url[..secret], &url[secret + password.len()..])
        }
        None => url.to_owned(),
    }
}

fn s3(rest: &str) -> Parsed<S3> {
    let (plain_http, address) = match rest.split_once("://") {
        Some(("http", address)) => (true, address),
        Some(("https", address)) => (false, address),
        Some(_) => return Err("the protocol is neither http nor https"),
        None => (false, rest.strip_prefix("//").unwrap_or(rest)),
    };
    let (endpoint, path) = address.split_once('/').unwrap_or((address, ""));
    let path = cleaned(path);
    let (bucket, prefix) = path.split_once('/').unwrap_or((&path, ""));
    if endpoint.is_empty() || bucket.is_empty() {
        return Err("bucket name not found");
    }
    Ok(S3 { endpoint: endpoint.to_owned(), plain_http, bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

fn b2(rest: &str) -> Parsed<Place> {
    let (name, prefix) = rest.split_once(':').unwrap_or((rest, ""));
    match name.len() {
        0 => return Err("bucket name not found"),
        1..=5 => return Err("bucket name is too short"),
        6..=50 => {}
        _ => return Err("bucket name is too long"),
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err("bucket name has a character that is no letter, digit or hyphen");
    }
    Ok(Place::Bucket { store: Store::B2, name: name.to_owned(), prefix: cleaned(prefix) })
}

fn bucket(store: Store, rest: &str) -> Parsed<Place> {
    let (name, prefix) = rest.split_once(':').ok_or("bucket name or path not found")?;
    if name.is_empty() {
        return Err("bucket name or path not found");
    }
    if store == Store::Swift && !prefix.starts_with('/') {
        return Err("the prefix does not begin with a slash");
    }
    Ok(Place::Bucket { store, name: name.to_owned(), prefix: cleaned(prefix) })
}

/// A slash-separated path without empty parts, `.` and `..`, and without slashes at its ends.
fn cleaned(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests;
