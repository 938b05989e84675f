//! One worker's way into an upload: hash → claim → compress → seal → verify → pack, or less.
//!
//! A sealed blob waits to be verified until the next one comes: its hash and the id of that one are computed side by
//! side. Nothing gets into a pack before it was verified.

use crate::blob::{BlobHandle, BlobKind};
use crate::codec::{Compression, Decoder, Encoder, RawFrame, is_untried};
use crate::crypto::Text;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::id::BlobId;
use crate::load::{Found, Stored};
use crate::pack::header::entry_size;
use crate::pack::writer::SealedBlob;
use crate::upload::beside::Beside;
use crate::upload::open_packs::Chance;
use crate::upload::{Saved, Upload};

/// In which form a blob was sealed.
enum Form {
    Plain,
    Compressed,
    /// As it is, in a frame.
    Raw(RawFrame),
}

/// Buffers beyond this size are given up after the blob that needed them.
const USUAL_BLOB: usize = 4 * 1024 * 1024;

/// A blob that lies sealed in the saver's buffer.
struct Waiting {
    blob: BlobHandle,
    length: u32,
    form: Form,
}

/// One worker's way into an upload: its compressor, decompressor and buffers.
///
/// Its last blob gets into a pack when it is dropped; if that fails, the upload does.
pub struct BlobSaver<'a> {
    upload: &'a Upload<'a>,
    encoder: Encoder,
    decoder: Decoder,
    chance: Chance,
    waiting: Option<Waiting>,
    sealed: Vec<u8>,
    /// A blob compressed, or samples of it; when it is verified, decompressed again.
    first: Vec<u8>,
    opened: Vec<u8>,
}

/// In which form a blob is to be stored.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Plain,
    /// A frame of blocks as they are.
    Raw,
    Compressed,
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
            waiting: None,
            sealed,
            first,
            opened,
        }
    }

    /// Returns the blob's id, saving the blob first if the repository lacks it.
    ///
    /// Hash → claim → compress → seal → verify → pack, all on this thread while the bytes are hot; the last two once
    /// the next blob comes, or the saver is dropped. Blocks while too many packs wait for their upload, which bounds
    /// memory.
    ///
    /// # Errors
    /// [`Error::TooLarge`] from 4 GiB on. Anything else only when the upload is already broken: the first
    /// cause is what [`Repository::upload`](crate::Repository::upload) returns.
    pub fn save_blob(&mut self, kind: BlobKind, plain: &[u8]) -> Result<Saved> {
        self.upload.outcome.check()?;
        let length = u32::try_from(plain.len()).map_err(|_| too_large(kind, plain.len()))?;
        let blob = BlobHandle { kind, id: self.settle_and_hash(plain)? };
        self.save_if_new(blob, length.into(), |saver| saver.store(blob, plain, length))
    }

    /// Verifies what waits and puts it into a pack; answers with the id of the blob after it.
    fn settle_and_hash(&mut self, next: &[u8]) -> Result<BlobId> {
        let Some(waiting) = self.waiting.take() else { return Ok(BlobId::of(next)) };
        let length = waiting.length as usize + next.len();
        let unhashed = self.upload.packs.unhashed(length);
        let mut beside = Beside::new(next, unhashed.as_ref());
        let verified = self.verify(waiting.blob.id, waiting.length, &waiting.form, &mut beside);
        let id = BlobId::from_bytes(beside.finish());
        drop(unhashed); // its memory may be needed for the pack
        let uncompressed_length = waiting.form.uncompressed_length(waiting.length);
        let packed = verified.and_then(|()| self.pack(waiting.blob, uncompressed_length));
        packed.map_err(|error| self.upload.outcome.fail(error))?;
        Ok(id)
    }

    /// Verifies what waits and puts it into a pack.
    fn settle(&mut self) -> Result<()> {
        self.settle_and_hash(&[]).map(drop)
    }

    /// Saves a blob by `store`, which tells how many bytes it takes, if it is not stored and nobody else's to store.
    fn save_if_new(
        &mut self,
        blob: BlobHandle,
        length: u64,
        store: impl FnOnce(&mut Self) -> Result<u64>,
    ) -> Result<Saved> {
        let upload = self.upload;
        if upload.index.contains(blob.kind, &blob.id)? || !upload.claims.claim(blob) {
            return Ok(Saved { id: blob.id, was_new: false, stored_bytes: 0 });
        }
        let stored_bytes = store(self).map_err(|error| upload.outcome.fail(error))?;
        upload.outcome.count(blob.kind, length, stored_bytes);
        Ok(Saved { id: blob.id, was_new: true, stored_bytes })
    }

    /// Saves a blob of this same repository once more, byte for byte as it is stored, unless it would be stored
    /// in another way today.
    ///
    /// Its loader has opened those very bytes, so that they need not be verified again.
    ///
    /// # Errors
    /// As [`save_blob`](Self::save_blob).
    pub fn move_blob(&mut self, found: &Found<'_>) -> Result<Saved> {
        self.save_found(found, |saver, stored| {
            saver.sealed.clear();
            saver.sealed.extend_from_slice(stored.sealed);
            Ok(())
        })
    }

    /// Saves a blob of another repository as it is compressed there, unless it would be compressed in another way.
    ///
    /// # Errors
    /// As [`save_blob`](Self::save_blob).
    pub fn copy_blob(&mut self, found: &Found<'_>) -> Result<Saved> {
        self.save_found(found, |saver, stored| {
            saver.sealed.clear();
            saver.upload.key.seal(stored.frame, &mut saver.sealed)?;
            if saver.upload.options.verify_before_upload {
                saver.verify_frame(found.blob.id, stored.frame)?;
            }
            Ok(())
        })
    }

    /// Saves a found blob by way of what `seal` leaves in `self.sealed`, where its stored form is the usual one.
    fn save_found(
        &mut self,
        found: &Found<'_>,
        seal: impl FnOnce(&mut Self, &Stored<'_>) -> Result<()>,
    ) -> Result<Saved> {
        let Found { blob, plain, stored } = *found;
        let Some(stored) = stored.filter(|stored| self.is_usual(blob.kind, plain, stored)) else {
            return self.save_blob(blob.kind, plain);
        };
        self.upload.outcome.check()?;
        self.settle()?;
        self.save_if_new(blob, plain.len() as u64, |saver| {
            seal(saver, &stored)?;
            saver.pack(blob, stored.uncompressed_length)?;
            Ok(saver.stored_bytes(stored.uncompressed_length))
        })
    }

    /// Whether a blob would be stored as it is: compressed or not, and at no level that somebody asked for.
    fn is_usual(&self, kind: BlobKind, plain: &[u8], stored: &Stored<'_>) -> bool {
        let any_level = self.upload.options.compression.is_default();
        match stored.uncompressed_length {
            0 => !self.is_framed(plain),
            length => {
                let is_raw = is_untried(stored.frame.len() as u64, length);
                any_level
                    && self.is_framed(plain)
                    && plain.len() as u64 == u64::from(length)
                    && is_raw == self.is_raw(kind)
            }
        }
    }

    /// Seals a blob, to be verified and packed; returns how many bytes it takes.
    fn store(&mut self, blob: BlobHandle, plain: &[u8], length: u32) -> Result<u64> {
        let wanted = match (self.is_framed(plain), self.is_raw(blob.kind)) {
            (false, _) => Wanted::Plain,
            (true, true) => Wanted::Raw,
            (true, false) => Wanted::Compressed,
        };
        let form = self.seal(&blob.id, plain, wanted)?;
        if u32::try_from(self.sealed.len()).is_err() {
            return Err(too_large(blob.kind, plain.len()));
        }
        let uncompressed_length = form.uncompressed_length(length);
        if self.upload.options.verify_before_upload {
            self.waiting = Some(Waiting { blob, length, form });
        } else {
            self.pack(blob, uncompressed_length)?;
        }
        Ok(self.stored_bytes(uncompressed_length))
    }

    /// How many bytes the sealed blob takes in a pack, with its header entry.
    fn stored_bytes(&self, uncompressed_length: u32) -> u64 {
        (self.sealed.len() + entry_size(uncompressed_length)) as u64
    }

    /// Puts the sealed blob into a pack.
    fn pack(&mut self, blob: BlobHandle, uncompressed_length: u32) -> Result<()> {
        let sealed = SealedBlob { blob, sealed: &self.sealed, uncompressed_length };
        if let Some(full) = self.upload.packs.add(sealed, self.chance.draw()?)? {
            self.upload.outcome.count_full_pack();
            self.upload.finish_pack(full)?;
        }
        self.give_up_large_buffers();
        Ok(())
    }

    /// Format: a blob is a zstd frame, except what is empty, and in version 1, which knows none.
    ///
    /// Also without compression: what is sealed as it is could be cut out of its pack and given out for a file that is
    /// no pack, by whoever chose its content.
    fn is_framed(&self, plain: &[u8]) -> bool {
        !plain.is_empty() && self.upload.config.version >= 2
    }

    /// Whether what is in a frame is not to be compressed; trees always are.
    fn is_raw(&self, kind: BlobKind) -> bool {
        kind == BlobKind::Data && self.upload.options.compression == Compression::Off
    }

    /// Seals a blob whose id was computed from these very bytes.
    fn seal(&mut self, id: &BlobId, plain: &[u8], wanted: Wanted) -> Result<Form> {
        self.sealed.clear();
        // What is sealed as it is, or in a raw frame, follows from its hash and the length of the form (no two forms of a
        // blob have one), and need not be hashed once more.
        let text = Text::Hashed(id.as_bytes());
        if wanted == Wanted::Plain {
            self.upload.key.seal_parts(&text, [plain], plain.len(), &mut self.sealed)?;
            return Ok(Form::Plain);
        }
        if wanted == Wanted::Raw || self.encoder.finds_incompressible(plain, &mut self.first) {
            let length = u32::try_from(plain.len()).map_err(|_| too_large(BlobKind::Data, plain.len()))?;
            let frame = if wanted == Wanted::Raw { RawFrame::untried(length) } else { RawFrame::new(length) };
            let parts = frame.parts(plain);
            self.upload.key.seal_parts(&text, parts, frame.size(), &mut self.sealed)?;
            return Ok(Form::Raw(frame));
        }
        self.first.clear();
        self.encoder.encode(plain, &mut self.first);
        self.upload.key.seal(&self.first, &mut self.sealed)?;
        Ok(Form::Compressed)
    }

    /// Brings the blob back from its sealed bytes alone.
    fn verify(&mut self, id: BlobId, length: u32, form: &Form, beside: &mut Beside<'_>) -> Result<()> {
        let failed = |what| Error::Verification { id, what };
        let mut hash = Hash::new();
        match form {
            Form::Plain => self.reopen_in_pieces(id, |piece| beside.hash(&mut hash, piece))?,
            Form::Raw(frame) => {
                let mut reader = frame.reader();
                self.reopen_in_pieces(id, |piece| {
                    reader.take(piece, |content| beside.hash(&mut hash, content));
                })?;
                if !reader.is_whole() {
                    return Err(failed("it does not decompress"));
                }
            }
            Form::Compressed => {
                self.reopen(id)?;
                self.first.clear();
                let decoded = self.decoder.decode(&self.opened, length.into(), &mut self.first);
                decoded.map_err(|_| failed("it does not decompress"))?;
                beside.hash(&mut hash, &self.first);
            }
        }
        let is_right = BlobId::from_bytes(hash.finish()) == id;
        if is_right { Ok(()) } else { Err(failed("its hash is another")) }
    }

    /// Brings what was sealed back from the sealed bytes alone; that it holds the blob is known.
    fn verify_frame(&mut self, id: BlobId, frame: &[u8]) -> Result<()> {
        self.reopen(id)?;
        let what = "it opens to something else";
        if self.opened == frame { Ok(()) } else { Err(Error::Verification { id, what }) }
    }

    /// Opens the sealed bytes again.
    fn reopen(&mut self, id: BlobId) -> Result<()> {
        self.opened.clear();
        let opened = self.upload.key.open(&self.sealed, &mut self.opened);
        opened.map_err(|_| not_opening(id))
    }

    /// Opens the sealed bytes again; what is in them is only looked at, while it is hot.
    fn reopen_in_pieces(&mut self, id: BlobId, each: impl FnMut(&[u8])) -> Result<()> {
        let opened = self.upload.key.open_in_pieces(&self.sealed, &mut self.opened, each);
        opened.map_err(|_| not_opening(id))
    }

    fn give_up_large_buffers(&mut self) {
        for buffer in [&mut self.first, &mut self.sealed, &mut self.opened] {
            if buffer.capacity() > USUAL_BLOB {
                *buffer = Vec::new();
            }
        }
    }
}

impl Drop for BlobSaver<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() && self.upload.outcome.check().is_ok() {
            drop(self.settle()); // a failure is the upload's
        }
    }
}

impl Form {
    /// What the index says of a blob of this length.
    fn uncompressed_length(&self, length: u32) -> u32 {
        match self {
            Form::Plain => 0,
            Form::Compressed | Form::Raw(_) => length,
        }
    }
}

fn not_opening(id: BlobId) -> Error {
    Error::Verification { id, what: "it does not open" }
}

fn too_large(kind: BlobKind, length: usize) -> Error {
    Error::TooLarge { what: format!("a {} blob", kind.word()), size: length as u64 }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::collections::HashSet;

    pub(in crate::upload) fn broken_blobs_are_noticed(mut saver: BlobSaver<'_>) {
        let text = b"some text, some text, some text".repeat(9);
        let noise: Vec<u8> = crate::random::bytes::<{ 300 * 1024 }>().unwrap().to_vec();
        let forms = [
            (&text, Wanted::Plain, 1),
            (&text, Wanted::Compressed, 1),
            (&text, Wanted::Raw, 1),
            (&noise, Wanted::Compressed, 997),
        ];
        for (plain, wanted, step) in forms {
            let (id, length) = (BlobId::of(plain), plain.len() as u32);
            let form = saver.seal(&id, plain, wanted).unwrap();
            assert_eq!(matches!(form, Form::Raw(_)), plain.len() > 1000 || wanted == Wanted::Raw);
            let verify = |saver: &mut BlobSaver<'_>, id, form: &Form| {
                saver.verify(id, length, form, &mut Beside::new(b"next", None))
            };
            verify(&mut saver, id, &form).unwrap();
            assert!(verify(&mut saver, BlobId::of(b"other"), &form).is_err());
            for at in (0..saver.sealed.len()).step_by(step) {
                saver.sealed[at] ^= 4;
                assert!(verify(&mut saver, id, &form).is_err());
                saver.sealed[at] ^= 4;
            }
        }
        // Sealed rightly, but compressed wrongly.
        let (id, length) = (BlobId::of(&text), text.len() as u32);
        saver.seal(&BlobId::of(b"no frame"), b"no frame", Wanted::Plain).unwrap();
        let beside = || Beside::new(&[], None);
        assert!(saver.verify(id, length, &Form::Compressed, &mut beside()).is_err());
        saver.seal(&id, &text, Wanted::Plain).unwrap();
        assert!(saver.verify(id, length, &Form::Raw(RawFrame::new(length)), &mut beside()).is_err());
    }

    /// A bit flips behind the hash, behind the compression, or behind the sealing.
    pub(in crate::upload) fn flips_are_noticed(mut saver: BlobSaver<'_>) {
        let text = b"some text, some text, some text".repeat(9);
        let noise: Vec<u8> = crate::random::bytes::<{ 300 * 1024 }>().unwrap().to_vec();
        let forms =
            [(&text, Wanted::Plain, 1), (&text, Wanted::Compressed, 1), (&noise, Wanted::Compressed, 4999)];
        for (plain, wanted, step) in forms {
            let (id, length) = (BlobId::of(plain), plain.len() as u32);
            for at in (0..plain.len()).step_by(step) {
                let mut changed = plain.clone();
                changed[at] ^= 1 << (at % 8);
                let form = saver.seal(&id, &changed, wanted).unwrap();
                assert!(saver.verify(id, length, &form, &mut Beside::new(&[], None)).is_err(), "{at}");
            }
        }
        let (id, length, mut packed) = (BlobId::of(&text), text.len() as u32, Vec::new());
        Encoder::new(Compression::Auto).encode(&text, &mut packed);
        let mut harmless = 0;
        for at in 0..packed.len() * 8 {
            packed[at / 8] ^= 1 << (at % 8);
            saver.sealed.clear();
            saver.upload.key.seal(&packed, &mut saver.sealed).unwrap();
            let verified = saver.verify(id, length, &Form::Compressed, &mut Beside::new(&[], None));
            let mut out = Vec::new();
            let is_harmless = Decoder::new().decode(&packed, length.into(), &mut out).is_ok() && out == text;
            assert_eq!(verified.is_ok(), is_harmless, "{at}");
            harmless += usize::from(is_harmless);
            packed[at / 8] ^= 1 << (at % 8);
        }
        assert!(harmless < packed.len(), "most flips of a frame do harm: {harmless}");
    }

    /// What a faulty compressor might give: nothing, a half, something else, too much, or what is no frame.
    pub(in crate::upload) fn bad_frames_are_noticed(mut saver: BlobSaver<'_>) {
        let text = b"some text, some text, some text".repeat(9);
        let (id, length) = (BlobId::of(&text), text.len() as u32);
        let frame = |plain: &[u8]| {
            let mut packed = Vec::new();
            Encoder::new(Compression::Auto).encode(plain, &mut packed);
            packed
        };
        let good = frame(&text);
        let frames = [
            Vec::new(),
            good[..good.len() / 2].to_vec(),
            good[..good.len() - 1].to_vec(),
            frame(&text[1..]),
            frame(&[&text[..], b"x"].concat()),
            [&good[..], b"x"].concat(),
            [&good[..], &good].concat(),
            frame(&text.iter().rev().copied().collect::<Vec<_>>()),
            text.clone(),
        ];
        for (number, packed) in frames.iter().enumerate() {
            saver.sealed.clear();
            saver.upload.key.seal(packed, &mut saver.sealed).unwrap();
            let verified = saver.verify(id, length, &Form::Compressed, &mut Beside::new(&[], None));
            assert!(verified.is_err(), "{number}");
        }
    }

    /// Nonces of what is not hashed once more rest on this: by id and length it is known what was sealed.
    pub(in crate::upload) fn forms_differ_in_length(mut saver: BlobSaver<'_>) {
        for length in [1, 100, 128 * 1024, 128 * 1024 + 1, 400 * 1024] {
            let noise = crate::random::bytes::<{ 400 * 1024 }>().unwrap()[..length].to_vec();
            let id = BlobId::of(&noise);
            let mut lengths = HashSet::new();
            for wanted in [Wanted::Plain, Wanted::Raw, Wanted::Compressed] {
                let form = saver.seal(&id, &noise, wanted).unwrap();
                let by_id = !matches!(form, Form::Compressed);
                assert!(!by_id || lengths.insert(saver.sealed.len()), "{length}");
            }
            assert!(lengths.len() >= 2);
        }
    }

    pub(in crate::upload) fn broken_frames_are_noticed(mut saver: BlobSaver<'_>) {
        let (frame, id) = (b"a frame", BlobId::of(b"what it holds"));
        saver.upload.key.seal(frame, &mut saver.sealed).unwrap();
        saver.verify_frame(id, frame).unwrap();
        assert!(saver.verify_frame(id, b"A frame").is_err());
        for at in 0..saver.sealed.len() {
            saver.sealed[at] ^= 4;
            assert!(saver.verify_frame(id, frame).is_err());
            saver.sealed[at] ^= 4;
        }
    }

    pub(in crate::upload) fn damaged_in_waiting(mut saver: BlobSaver<'_>) -> BlobSaver<'_> {
        saver.save_blob(BlobKind::Data, b"one blob").unwrap();
        saver.sealed[20] ^= 1;
        saver
    }
}
