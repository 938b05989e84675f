//! JSON objects read and written as Go's encoding/json does it.
//!
//! For the small objects: config, key files, locks. Go finds a member whatever the case of its name, the
//! last one of equal names counts, and null is like a member that is missing.

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// An object's members in order, their values as they stand in the text.
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// Reads a text that is one object with nothing but white space around it.
    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// The member called `name`, if it is there and not null.
    pub(crate) fn member(&self, name: &str) -> Option<&'a RawValue> {
        let found = self.0.iter().rev().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| *value).find(|value| value.get() != "null")
    }

    /// The value of the member called `name`, or its type's default.
    pub(crate) fn get<T: Deserialize<'a> + Default>(&self, name: &str) -> Result<T, serde_json::Error> {
        self.member(name).map_or(Ok(T::default()), |value| {
            serde_json::from_str(value.get())
                .map_err(|source| serde_json::Error::custom(format_args!("{name}: {source}")))
        })
    }

    /// The members that are called differently from all of `known`: name and JSON text.
    pub(crate) fn others(&self, known: &[&str]) -> Vec<(String, String)> {
        let is_known = |name: &str| known.iter().any(|known| known.eq_ignore_ascii_case(name));
        let others = self.0.iter().filter(|(name, _)| !is_known(name));
        others.map(|(name, value)| (name.to_string(), value.get().to_owned())).collect()
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A member's name, borrowed from the text where it holds no escape.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Appends `text` in quotes, escaped as Go escapes: also `<`, `>`, `&` and the two Unicode line ends.
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend(b"\\\""),
            '\\' => out.extend(b"\\\\"),
            '\u{8}' => out.extend(b"\\b"),
            '\u{c}' => out.extend(b"\\f"),
            '\n' => out.extend(b"\\n"),
            '\r' => out.extend(b"\\r"),
            '\t' => out.extend(b"\\t"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.extend(format!("\\u{:04x}", u32::from(c)).into_bytes());
            }
            _ => out.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_name_in_any_case_counts_and_null_does_not() {
        let text = br#" {"a":1,"A":2,"\u0062":"x","c":3,"C":null,"new":{"deep": [1]}} "#;
        let object = Object::parse(text).unwrap();
        assert_eq!(object.get::<u32>("a").unwrap(), 2);
        assert_eq!(object.get::<String>("B").unwrap(), "x");
        assert_eq!(object.get::<u32>("c").unwrap(), 3);
        assert_eq!(object.get::<u32>("missing").unwrap(), 0);
        assert_eq!(
            object.get::<u32>("b").unwrap_err().to_string(),
            r#"b: invalid type: string "x", expected u32 at line 1 column 3"#
        );
        assert_eq!(object.others(&["A", "b", "C"]), [("new".to_owned(), r#"{"deep": [1]}"#.to_owned())]);
        for bad in ["", "[]", "{} x", "{", "1", r#"{"a":1,}"#, "{\"a\":\"\u{1}\"}"] {
            assert!(Object::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn strings_are_escaped_as_go_escapes_them() {
        let mut out = Vec::new();
        write_string("a\"\\\u{8}\u{c}\n\r\t\u{1}\u{1f}<>&\u{2028}\u{7f}é𝄞", &mut out);
        let expect = "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\\u003c\\u003e\\u0026\\u2028\u{7f}é𝄞\"";
        assert_eq!(String::from_utf8(out).unwrap(), expect);
    }
}
