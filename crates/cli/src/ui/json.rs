//! JSON as Go's encoder writes it, for every message on stdout and stderr.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use std::io::{self, Write};

/// One JSON value, compact, without a line end.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    value
        .serialize(&mut Serializer::with_formatter(&mut out, GoFormatter))
        .expect("our messages have string keys and writing to memory does not fail");
    out
}

/// One message and a line end; every message has a schema.
pub(crate) fn line<T: Serialize + JsonSchema + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = encode(value);
    out.push(b'\n');
    out
}

/// A compact JSON value, two blanks a level and a line end; the text of its values stays as it is.
pub(crate) fn indent(compact: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(compact.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let new_line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.extend(std::iter::repeat_n(b' ', 2 * depth));
    };
    for (at, &byte) in compact.iter().enumerate() {
        if in_string {
            out.push(byte);
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'{' | b'[' => {
                out.push(byte);
                depth += 1;
                if !matches!(compact.get(at + 1), Some(b'}' | b']')) {
                    new_line(&mut out, depth);
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if !matches!(out.last(), Some(b'{' | b'[')) {
                    new_line(&mut out, depth);
                }
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                new_line(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            b' ' | b'\n' | b'\r' | b'\t' => {}
            _ => {
                in_string = byte == b'"';
                out.push(byte);
            }
        }
    }
    out.push(b'\n');
    out
}

/// A JSON value as it is, without the blanks between its parts, and a line end.
pub(crate) fn compact(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() + 1);
    let (mut in_string, mut escaped) = (false, false);
    for &byte in json {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            continue;
        } else {
            in_string = byte == b'"';
        }
        out.push(byte);
    }
    out.push(b'\n');
    out
}

/// Go's dialect: `<`, `>`, `&` and the two line separators escaped, whole floats without a fraction.
struct GoFormatter;

impl Formatter for GoFormatter {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut plain = 0;
        for (at, c) in fragment.char_indices() {
            if matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}') {
                writer.write_all(&fragment.as_bytes()[plain..at])?;
                write!(writer, "\\u{:04x}", c as u32)?;
                plain = at + c.len_utf8();
            }
        }
        writer.write_all(&fragment.as_bytes()[plain..])
    }

    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        let size = value.abs();
        if size != 0.0 && !(1e-6..1e21).contains(&size) {
            let text = format!("{value:e}");
            let sign = if size >= 1e21 { "e+" } else { "e" };
            return writer.write_all(text.replace('e', sign).as_bytes());
        }
        write!(writer, "{value}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compact_value_is_one_line() {
        assert_eq!(compact(b"{\n  \"a b\": [1,\t\"x \\\" y\"]\n}"), b"{\"a b\":[1,\"x \\\" y\"]}\n");
    }

    #[test]
    fn indentation_leaves_strings_alone() {
        let text = |json: &str| String::from_utf8(indent(json.as_bytes())).unwrap();
        assert_eq!(
            text(r#"{"a":["x,{\"",1],"b":{},"c":[]}"#),
            concat!("{\n  \"a\": [\n    \"x,{\\\"\",\n    1\n  ],\n", "  \"b\": {},\n  \"c\": []\n}\n")
        );
    }

    #[test]
    fn strings_and_floats_are_written_as_go_writes_them() {
        let value = serde_json::json!({"a": "<x> & \u{2028}\n\u{1}", "b": 0.0, "c": 0.25, "d": 100.0, "e": [1, null]});
        assert_eq!(
            String::from_utf8_lossy(&encode(&value)),
            r#"{"a":"\u003cx\u003e \u0026 \u2028\n\u0001","b":0,"c":0.25,"d":100,"e":[1,null]}"#
        );
        assert_eq!(encode(&2.5e-7), b"2.5e-7");
    }
}
