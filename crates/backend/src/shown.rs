//! What others say, made fit to be shown to people: nothing in it steers a terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// How much of what a server or a program says is kept, in characters.
const SAID: usize = 256;

/// Whether a character steers a terminal, or turns the direction of text so that it reads as something else.
pub fn is_steering(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text of any number of lines in which nothing steers a terminal, but for ends of lines and tabs.
///
/// What does is escaped: `\x1b` for one of ASCII, `\u009b` for another, which JSON reads as the character itself; a
/// byte that is no UTF-8 is `\x9b`. Costs a look at each byte if there is none.
pub fn lines(text: &[u8]) -> Cow<'_, [u8]> {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
    if text.iter().all(is_plain) || std::str::from_utf8(text).is_ok_and(|text| !text.chars().any(is_unfit)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for chunk in text.utf8_chunks() {
        push(chunk.valid(), is_unfit, &mut out);
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}"); // a string takes everything
        }
    }
    Cow::Owned(out.into_bytes())
}

/// Text in which nothing ends a line either: a cell of a table cannot pretend to be another row.
pub fn line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_steering) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    push(text, is_steering, &mut out);
    Cow::Owned(out)
}

/// Appends text, escaped where `is_bad`.
fn push(text: &str, is_bad: fn(char) -> bool, out: &mut String) {
    for c in text.chars() {
        match is_bad(c) {
            true => escape(c, out),
            false => out.push(c),
        }
    }
}

fn is_unfit(c: char) -> bool {
    is_steering(c) && !matches!(c, '\n' | '\t')
}

fn escape(c: char, out: &mut String) {
    let _ = match (c, u32::from(c)) {
        ('\n', _) => write!(out, "\\n"),
        ('\r', _) => write!(out, "\\r"),
        ('\t', _) => write!(out, "\\t"),
        (_, code @ ..0x20) => write!(out, "\\x{code:02x}"),
        (_, code) => write!(out, "\\u{code:04x}"),
    };
}

/// One line of bounded length in which nothing steers a terminal.
pub(crate) fn escaped(text: &str) -> String {
    let text = text.trim();
    let end = text.char_indices().nth(SAID).map_or(text.len(), |(at, _)| at);
    let rest = if end < text.len() { "…" } else { "" };
    format!("{}{rest}", line(&text[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_short_line_that_cannot_drive_a_terminal() {
        let long = escaped(&"x".repeat(10_000));
        assert_eq!(long.chars().count(), SAID + 1);
        assert_eq!(escaped("a\u{202e}b"), "a\\u202eb");
        assert_eq!(escaped("  a\x1b]0;x\x07 b\n"), "a\\x1b]0;x\\x07 b");
    }

    #[test]
    fn lines_and_tabs_stay_and_the_rest_is_escaped() {
        let shown = |text: &[u8]| String::from_utf8(lines(text).into_owned()).unwrap();
        for same in ["", "a\tb\nc\n", "Grüße 世界 \u{200d}"] {
            assert!(matches!(lines(same.as_bytes()), Cow::Borrowed(_)), "{same}");
        }
        assert_eq!(shown(b"a\x1b[2J\r\x7f\n"), "a\\x1b[2J\\r\\u007f\n");
        assert_eq!(shown("\u{9b}1m\u{2066}\u{2028}".as_bytes()), "\\u009b1m\\u2066\\u2028");
        assert_eq!(shown(b"\x9b1m\xffo"), "\\x9b1m\\xffo");
        assert_eq!(line("a\nb\tc"), "a\\nb\\tc");
    }
}
