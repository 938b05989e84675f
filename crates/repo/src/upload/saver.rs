//! One worker's way into an upload: hash → claim → compress → seal → verify → pack.

use crate::blob::{BlobHandle, BlobKind};
use crate::codec::{Compression, Decoder, Encoder};
use crate::error::{Error, Result};
use crate::id::BlobId;
use crate::pack::header::{FRAME, entry_size};
use crate::pack::writer::SealedBlob;
use crate::upload::open_packs::Chance;
use crate::upload::{Saved, Upload};

/// Buffers beyond this size are given up after the blob that needed them.
const USUAL_BLOB: usize = 16 * 1024 * 1024;

/// One worker's way into an upload: its compressor, decompressor and buffers.
pub struct BlobSaver<'a> {
    upload: &'a Upload<'a>,
    encoder: Encoder,
    decoder: Decoder,
    chance: Chance,
    /// The blob compressed; later, decompressed again.
    first: Vec<u8>,
    sealed: Vec<u8>,
    opened: Vec<u8>,
}

impl<'a> BlobSaver<'a> {
    pub(super) fn new(upload: &'a Upload<'a>) -> Self {
        let (first, sealed, opened) = (Vec::new(), Vec::new(), Vec::new());
        let encoder = Encoder::new(upload.options.compression);
        BlobSaver {
            upload,
            encoder,
            decoder: Decoder::new(),
            chance: Chance::default(),
            first,
            sealed,
            opened,
        }
    }

    /// Returns the blob's id, saving the blob first if the repository lacks it.
    ///
    /// Hash → claim → compress → seal → verify → pack, all on this thread while the bytes are hot. Blocks
    /// while too many packs wait for their upload, which bounds memory.
    ///
    /// # Errors
    /// [`Error::TooLarge`] from 4 GiB on. Anything else only when the upload is already broken: the first
    /// cause is what [`Repository::upload`](crate::Repository::upload) returns.
    pub fn save_blob(&mut self, kind: BlobKind, plain: &[u8]) -> Result<Saved> {
        self.upload.outcome.check()?;
        let length = u32::try_from(plain.len()).map_err(|_| too_large(kind, plain.len()))?;
        let blob = BlobHandle { kind, id: BlobId::of(plain) };
        let upload = self.upload;
        if upload.index.contains(kind, &blob.id) || !upload.claims.claim(blob) {
            return Ok(Saved { id: blob.id, was_new: false, stored_bytes: 0 });
        }
        let stored_bytes = self.store(blob, plain, length).map_err(|error| upload.outcome.fail(error))?;
        upload.outcome.count(kind, length.into(), stored_bytes);
        Ok(Saved { id: blob.id, was_new: true, stored_bytes })
    }

    /// Returns how many bytes the blob takes.
    fn store(&mut self, blob: BlobHandle, plain: &[u8], length: u32) -> Result<u64> {
        let uncompressed_length = if self.is_compressed(blob.kind, plain) { length } else { 0 };
        self.seal(plain, uncompressed_length > 0)?;
        if self.upload.options.verify_before_upload {
            self.verify(blob.id, length, uncompressed_length > 0)?;
        }
        if u32::try_from(self.sealed.len()).is_err() {
            return Err(too_large(blob.kind, plain.len()));
        }
        let sealed = SealedBlob { blob, sealed: &self.sealed, uncompressed_length };
        let mut stored_bytes = (self.sealed.len() + entry_size(uncompressed_length)) as u64;
        if let Some(full) = self.upload.packs.add(sealed, self.chance.draw()?)? {
            stored_bytes += FRAME as u64;
            self.upload.finish_pack(full)?;
        }
        self.give_up_large_buffers();
        Ok(stored_bytes)
    }

    /// Format: trees are always compressed, empty data never, and version 1 knows no compression.
    fn is_compressed(&self, kind: BlobKind, plain: &[u8]) -> bool {
        let wanted = match kind {
            BlobKind::Tree => true,
            BlobKind::Data => self.upload.options.compression != Compression::Off,
        };
        wanted && !plain.is_empty() && self.upload.config.version >= 2
    }

    fn seal(&mut self, plain: &[u8], compress: bool) -> Result<()> {
        self.sealed.clear();
        if !compress {
            return self.upload.key.seal(plain, &mut self.sealed);
        }
        self.first.clear();
        self.encoder.encode(plain, &mut self.first);
        self.upload.key.seal(&self.first, &mut self.sealed)
    }

    /// Brings the blob back from its sealed bytes alone.
    fn verify(&mut self, id: BlobId, length: u32, compressed: bool) -> Result<()> {
        let failed = |what| Error::Verification { id, what };
        self.opened.clear();
        self.upload.key.open(&self.sealed, &mut self.opened).map_err(|_| failed("it does not open"))?;
        let plain = if compressed {
            self.first.clear();
            let decoded = self.decoder.decode(&self.opened, length.into(), &mut self.first);
            decoded.map_err(|_| failed("it does not decompress"))?;
            &self.first
        } else {
            &self.opened
        };
        if BlobId::of(plain) == id { Ok(()) } else { Err(failed("its hash is another")) }
    }

    fn give_up_large_buffers(&mut self) {
        for buffer in [&mut self.first, &mut self.sealed, &mut self.opened] {
            if buffer.capacity() > USUAL_BLOB {
                *buffer = Vec::new();
            }
        }
    }
}

fn too_large(kind: BlobKind, length: usize) -> Error {
    Error::TooLarge { what: format!("a {} blob", kind.word()), size: length as u64 }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::upload) fn broken_blobs_are_noticed(mut saver: BlobSaver<'_>) {
        let plain = b"some text, some text, some text".repeat(9);
        let (id, length) = (BlobId::of(&plain), plain.len() as u32);
        for compress in [false, true] {
            saver.seal(&plain, compress).unwrap();
            saver.verify(id, length, compress).unwrap();
            assert!(saver.verify(BlobId::of(b"other"), length, compress).is_err());
            for at in 0..saver.sealed.len() {
                saver.sealed[at] ^= 4;
                assert!(saver.verify(id, length, compress).is_err());
                saver.sealed[at] ^= 4;
            }
        }
        // Sealed rightly, but compressed wrongly.
        saver.seal(b"no frame", false).unwrap();
        assert!(saver.verify(id, length, true).is_err());
    }
}
