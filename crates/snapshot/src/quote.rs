//! Names of any bytes as text: Go's quoting, without the quotation marks around.

mod printable;

use std::fmt;

/// A quoted name with a wrong escape, or a character that should have been escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("name is wrongly quoted")]
pub struct UnquoteError;

/// Bytes between quotes, as texts for people show them.
pub fn quoted(name: &[u8]) -> String {
    let mut out = vec![b'"'];
    quote(name, &mut out);
    out.push(b'"');
    String::from_utf8_lossy(&out).into_owned()
}

/// A name as it is if all of it can be shown, else quoted.
pub fn shown(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(text) if text.chars().all(|c| is_printable(c) && c != '\u{fffd}') => text.to_owned(),
        _ => quoted(name),
    }
}

/// Appends the name, with everything unprintable escaped.
pub fn quote(name: &[u8], out: &mut Vec<u8>) {
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            quote_char(character, out);
        }
        for byte in chunk.invalid() {
            append(out, format_args!("\\x{byte:02x}"));
        }
    }
}

fn quote_char(character: char, out: &mut Vec<u8>) {
    let short = match character {
        '"' | '\\' => character as u8,
        '\x07' => b'a',
        '\x08' => b'b',
        '\t' => b't',
        '\n' => b'n',
        '\x0b' => b'v',
        '\x0c' => b'f',
        '\r' => b'r',
        _ if is_printable(character) => {
            return out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        '\0'..='\x7f' => return append(out, format_args!("\\x{:02x}", character as u8)),
        '\u{80}'..='\u{ffff}' => return append(out, format_args!("\\u{:04x}", character as u32)),
        _ => return append(out, format_args!("\\U{:08x}", character as u32)),
    };
    out.extend_from_slice(&[b'\\', short]);
}

fn append(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    out.extend_from_slice(text.to_string().as_bytes());
}

/// Says whether a character stands for itself in a quoted name.
fn is_printable(character: char) -> bool {
    let code = character as u32;
    match u16::try_from(code) {
        Ok(code @ 0..0x7f) => code >= 0x20,
        Ok(code) => contains(&printable::BASIC, code),
        Err(_) => contains(&printable::SUPPLEMENTARY, code),
    }
}

/// Looks a number up in sorted ranges whose ends are included.
fn contains<T: PartialOrd>(ranges: &[(T, T)], value: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= value);
    after.checked_sub(1).is_some_and(|index| value <= ranges[index].1)
}

/// Gives the raw bytes of a quoted name.
///
/// More escapes are understood than [`quote`] writes: `\x` and octal for any
/// byte, `\u` and `\U` for any character.
pub fn unquote(text: &str) -> Result<Vec<u8>, UnquoteError> {
    if !text.contains(['\\', '"', '\n']) {
        return Ok(text.as_bytes().to_vec());
    }
    let mut name = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(index) = rest.find(['\\', '"', '\n']) {
        name.extend_from_slice(&rest.as_bytes()[..index]);
        rest = unescape(&rest[index..], &mut name).ok_or(UnquoteError)?;
    }
    name.extend_from_slice(rest.as_bytes());
    Ok(name)
}

/// Appends what the escape at the beginning of `text` stands for, and gives what follows it.
fn unescape<'a>(text: &'a str, name: &mut Vec<u8>) -> Option<&'a str> {
    let escape = text.strip_prefix('\\')?;
    let digits = match *escape.as_bytes().first()? {
        b'x' => 2,
        b'u' => 4,
        b'U' => 8,
        b'0'..=b'7' => {
            let (digits, rest) = escape.split_at_checked(3)?;
            name.push(u8::try_from(number(digits, 8)?).ok()?);
            return Some(rest);
        }
        other => {
            name.push(short_escape(other)?);
            return Some(&escape[1..]);
        }
    };
    let (hex, rest) = escape[1..].split_at_checked(digits)?;
    let code = number(hex, 16)?;
    match u8::try_from(code) {
        Ok(byte) if digits == 2 => name.push(byte),
        _ => name.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes()),
    }
    Some(rest)
}

fn number(digits: &str, radix: u32) -> Option<u32> {
    digits.chars().try_fold(0, |sum: u32, digit| sum.checked_mul(radix)?.checked_add(digit.to_digit(radix)?))
}

fn short_escape(letter: u8) -> Option<u8> {
    Some(match letter {
        b'a' => 0x07,
        b'b' => 0x08,
        b't' => b'\t',
        b'n' => b'\n',
        b'v' => 0x0b,
        b'f' => 0x0c,
        b'r' => b'\r',
        b'"' | b'\\' => letter,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(name: &[u8], expect: &str) {
        let mut out = Vec::new();
        quote(name, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expect);
        assert_eq!(unquote(expect).as_deref(), Ok(name));
    }

    #[test]
    fn names_are_quoted_as_go_does() {
        check(b"plain name.txt", "plain name.txt");
        check(b"\x07\x08\t\n\x0b\x0c\r\"\\", r#"\a\b\t\n\v\f\r\"\\"#);
        check(b"\x00\x1b\x7f'", r"\x00\x1b\x7f'");
        check(b"\xff\xc3\xed\xa0\x80", r"\xff\xc3\xed\xa0\x80");
        check("äöü €𝄞\u{fffd}".as_bytes(), "äöü €𝄞\u{fffd}");
        check(
            "\u{a0}\u{ad}\u{200b}\u{2028}\u{e000}\u{85}\u{feff}".as_bytes(),
            r"\u00a0\u00ad\u200b\u2028\ue000\u0085\ufeff",
        );
        check("\u{f0000}\u{10ffff}\u{e0001}".as_bytes(), r"\U000f0000\U0010ffff\U000e0001");
    }

    #[test]
    fn names_that_show_themselves_stay_as_they_are() {
        for name in ["/d/q\"", "/d/\\", "/d/é b", ""] {
            assert_eq!(shown(name.as_bytes()), name);
        }
        assert_eq!(shown(b"/d/a\xffb\"\\"), r#""/d/a\xffb\"\\""#);
        assert_eq!(shown("/\u{a0}\u{2028}".as_bytes()), r#""/\u00a0\u2028""#);
        assert_eq!(shown("/\u{fffd}".as_bytes()), "\"/\u{fffd}\"");
        assert_eq!(shown(b"\x1b[0m"), r#""\x1b[0m""#);
    }

    #[test]
    fn more_is_understood_than_written() {
        assert_eq!(unquote(r"\101\x41\u0041\U00000041\377"), Ok(b"AAAA\xff".to_vec()));
        assert_eq!(unquote("\t"), Ok(b"\t".to_vec()));
    }

    #[test]
    fn wrong_escapes_are_refused() {
        for text in [
            "\"",
            "a\nb",
            "\\",
            r"\q",
            r"\'",
            r"\x4",
            r"\xg0",
            r"\x+1",
            r"\400",
            r"\18",
            r"\u123",
            r"\ud800",
            r"\U00110000",
            r"\Uffffffff",
            r"\xäb",
            r"\12ä",
        ] {
            assert_eq!(unquote(text), Err(UnquoteError), "{text}");
        }
    }

    #[test]
    fn the_tables_are_sorted() {
        assert!(printable::BASIC.is_sorted_by(|a, b| a.1 < b.0));
        assert!(printable::SUPPLEMENTARY.is_sorted_by(|a, b| a.1 < b.0));
    }

    proptest! {
        #[test]
        fn quoting_loses_nothing(name in any::<Vec<u8>>()) {
            let mut out = Vec::new();
            quote(&name, &mut out);
            prop_assert_eq!(unquote(str::from_utf8(&out).unwrap()), Ok(name));
        }

        #[test]
        fn quoting_text_loses_nothing(name in any::<String>()) {
            let mut out = Vec::new();
            quote(name.as_bytes(), &mut out);
            prop_assert_eq!(unquote(str::from_utf8(&out).unwrap()), Ok(name.into_bytes()));
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = unquote(&text);
        }
    }
}
