//! The packs being filled: two for each kind of blob, whatever the number of workers.
//!
//! A blob goes to one of the two by chance, so that neither the order of blobs nor the sizes of packs tell
//! an observer where a file was cut.

use crate::blob::BlobKind;
use crate::error::Result;
use crate::pack::body::{Room, Unhashed};
use crate::pack::writer::{OpenPack, SealedBlob};
use crate::random;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Two open packs of one kind.
type Pair = [Mutex<Option<OpenPack>>; 2];

pub(super) struct OpenPacks {
    /// In the order of [`BlobKind::ALL`].
    pairs: [Pair; 2],
    room: Room,
    target: u32,
}

impl OpenPacks {
    /// No open packs yet; each will be closed once its blobs take `target` bytes.
    pub(super) fn new(room: Room, target: u32) -> Self {
        OpenPacks { pairs: Default::default(), room, target }
    }

    /// Adds a blob to the open pack that `chance` chose; returns the pack if that made it full.
    ///
    /// A blob that fills a pack alone gets its own.
    ///
    /// # Errors
    /// Those of temporary files; the packs are then of no use any more.
    pub(super) fn add(&self, blob: SealedBlob<'_>, chance: bool) -> Result<Option<OpenPack>> {
        if blob.sealed.len() as u64 >= u64::from(self.target) {
            let mut own = OpenPack::default();
            own.add(blob, &self.room)?;
            return Ok(Some(own));
        }
        let mut slot = lock(&self.pairs[blob.blob.kind as usize][usize::from(chance)]);
        let pack = slot.get_or_insert_default();
        pack.add(blob, &self.room)?;
        Ok(if pack.is_full(self.target) { slot.take() } else { None })
    }

    /// Memory and a folder for the bytes of packs.
    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// Adds a pack of one blob to the open pack that `chance` chose, unless it is full alone; returns the pack that is.
    ///
    /// # Errors
    /// Those of temporary files; the packs are then of no use any more.
    pub(super) fn add_pack(&self, own: OpenPack, kind: BlobKind, chance: bool) -> Result<Option<OpenPack>> {
        if own.is_full(self.target) {
            return Ok(Some(own));
        }
        let mut slot = lock(&self.pairs[kind as usize][usize::from(chance)]);
        let pack = slot.get_or_insert_default();
        pack.merge(own, &self.room)?;
        Ok(if pack.is_full(self.target) { slot.take() } else { None })
    }

    /// What of an open pack may be hashed beside a blob of `length` bytes; of the longest one, which is full before
    /// the others.
    pub(super) fn unhashed(&self, length: usize) -> Option<Unhashed> {
        let slots = self.pairs.iter().flatten().filter_map(|slot| slot.try_lock().ok());
        let bodies = slots.filter_map(|slot| {
            let body = slot.as_ref()?.body();
            Some((body.len(), body.unhashed(length)?))
        });
        bodies.max_by_key(|(length, _)| *length).map(|(_, unhashed)| unhashed)
    }

    /// Takes the packs of a kind that are not full, merged into one if that is not full either.
    ///
    /// # Errors
    /// Those of temporary files.
    pub(super) fn take(&self, kind: BlobKind) -> Result<[Option<OpenPack>; 2]> {
        let [first, second] = &self.pairs[kind as usize];
        match (lock(first).take(), lock(second).take()) {
            (Some(mut first), Some(second)) if first.has_room_for(&second, self.target) => {
                first.merge(second, &self.room)?;
                Ok([Some(first), None])
            }
            (first, second) => Ok([first, second]),
        }
    }
}

fn lock(slot: &Mutex<Option<OpenPack>>) -> MutexGuard<'_, Option<OpenPack>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A worker's source of fair choices: the kernel's random bits, drawn by the hundred.
#[derive(Default)]
pub(super) struct Chance {
    bits: [u8; 32],
    left: usize,
}

impl Chance {
    /// One random bit.
    ///
    /// # Errors
    /// When the kernel gives none.
    pub(super) fn draw(&mut self) -> Result<bool> {
        if self.left == 0 {
            random::fill(&mut self.bits)?;
            self.left = self.bits.len() * 8;
        }
        self.left -= 1;
        Ok(self.bits[self.left / 8] >> (self.left % 8) & 1 == 1)
    }
}
