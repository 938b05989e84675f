//! Which items are other names of one file: found when all names are known, aside if they are many.

use crate::error::Result;
use crate::restore::aside::Room;
use crate::restore::by_number::{ByNumber, Found};
use crate::restore::items::{Item, ItemNumber, Kind};
use tresor_repo::sort::Sorter;

/// Files with several names.
pub(crate) struct Links(Sorter<20>);

/// The first name of a file, for each that is another one.
pub(crate) struct Firsts(ByNumber<8>);

impl Links {
    /// None yet.
    pub(crate) fn new(room: Room<'_>) -> Self {
        let memory = usize::try_from(room.longest).unwrap_or(usize::MAX);
        Links(Sorter::new(memory, room.folder.to_owned()))
    }

    /// Adds a name of the file with this inode and device.
    pub(crate) fn push(&mut self, (inode, device): (u64, u64), item: ItemNumber) -> Result<()> {
        let mut record = [0; 20];
        record[..8].copy_from_slice(&inode.to_be_bytes());
        record[8..16].copy_from_slice(&device.to_be_bytes());
        record[16..].copy_from_slice(&item.to_be_bytes());
        Ok(self.0.push(record)?)
    }

    /// No name will be added any more.
    pub(crate) fn finish(self, room: Room<'_>) -> Result<Firsts> {
        let (mut sorted, mut firsts) = (self.0.finish()?, Found::new(room));
        let mut first: Option<[u8; 20]> = None;
        while let Some(name) = sorted.take_next()? {
            match first {
                Some(first) if first[..16] == name[..16] => {
                    let mut record = [0; 8];
                    record[..4].copy_from_slice(&name[16..]);
                    record[4..].copy_from_slice(&first[16..]);
                    firsts.push(record)?;
                }
                _ => first = Some(name),
            }
        }
        Ok(Firsts(firsts.finish()?))
    }
}

impl Firsts {
    /// The item as another name of an earlier one, if it is that; items are asked for in their order.
    pub(crate) fn apply(&mut self, item: Item) -> Result<Item> {
        let Some(record) = self.0.of(item.number)? else { return Ok(item) };
        let [_, _, _, _, first @ ..] = record;
        Ok(Item { kind: Kind::HardLink(ItemNumber::from_be_bytes(first)), size: 0, ..item })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::items::Decision;

    #[test]
    fn later_names_know_the_first_in_memory_and_from_a_file() {
        for longest in [0, 1 << 20] {
            let room = Room { folder: &std::env::temp_dir(), longest };
            let mut links = Links::new(room);
            for number in 0..5000 {
                links.push((u64::from(number % 1000), u64::from(number / 2500)), number * 2).unwrap();
            }
            let mut firsts = links.finish(room).unwrap();
            for number in 0..5000_u32 {
                let details = (0, 0);
                let (kind, decision) = (Kind::File { first: 1, count: 2 }, Decision::Create);
                let (size, wanted, odd) = (9, 0, false);
                let file = Item { number: number * 2, dir: 0, details, kind, decision, size, wanted, odd };
                let same = |one: &u32| (one % 1000, one / 2500) == (number % 1000, number / 2500);
                let expect = match (0..number).find(same) {
                    Some(first) => Item { kind: Kind::HardLink(first * 2), size: 0, ..file },
                    None => file,
                };
                assert_eq!(firsts.apply(file).unwrap(), expect);
            }
        }
    }
}
