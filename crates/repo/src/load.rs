//! Load blobs: one by its id, or many of one pack in few requests.

use crate::blob::{BlobHandle, BlobKind};
use crate::codec::Decoder;
use crate::error::Result;
use crate::id::{BlobId, PackId};
use crate::index::{Index, Place};
use crate::repository::Repository;
use tresor_backend::handle::Right;

/// A worker's own buffers and decompressor for loading; made once, reused.
pub struct Loader<'a, R: Right> {
    pub(crate) repository: &'a Repository<R>,
    pub(crate) decoder: Decoder,
}

impl<R: Right> Repository<R> {
    /// A loader for one worker.
    pub fn loader(&self) -> Loader<'_, R> {
        Loader { repository: self, decoder: Decoder::new() }
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

impl<R: Right> Loader<'_, R> {
    /// Loads one blob into `plain` (cleared first), its hash verified; every copy is tried.
    ///
    /// # Errors
    /// [`crate::Error::UnknownBlob`], or the first copy's error when none is good.
    pub fn load(&mut self, index: &Index, kind: BlobKind, id: &BlobId, plain: &mut Vec<u8>) -> Result<()> {
        let _ = (index, kind, id, plain);
        unimplemented!()
    }

    /// Loads `wanted` blobs of one pack, near ones in one request (gaps up to 1 MiB, requests up to 32 MiB,
    /// less when the budget is small), and hands each verified plaintext to `each` in order of offset.
    ///
    /// A blob that cannot be loaded reaches `each` as an error, after its other copies were tried, and the rest goes on.
    ///
    /// # Errors
    /// The first error that `each` returns.
    pub fn load_from_pack<E: From<crate::Error>>(
        &mut self,
        index: &Index,
        pack: PackId,
        wanted: &mut [(BlobHandle, Place)],
        each: &mut dyn FnMut(BlobHandle, Result<&[u8]>) -> Result<(), E>,
    ) -> Result<(), E> {
        let _ = (index, pack, wanted, each);
        unimplemented!()
    }
}
