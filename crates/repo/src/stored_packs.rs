//! The packs that a listing names, beside those that an index names; not held in memory.

use crate::error::Result;
use crate::id::PackId;
use crate::index::Index;
use crate::repository::Repository;
use crate::sort::{Sorted, Sorter};
use std::path::PathBuf;
use tresor_backend::handle::Right;
use tresor_backend::{ErrorKind, FileKind};

/// Bytes of packs that are held in memory while they are sorted.
const MEMORY: usize = 6 << 20;

/// An id, then the size.
type Record = [u8; 40];

/// Stored packs, in any order.
pub(crate) struct StoredPacks(Sorter<40>);

/// A pack that is stored, or in the index, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) pack: PackId,
    /// Its size in bytes, if it is stored.
    pub(crate) size: Option<u64>,
    /// Its slot, if the index names it.
    pub(crate) slot: Option<u64>,
}

impl<R: Right> Repository<R> {
    /// Lists the packs.
    ///
    /// # Errors
    /// Those of the listing, and of a temporary file.
    pub(crate) fn stored_packs(&self) -> Result<StoredPacks> {
        let mut packs = StoredPacks::new(self.options.temporary_folder.clone());
        let mut failed = None;
        let listed = self.handle.list(FileKind::Pack, &mut |listed| {
            packs.push(PackId::from_id(listed.id), listed.size).map_err(|error| {
                failed = Some(error);
                tresor_backend::Error::new(ErrorKind::Unusable, "list", PackId::from_id(listed.id).file())
            })
        });
        match (failed, listed) {
            (Some(error), _) => Err(error),
            (None, listed) => Ok(listed.map(|()| packs)?),
        }
    }
}

impl StoredPacks {
    /// None; those that come are kept in `folder` when they are many.
    pub(crate) fn new(folder: PathBuf) -> Self {
        StoredPacks(Sorter::new(MEMORY, folder))
    }

    /// Adds a pack.
    ///
    /// # Errors
    /// Those of a temporary file.
    pub(crate) fn push(&mut self, pack: PackId, size: u64) -> Result<()> {
        let mut record = [0; 40];
        record[..32].copy_from_slice(pack.as_bytes());
        record[32..].copy_from_slice(&size.to_be_bytes());
        self.0.push(record)
    }

    /// All packs that are stored or in the index, sorted. One that a backend lists twice comes once.
    ///
    /// # Errors
    /// Those of a temporary file.
    pub(crate) fn beside(self, index: &Index) -> Result<impl Iterator<Item = Result<Known>> + '_> {
        let mut stored = Once { sorted: self.0.finish()?, head: None };
        stored.take()?;
        let mut named = index.packs();
        let mut next_named = named.next().transpose()?;
        Ok(std::iter::from_fn(move || {
            let next = (|| {
                let (pack, slot) = match (stored.head, next_named) {
                    (None, None) => return Ok(None),
                    (Some((pack, _)), Some((named, slot))) if named <= pack => (named, Some(slot)),
                    (None, Some((named, slot))) => (named, Some(slot)),
                    (Some((pack, _)), _) => (pack, None),
                };
                if slot.is_some() {
                    next_named = named.next().transpose()?;
                }
                let size = match stored.head.filter(|(id, _)| *id == pack) {
                    Some((_, size)) => stored.take().map(|()| Some(size))?,
                    None => None,
                };
                Ok(Some(Known { pack, size, slot }))
            })();
            next.transpose()
        }))
    }
}

/// Sorted packs, each once.
struct Once {
    sorted: Sorted<40>,
    head: Option<(PackId, u64)>,
}

impl Once {
    fn take(&mut self) -> Result<()> {
        let taken = self.head.take().map(|(pack, _)| pack);
        while let Some(record) = self.sorted.take_next()? {
            let (pack, size) = read(&record);
            if taken != Some(pack) {
                self.head = Some((pack, size));
                break;
            }
        }
        Ok(())
    }
}

fn read(record: &Record) -> (PackId, u64) {
    let (id, size) = record.split_first_chunk().expect("a record begins with an id");
    (PackId::from_bytes(*id), u64::from_be_bytes(size.try_into().expect("eight bytes follow")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::index_of;

    fn pack(number: u8) -> PackId {
        PackId::from_bytes([number; 32])
    }

    #[test]
    fn stored_and_named_packs_come_in_order_and_each_once() {
        let index = index_of(&[(pack(2), vec![]), (pack(5), vec![]), (pack(9), vec![])]);
        let mut stored = StoredPacks::new(std::env::temp_dir());
        for (number, size) in [(5, 50), (1, 10), (7, 70), (5, 51), (5, 50)] {
            stored.push(pack(number), size).unwrap();
        }
        let known: Vec<_> = stored.beside(&index).unwrap().map(Result::unwrap).collect();
        let told: Vec<_> = known.iter().map(|known| (known.pack, known.size, known.slot.is_some())).collect();
        let expect = [
            (1, Some(10), false),
            (2, None, true),
            (5, Some(50), true),
            (7, Some(70), false),
            (9, None, true),
        ];
        assert_eq!(told, expect.map(|(number, size, named)| (pack(number), size, named)));
    }
}
