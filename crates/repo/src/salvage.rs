//! Bring what is still good of damaged packs into new ones, then let go of the packs.

use crate::blob::BlobHandle;
use crate::error::{Error, Result};
use crate::id::PackId;
use crate::index::{ByPack, Index, Place};
use crate::load::{Loader, load_range};
use crate::lock::ExclusiveLock;
use crate::monitor::{Monitor, Phase};
use crate::reindex::Reindex;
use crate::remove::Removed;
use crate::repository::Repository;
use crate::upload::{BlobSaver, Upload, Uploaded};
use hashbrown::HashSet;
use std::io::Write;
use tresor_backend::handle::Right;
use tresor_backend::{ByteRange, Full};

/// So many bytes of a pack are copied at once.
const PIECE: u64 = 8 * 1024 * 1024;

/// A pack whose blobs are to be brought to safety.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged {
    /// Which.
    pub pack: PackId,
    /// Its size in bytes; none if it is not there.
    pub size: Option<u64>,
}

/// What a salvage has to tell of a pack.
#[derive(Debug)]
pub enum Salvage {
    /// Neither the index nor its own header says what it holds.
    NoBlobs(PackId),
    /// A blob is lost: it cannot be read from this pack nor from any other.
    Lost {
        /// Which.
        blob: BlobHandle,
        /// Why.
        cause: Error,
    },
}

impl<R: Right> Repository<R> {
    /// Looks whether a pack is there, and how long it is.
    ///
    /// # Errors
    /// Those of the backend, but not that there is no such file.
    pub fn look_at_pack(&self, pack: PackId) -> Result<Damaged> {
        match self.handle.stat(pack.file()) {
            Ok(size) => Ok(Damaged { pack, size: Some(size) }),
            Err(error) if error.is_not_found() => Ok(Damaged { pack, size: None }),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the bytes of a pack as they are stored, damaged or not, to `out`; memory: 8 MiB.
    ///
    /// # Errors
    /// Which side failed.
    pub fn copy_pack(&self, pack: PackId, size: u64, out: &mut dyn Write) -> Result<(), CopyFailed> {
        let (mut piece, mut offset) = (Vec::new(), 0);
        while offset < size {
            if self.cancel().is_set() {
                return Err(CopyFailed::Load(Error::Cancelled));
            }
            let range = ByteRange { offset, length: PIECE.min(size - offset) };
            load_range(self, pack, range, &mut piece).map_err(|error| CopyFailed::Load(error.into()))?;
            out.write_all(&piece).map_err(CopyFailed::Write)?;
            offset += range.length;
        }
        Ok(())
    }
}

/// Why a pack could not be copied.
#[derive(Debug)]
pub enum CopyFailed {
    /// It cannot be loaded.
    Load(Error),
    /// The copy cannot be written.
    Write(std::io::Error),
}

impl Repository<Full> {
    /// Stores every blob of `packs` that can be read anew, takes the packs out of the index, and removes them.
    ///
    /// A blob is looked for where the index says, then in other packs that hold it, then where the pack's own
    /// header says. New packs and their index are stored before the first file is removed; a kill at any
    /// moment leaves at worst blobs twice.
    ///
    /// Progress: [`Phase::Salvage`] for each pack, then that of [`reindex`](Self::reindex), then
    /// [`Phase::RemovePacks`]. Packs that cannot be removed are told to `removed`; they are in no index then.
    ///
    /// # Errors
    /// A blob that cannot be had just now, though it may be there; those of an upload and of a reindex. No
    /// pack was removed then.
    pub fn salvage(
        &self,
        index: &Index,
        packs: &[Damaged],
        lock: &ExclusiveLock,
        monitor: &dyn Monitor,
        tell: &mut dyn FnMut(Salvage),
        removed: &Removed<'_>,
    ) -> Result<Uploaded> {
        let there = packs.iter().filter(|damaged| damaged.size.is_some()).map(|damaged| damaged.pack);
        self.bring_back(&there.collect::<Vec<_>>(), monitor)?;
        let by_pack = index.by_pack()?;
        monitor.begin(Phase::Salvage, Some(packs.len() as u64));
        // Blobs that the index knows are to be stored once more.
        let nothing_stored = Index::default();
        let uploaded = self.upload(&nothing_stored, |upload: &Upload<'_>| {
            let (loader, saver) = (self.loader_beside_upload(), upload.saver());
            let mut salvaging = Salvaging { repository: self, index, by_pack, loader, saver, tell };
            packs.iter().try_for_each(|pack| {
                salvaging.pack(pack)?;
                monitor.advance(Phase::Salvage, 1);
                Ok::<(), Error>(())
            })
        });
        monitor.end(Phase::Salvage);
        let ((), uploaded) = uploaded?;
        let drop = packs.iter().map(|damaged| damaged.pack).collect();
        self.reindex(Reindex { drop, ..Reindex::default() }, lock, monitor, removed)?;
        let stored: Vec<PackId> =
            packs.iter().filter(|pack| pack.size.is_some()).map(|pack| pack.pack).collect();
        self.remove_packs(&stored, Phase::RemovePacks, lock, monitor, removed)?;
        Ok(uploaded)
    }
}

/// A salvage under way.
struct Salvaging<'a> {
    repository: &'a Repository<Full>,
    index: &'a Index,
    by_pack: ByPack<'a>,
    loader: Loader<'a, Full>,
    saver: BlobSaver<'a>,
    tell: &'a mut dyn FnMut(Salvage),
}

impl Salvaging<'_> {
    fn pack(&mut self, damaged: &Damaged) -> Result<()> {
        let mut named: Vec<(BlobHandle, Place)> = self.by_pack.blobs(&damaged.pack)?;
        let (mut safe, mut lost) = (HashSet::new(), Vec::new());
        let Salvaging { repository, index, loader, saver, .. } = self;
        loader.load_from_pack(index, damaged.pack, &mut named, &mut |blob, plain| {
            if repository.cancel().is_set() {
                return Err(Error::Cancelled);
            }
            match plain {
                Ok(plain) => {
                    saver.save_blob(blob.kind, plain)?;
                    safe.insert(blob);
                }
                Err(error) if error.is_damage() => lost.push((blob, error)),
                Err(error) => return Err(error),
            }
            Ok(())
        })?;
        let listed = self.by_header(damaged, &mut safe)?;
        if named.is_empty() && listed == 0 {
            (self.tell)(Salvage::NoBlobs(damaged.pack));
        }
        for (blob, cause) in lost.into_iter().filter(|(blob, _)| !safe.contains(blob)) {
            (self.tell)(Salvage::Lost { blob, cause });
        }
        Ok(())
    }

    /// Saves what the pack's own header names and nobody has brought to safety; how many blobs it names.
    fn by_header(&mut self, damaged: &Damaged, safe: &mut HashSet<BlobHandle>) -> Result<usize> {
        let Some(size) = damaged.size else { return Ok(0) };
        let entries = match self.repository.load_pack_header(damaged.pack, size) {
            Ok(entries) => entries,
            Err(error) if error.is_damage() => return Ok(0), // then the index is all there is
            Err(error) => return Err(error),
        };
        let (count, mut plain) = (entries.len(), Vec::new());
        for entry in entries.into_iter().filter(|entry| !safe.contains(&entry.blob)).collect::<Vec<_>>() {
            if self.repository.cancel().is_set() {
                return Err(Error::Cancelled);
            }
            match self.loader.load_at(entry.blob, entry.place_in(damaged.pack), &mut plain) {
                Ok(()) => {
                    self.saver.save_blob(entry.blob.kind, &plain)?;
                    safe.insert(entry.blob);
                }
                Err(error) if error.is_damage() => {
                    if !self.index.contains(entry.blob.kind, &entry.blob.id)? {
                        (self.tell)(Salvage::Lost { blob: entry.blob, cause: error });
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }
}
