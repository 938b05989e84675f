//! Reading a tree node by node, so that no caller need hold them all.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::gojson::{self, RawJson, Unknown};
use crate::node::{Node, NodeSeed, Owners};

/// Hands each node of a stored tree to `visit`, in stored order.
///
/// # Errors
/// The first error of `visit`, or that of a tree that cannot be decoded;
/// the nodes before the damage were handed over by then.
pub fn for_each_node<E: From<Error>>(
    bytes: &[u8],
    mut visit: impl FnMut(Node) -> Result<(), E>,
) -> Result<(), E> {
    walk(bytes, &mut visit).map(|_| ())
}

/// As [`for_each_node`], and gives the members beside the nodes.
pub(super) fn walk<E: From<Error>>(
    bytes: &[u8],
    visit: &mut impl FnMut(Node) -> Result<(), E>,
) -> Result<Unknown, E> {
    let text = gojson::input(bytes);
    let mut json = serde_json::Deserializer::from_str(&text);
    let mut stopped = None;
    // What stands after the object is not read: the peer ignores it too.
    let unknown = json.deserialize_map(TreeVisitor { visit, stopped: &mut stopped });
    match stopped {
        Some(error) => Err(error),
        None => unknown.map_err(|source| Error::DecodeTree { source }.into()),
    }
}

struct TreeVisitor<'a, F, E> {
    visit: &'a mut F,
    /// An error of `visit`, which the JSON reader cannot carry.
    stopped: &'a mut Option<E>,
}

impl<'de, E, F: FnMut(Node) -> Result<(), E>> Visitor<'de> for TreeVisitor<'_, F, E> {
    type Value = Unknown;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tree")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Unknown, A::Error> {
        let mut unknown = Unknown::new();
        let mut found = false;
        while let Some(name) = members.next_key::<Box<str>>()? {
            if !name.eq_ignore_ascii_case("nodes") {
                let value: &RawValue = members.next_value()?;
                unknown.push((name, RawJson::from(value)));
            } else if found {
                return Err(de::Error::duplicate_field("nodes"));
            } else {
                found = true;
                members.next_value_seed(Nodes { visit: self.visit, stopped: self.stopped })?;
            }
        }
        if found { Ok(unknown) } else { Err(de::Error::missing_field("nodes")) }
    }
}

struct Nodes<'a, F, E> {
    visit: &'a mut F,
    stopped: &'a mut Option<E>,
}

impl<'de, E, F: FnMut(Node) -> Result<(), E>> DeserializeSeed<'de> for Nodes<'_, F, E> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, E, F: FnMut(Node) -> Result<(), E>> Visitor<'de> for Nodes<'_, F, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of nodes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut nodes: A) -> Result<(), A::Error> {
        let mut owners = Owners::default();
        while let Some(node) = nodes.next_element_seed(NodeSeed { owners: &mut owners })? {
            if let Err(error) = (self.visit)(node) {
                *self.stopped = Some(error);
                return Err(de::Error::custom("stopped by the visitor"));
            }
        }
        Ok(())
    }
}
