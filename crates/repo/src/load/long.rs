//! Load a blob too long for memory: into an unlinked file, as it is stored, and read from there.
//!
//! The bytes are authenticated as they come, then hashed once; only then anybody reads them.

use crate::blob::{BlobHandle, BlobKind};
use crate::crypto::{Authenticator, Key, NotAuthentic, Verified};
use crate::error::{Error, Result};
use crate::id::BlobId;
use crate::index::{Index, Place};
use crate::load::{Loader, load_range};
use crate::pack::long::Opening;
use crate::pack::open::{BadBlob, TOLERATED};
use crate::repository::{Options, Repository};
use crate::scratch::Scratch;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use tresor_backend::ByteRange;
use tresor_backend::handle::Right;

/// How much is fetched at once, in bytes.
const REQUEST: u64 = 4 << 20;

/// A blob that was loaded.
pub enum Loaded<'p> {
    /// Its plaintext.
    Short(&'p [u8]),
    /// What it can be read from.
    Long(LongBlob),
}

/// A blob that is too long for memory; its id was found right. Copies share the file.
#[derive(Clone)]
pub struct LongBlob {
    /// The blob as it is sealed.
    file: Arc<File>,
    sealed_length: u64,
    key: Arc<Key>,
    verified: Verified,
    compressed: bool,
    length: u64,
}

impl Options {
    /// The longest plaintext of a tree that is held in memory, in bytes.
    pub fn longest_in_memory(&self) -> u64 {
        (self.memory / 6).clamp(4 << 10, 8 << 20)
    }
}

impl<R: Right> Repository<R> {
    /// An empty file for what an operation has to put aside.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn scratch(&self) -> Result<Scratch> {
        Scratch::new(&self.options.temporary_folder)
    }
}

impl LongBlob {
    /// Length of the plaintext.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Reads the plaintext from its start.
    pub fn reader(&self) -> LongReader {
        LongReader(self.opening())
    }

    fn opening(&self) -> Opening<Arc<Key>, FileReader> {
        let sealed = FileReader { file: Arc::clone(&self.file), offset: 0 };
        let sealed = (sealed, self.sealed_length);
        Opening::new(Arc::clone(&self.key), self.verified, sealed, self.compressed, self.length)
    }
}

/// Reads a long blob's plaintext.
pub struct LongReader(Opening<Arc<Key>, FileReader>);

impl Read for LongReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

/// Reads a file from its start, wherever its cursor is.
struct FileReader {
    file: Arc<File>,
    offset: u64,
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

impl<R: Right> Loader<'_, R> {
    /// Loads a blob, into `plain` unless it is too long for that; its hash is verified, and every copy is tried.
    ///
    /// # Errors
    /// [`Error::UnknownBlob`], or the first copy's error when none is good.
    pub fn load_any<'p>(
        &mut self,
        index: &Index,
        kind: BlobKind,
        id: &BlobId,
        plain: &'p mut Vec<u8>,
    ) -> Result<Loaded<'p>> {
        let length = index.plain_length(kind, id)?.unwrap_or(0);
        if u64::from(length) > self.repository.options.longest_in_memory() {
            return self.load_long(index, BlobHandle { kind, id: *id }).map(Loaded::Long);
        }
        self.load(index, kind, id, plain)?;
        Ok(Loaded::Short(plain))
    }

    /// Whether a blob at this place is too long for memory; only trees are.
    pub fn is_long(&self, blob: &BlobHandle, place: &Place) -> bool {
        let longest = self.repository.options.longest_in_memory();
        blob.kind == BlobKind::Tree && u64::from(place.plain_length()) > longest
    }

    /// Loads a blob of any length into an unlinked file.
    ///
    /// # Errors
    /// As [`load_any`](Self::load_any).
    pub fn load_long(&mut self, index: &Index, blob: BlobHandle) -> Result<LongBlob> {
        let mut first_error = None;
        let places = index.copies(blob.kind, &blob.id)?;
        for &place in &places {
            let mut tried = self.try_long(blob, place);
            let is_damaged = matches!(tried, Err(Error::DamagedBlob { .. }));
            if is_damaged && self.repository.distrust(place.pack) {
                tried = self.try_long(blob, place);
            }
            match tried {
                Ok(long) => return Ok(long),
                Err(error) => drop(first_error.get_or_insert(error)),
            }
        }
        let is_damage = first_error.as_ref().is_some_and(Error::is_damage);
        for place in self.places_by_headers(blob, if is_damage { &places } else { &[] }) {
            if let Ok(long) = self.try_long(blob, place) {
                return Ok(long);
            }
        }
        Err(first_error.unwrap_or(Error::UnknownBlob { blob }))
    }

    fn try_long(&mut self, blob: BlobHandle, place: Place) -> Result<LongBlob> {
        let repository = self.repository;
        repository.note_pack_of(blob, place.pack);
        let folder = &repository.options.temporary_folder;
        let failed = |source| Error::Local {
            doing: "keep a folder's tree in a temporary file in",
            path: folder.clone(),
            source,
        };
        let damaged = |what: String| Error::DamagedBlob { blob, pack: place.pack, what };
        let mut file = tempfile::tempfile_in(folder).map_err(failed)?;
        let mut authenticator = Authenticator::new(&repository.key, place.length.into());
        let (mut offset, end) = (u64::from(place.offset), u64::from(place.offset) + u64::from(place.length));
        while offset < end {
            if repository.cancel().is_set() {
                return Err(Error::Cancelled);
            }
            let length = (end - offset).min(REQUEST);
            load_range(repository, place.pack, ByteRange { offset, length }, &mut self.single)?;
            authenticator.take(&self.single);
            file.write_all(&self.single).map_err(failed)?;
            offset += length;
        }
        self.single = Vec::new();
        let verified = authenticator
            .finish()
            .map_err(|NotAuthentic| damaged(BadBlob::from(NotAuthentic).to_string()))?;
        let mut long = LongBlob {
            file: Arc::new(file),
            sealed_length: place.length.into(),
            key: Arc::clone(&repository.key),
            verified,
            compressed: place.uncompressed_length != 0,
            length: u64::from(place.plain_length()).max(TOLERATED),
        };
        let (found, length) = long.opening().hash().map_err(|error| damaged(error.to_string()))?;
        if found != blob.id {
            return Err(damaged(BadBlob::OtherId(found).to_string()));
        }
        long.length = length;
        Ok(long)
    }
}

#[cfg(test)]
mod tests;
