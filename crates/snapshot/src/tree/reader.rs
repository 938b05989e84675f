//! Reading a tree from a stream, node by node, as [`for_each_node`](super::for_each_node) does.
//!
//! The text is cut where a value ends, and each value read as if it had been cut out of a whole tree: so both ways
//! take and refuse the same.

use std::io::{self, Read};

use serde::de::{DeserializeSeed, Error as _};
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::gojson::{self, RawJson, Unknown};
use crate::node::{Node, NodeSeed, Owners};

/// How much is read at once.
const PIECE: usize = 64 * 1024;

/// The nodes of a tree, one after the other.
pub struct NodeReader<S> {
    text: Text<S>,
    owners: Owners,
    unknown: Unknown,
    state: State,
    found: bool,
}

/// Where we are.
enum State {
    /// Before the tree.
    Start,
    /// In the object: before its first member, or behind one.
    Members { first: bool },
    /// In the list: before its first node, or behind one.
    Nodes { first: bool },
    /// Behind the tree.
    End,
}

impl<S: Read> NodeReader<S> {
    /// Reads the tree that `source` holds.
    pub fn new(source: S) -> NodeReader<S> {
        let text = Text { source, buffer: Vec::new(), start: 0 };
        let owners = Owners::default();
        NodeReader { text, owners, unknown: Unknown::new(), state: State::Start, found: false }
    }

    /// The next node; none behind the last one.
    ///
    /// # Errors
    /// Once the tree cannot be decoded, or the source cannot be read.
    pub fn next_node(&mut self) -> Result<Option<Node>> {
        loop {
            match self.state {
                State::Start => {
                    self.text.expect(b'{')?;
                    self.state = State::Members { first: true };
                }
                State::Members { first } => self.member(first)?,
                State::Nodes { first } => {
                    if self.text.peek()? == Some(b']') {
                        self.text.start += 1;
                        self.state = State::Members { first: false };
                        continue;
                    }
                    if !first {
                        self.text.expect(b',')?;
                    }
                    self.state = State::Nodes { first: false };
                    return self.node().map(Some);
                }
                // What stands after the object is not read: the peer ignores it too.
                State::End => return Ok(None),
            }
        }
    }

    /// The members beside the nodes, as far as they were read.
    pub fn unknown(self) -> Unknown {
        self.unknown
    }

    /// Reads a member up to its value if that is the list, else the whole; or the end.
    fn member(&mut self, first: bool) -> Result<()> {
        if self.text.peek()? == Some(b'}') {
            self.text.start += 1;
            self.state = State::End;
            return if self.found { Ok(()) } else { Err(bad(serde_json::Error::missing_field("nodes"))) };
        }
        if !first {
            self.text.expect(b',')?;
        }
        let name: Box<str> = serde_json::from_str(&gojson::input(self.text.value()?)).map_err(bad)?;
        self.text.expect(b':')?;
        self.state = State::Members { first: false };
        if !name.eq_ignore_ascii_case("nodes") {
            let text = gojson::input(self.text.value()?);
            let value: &RawValue = serde_json::from_str(&text).map_err(bad)?;
            self.unknown.push((name, RawJson::from(value)));
            return Ok(());
        }
        if self.found {
            return Err(bad(serde_json::Error::duplicate_field("nodes")));
        }
        self.found = true;
        self.text.expect(b'[')?;
        self.state = State::Nodes { first: true };
        Ok(())
    }

    fn node(&mut self) -> Result<Node> {
        let text = gojson::input(self.text.value()?);
        let mut json = serde_json::Deserializer::from_str(&text);
        let node = NodeSeed { owners: &mut self.owners }.deserialize(&mut json).map_err(bad)?;
        json.end().map_err(bad)?;
        Ok(node)
    }
}

fn bad(source: serde_json::Error) -> Error {
    Error::DecodeTree { source }
}

/// JSON text as it comes.
struct Text<S> {
    source: S,
    buffer: Vec<u8>,
    /// How much of the buffer was used.
    start: usize,
}

impl<S: Read> Text<S> {
    /// The next byte that is no white space; it stays.
    fn peek(&mut self) -> Result<Option<u8>> {
        loop {
            match self.buffer.get(self.start).copied() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.start += 1,
                Some(byte) => return Ok(Some(byte)),
                None if self.fill()? => {}
                None => return Ok(None),
            }
        }
    }

    fn expect(&mut self, wanted: u8) -> Result<()> {
        match self.peek()? {
            Some(byte) if byte == wanted => {
                self.start += 1;
                Ok(())
            }
            Some(_) => Err(bad(serde_json::Error::custom(format_args!("expected `{}`", char::from(wanted))))),
            None => Err(ended()),
        }
    }

    /// The next value as it is written; whether it is one is for the caller to find out.
    fn value(&mut self) -> Result<&[u8]> {
        let length = match self.peek()? {
            None => return Err(ended()),
            Some(b'{' | b'[' | b'"') => self.nested()?,
            Some(_) => self.word()?,
        };
        let start = self.start;
        self.start += length;
        Ok(&self.buffer[start..start + length])
    }

    /// The length of an object, a list or a string.
    fn nested(&mut self) -> Result<usize> {
        let (mut depth, mut in_string, mut escaped, mut length) = (0_usize, false, false, 0);
        loop {
            for byte in &self.buffer[self.start + length..] {
                length += 1;
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' if in_string => escaped = true,
                    b'"' => in_string = !in_string,
                    _ if in_string => continue,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => continue,
                }
                if depth == 0 && !in_string {
                    return Ok(length);
                }
            }
            if !self.fill()? {
                return Err(ended());
            }
        }
    }

    /// The length of a number or a word.
    fn word(&mut self) -> Result<usize> {
        let ends = |byte: &u8| matches!(byte, b',' | b':' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
        loop {
            let rest = &self.buffer[self.start..];
            if let Some(length) = rest.iter().position(ends) {
                return Ok(length);
            }
            if !self.fill()? {
                return Ok(self.buffer.len() - self.start);
            }
        }
    }

    /// Reads on; says whether there was anything.
    fn fill(&mut self) -> Result<bool> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let length = self.buffer.len();
        self.buffer.resize(length + PIECE.max(length), 0);
        loop {
            match self.source.read(&mut self.buffer[length..]) {
                Ok(read) => {
                    self.buffer.truncate(length + read);
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(Error::Scratch { source }),
            }
        }
    }
}

fn ended() -> Error {
    bad(serde_json::Error::custom("the tree ends within a value"))
}

#[cfg(test)]
mod tests;
