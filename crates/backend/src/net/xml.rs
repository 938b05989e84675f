//! The XML of services: the fields of a document, and its records.

use super::failure::Failure;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use std::collections::HashMap;

/// How deep elements may lie in each other; no service comes near.
const DEEPEST: usize = 32;

/// Texts by the path of their element, parts separated by `/`.
pub(crate) type Fields = HashMap<String, String>;

/// A document whose root has fields, and records of one kind.
#[derive(Debug, Default)]
pub(crate) struct Document {
    pub(crate) root: String,
    /// By path below the root; the root's own text has the empty path.
    pub(crate) fields: Fields,
    /// By path below the record.
    pub(crate) records: Vec<Fields>,
}

/// Reads a whole document; `record` is the path of its records below the root.
///
/// # Errors
/// Anything that is no XML, ends too early, or goes too deep.
pub(crate) fn read(body: &[u8], record: &str) -> Result<Document, Failure> {
    const BAD: Failure = Failure::Answer("is no XML");
    let mut reader = Reader::from_str(std::str::from_utf8(body).map_err(|_| BAD)?);
    let mut document = Document::default();
    let mut path: Vec<String> = Vec::new();
    let mut text = String::new();
    loop {
        match reader.read_event().map_err(|_| BAD)? {
            Event::Start(start) => {
                let name = start.local_name().as_ref().to_owned();
                open(&mut document, &mut path, name, record);
                if path.len() > DEEPEST {
                    return Err(BAD);
                }
                text.clear();
            }
            Event::Empty(start) => {
                let name = start.local_name().as_ref().to_owned();
                open(&mut document, &mut path, name, record);
                close(&mut document, &mut path, String::new(), record);
                text.clear();
            }
            Event::Text(more) => text.push_str(&more.xml10_content()),
            Event::CData(more) => text.push_str(&more.xml10_content()),
            Event::GeneralRef(reference) => match reference.resolve_char_ref().map_err(|_| BAD)? {
                Some(c) => text.push(c),
                None => {
                    text.push_str(resolve_predefined_entity(&reference.xml10_content()).ok_or(BAD)?);
                }
            },
            Event::End(_) => close(&mut document, &mut path, std::mem::take(&mut text), record),
            Event::Eof if path.is_empty() && !document.root.is_empty() => return Ok(document),
            Event::Eof => return Err(BAD),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

fn open(document: &mut Document, path: &mut Vec<String>, name: String, record: &str) {
    if path.is_empty() && document.root.is_empty() {
        document.root.clone_from(&name);
    }
    path.push(name);
    if path[1..].join("/") == record {
        document.records.push(Fields::new());
    }
}

fn close(document: &mut Document, path: &mut Vec<String>, text: String, record: &str) {
    let full = path.get(1..).unwrap_or_default().join("/");
    path.pop();
    let below = full.strip_prefix(record).and_then(|rest| rest.strip_prefix('/'));
    match (below, document.records.last_mut()) {
        (Some(below), Some(fields)) if !record.is_empty() => fields.insert(below.to_owned(), text),
        _ => document.fields.insert(full, text),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_records_are_found_by_path() {
        let body =
            br#"<?xml version="1.0"?><L xmlns="x"><T>tr&#117;e</T><C><K>a&amp;b</K><P><S>3</S></P></C><C/>
            <C><K><![CDATA[<]]></K></C><Z/></L>"#;
        let document = read(body, "C").unwrap();
        assert_eq!(document.root, "L");
        assert_eq!(document.fields["T"], "true");
        assert_eq!(document.fields["Z"], "");
        assert_eq!(document.records.len(), 3);
        assert_eq!((&*document.records[0]["K"], &*document.records[0]["P/S"]), ("a&b", "3"));
        assert_eq!(document.records[2]["K"], "<");
        assert_eq!(read(b"<L>us</L>", "").unwrap().fields[""], "us");
    }

    #[test]
    fn what_is_no_whole_document_is_refused() {
        let deep = [b"<a>".repeat(DEEPEST + 1), b"</a>".repeat(DEEPEST + 1)].concat();
        for bad in [&b""[..], b"<L>", b"<L><C></L>", b"text", b"<L>&what;</L>", b"{}", b"<L></M>", &deep] {
            assert!(read(bad, "C").is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
