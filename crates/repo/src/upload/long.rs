//! Save a blob too long for memory: hash, compress and seal it as it comes, into its pack.
//!
//! Whether it is new shows at its end, and only then; what is stored already was compressed in vain.

use crate::blob::{BlobHandle, BlobKind};
use crate::codec::StreamEncoder;
use crate::crypto::{Authenticator, Sealer};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::id::BlobId;
use crate::load::LongBlob;
use crate::pack::body::Body;
use crate::pack::header::entry_size;
use crate::pack::long::Opening;
use crate::pack::writer::OpenPack;
use crate::upload::open_packs::Chance;
use crate::upload::{Saved, Upload};
use std::io::{self, Read};

/// How much is sealed at once.
const PIECE: usize = 64 * 1024;

/// The longest blob that the format can say, plain and sealed.
const LONGEST: u64 = u32::MAX as u64;

/// A blob being saved piece by piece. One that is not finished leaves nothing behind.
pub struct LongSaver<'a> {
    upload: &'a Upload<'a>,
    kind: BlobKind,
    longest: u64,
    hash: Hash,
    /// `None` if it is not compressed.
    encoder: Option<StreamEncoder>,
    /// Begins with the first bytes to be sealed.
    sealer: Option<Sealer<'a>>,
    /// What is to be sealed.
    ready: Vec<u8>,
    body: Body,
}

impl<'a> Upload<'a> {
    /// Begins to save a blob of any length.
    ///
    /// # Errors
    /// Only when the upload is broken.
    pub fn long_saver(&'a self, kind: BlobKind) -> Result<LongSaver<'a>> {
        self.outcome.check()?;
        // Whatever was asked for: what is so long is a tree, and in version 2 nothing is sealed as it is.
        let compressed = self.config.version >= 2;
        let encoder = compressed.then(|| StreamEncoder::new(self.options.compression));
        let (hash, ready, body) = (Hash::new(), Vec::new(), Body::default());
        Ok(LongSaver { upload: self, kind, longest: LONGEST, hash, encoder, sealer: None, ready, body })
    }
}

impl Upload<'_> {
    /// Saves a blob of this or another repository that is too long for memory.
    ///
    /// # Errors
    /// As [`LongSaver::write`]; those of reading the temporary file.
    pub fn save_long(&self, kind: BlobKind, long: &LongBlob) -> Result<Saved> {
        let unread = |source: io::Error| Error::Local {
            doing: "read a temporary file in",
            path: self.options.temporary_folder.clone(),
            source,
        };
        let (mut saver, mut reader, mut buffer) = (self.long_saver(kind)?, long.reader(), vec![0; PIECE]);
        loop {
            match reader.read(&mut buffer).map_err(unread)? {
                0 => return saver.finish(),
                read => saver.write(&buffer[..read])?,
            }
        }
    }
}

impl LongSaver<'_> {
    /// Bytes so far.
    pub fn len(&self) -> u64 {
        self.hash.length()
    }

    /// Whether nothing came yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// [`Error::TooLarge`] once there are 4 GiB, and the upload goes on without this blob. Anything else only when it
    /// is broken.
    pub fn write(&mut self, plain: &[u8]) -> Result<()> {
        for piece in plain.chunks(PIECE) {
            self.fits(self.len() + piece.len() as u64)?;
            self.hash.update(piece);
            match &mut self.encoder {
                Some(encoder) => encoder.write(piece, &mut self.ready),
                None => self.ready.extend_from_slice(piece),
            }
            if self.ready.len() >= PIECE {
                self.seal()?;
            }
        }
        Ok(())
    }

    /// Ends the blob and saves it, if the repository lacks it.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn finish(self) -> Result<Saved> {
        self.finish_unless(|_| false)
    }

    /// The same, unless the blob of this id `is_stored` though the index does not know it.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn finish_unless(mut self, is_stored: impl FnOnce(&BlobId) -> bool) -> Result<Saved> {
        let upload = self.upload;
        upload.outcome.check()?;
        let length = self.len();
        // What is empty is stored as it is.
        let encoder = self.encoder.take().filter(|_| length > 0);
        let compressed = encoder.is_some();
        if let Some(encoder) = encoder {
            encoder.finish(&mut self.ready);
        }
        self.seal()?;
        let LongSaver { kind, hash, sealer, mut body, longest, .. } = self;
        let tag = sealer.expect("sealing what was ready began it").finish();
        let appended = body.append(&tag, upload.packs.room());
        appended.map_err(|error| upload.outcome.fail(error))?;
        fits(kind, body.len(), longest)?;
        let blob = BlobHandle { kind, id: BlobId::from_bytes(hash.finish()) };
        let is_known = is_stored(&blob.id) || upload.index.contains(kind, &blob.id)?;
        if is_known || !upload.claims.claim(blob) {
            return Ok(Saved { id: blob.id, was_new: false, stored_bytes: 0 });
        }
        let uncompressed_length = if compressed { length as u32 } else { 0 };
        let stored_bytes = body.len() + entry_size(uncompressed_length) as u64;
        let pack = || {
            if upload.options.verify_before_upload {
                verify(upload, blob.id, &body, (compressed, length))?;
            }
            let own = OpenPack::of_one(blob, body, uncompressed_length);
            if let Some(full) = upload.packs.add_pack(own, kind, Chance::default().draw()?)? {
                upload.outcome.count_full_pack();
                upload.finish_pack(full)?;
            }
            Ok(())
        };
        pack().map_err(|error| upload.outcome.fail(error))?;
        upload.outcome.count(kind, length, stored_bytes);
        Ok(Saved { id: blob.id, was_new: true, stored_bytes })
    }

    /// Seals what is ready.
    fn seal(&mut self) -> Result<()> {
        self.fits(self.body.len() + self.ready.len() as u64)?;
        let sealed = self.seal_ready();
        self.ready.clear();
        sealed.map_err(|error| self.upload.outcome.fail(error))
    }

    /// The same, but what is ready stays there; the first bytes decide the nonce.
    fn seal_ready(&mut self) -> Result<()> {
        let room = || self.upload.packs.room();
        let sealer = match &mut self.sealer {
            Some(sealer) => sealer,
            none => {
                let (sealer, nonce) = self.upload.key.sealer(&self.ready)?;
                self.body.append(&nonce, room())?;
                none.insert(sealer)
            }
        };
        sealer.encrypt(&mut self.ready);
        self.body.append(&self.ready, room())
    }

    fn fits(&self, length: u64) -> Result<()> {
        fits(self.kind, length, self.longest)
    }
}

fn fits(kind: BlobKind, size: u64, longest: u64) -> Result<()> {
    match size <= longest {
        true => Ok(()),
        false => Err(Error::TooLarge { what: format!("a {} blob", kind.word()), size }),
    }
}

/// Brings the blob back from its sealed bytes alone.
fn verify(upload: &Upload<'_>, id: BlobId, body: &Body, (compressed, length): (bool, u64)) -> Result<()> {
    let failed = |what| Error::Verification { id, what };
    let unread = |source: io::Error| Error::Local {
        doing: "read a temporary file in",
        path: upload.options.temporary_folder.clone(),
        source,
    };
    let payload = body.payload(&[]);
    let mut authenticator = Authenticator::new(upload.key, body.len());
    let read = payload.for_each_piece(|piece| {
        authenticator.take(piece);
        Ok(())
    });
    read.map_err(unread)?;
    let verified = authenticator.finish().map_err(|_| failed("it does not open"))?;
    let sealed = (payload.reader(), body.len());
    let opening = Opening::new(upload.key, verified, sealed, compressed, length);
    let (found, _) = opening.hash().map_err(|_| failed("it does not decompress"))?;
    if found == id { Ok(()) } else { Err(failed("its hash is another")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Index;
    use crate::monitor::Silent;
    use crate::testing::repository;
    use std::sync::Arc;
    use tresor_backend::memory::Memory;

    #[test]
    fn a_blob_too_long_for_the_format_is_refused_and_the_upload_goes_on() {
        assert_eq!(LONGEST, (1 << 32) - 1);
        let repository = repository(&Arc::new(Memory::new()), 2, |_| {});
        let work = |upload: &Upload<'_>| {
            let saver =
                || Ok::<_, Error>(LongSaver { longest: 200_000, ..upload.long_saver(BlobKind::Tree)? });
            let mut long = saver()?;
            let refused = (0..4).find_map(|_| long.write(&[b'x'; 60_000]).err());
            assert!(matches!(refused, Some(Error::TooLarge { size: 200_001.., .. })), "{refused:?}");
            // Its plaintext would do, but not what becomes of it.
            let noise: [u8; 199_990] = crate::random::bytes()?;
            let mut sealed = saver()?;
            let refused = sealed.write(&noise).and_then(|()| sealed.finish());
            assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
            let mut fits = saver()?;
            fits.write(&[b'x'; 200_000])?;
            fits.finish()
        };
        let (saved, uploaded) = repository.upload(&Index::default(), work).unwrap();
        assert!(saved.was_new && uploaded.tree_blobs == 1);
        let index = repository.load_index(&Silent).unwrap();
        assert_eq!(repository.load_blob(&index, BlobKind::Tree, &saved.id).unwrap().len(), 200_000);
    }

    #[test]
    fn a_long_blob_that_does_not_come_back_is_noticed() {
        let repository = repository(&Arc::new(Memory::new()), 2, |_| {});
        let work = |upload: &Upload<'_>| {
            let mut saver = upload.long_saver(BlobKind::Tree)?;
            saver.write(&[b'x'; 100_000])?;
            saver.hash.update(b"a bit that fell over");
            let wrong_hash = saver.finish();
            assert!(matches!(wrong_hash, Err(Error::Cancelled)));
            Ok::<_, Error>(())
        };
        let failed = repository.upload(&Index::default(), work);
        assert!(matches!(failed, Err(Error::Verification { .. })));
    }
}
