//! Names in URLs, encoded as strictly as signatures want them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

const STRICT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const PATH: AsciiSet = STRICT.remove(b'/');

/// A key as the path of a URL: its slashes stay.
pub(super) fn path(key: &str) -> String {
    utf8_percent_encode(key, &PATH).to_string()
}

/// A name or value of a query.
pub(super) fn part(text: &str) -> String {
    utf8_percent_encode(text, &STRICT).to_string()
}

/// A whole query with its question mark, if there is anything in it.
pub(super) fn query(pairs: &[(&'static str, String)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", part(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}
