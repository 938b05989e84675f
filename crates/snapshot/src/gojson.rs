//! JSON text exactly as Go's encoder writes it, which decides the ids of trees.
//!
//! Everything is appended straight to a byte vector. The escapes: `"`, `\`, control
//! characters, `<`, `>`, `&`, U+2028 and U+2029; bytes that are not UTF-8 become
//! `\ufffd` one by one; all else stays as it is.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tresor_repo::time::Time;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// For each ASCII byte, whether it stands for itself inside a string.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0x20;
    while byte < 0x80 {
        plain[byte] = !matches!(byte as u8, b'"' | b'\\' | b'<' | b'>' | b'&');
        byte += 1;
    }
    plain
};

/// Appends `,"name":` to a byte vector.
macro_rules! key {
    ($out:expr, $name:literal) => {
        $out.extend_from_slice(concat!(",\"", $name, "\":").as_bytes())
    };
}
pub(crate) use key;

/// Appends a quoted string made of bytes that should be, but need not be, UTF-8.
pub fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let plain = text.iter().take_while(|&&byte| PLAIN[usize::from(byte)]).count();
    let (plain, rest) = text.split_at(plain);
    out.extend_from_slice(plain);
    for chunk in rest.utf8_chunks() {
        escape(chunk.valid(), out);
        for _ in chunk.invalid() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
    out.push(b'"');
}

fn escape(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(special) = rest.iter().position(|&byte| !PLAIN[usize::from(byte)]) {
        out.extend_from_slice(&rest[..special]);
        rest = &rest[special..];
        let length = match *rest {
            [0xe2, 0x80, last @ (0xa8 | 0xa9), ..] => {
                out.extend_from_slice(b"\\u202");
                out.push(HEX[usize::from(last & 0xf)]);
                3
            }
            [byte, ..] => {
                escape_byte(byte, out);
                1
            }
            [] => 0,
        };
        rest = &rest[length..];
    }
    out.extend_from_slice(rest);
}

fn escape_byte(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x80.. => return out.push(byte),
        _ => {
            out.extend_from_slice(b"\\u00");
            return out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]]);
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Appends a whole number.
pub fn write_number(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = number;
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends a quoted time.
pub fn write_time(time: &Time, out: &mut Vec<u8>) {
    out.push(b'"');
    time.write(out);
    out.push(b'"');
}

/// Appends a quoted id.
pub fn write_id(bytes: &[u8; 32], out: &mut Vec<u8>) {
    let mut text = [b'"'; 66];
    for (pair, byte) in text[1..65].chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]]);
    }
    out.extend_from_slice(&text);
}

/// Appends an array of strings.
pub fn write_strings<T: AsRef<[u8]>>(texts: &[T], out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_string(text.as_ref(), out);
    }
    out.push(b']');
}

/// Turns bytes that should be UTF-8 into text, each wrong byte into U+FFFD.
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            Cow::Owned(bytes.utf8_chunks().fold(String::with_capacity(bytes.len()), |mut text, chunk| {
                text.push_str(chunk.valid());
                text.extend(chunk.invalid().iter().map(|_| '\u{fffd}'));
                text
            }))
        }
    }
}

/// One JSON value of any kind as the text it was written in.
///
/// Holds what we do not know so that it survives being read and written again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawJson(Box<str>);

/// Members of an object that we do not know, in the order they were read.
pub type Unknown = Vec<(Box<str>, RawJson)>;

impl RawJson {
    /// Takes text over if it is one JSON value.
    pub fn parse(text: &str) -> Option<RawJson> {
        serde_json::from_str::<&RawValue>(text).ok().map(RawJson::from)
    }

    /// The value's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Puts an object into canonical form: keys sorted, no white space, `<`, `>` and `&` escaped.
    ///
    /// Nothing is left of an empty object or `null`.
    pub(crate) fn canonical_object(text: &str) -> serde_json::Result<Option<RawJson>> {
        let Some(members) = serde_json::from_str::<Option<BTreeMap<String, &RawValue>>>(text)? else {
            return Ok(None);
        };
        let mut out = Vec::with_capacity(text.len());
        for (name, value) in &members {
            out.push(if out.is_empty() { b'{' } else { b',' });
            write_string(name.as_bytes(), &mut out);
            out.push(b':');
            compact(value.get(), &mut out);
        }
        out.push(b'}');
        Ok((!members.is_empty()).then(|| RawJson(lossy(&out).into())))
    }
}

impl From<&RawValue> for RawJson {
    fn from(value: &RawValue) -> RawJson {
        RawJson(value.get().into())
    }
}

/// Appends unknown members to an object that has members already.
pub fn write_unknown(unknown: &Unknown, out: &mut Vec<u8>) {
    for (name, value) in unknown {
        out.push(b',');
        write_string(name.as_bytes(), out);
        out.push(b':');
        out.extend_from_slice(value.as_str().as_bytes());
    }
}

/// Appends valid JSON without white space, with `<`, `>`, `&`, U+2028 and U+2029 escaped.
fn compact(value: &str, out: &mut Vec<u8>) {
    let mut in_string = false;
    let mut escaped = false;
    for character in value.chars() {
        match character {
            ' ' | '\t' | '\n' | '\r' if !in_string => continue,
            '"' if !escaped => in_string = !in_string,
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes());
                continue;
            }
            _ => {}
        }
        escaped = in_string && !escaped && character == '\\';
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// JSON bytes as text; each byte that is not UTF-8 reads as U+FFFD, as in Go.
pub(crate) fn input(json: &[u8]) -> Cow<'_, str> {
    lossy(json)
}

/// A string that may be `null`, decoded as Go does: half a surrogate pair reads as U+FFFD.
#[derive(Debug, Default)]
pub(crate) struct MaybeText<'a>(pub(crate) Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for MaybeText<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = MaybeText<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string")
            }
            fn visit_none<E>(self) -> Result<Self::Value, E> {
                Ok(MaybeText(None))
            }
            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
                deserializer.deserialize_bytes(self)
            }
            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(MaybeText(Some(lossy(bytes))))
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(MaybeText(Some(Cow::Owned(without_surrogates(bytes)))))
            }
        }
        deserializer.deserialize_option(Visitor)
    }
}

/// Replaces the three bytes that stand for half a surrogate pair by one U+FFFD.
fn without_surrogates(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        let (valid, wrong) = match str::from_utf8(rest) {
            Ok(valid) => (valid, 0),
            Err(error) => {
                let valid = str::from_utf8(&rest[..error.valid_up_to()]).unwrap_or_default();
                (valid, if rest[valid.len()] == 0xed { 3 } else { 1 })
            }
        };
        text.push_str(valid);
        rest = rest.get(valid.len() + wrong..).unwrap_or_default();
        if wrong == 0 {
            return text;
        }
        text.push('\u{fffd}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn string(text: &[u8]) -> String {
        let mut out = Vec::new();
        write_string(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_escaped_as_go_does() {
        assert_eq!(string(b"plain"), r#""plain""#);
        assert_eq!(string(b"\"\\/\x08\x0c\n\r\t"), r#""\"\\/\b\f\n\r\t""#);
        assert_eq!(string(b"\x00\x1f\x7f"), "\"\\u0000\\u001f\x7f\"");
        assert_eq!(string(b"<a>&"), r#""\u003ca\u003e\u0026""#);
        assert_eq!(
            string("\u{2028}\u{2029}\u{2027}ä\u{fffd}".as_bytes()),
            "\"\\u2028\\u2029\u{2027}ä\u{fffd}\""
        );
        assert_eq!(string(b"a\xff\xe2\x82b"), r#""a\ufffd\ufffd\ufffdb""#);
        assert_eq!(string(b"\xed\xa0\x80"), r#""\ufffd\ufffd\ufffd""#);
    }

    #[test]
    fn numbers_are_written_in_full() {
        for number in [0, 7, 10, 2_147_484_141, u64::MAX] {
            let mut out = Vec::new();
            write_number(number, &mut out);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }

    #[test]
    fn objects_become_canonical() {
        let canonical = |text| RawJson::canonical_object(text).unwrap().map(|raw| raw.as_str().to_owned());
        assert_eq!(canonical("null"), None);
        assert_eq!(canonical(" { } "), None);
        assert_eq!(
            canonical(r#"{"b": [1, 2.50 ,"x \" <y"], "a>" : { "z" : null , "a":"\\" } }"#).unwrap(),
            r#"{"a\u003e":{"z":null,"a":"\\"},"b":[1,2.50,"x \" \u003cy"]}"#
        );
        assert!(RawJson::canonical_object("[]").is_err());
    }

    #[test]
    fn half_surrogates_read_as_replacement_characters() {
        let read = |json: &str| serde_json::from_str::<MaybeText<'_>>(json).unwrap().0.map(Cow::into_owned);
        assert_eq!(read(r#""a\ud800b""#).unwrap(), "a\u{fffd}b");
        assert_eq!(read(r#""\udc00\ud83d\ude00\ud83d""#).unwrap(), "\u{fffd}😀\u{fffd}");
        assert_eq!(read(r#""plain""#).unwrap(), "plain");
        assert_eq!(read("null"), None);
        assert!(serde_json::from_str::<MaybeText<'_>>("[1]").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_make_a_string_that_reads_back_lossily(bytes in any::<Vec<u8>>()) {
            let read: String = serde_json::from_str(&string(&bytes)).unwrap();
            prop_assert_eq!(read, lossy(&bytes));
        }
    }
}
