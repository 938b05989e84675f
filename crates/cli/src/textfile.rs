//! Text files people write: passwords, locations, patterns, lists of files.

use std::path::Path;
use tresor_secmem::SecretBytes;

use crate::exit::{Failure, Result};

/// The text of a file or of stdin: a byte order mark is dropped, UTF-16 with one is converted.
pub(crate) fn decode(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    decode_by(bytes, |piece| text.extend_from_slice(piece));
    text
}

/// Hands the text to `push` in pieces, and keeps none of them.
fn decode_by(bytes: &[u8], mut push: impl FnMut(&[u8])) {
    let mut utf16 = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let units = bytes.chunks(2).map(|pair| read([pair[0], pair.get(1).copied().unwrap_or(0)]));
        for c in char::decode_utf16(units) {
            push(c.unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut [0; 4]).as_bytes());
        }
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => push(rest),
        _ => push(bytes),
    }
}

/// Cuts Unicode white space off both ends; bytes that are no UTF-8 stay.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.trim().as_bytes(),
        Err(_) => bytes.trim_ascii(),
    }
}

/// The decoded, trimmed content of a small file.
pub(crate) fn read_trimmed(path: &Path) -> Result<Vec<u8>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(trim(&decode(&bytes)).to_vec()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Failure::fatal(format!("{} does not exist", path.display())))
        }
        Err(error) => Err(Failure::fatal(format!("cannot read {}: {error}", path.display()))),
    }
}

/// The decoded, trimmed text of a secret, with no copy outside of secret memory.
pub(crate) fn secret(bytes: &[u8]) -> SecretBytes {
    let mut text = SecretBytes::with_capacity(bytes.len());
    decode_by(bytes, |piece| text.extend_from_slice(piece));
    trim_secret(text)
}

/// Cuts white space off both ends, as [`trim`] does.
pub(crate) fn trim_secret(mut text: SecretBytes) -> SecretBytes {
    let trimmed = trim(&text);
    let start = trimmed.as_ptr().addr() - text.as_ptr().addr();
    let range = start..start + trimmed.len();
    text.keep(range);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_order_marks_decide_the_encoding() {
        for (bytes, text) in [
            (&b"\xef\xbb\xbfabc"[..], "abc"),
            (b"\xff\xfea\0\xe9\0", "aé"),
            (b"\xfe\xff\0a\0\xe9", "aé"),
            (b"abc", "abc"),
        ] {
            assert_eq!(decode(bytes), text.as_bytes());
            assert_eq!(secret(bytes)[..], *text.as_bytes());
        }
        assert_eq!(trim(" \u{a0}two lines\nof text\r\n".as_bytes()), b"two lines\nof text");
        assert_eq!(trim(b" \xff\n"), b"\xff");
        assert_eq!(trim_secret(SecretBytes::copied(b" two words \n"))[..], *b"two words");
        assert!(trim_secret(SecretBytes::copied(b" \n")).is_empty());
    }
}
