//! A pack's header: the table of its blobs, as bytes (format: "Pack file").

use crate::blob::{BlobHandle, BlobKind};
use crate::crypto::OVERHEAD;
use crate::id::BlobId;

/// Bytes of an entry of a blob that is not compressed.
pub const PLAIN_ENTRY: usize = 1 + 4 + 32;
/// Bytes of an entry of a compressed blob.
pub const COMPRESSED_ENTRY: usize = 1 + 4 + 4 + 32;
/// Bytes of a pack that are neither blobs nor entries: the header's sealing and its length.
pub const FRAME: usize = OVERHEAD + LENGTH_FIELD;
/// Bytes of the last field of a pack: the length of its sealed header, little-endian.
pub const LENGTH_FIELD: usize = 4;
/// The longest sealed header that is read.
pub const LONGEST: usize = 16 * 1024 * 1024;
/// The most entries that a writer puts into one pack: with any entry size the header stays readable.
pub const MOST_ENTRIES: usize = (LONGEST - OVERHEAD) / COMPRESSED_ENTRY;
/// The shortest possible pack: one empty header with one entry.
pub const SHORTEST_PACK: u64 = (PLAIN_ENTRY + FRAME) as u64;

/// One blob of a pack. Offsets are not stored: blobs follow each other from 0 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Which blob.
    pub blob: BlobHandle,
    /// Byte offset in the pack.
    pub offset: u32,
    /// Length in the pack, sealed.
    pub length: u32,
    /// Length of the plaintext if the blob is compressed, else 0.
    pub uncompressed_length: u32,
}

impl Entry {
    /// Bytes that this entry takes in a header.
    pub const fn size(&self) -> usize {
        entry_size(self.uncompressed_length)
    }
}

/// Bytes that the entry of a blob takes in a header; 0 says that the blob is not compressed.
pub const fn entry_size(uncompressed_length: u32) -> usize {
    if uncompressed_length == 0 { PLAIN_ENTRY } else { COMPRESSED_ENTRY }
}

/// Why bytes are no pack header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// The length field asks for less than a header or more than the pack.
    #[error("the header cannot be {length} bytes long in a pack of {pack} bytes")]
    Length {
        /// What the field says.
        length: u64,
        /// The pack's size.
        pack: u64,
    },
    /// An entry has a type that the format does not know.
    #[error("entry type {0} is unknown")]
    Type(u8),
    /// The last entry is not complete.
    #[error("the header ends within an entry")]
    Truncated,
    /// There is no entry.
    #[error("the header has no entries")]
    Empty,
    /// The blobs would be longer than any pack can be.
    #[error("the blobs' lengths exceed 4 GiB")]
    TooLong,
}

/// Appends the plaintext of the header that lists `entries` in their order.
pub fn encode(entries: &[Entry], out: &mut Vec<u8>) {
    out.reserve(entries.iter().map(Entry::size).sum());
    for entry in entries {
        let compressed = entry.uncompressed_length != 0;
        out.push(type_code(entry.blob.kind, compressed));
        out.extend_from_slice(&entry.length.to_le_bytes());
        if compressed {
            out.extend_from_slice(&entry.uncompressed_length.to_le_bytes());
        }
        out.extend_from_slice(entry.blob.id.as_bytes());
    }
}

/// Reads the plaintext of a header; offsets are the running sum of the lengths.
///
/// # Errors
/// Anything but at least one whole entry of a known type; lengths that add up to more than 4 GiB.
pub fn decode(mut bytes: &[u8]) -> Result<Vec<Entry>, BadHeader> {
    let mut entries = Vec::with_capacity(bytes.len() / PLAIN_ENTRY);
    let mut offset = 0u32;
    while let Some((&code, rest)) = bytes.split_first() {
        let (kind, compressed) = kind_of(code)?;
        let (length, rest) = take_u32(rest)?;
        let (uncompressed_length, rest) = if compressed { take_u32(rest)? } else { (0, rest) };
        let (id, rest) = rest.split_first_chunk::<32>().ok_or(BadHeader::Truncated)?;
        let blob = BlobHandle { kind, id: BlobId::from_bytes(*id) };
        entries.push(Entry { blob, offset, length, uncompressed_length });
        offset = offset.checked_add(length).ok_or(BadHeader::TooLong)?;
        bytes = rest;
    }
    if entries.is_empty() { Err(BadHeader::Empty) } else { Ok(entries) }
}

/// The length of the sealed header, from the last 4 bytes of a pack of `pack_size` bytes.
///
/// # Errors
/// A length that cannot be right.
pub fn sealed_length(field: [u8; LENGTH_FIELD], pack_size: u64) -> Result<usize, BadHeader> {
    let length = u32::from_le_bytes(field);
    let bad = BadHeader::Length { length: u64::from(length), pack: pack_size };
    let fits = u64::from(length) + LENGTH_FIELD as u64 <= pack_size;
    match usize::try_from(length) {
        Ok(length) if fits && (OVERHEAD..=LONGEST).contains(&length) => Ok(length),
        _ => Err(bad),
    }
}

/// Size of the whole pack that holds these blobs and nothing else.
pub fn pack_size<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> u64 {
    let blobs_and_entries =
        entries.into_iter().map(|entry| u64::from(entry.length) + entry.size() as u64).sum::<u64>();
    blobs_and_entries + FRAME as u64
}

const fn type_code(kind: BlobKind, compressed: bool) -> u8 {
    match (kind, compressed) {
        (BlobKind::Data, false) => 0,
        (BlobKind::Tree, false) => 1,
        (BlobKind::Data, true) => 2,
        (BlobKind::Tree, true) => 3,
    }
}

const fn kind_of(code: u8) -> Result<(BlobKind, bool), BadHeader> {
    match code {
        0 => Ok((BlobKind::Data, false)),
        1 => Ok((BlobKind::Tree, false)),
        2 => Ok((BlobKind::Data, true)),
        3 => Ok((BlobKind::Tree, true)),
        other => Err(BadHeader::Type(other)),
    }
}

fn take_u32(bytes: &[u8]) -> Result<(u32, &[u8]), BadHeader> {
    let (field, rest) = bytes.split_first_chunk::<4>().ok_or(BadHeader::Truncated)?;
    Ok((u32::from_le_bytes(*field), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(kind: BlobKind, length: u32, uncompressed_length: u32) -> Entry {
        let blob = BlobHandle { kind, id: BlobId::from_bytes([9; 32]) };
        Entry { blob, offset: 0, length, uncompressed_length }
    }

    #[test]
    fn bytes_are_those_of_the_format() {
        let mut bytes = Vec::new();
        encode(&[entry(BlobKind::Tree, 0x0102, 0), entry(BlobKind::Data, 40, 0x01_00_00)], &mut bytes);
        assert_eq!(bytes[..5], [1, 2, 1, 0, 0]);
        assert_eq!(bytes[5..37], [9; 32]);
        assert_eq!(bytes[37..46], [2, 40, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!(bytes.len(), PLAIN_ENTRY + COMPRESSED_ENTRY);
        assert_eq!(MOST_ENTRIES, 409_199);
        assert_eq!(SHORTEST_PACK, 73);
    }

    #[test]
    fn hostile_headers_are_refused() {
        let mut one = Vec::new();
        encode(&[entry(BlobKind::Data, u32::MAX, 7)], &mut one);
        assert_eq!(decode(&[]), Err(BadHeader::Empty));
        for cut in 1..one.len() {
            assert_eq!(decode(&one[..cut]), Err(BadHeader::Truncated), "{cut}");
        }
        assert_eq!(decode(&[&one[..], &one[..]].concat()), Err(BadHeader::TooLong));
        for code in 4..=255 {
            one[0] = code;
            assert_eq!(decode(&one), Err(BadHeader::Type(code)));
        }
    }

    #[test]
    fn a_length_field_must_fit_the_pack() {
        let field = |length: u32| length.to_le_bytes();
        assert_eq!(sealed_length(field(69), 73), Ok(69));
        assert!(sealed_length(field(70), 73).is_err());
        assert!(sealed_length(field(31), 73).is_err());
        assert!(sealed_length(field(u32::MAX), u64::MAX).is_err());
        assert!(sealed_length(field(32), 0).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn what_is_encoded_decodes(parts in proptest::collection::vec((any::<bool>(), 32u32..1 << 20, 0u32..9, any::<[u8; 32]>()), 1..50)) {
            let mut offset = 0;
            let entries: Vec<Entry> = parts.into_iter().map(|(tree, length, uncompressed_length, id)| {
                let kind = if tree { BlobKind::Tree } else { BlobKind::Data };
                let blob = BlobHandle { kind, id: BlobId::from_bytes(id) };
                offset += length;
                Entry { blob, offset: offset - length, length, uncompressed_length }
            }).collect();
            let mut bytes = Vec::new();
            encode(&entries, &mut bytes);
            prop_assert_eq!(pack_size(&entries), u64::from(offset) + bytes.len() as u64 + 36);
            prop_assert_eq!(decode(&bytes), Ok(entries));
        }
    }
}
