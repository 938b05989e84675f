//! Reading nodes as tolerantly as Go does: any case, any order, `null`, members we do not know.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;
use tresor_repo::BlobId;

use super::{ExtendedAttribute, Node, NodeKind};
use crate::gojson::{MaybeText, RawJson};
use crate::quote;

/// Padded, and as tolerant of stray bits in the last letter as Go.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// Owner names already seen, so that the nodes of a folder share them.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    user: Option<Arc<str>>,
    group: Option<Arc<str>>,
}

/// Reads one node.
pub(crate) struct NodeSeed<'a> {
    pub(crate) owners: &'a mut Owners,
}

#[derive(Clone, Copy)]
enum Field {
    Name,
    Kind,
    Mode,
    Mtime,
    Atime,
    Ctime,
    Uid,
    Gid,
    User,
    Group,
    Inode,
    DeviceId,
    Size,
    Links,
    LinkTarget,
    LinkTargetRaw,
    ExtendedAttributes,
    GenericAttributes,
    Device,
    Content,
    Subtree,
    Error,
}

const FIELDS: [(&str, Field); 22] = [
    ("name", Field::Name),
    ("type", Field::Kind),
    ("mode", Field::Mode),
    ("mtime", Field::Mtime),
    ("atime", Field::Atime),
    ("ctime", Field::Ctime),
    ("uid", Field::Uid),
    ("gid", Field::Gid),
    ("user", Field::User),
    ("group", Field::Group),
    ("inode", Field::Inode),
    ("device_id", Field::DeviceId),
    ("size", Field::Size),
    ("links", Field::Links),
    ("linktarget", Field::LinkTarget),
    ("linktarget_raw", Field::LinkTargetRaw),
    ("extended_attributes", Field::ExtendedAttributes),
    ("generic_attributes", Field::GenericAttributes),
    ("device", Field::Device),
    ("content", Field::Content),
    ("subtree", Field::Subtree),
    ("error", Field::Error),
];

/// A member's name: a field of ours, or one to be kept as it is.
enum Key {
    Field(usize),
    Unknown(Box<str>),
}

/// Reads a member's name; `next` is the field that would be next if the writer kept our order.
struct KeySeed {
    next: usize,
}

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Key, E> {
        let (before, after) = FIELDS.split_at(self.next);
        if let Some(place) = after.iter().position(|(field, _)| *field == name) {
            return Ok(Key::Field(self.next + place));
        }
        let place = before
            .iter()
            .position(|(field, _)| *field == name)
            .or_else(|| FIELDS.iter().position(|(field, _)| field.eq_ignore_ascii_case(name)));
        Ok(place.map_or_else(|| Key::Unknown(name.into()), Key::Field))
    }
}

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for NodeSeed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a node")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Node, A::Error> {
        let mut node = Node::new([], NodeKind::Other("".into()));
        let mut raw_target = None;
        let mut next = 0;
        while let Some(key) = members.next_key_seed(KeySeed { next })? {
            match key {
                Key::Field(place) => {
                    next = place + 1;
                    let field = FIELDS[place].1;
                    if let Field::LinkTargetRaw = field {
                        raw_target = base64(members.next_value()?)?;
                    } else {
                        self.read(field, &mut node, &mut members)?;
                    }
                }
                Key::Unknown(name) => {
                    let value: &RawValue = members.next_value()?;
                    node.rare_mut().unknown.push((name, RawJson::from(value)));
                }
            }
        }
        if let Some(target) = raw_target.filter(|target| !target.is_empty()) {
            node.rare_mut().link_target = target.into();
        }
        Ok(node)
    }
}

impl NodeSeed<'_> {
    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: Field,
        node: &mut Node,
        members: &mut A,
    ) -> Result<(), A::Error> {
        match field {
            Field::Name => {
                if let Some(name) = text(members)? {
                    node.name = quote::unquote(&name).map_err(de::Error::custom)?.into();
                }
            }
            Field::Kind => {
                if let Some(word) = text(members)? {
                    node.kind = NodeKind::from_word(&word);
                }
            }
            Field::Mode => assign(&mut node.mode, members)?,
            Field::Mtime => assign(&mut node.mtime, members)?,
            Field::Atime => assign(&mut node.atime, members)?,
            Field::Ctime => assign(&mut node.ctime, members)?,
            Field::Uid => assign(&mut node.uid, members)?,
            Field::Gid => assign(&mut node.gid, members)?,
            Field::User => {
                if let Some(name) = text(members)? {
                    node.user = shared(&name, &mut self.owners.user);
                }
            }
            Field::Group => {
                if let Some(name) = text(members)? {
                    node.group = shared(&name, &mut self.owners.group);
                }
            }
            Field::Inode => assign(&mut node.inode, members)?,
            Field::DeviceId => assign(&mut node.device_id, members)?,
            Field::Size => assign(&mut node.size, members)?,
            Field::Links => assign(&mut node.links, members)?,
            Field::Content => node.content = members.next_value::<Content>()?.0,
            Field::Subtree => node.subtree = members.next_value()?,
            Field::LinkTarget
            | Field::LinkTargetRaw
            | Field::ExtendedAttributes
            | Field::GenericAttributes
            | Field::Device
            | Field::Error => read_rare(field, node, members)?,
        }
        Ok(())
    }
}

fn read_rare<'de, A: MapAccess<'de>>(field: Field, node: &mut Node, members: &mut A) -> Result<(), A::Error> {
    match field {
        Field::ExtendedAttributes => {
            let attributes: Option<Vec<WireAttribute<'de>>> = members.next_value()?;
            let attributes = attributes.unwrap_or_default().into_iter().map(WireAttribute::attribute);
            node.rare_mut().extended_attributes = attributes.collect::<Result<_, _>>()?;
        }
        Field::GenericAttributes => {
            let value: &RawValue = members.next_value()?;
            let attributes = RawJson::canonical_object(value.get()).map_err(de::Error::custom)?;
            node.rare_mut().generic_attributes = attributes;
        }
        Field::Device => assign(&mut node.rare_mut().device, members)?,
        Field::Error => {
            if let Some(text) = text(members)? {
                node.rare_mut().error = text.into();
            }
        }
        _ => {
            if let Some(target) = text(members)? {
                node.rare_mut().link_target = target.as_bytes().into();
            }
        }
    }
    Ok(())
}

/// Reads a value unless it is `null`, which leaves things as they are.
fn assign<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    place: &mut T,
    members: &mut A,
) -> Result<(), A::Error> {
    if let Some(value) = members.next_value()? {
        *place = value;
    }
    Ok(())
}

fn text<'de, A: MapAccess<'de>>(members: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    Ok(members.next_value::<MaybeText<'de>>()?.0)
}

fn base64<E: de::Error>(text: MaybeText<'_>) -> Result<Option<Vec<u8>>, E> {
    let decode = |text: Cow<'_, str>| BASE64.decode(text.as_bytes()).map_err(E::custom);
    text.0.map(decode).transpose()
}

/// Gives the name the last node had if it is the same, and none if it is empty.
fn shared(name: &str, last: &mut Option<Arc<str>>) -> Option<Arc<str>> {
    if name.is_empty() {
        return None;
    }
    match last {
        Some(known) if &**known == name => {}
        _ => *last = Some(name.into()),
    }
    last.clone()
}

/// A list of blob ids or `null`.
struct Content(Option<Vec<BlobId>>);

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Blobs;
        impl<'de> Visitor<'de> for Blobs {
            type Value = Content;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of blob ids")
            }
            fn visit_unit<E>(self) -> Result<Content, E> {
                Ok(Content(None))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut ids: A) -> Result<Content, A::Error> {
                let mut blobs = Vec::new();
                while let Some(id) = ids.next_element()? {
                    if blobs.is_empty() {
                        // Most files are one blob, for which the usual growth would waste three.
                        blobs.reserve_exact(1);
                    }
                    blobs.push(id);
                }
                blobs.shrink_to_fit();
                Ok(Content(Some(blobs)))
            }
        }
        deserializer.deserialize_any(Blobs)
    }
}

/// An extended attribute as it is stored.
struct WireAttribute<'a> {
    name: MaybeText<'a>,
    value: MaybeText<'a>,
}

impl WireAttribute<'_> {
    fn attribute<E: de::Error>(self) -> Result<ExtendedAttribute, E> {
        let name = self.name.0.unwrap_or_default();
        Ok(ExtendedAttribute { name: name.as_bytes().into(), value: base64(self.value)? })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for WireAttribute<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = WireAttribute<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an extended attribute")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut attribute = WireAttribute { name: MaybeText(None), value: MaybeText(None) };
                while let Some(key) = members.next_key::<Cow<'_, str>>()? {
                    if key.eq_ignore_ascii_case("name") {
                        attribute.name = members.next_value()?;
                    } else if key.eq_ignore_ascii_case("value") {
                        attribute.value = members.next_value()?;
                    } else {
                        members.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(attribute)
            }
        }
        deserializer.deserialize_map(Members)
    }
}
