//! A pack being written: sealed blobs are appended until it is full.

use crate::blob::BlobHandle;
use crate::error::Result;
use crate::pack::body::{Body, Room};
use crate::pack::header::{self, Entry, MOST_ENTRIES};

/// A sealed blob, ready for a pack.
#[derive(Clone, Copy)]
pub(crate) struct SealedBlob<'a> {
    /// Which blob.
    pub(crate) blob: BlobHandle,
    /// Its sealed bytes; fewer than 4 GiB.
    pub(crate) sealed: &'a [u8],
    /// Length of the plaintext if it is compressed, else 0.
    pub(crate) uncompressed_length: u32,
}

/// The blobs of a pack that is not stored yet.
#[derive(Default)]
pub(crate) struct OpenPack {
    entries: Vec<Entry>,
    body: Body,
}

impl OpenPack {
    /// A pack of one blob whose sealed bytes are a body already; there are fewer than 4 GiB of them.
    pub(crate) fn of_one(blob: BlobHandle, body: Body, uncompressed_length: u32) -> Self {
        let length = u32::try_from(body.len()).expect("the saver refuses longer blobs");
        OpenPack { entries: vec![Entry { blob, offset: 0, length, uncompressed_length }], body }
    }

    /// Appends a blob.
    ///
    /// # Errors
    /// Those of the temporary file; the pack is then of no use any more.
    pub(crate) fn add(&mut self, blob: SealedBlob<'_>, room: &Room) -> Result<()> {
        let too_long = "a pack is closed long before its body reaches 4 GiB";
        self.entries.push(Entry {
            blob: blob.blob,
            offset: u32::try_from(self.body.len()).expect(too_long),
            length: u32::try_from(blob.sealed.len()).expect("the saver refuses longer blobs"),
            uncompressed_length: blob.uncompressed_length,
        });
        self.body.append(blob.sealed, room)
    }

    /// Whether it is time to close the pack.
    pub(crate) fn is_full(&self, target: u32) -> bool {
        self.body.len() >= u64::from(target) || self.entries.len() >= MOST_ENTRIES
    }

    /// Whether both together are still no full pack.
    pub(crate) fn has_room_for(&self, other: &OpenPack, target: u32) -> bool {
        self.body.len() + other.body.len() < u64::from(target)
            && self.entries.len() + other.entries.len() <= MOST_ENTRIES
    }

    /// Appends all blobs of `other`.
    ///
    /// # Errors
    /// Those of the temporary files; the pack is then of no use any more.
    pub(crate) fn merge(&mut self, other: OpenPack, room: &Room) -> Result<()> {
        let shift = u32::try_from(self.body.len()).expect("a merged pack is smaller than its target");
        self.entries
            .extend(other.entries.into_iter().map(|entry| Entry { offset: entry.offset + shift, ..entry }));
        self.body.append_body(&other.body, room)
    }

    /// The blobs in order.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Their bytes.
    pub(crate) const fn body(&self) -> &Body {
        &self.body
    }

    /// The plaintext of the header.
    pub(crate) fn header(&self) -> Vec<u8> {
        let mut plain = Vec::new();
        header::encode(&self.entries, &mut plain);
        plain
    }

    /// Gives up everything but the table.
    pub(crate) fn into_entries(self) -> Vec<Entry> {
        self.entries
    }
}
