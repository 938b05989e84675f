//! Files and index texts, sealed the same way each time.

use super::shape::{Id, Stream, noise};
use crate::Result;
use sha2::{Digest, Sha256};
use std::io::Write;
use tresor_testkit::seal::Key;
use zstd_safe::CCtx;

/// restic's `auto` is about this level.
const LEVEL: i32 = 3;

/// Compresses and seals, with nonces that follow from numbers: the key is known to everybody.
pub(super) struct Sealer {
    key: Key,
    compressor: CCtx<'static>,
}

impl Sealer {
    pub(super) fn new(key: Key) -> Self {
        Sealer { key, compressor: CCtx::create() }
    }

    /// A file of JSON, as index files and snapshots are.
    pub(super) fn file(&mut self, stream: Stream, number: u64, json: &[u8]) -> Result<Vec<u8>> {
        let mut plain = vec![2];
        plain.extend(self.compressed(json)?);
        Ok(self.sealed(stream, number, &plain))
    }

    pub(super) fn sealed(&self, stream: Stream, number: u64, plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; 16];
        noise(stream, number).fill(&mut nonce);
        self.key.seal(nonce, plain)
    }

    pub(super) fn compressed(&mut self, plain: &[u8]) -> Result<Vec<u8>> {
        let mut frame = Vec::with_capacity(zstd_safe::compress_bound(plain.len()));
        let done = self.compressor.compress(&mut frame, plain, LEVEL);
        done.map_err(|code| format!("zstd: {}", zstd_safe::get_error_name(code)))?;
        Ok(frame)
    }
}

/// The name of a file or blob.
pub(super) fn name_of(bytes: &[u8]) -> Id {
    Sha256::digest(bytes).into()
}

pub(super) fn hex(id: &Id) -> String {
    let mut text = Vec::with_capacity(64);
    push_hex(id, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

pub(super) fn push_hex(id: &Id, text: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.extend(id.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
}

/// The id that `name` is in hex.
pub(super) fn parse_hex(name: &str) -> Option<Id> {
    let mut id = Id::default();
    let digits = name.as_bytes();
    if digits.len() != 2 * id.len() {
        return None;
    }
    for (byte, pair) in id.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(id)
}

/// A blob in a pack.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) id: Id,
    pub(super) length: u64,
    /// If it is compressed.
    pub(super) plain: Option<u64>,
}

/// The JSON of an index file.
#[derive(Debug, Default)]
pub(super) struct IndexText {
    text: Vec<u8>,
    pub(super) blobs: usize,
}

impl IndexText {
    /// Adds a pack whose blobs are all of this kind, in the order of their offsets.
    pub(super) fn pack(&mut self, name: &Id, kind: &str, blobs: impl Iterator<Item = Entry>) -> Result<()> {
        let text = &mut self.text;
        text.extend_from_slice(if text.is_empty() { br#"{"packs":[{"id":""# } else { br#",{"id":""# });
        push_hex(name, text);
        text.extend_from_slice(br#"","blobs":["#);
        let mut offset = 0;
        for blob in blobs {
            text.extend_from_slice(if offset == 0 { br#"{"id":""# } else { br#",{"id":""# });
            push_hex(&blob.id, text);
            write!(text, r#"","type":"{kind}","offset":{offset},"length":{}"#, blob.length)?;
            if let Some(plain) = blob.plain {
                write!(text, r#","uncompressed_length":{plain}"#)?;
            }
            text.push(b'}');
            offset += blob.length;
            self.blobs += 1;
        }
        text.extend_from_slice(b"]}");
        Ok(())
    }

    /// The whole text; what is added later begins another.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let IndexText { mut text, .. } = std::mem::take(self);
        text.extend_from_slice(b"]}\n");
        text
    }
}
