//! What is to be restored but for directories: rows of one length; aside if they are many.

use crate::error::{Error, Result};
use crate::restore::aside::{Aside, Room};
use crate::restore::failure::Failure;
use std::ops::Range;
use std::sync::Arc;
use tresor_repo::scratch::Window;

/// A directory's place in the table; its parent stands before it, the target at 0.
pub(crate) type DirNumber = u32;
/// An item's place among the items, which stand in stored order.
pub(crate) type ItemNumber = u32;

/// Anything but a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) number: ItemNumber,
    pub(crate) dir: DirNumber,
    /// Where its details begin, and how long they are.
    pub(crate) details: (u64, u32),
    pub(crate) kind: Kind,
    pub(crate) decision: Decision,
    /// The size that the file shall have; 0 for others.
    pub(crate) size: u64,
    /// How many blobs are wanted for the file; 0 until all is decided.
    pub(crate) wanted: u32,
    /// Whether the file's blobs are together not as long as it shall be; no until all is decided.
    pub(crate) odd: bool,
}

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file; where its blobs stand in the table.
    File {
        first: u32,
        count: u32,
    },
    /// Another name of an earlier file.
    HardLink(ItemNumber),
    Symlink,
    Fifo,
    Block(u64),
    Character(u64),
}

/// What to do with an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Make it; nothing was there.
    Create = 0,
    /// Make it in place of what is there.
    Replace,
    /// Write to the file that is there.
    Update,
    /// The content is right; the metadata may not be.
    Unchanged,
    /// Leave it as it is.
    Skip,
    /// It cannot be restored, and a problem says why.
    Impossible,
}

impl Decision {
    /// That of a number, which was written from one.
    pub(crate) fn of_number(number: u8) -> Self {
        match number {
            0 => Decision::Create,
            1 => Decision::Replace,
            2 => Decision::Update,
            3 => Decision::Unchanged,
            4 => Decision::Skip,
            _ => Decision::Impossible,
        }
    }
}

impl Item {
    pub(crate) fn is_file(&self) -> bool {
        matches!(self.kind, Kind::File { .. })
    }

    /// Whether it is a file whose content is to be written.
    pub(crate) fn is_written(&self) -> bool {
        self.is_file() && matches!(self.decision, Decision::Create | Decision::Replace | Decision::Update)
    }

    /// Whether it is part of the total: files that need not be written are not, as restic has it.
    pub(crate) fn is_counted(&self) -> bool {
        !(self.is_file() && matches!(self.decision, Decision::Unchanged | Decision::Skip))
    }

    /// Where the blobs of a file stand in the table.
    pub(crate) fn content(&self) -> Range<u32> {
        match self.kind {
            Kind::File { first, count } => first..first + count,
            _ => 0..0,
        }
    }
}

/// Bytes of a row; the number is not in it.
const ROW: usize = 39;

/// Items one behind the other.
pub(crate) struct Items {
    rows: Aside,
    count: u32,
}

impl Items {
    /// None yet.
    pub(crate) fn new(room: Room<'_>) -> Self {
        Items { rows: Aside::new(room), count: 0 }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u32 {
        self.count
    }

    /// Appends an item, whatever number it has; answers that of its place.
    pub(crate) fn push(&mut self, item: &Item) -> Result<ItemNumber> {
        let number = self.count;
        self.count = number.checked_add(1).ok_or(Error::TooManyItems)?;
        self.rows.append(&row(item))?;
        Ok(number)
    }

    /// The item at a place.
    pub(crate) fn get(&self, number: ItemNumber) -> Result<Item, Failure> {
        let read = self.rows.read(place(number), ROW, |row| item(number, row));
        read.map_err(|error| Failure::Aside(Arc::new(error)))
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Result<Item>> + Send {
        let mut window = Window::default();
        (0..self.count).map(move |number| {
            Ok(self.rows.read_through(&mut window, place(number), ROW, |row| item(number, row))?)
        })
    }
}

fn place(number: ItemNumber) -> u64 {
    u64::from(number) * ROW as u64
}

fn row(item: &Item) -> [u8; ROW] {
    let (kind, what) = match item.kind {
        Kind::File { first, count } => (0, u64::from(count) << 32 | u64::from(first)),
        Kind::HardLink(first) => (1, first.into()),
        Kind::Symlink => (2, 0),
        Kind::Fifo => (3, 0),
        Kind::Block(device) => (4, device),
        Kind::Character(device) => (5, device),
    };
    let mut row = [0; ROW];
    row[..8].copy_from_slice(&item.details.0.to_le_bytes());
    row[8..16].copy_from_slice(&item.size.to_le_bytes());
    row[16..24].copy_from_slice(&u64::to_le_bytes(what));
    row[24..28].copy_from_slice(&item.details.1.to_le_bytes());
    row[28..32].copy_from_slice(&item.dir.to_le_bytes());
    row[32..36].copy_from_slice(&item.wanted.to_le_bytes());
    row[36..].copy_from_slice(&[kind, item.decision as u8, item.odd.into()]);
    row
}

fn item(number: ItemNumber, row: &[u8]) -> Item {
    let long = |at: usize| u64::from_le_bytes(*row[at..].first_chunk().expect("a row is so long"));
    let short = |at: usize| u32::from_le_bytes(*row[at..].first_chunk().expect("a row is so long"));
    let what = long(16);
    let kind = match row[36] {
        0 => Kind::File { first: what as u32, count: (what >> 32) as u32 },
        1 => Kind::HardLink(what as u32),
        2 => Kind::Symlink,
        3 => Kind::Fifo,
        4 => Kind::Block(what),
        _ => Kind::Character(what),
    };
    let (details, decision) = ((long(0), short(24)), Decision::of_number(row[37]));
    let (dir, wanted, odd) = (short(28), short(32), row[38] != 0);
    Item { number, dir, details, kind, decision, size: long(8), wanted, odd }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_back_in_memory_and_from_a_file() {
        let kinds = [
            Kind::File { first: 7, count: u32::MAX },
            Kind::HardLink(3),
            Kind::Symlink,
            Kind::Fifo,
            Kind::Block(u64::MAX),
            Kind::Character(1 << 33),
        ];
        let decisions = (0..6).map(Decision::of_number);
        let made = |(number, (kind, decision))| Item {
            number,
            dir: number * 5,
            details: (1 << 40 | u64::from(number), 99),
            kind,
            decision,
            size: u64::MAX - u64::from(number),
            wanted: number,
            odd: number % 2 == 1,
        };
        let all: Vec<Item> = (0..).zip(kinds.into_iter().zip(decisions)).map(made).collect();
        for longest in [0, 100, 1 << 20] {
            let mut items = Items::new(Room { folder: &std::env::temp_dir(), longest });
            for item in &all {
                assert_eq!(items.push(item).unwrap(), item.number);
            }
            assert_eq!(items.iter().map(Result::unwrap).collect::<Vec<_>>(), all);
            assert!(all.iter().all(|item| items.get(item.number).unwrap() == *item));
        }
    }
}
