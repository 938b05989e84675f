//! Load what is stored: the index, a pack's header, blobs alone or many of a pack in few requests.

mod header;
mod index;
mod long;
mod requests;

pub use long::{Loaded, LongBlob, LongReader};

use crate::blob::{BlobHandle, BlobKind};
use crate::codec::Decoder;
use crate::error::{Error, Result};
use crate::id::{BlobId, PackId};
use crate::index::{Index, Place};
use crate::pack::open::{BadBlob, Opened, open_blob};
use crate::repository::Repository;
use tresor_backend::handle::Right;
use tresor_backend::{ByteRange, ErrorKind};

/// A worker's own buffers and decompressor for loading; made once, reused.
pub struct Loader<'a, R: Right> {
    repository: &'a Repository<R>,
    decoder: Decoder,
    /// Largest request for several blobs, in bytes.
    at_most: u64,
    /// For one request and its blobs.
    buffers: Buffers,
    /// The bytes of one blob, loaded alone.
    single: Vec<u8>,
}

/// Takes one blob's verified plaintext, or why it could not be loaded.
pub type Each<'f, E> = dyn FnMut(BlobHandle, Result<&[u8]>) -> Result<(), E> + 'f;

/// A blob with its hash verified, and the form in which it is stored.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    /// Which blob.
    pub blob: BlobHandle,
    /// Its plaintext.
    pub plain: &'a [u8],
    pub(crate) stored: Option<Stored<'a>>,
}

/// What there was in a pack; `None` in a [`Found`] blob that did not come from its pack's request.
#[derive(Clone, Copy)]
pub(crate) struct Stored<'a> {
    /// As it lies in the pack.
    pub(crate) sealed: &'a [u8],
    /// What was sealed.
    pub(crate) frame: &'a [u8],
    /// 0 if it is not compressed.
    pub(crate) uncompressed_length: u32,
}

/// Takes one blob in its stored form, or why it could not be loaded.
pub type EachFound<'f, E> = dyn FnMut(BlobHandle, Result<Found<'_>>) -> Result<(), E> + 'f;

/// What came, opened in place, and a decompressed blob.
#[derive(Default)]
struct Buffers {
    sealed: Vec<u8>,
    plain: Vec<u8>,
    /// One blob as it lies in the pack.
    kept: Vec<u8>,
}

impl<R: Right> Repository<R> {
    /// A loader for one worker of those that share the memory for what they load.
    pub fn loader(&self) -> Loader<'_, R> {
        self.loader_within(self.options.memory)
    }

    /// The same where an upload needs half of the memory.
    pub fn loader_beside_upload(&self) -> Loader<'_, R> {
        self.loader_within(self.options.memory / 2)
    }

    fn loader_within(&self, memory: u64) -> Loader<'_, R> {
        let at_most = match self.handle.capabilities().near {
            true => requests::NEAR,
            false => requests::at_most(memory, self.parallel_loads()),
        };
        let (buffers, single) = (Buffers::default(), Vec::new());
        Loader { repository: self, decoder: Decoder::new(), at_most, buffers, single }
    }

    /// Loads one blob; every copy is tried. Convenient for a few; workers keep a [`Loader`].
    ///
    /// # Errors
    /// [`crate::Error::UnknownBlob`], or the first copy's error when none is good.
    pub fn load_blob(&self, index: &Index, kind: BlobKind, id: &BlobId) -> Result<Vec<u8>> {
        let mut plain = Vec::new();
        self.loader().load(index, kind, id, &mut plain)?;
        Ok(plain)
    }
}

impl<R: Right> Repository<R> {
    /// Tells the local cache which packs are worth a copy: those of trees, before one is loaded from there.
    pub(crate) fn note_pack_of(&self, blob: BlobHandle, pack: PackId) {
        if let Some(cache) = self.cache.as_ref().filter(|_| blob.kind == BlobKind::Tree) {
            cache.note_tree_pack(pack);
        }
    }

    /// Drops a copy of a wrong pack from the local cache; whether there was one, so that loading again may help.
    pub(crate) fn distrust(&self, pack: PackId) -> bool {
        self.cache.as_ref().is_some_and(|cache| cache.distrust(pack.file()))
    }
}

impl<R: Right> Loader<'_, R> {
    /// Loads one blob into `plain` (cleared first), its hash verified; every copy is tried.
    ///
    /// # Errors
    /// [`crate::Error::UnknownBlob`], or the first copy's error when none is good.
    pub fn load(&mut self, index: &Index, kind: BlobKind, id: &BlobId, plain: &mut Vec<u8>) -> Result<()> {
        self.load_copy(index, BlobHandle { kind, id: *id }, None, plain)
    }

    /// Loads `wanted` blobs of one pack, near ones in one request (gaps up to 1 MiB, requests up to 32 MiB,
    /// less when the budget is small), and hands each verified plaintext to `each` in order of offset.
    ///
    /// A blob that cannot be loaded reaches `each` as an error, after its other copies were tried, and the
    /// rest goes on.
    ///
    /// # Errors
    /// The first error that `each` returns.
    pub fn load_from_pack<E: From<crate::Error>>(
        &mut self,
        index: &Index,
        pack: PackId,
        wanted: &mut [(BlobHandle, Place)],
        each: &mut Each<'_, E>,
    ) -> Result<(), E> {
        let keep = false;
        self.each_of_pack(index, pack, wanted, keep, &mut |blob, found| {
            each(blob, found.map(|found| found.plain))
        })
    }

    /// The same with the form in which each blob is stored, so that it can be stored so elsewhere.
    ///
    /// # Errors
    /// The first error that `each` returns.
    pub fn load_stored_from_pack<E: From<crate::Error>>(
        &mut self,
        index: &Index,
        pack: PackId,
        wanted: &mut [(BlobHandle, Place)],
        each: &mut EachFound<'_, E>,
    ) -> Result<(), E> {
        let keep = true;
        self.each_of_pack(index, pack, wanted, keep, each)
    }

    fn each_of_pack<E: From<crate::Error>>(
        &mut self,
        index: &Index,
        pack: PackId,
        wanted: &mut [(BlobHandle, Place)],
        keep: bool,
        each: &mut EachFound<'_, E>,
    ) -> Result<(), E> {
        wanted.sort_unstable_by_key(|(_, place)| place.offset);
        let mut rest = &*wanted;
        while let Some(blobs) = requests::next(&mut rest, self.at_most) {
            let mut buffers = std::mem::take(&mut self.buffers);
            let range = requests::range(blobs);
            blobs.iter().for_each(|(blob, _)| self.repository.note_pack_of(*blob, pack));
            let loaded = load_range(self.repository, pack, range, &mut buffers.sealed);
            for &(blob, place) in blobs {
                let opened = match &loaded {
                    Ok(()) => self.open(blob, place, range.offset, keep, &mut buffers),
                    Err(error) => Err(failed_request(error, pack, place)),
                };
                match opened {
                    Ok(found) => each(blob, Ok(found))?,
                    Err(failed) => {
                        let other = self.load_copy(index, blob, Some(failed), &mut buffers.plain);
                        each(blob, other.map(|()| Found { blob, plain: &buffers.plain, stored: None }))?;
                    }
                }
            }
            self.buffers = buffers;
        }
        Ok(())
    }

    /// Opens one of the blobs whose bytes, from `start` of the pack on, were loaded; with its stored form if
    /// that is to be kept.
    fn open<'b>(
        &mut self,
        blob: BlobHandle,
        place: Place,
        start: u64,
        keep: bool,
        buffers: &'b mut Buffers,
    ) -> Result<Found<'b>, Box<Failed>> {
        let start = (u64::from(place.offset) - start) as usize;
        let sealed = &mut buffers.sealed[start..start + place.length as usize];
        let key = &self.repository.key;
        buffers.kept.clear();
        if keep {
            buffers.kept.extend_from_slice(sealed);
        }
        let opened = open_blob(key, &mut self.decoder, &place.entry(blob), sealed, &mut buffers.plain);
        let Opened { frame, plain } = opened.map_err(|bad| {
            // A wrong copy in the cache says nothing of the repository: then the same place is worth a try.
            let tried = if self.repository.distrust(place.pack) { None } else { Some(place) };
            Box::new(Failed { place: tried, error: damaged(blob, place.pack, &bad) })
        })?;
        let uncompressed_length = place.uncompressed_length;
        let stored = Stored { sealed: &buffers.kept, frame, uncompressed_length };
        Ok(Found { blob, plain, stored: keep.then_some(stored) })
    }

    /// Loads any copy of a blob into `plain`, but not the one that `failed` before.
    fn load_copy(
        &mut self,
        index: &Index,
        blob: BlobHandle,
        failed: Option<Box<Failed>>,
        plain: &mut Vec<u8>,
    ) -> Result<()> {
        let (tried, mut first_error) = match failed {
            Some(failed) => (failed.place, Some(failed.error)),
            None => (None, None),
        };
        let places = index.copies(blob.kind, &blob.id)?;
        for &place in places.iter().filter(|place| Some(**place) != tried) {
            let mut tried = self.try_copy(blob, place, plain);
            if tried.is_err() && self.repository.distrust(place.pack) {
                tried = self.try_copy(blob, place, plain);
            }
            match tried {
                Ok(()) => return Ok(()),
                Err(error) => drop(first_error.get_or_insert(error)),
            }
        }
        let is_damage = first_error.as_ref().is_some_and(Error::is_damage);
        for place in self.places_by_headers(blob, if is_damage { &places } else { &[] }) {
            if self.try_copy(blob, place, plain).is_ok() {
                return Ok(());
            }
        }
        Err(first_error.unwrap_or(Error::UnknownBlob { blob }))
    }

    /// Where a blob lies by the headers of the packs in which the index has it, as far as that is not where the index
    /// says: an index file may lie, by accident or on purpose.
    fn places_by_headers(&self, blob: BlobHandle, said: &[Place]) -> Vec<Place> {
        let mut packs: Vec<PackId> = said.iter().map(|place| place.pack).collect();
        let mut places = Vec::new();
        packs.sort_unstable();
        packs.dedup();
        for pack in packs {
            let size = self.repository.handle.stat(pack.file());
            let Ok(Ok(entries)) = size.map(|size| self.repository.load_pack_header(pack, size)) else {
                continue;
            };
            let of_blob = entries.iter().filter(|entry| entry.blob == blob);
            places.extend(of_blob.map(|entry| entry.place_in(pack)).filter(|place| !said.contains(place)));
        }
        places
    }

    /// Loads a blob from one place alone into `plain`, its hash verified.
    ///
    /// # Errors
    /// Those of the backend; [`Error::DamagedBlob`].
    pub(crate) fn load_at(&mut self, blob: BlobHandle, place: Place, plain: &mut Vec<u8>) -> Result<()> {
        self.try_copy(blob, place, plain)
    }

    fn try_copy(&mut self, blob: BlobHandle, place: Place, plain: &mut Vec<u8>) -> Result<()> {
        let range = ByteRange { offset: place.offset.into(), length: place.length.into() };
        self.repository.note_pack_of(blob, place.pack);
        load_range(self.repository, place.pack, range, &mut self.single)?;
        let (key, entry) = (&self.repository.key, place.entry(blob));
        let opened = match entry.uncompressed_length {
            0 => open_blob(key, &mut self.decoder, &entry, &mut self.single, &mut Vec::new()).map(|found| {
                plain.clear();
                plain.extend_from_slice(found.plain);
            }),
            _ => open_blob(key, &mut self.decoder, &entry, &mut self.single, plain).map(drop),
        };
        opened.map_err(|bad| damaged(blob, place.pack, &bad))
    }
}

/// The copy of a blob that could not be loaded, if there is no use in trying it again, and why.
struct Failed {
    place: Option<Place>,
    error: Error,
}

/// What the failure of a request for several blobs means for one of them.
fn failed_request(error: &tresor_backend::Error, pack: PackId, place: Place) -> Box<Failed> {
    // A file that is too short may still hold this blob.
    let worth_a_try = error.kind() == ErrorKind::WrongSize;
    let mut again = tresor_backend::Error::new(error.kind(), "load", pack.file());
    // The other kinds say enough.
    if matches!(error.kind(), ErrorKind::Unusable | ErrorKind::Temporary)
        && let Some(cause) = std::error::Error::source(error)
    {
        again = again.caused_by(cause.to_string());
    }
    Box::new(Failed { place: (!worth_a_try).then_some(place), error: again.into() })
}

fn damaged(blob: BlobHandle, pack: PackId, bad: &BadBlob) -> Error {
    Error::DamagedBlob { blob, pack, what: bad.to_string() }
}

/// Loads exactly a range of a pack.
pub(crate) fn load_range<R: Right>(
    repository: &Repository<R>,
    pack: PackId,
    range: ByteRange,
    into: &mut Vec<u8>,
) -> Result<(), tresor_backend::Error> {
    repository.handle.load(pack.file(), range, into)?;
    if into.len() as u64 == range.length {
        return Ok(());
    }
    Err(tresor_backend::Error::new(ErrorKind::WrongSize, "load", pack.file()))
}
