//! What is found out about items in any order, told in theirs; aside if it is much.

use crate::error::Result;
use crate::restore::aside::Room;
use crate::restore::items::ItemNumber;
use tresor_repo::sort::{Sorted, Sorter};

/// Records that begin with an item's number, the highest byte first; one of an item.
pub(crate) struct Found<const N: usize>(Sorter<N>);

impl<const N: usize> Found<N> {
    /// Nothing yet.
    pub(crate) fn new(room: Room<'_>) -> Self {
        let memory = usize::try_from(room.longest).unwrap_or(usize::MAX);
        Found(Sorter::new(memory, room.folder.to_owned()))
    }

    pub(crate) fn push(&mut self, record: [u8; N]) -> Result<()> {
        Ok(self.0.push(record)?)
    }

    /// All of them, in the order of the items.
    pub(crate) fn finish(self) -> Result<ByNumber<N>> {
        let mut sorted = self.0.finish()?;
        let next = sorted.take_next()?;
        Ok(ByNumber { sorted, next })
    }
}

/// The same, to be asked for one item after the other.
pub(crate) struct ByNumber<const N: usize> {
    sorted: Sorted<N>,
    next: Option<[u8; N]>,
}

impl<const N: usize> ByNumber<N> {
    /// What was found out about an item: every one, or those asked for before, come earlier.
    pub(crate) fn of(&mut self, item: ItemNumber) -> Result<Option<[u8; N]>> {
        match self.next {
            Some(record) if record.starts_with(&item.to_be_bytes()) => {
                self.next = self.sorted.take_next()?;
                Ok(Some(record))
            }
            _ => Ok(None),
        }
    }
}
