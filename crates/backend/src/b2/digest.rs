//! The SHA-1 by which B2 checks what is sent, and by which we check what comes back.

use crate::Payload;
use crate::id::hex;
use crate::net::failure::Failure;
use ::http::HeaderMap;
use sha1::{Digest, Sha1};

/// The header that tells it.
pub(super) const HEADER: &str = "X-Bz-Content-Sha1";

/// What an answer says it is; files that came in parts have none, and `unverified:` stands before what nobody checked.
pub(super) fn told(headers: &HeaderMap) -> Option<String> {
    let told = headers.get(HEADER)?.to_str().ok()?.trim_start_matches("unverified:");
    let is_one = told.len() == 40 && told.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then(|| told.to_ascii_lowercase())
}

/// That of bytes.
pub(super) fn of(bytes: &[u8]) -> String {
    hex(&Sha1::digest(bytes))
}

/// That of a payload; reading it for that is no uploading.
pub(super) fn of_payload(payload: &Payload<'_>) -> Result<String, Failure> {
    let mut sha1 = Sha1::new();
    payload.unpaced().for_each_piece(|piece| {
        sha1.update(piece);
        Ok(())
    })?;
    Ok(hex(&sha1.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::http::HeaderValue;

    #[test]
    fn what_is_told_is_a_digest_or_nothing() {
        let empty = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
        assert_eq!(of(b""), empty);
        let told =
            |text: &str| {
                told(&HeaderMap::from_iter([("x-bz-content-sha1".parse().unwrap(), text)].map(
                    |(name, text): (::http::HeaderName, _)| (name, HeaderValue::from_str(text).unwrap()),
                )))
            };
        assert_eq!(told(&empty.to_uppercase()).as_deref(), Some(empty));
        assert_eq!(told(&format!("unverified:{empty}")).as_deref(), Some(empty));
        for nothing in ["none", "", &empty[1..]] {
            assert_eq!(told(nothing), None, "{nothing}");
        }
    }
}
