//! An index file's JSON, read and written (format: "Index files").
//!
//! Read as restic reads it: keys in any case, unknown ones skipped, the last of equal ones counts, `null`
//! says nothing. Entries go straight into rows; nothing of the file's shape is kept.

use crate::blob::{BlobHandle, BlobKind};
use crate::id::{BlobId, PackId};
use crate::index::row::{Row, Spot};
use crate::pack::Entry;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use std::fmt;
use std::io::Write;

/// The packs that one index file names, and the rows of each kind with positions in `packs`.
#[derive(Default)]
pub(crate) struct IndexFile {
    pub(super) packs: Vec<PackId>,
    /// In the order of [`BlobKind::ALL`].
    pub(super) rows: [Vec<Row>; 2],
}

impl IndexFile {
    /// The packs it names, in its order.
    pub(crate) fn packs(&self) -> impl Iterator<Item = PackId> + '_ {
        self.packs.iter().copied()
    }

    /// The rows of a kind, pack after pack; their packs are positions in the file's list.
    pub(super) fn rows(&self, kind: BlobKind) -> &[Row] {
        &self.rows[kind as usize]
    }

    /// The entries of the pack at this position in its list, in order of offset.
    pub(crate) fn entries_of(&self, number: usize) -> Vec<Entry> {
        let mut entries: Vec<Entry> =
            BlobKind::ALL.into_iter().flat_map(|kind| self.rows_of(kind, number)).collect();
        entries.sort_unstable_by_key(|entry| (entry.offset, entry.blob));
        entries.dedup();
        entries
    }

    fn rows_of(&self, kind: BlobKind, number: usize) -> impl Iterator<Item = Entry> + '_ {
        let rows = &self.rows[kind as usize]; // as they were read: pack after pack
        let first = rows.partition_point(|row| (row.spot.pack as usize) < number);
        let of_pack = rows[first..].iter().take_while(move |row| row.spot.pack as usize == number);
        of_pack.map(move |Row { id, spot }| Entry {
            blob: BlobHandle { kind, id: BlobId::from_bytes(*id) },
            offset: spot.offset,
            length: spot.length,
            uncompressed_length: spot.uncompressed_length,
        })
    }
}

/// Reads an index file of a repository of this version.
///
/// # Errors
/// Anything restic stops at: no JSON object, an unknown blob type, a number that is none, an id that is
/// none, and compressed blobs in version 1.
pub(crate) fn decode(json: &[u8], version: u32) -> Result<IndexFile, serde_json::Error> {
    let mut reading = Reading { file: IndexFile::default(), may_compress: version >= 2 };
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    WholeFile(&mut reading).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(reading.file)
}

/// Appends the index file that lists `packs`, data blobs before tree blobs.
pub(crate) fn encode(packs: &[(PackId, Vec<Entry>)], out: &mut Vec<u8>) {
    let of_kind = |kind| packs.iter().filter(move |(_, entries)| kind_of(entries) == kind);
    out.extend_from_slice(b"{\"packs\":[");
    let ordered = of_kind(BlobKind::Data).chain(of_kind(BlobKind::Tree));
    for (number, (pack, entries)) in ordered.enumerate() {
        out.extend_from_slice(if number == 0 { b"{\"id\":\"" } else { b",{\"id\":\"" });
        pack.id().write_hex(out);
        out.extend_from_slice(b"\",\"blobs\":[");
        for (number, entry) in entries.iter().enumerate() {
            out.extend_from_slice(if number == 0 { b"" } else { b"," });
            encode_entry(entry, out);
        }
        out.extend_from_slice(b"]}");
    }
    out.extend_from_slice(b"]}\n");
}

/// Packs of ours hold blobs of one kind.
fn kind_of(entries: &[Entry]) -> BlobKind {
    entries.first().map_or(BlobKind::Data, |entry| entry.blob.kind)
}

fn encode_entry(entry: &Entry, out: &mut Vec<u8>) {
    let infallible = "a vector takes whatever is written";
    out.extend_from_slice(b"{\"id\":\"");
    entry.blob.id.id().write_hex(out);
    let Entry { offset, length, .. } = entry;
    write!(out, "\",\"type\":\"{}\",\"offset\":{offset},\"length\":{length}", entry.blob.kind.word())
        .expect(infallible);
    if entry.uncompressed_length != 0 {
        write!(out, ",\"uncompressed_length\":{}", entry.uncompressed_length).expect(infallible);
    }
    out.push(b'}');
}

/// What was read so far, and by which rules.
struct Reading {
    file: IndexFile,
    may_compress: bool,
}

/// One object of a file, as it is filled from a map or a list of others.
macro_rules! seed {
    ($name:ident, $expecting:literal, { $($method:item)* }) => {
        struct $name<'r>(&'r mut Reading);

        impl<'de> DeserializeSeed<'de> for $name<'_> {
            type Value = ();
            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
                deserializer.deserialize_any(self)
            }
        }

        impl<'de> Visitor<'de> for $name<'_> {
            type Value = ();
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($expecting)
            }
            $($method)*
        }
    };
}

seed!(WholeFile, "an index file's object", {
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut has_packs, mut has_others) = (false, false);
        while let Some(key) = map.next_key::<Key>()? {
            match key {
                Key::Packs => {
                    has_packs = true;
                    map.next_value_seed(PackList(self.0))?;
                }
                _ => {
                    has_others = true;
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        // A file of another kind under the same key: a snapshot, say.
        if has_others && !has_packs { Err(A::Error::missing_field("packs")) } else { Ok(()) }
    }
});

seed!(PackList, "a list of packs", {
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.0.file = IndexFile::default(); // of equal keys the last counts
        while list.next_element_seed(Pack(self.0))?.is_some() {}
        Ok(())
    }
});

seed!(Pack, "a pack", {
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut id = None;
        while let Some(key) = map.next_key::<Key>()? {
            match key {
                Key::Id => read_into(&mut map, &mut id)?,
                Key::Blobs => map.next_value_seed(BlobList(self.0))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        self.0.file.packs.push(id.ok_or_else(|| A::Error::missing_field("id"))?);
        Ok(())
    }
});

seed!(BlobList, "a list of blobs", {
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Reading { file, may_compress } = self.0;
        let pack = u32::try_from(file.packs.len()).map_err(|_| A::Error::custom("too many packs"))?;
        for rows in &mut file.rows {
            while rows.last().is_some_and(|row| row.spot.pack == pack) {
                rows.pop(); // of equal keys the last counts
            }
        }
        while let Some(Blob { kind, id, offset, length, uncompressed_length }) = list.next_element()? {
            if uncompressed_length != 0 && !*may_compress {
                return Err(A::Error::custom("compressed blobs are not part of repository version 1"));
            }
            let spot = Spot { pack, offset, length, uncompressed_length };
            file.rows[kind as usize].push(Row { id: *id.as_bytes(), spot });
        }
        Ok(())
    }
});

struct Blob {
    kind: BlobKind,
    id: BlobId,
    offset: u32,
    length: u32,
    uncompressed_length: u32,
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Blob;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a blob")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Blob, A::Error> {
                let (mut kind, mut id) = (None::<Word>, None);
                let (mut offset, mut length, mut uncompressed_length) = (0u32, 0u32, 0u32);
                while let Some(key) = map.next_key::<Key>()? {
                    match key {
                        Key::Id => read_into(&mut map, &mut id)?,
                        Key::Type => read_into(&mut map, &mut kind)?,
                        Key::Offset => read_into(&mut map, &mut offset)?,
                        Key::Length => read_into(&mut map, &mut length)?,
                        Key::UncompressedLength => read_into(&mut map, &mut uncompressed_length)?,
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                let Word(kind) = kind.ok_or_else(|| A::Error::missing_field("type"))?;
                let id = id.ok_or_else(|| A::Error::missing_field("id"))?;
                if offset.checked_add(length).is_none() {
                    return Err(A::Error::custom("a blob ends beyond 4 GiB"));
                }
                Ok(Blob { kind, id, offset, length, uncompressed_length })
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// Replaces `value` by what comes, unless that is `null`.
fn read_into<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    map: &mut A,
    value: &mut T,
) -> Result<(), A::Error> {
    if let Some(read) = map.next_value::<Option<T>>()? {
        *value = read;
    }
    Ok(())
}

/// The keys that mean something to us, anywhere in the file.
#[derive(Clone, Copy)]
enum Key {
    Packs,
    Blobs,
    Id,
    Type,
    Offset,
    Length,
    UncompressedLength,
    Unknown,
}

const KEYS: [(&str, Key); 7] = [
    ("id", Key::Id),
    ("type", Key::Type),
    ("offset", Key::Offset),
    ("length", Key::Length),
    ("uncompressed_length", Key::UncompressedLength),
    ("blobs", Key::Blobs),
    ("packs", Key::Packs),
];

/// A string made into `$value` by `$of`, which may fail with a text.
macro_rules! from_text {
    ($value:ty, $expecting:literal, $of:expr) => {
        impl<'de> Deserialize<'de> for $value {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl Visitor<'_> for Text {
                    type Value = $value;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }
                    fn visit_str<E: Error>(self, text: &str) -> Result<$value, E> {
                        $of(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}

from_text!(Key, "a key", |text: &str| {
    let exact = KEYS.iter().find(|(name, _)| *name == text);
    let found = exact.or_else(|| KEYS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)));
    Some(found.map_or(Key::Unknown, |(_, key)| *key))
});

/// A blob's kind as its word.
struct Word(BlobKind);

from_text!(Word, "a type of blob", |text: &str| {
    BlobKind::ALL.into_iter().find(|kind| kind.word() == text).map(Word)
});

#[cfg(test)]
mod tests;

/// For [`fuzz`](crate::fuzz): what is read of version 2 is the same when written and read again.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(bytes: &[u8]) {
    let _ = decode(bytes, 1);
    let Ok(file) = decode(bytes, 2) else { return };
    let entries = |file: &IndexFile| -> Vec<_> {
        file.packs().enumerate().map(|(number, pack)| (pack, file.entries_of(number))).collect()
    };
    let packs = entries(&file);
    let of_one_kind = |list: &[Entry]| list.iter().all(|entry| entry.blob.kind == kind_of(list));
    if !packs.iter().all(|(_, list)| of_one_kind(list)) {
        return; // we write no such pack
    }
    let mut again = Vec::new();
    encode(&packs, &mut again);
    let again = decode(&again, 2).expect("what we write, we read");
    let count = |packs: &[(PackId, Vec<Entry>)]| packs.iter().map(|(_, list)| list.len()).sum::<usize>();
    assert_eq!(count(&entries(&again)), count(&packs));
}
