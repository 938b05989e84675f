//! The numbers behind a synthetic repository: which blobs lie in which packs, and which are used.
//!
//! Everything follows from how many blobs there are, so that each part can be made when it is asked for.

use serde::{Deserialize, Serialize};
use tresor_testkit::Random;

/// How many blobs a pack has: of 1.2 MB on average, they fill it as far as restic would.
pub(super) const IN_A_PACK: u64 = 16;
/// How many packs an index file has; with their blobs it is as large as restic makes it.
pub(super) const IN_AN_INDEX: u64 = 3125;
/// How many blobs the files of a folder have among them.
pub(super) const IN_A_FOLDER: u64 = 200;

/// Of so many blobs, in 20 packs, those of 17 packs are all used, of two every other one, of the last none.
const GROUP: u64 = 20 * IN_A_PACK;
const IN_WHOLE_PACKS: u64 = 17 * IN_A_PACK;
const USED_IN_A_GROUP: u64 = IN_WHOLE_PACKS + IN_A_PACK;

/// A prime above all numbers of packs: multiplied by it, they come in another order.
const STRIDE: u64 = 2_654_435_761;

/// How many bytes a blob of this kind has in a pack's header.
const HEADER_ENTRY: u64 = 41;
/// What a pack's header has beside its entries.
const HEADER_FRAME: u64 = 36;

/// Which sequence of noise a number is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stream {
    Blobs = 1,
    Packs,
    Files,
    Contents,
    IndexNonces,
    StoredNonces,
}

/// The noise for one number, the same each time.
pub(super) fn noise(stream: Stream, number: u64) -> Random {
    let spread = number.wrapping_mul(0xd6e8_feb8_6659_fd93);
    Random::new(Random::new(spread ^ (stream as u64) << 56).word())
}

pub(super) type Id = [u8; 32];

fn id(noise: &mut Random) -> Id {
    let mut id = Id::default();
    noise.fill(&mut id);
    id
}

/// How large a repository is that is made of invented blobs; without any, all that it has is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shape {
    pub(super) blobs: u64,
    pub(super) snapshots: u64,
}

/// A data blob as an index tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blob {
    pub(super) id: Id,
    /// Sealed.
    pub(super) length: u64,
    /// Of the plaintext.
    pub(super) plain: u64,
}

impl Shape {
    /// At least so many blobs: there are whole groups of packs only.
    pub(super) fn new(blobs: u64, snapshots: u64) -> Self {
        Shape { blobs: blobs.max(1).next_multiple_of(GROUP), snapshots: snapshots.max(1) }
    }

    /// Nothing is invented.
    pub(super) fn none() -> Self {
        Shape { blobs: 0, snapshots: 0 }
    }

    pub(super) fn packs(self) -> u64 {
        self.blobs / IN_A_PACK
    }

    pub(super) fn index_files(self) -> u64 {
        self.packs().div_ceil(IN_AN_INDEX)
    }

    /// The packs of an index file.
    pub(super) fn packs_of(self, index: u64) -> std::ops::Range<u64> {
        index * IN_AN_INDEX..((index + 1) * IN_AN_INDEX).min(self.packs())
    }

    /// How many data blobs are in a snapshot.
    pub(super) fn used(self) -> u64 {
        self.blobs / GROUP * USED_IN_A_GROUP
    }

    /// How many different folders with files all the snapshots have.
    pub(super) fn folders(self) -> u64 {
        self.used().div_ceil(IN_A_FOLDER)
    }

    /// The blobs of a folder, as numbers among those that are used.
    pub(super) fn blobs_of(self, folder: u64) -> std::ops::Range<u64> {
        folder * IN_A_FOLDER..((folder + 1) * IN_A_FOLDER).min(self.used())
    }

    /// How many folders a snapshot has; half of all are in the first.
    pub(super) fn folders_at_once(self) -> u64 {
        if self.snapshots == 1 { self.folders() } else { self.folders().div_ceil(2) }
    }

    /// How many folders the first snapshots up to this one have among them.
    pub(super) fn folders_until(self, snapshot: u64) -> u64 {
        let later = self.folders() - self.folders_at_once();
        self.folders_at_once() + later * snapshot / (self.snapshots - 1).max(1)
    }
}

/// The blob with this number.
pub(super) fn blob(number: u64) -> Blob {
    let mut noise = noise(Stream::Blobs, number);
    let id = id(&mut noise);
    let length = noise.within(400_000..=2_000_000);
    Blob { id, length, plain: length + length / 3 }
}

/// The number of the blob that is used as this one.
pub(super) fn used_blob(number: u64) -> u64 {
    let (group, place) = (number / USED_IN_A_GROUP, number % USED_IN_A_GROUP);
    let place = if place < IN_WHOLE_PACKS { place } else { IN_WHOLE_PACKS + (place - IN_WHOLE_PACKS) * 2 };
    group * GROUP + place
}

/// The blobs of a pack in their order.
pub(super) fn blobs_in(pack: u64) -> impl Iterator<Item = Blob> {
    (pack * IN_A_PACK..(pack + 1) * IN_A_PACK).map(blob)
}

/// The length of a pack's file.
pub(super) fn pack_length(pack: u64) -> u64 {
    blobs_in(pack).map(|blob| blob.length + HEADER_ENTRY).sum::<u64>() + HEADER_FRAME
}

/// The names of the packs: in the order of their names they lie in no order of the index.
#[derive(Debug, Clone, Copy)]
pub(super) struct PackNames {
    packs: u64,
    /// [`STRIDE`], undone.
    back: u64,
}

impl PackNames {
    pub(super) fn new(shape: Shape) -> Self {
        let packs = shape.packs();
        PackNames { packs, back: if packs == 0 { 0 } else { inverse(STRIDE, packs) } }
    }

    /// Of the pack with this number.
    pub(super) fn name(self, pack: u64) -> Id {
        self.name_at(times(pack, STRIDE, self.packs))
    }

    /// The pack that comes at this place in the order of the names, and its name.
    pub(super) fn at(self, place: u64) -> Option<(u64, Id)> {
        (place < self.packs).then(|| (times(place, self.back, self.packs), self.name_at(place)))
    }

    /// The pack of this name.
    pub(super) fn find(self, name: &Id) -> Option<u64> {
        let (start, _) = name.split_first_chunk()?;
        let place = (u128::from(u64::from_be_bytes(*start)) * u128::from(self.packs)) >> 64;
        let (pack, found) = self.at(place as u64)?;
        (found == *name).then_some(pack)
    }

    /// Names are as far apart as they can be, but for some noise.
    fn name_at(self, place: u64) -> Id {
        let packs = u128::from(self.packs);
        let (first, apart) = ((u128::from(place) << 64).div_ceil(packs), (1 << 64) / packs);
        let mut noise = noise(Stream::Packs, place);
        let start = first + ((u128::from(noise.word()) * apart) >> 64);
        let mut id = id(&mut noise);
        id[..8].copy_from_slice(&(start as u64).to_be_bytes());
        id
    }
}

fn times(one: u64, other: u64, modulus: u64) -> u64 {
    (u128::from(one) * u128::from(other) % u128::from(modulus)) as u64
}

/// What undoes a multiplication by `number`, which has no divisor in common with `modulus`.
fn inverse(number: u64, modulus: u64) -> u64 {
    let modulus = i128::from(modulus);
    let (mut rest, mut next) = (modulus, i128::from(number) % modulus);
    let (mut factor, mut after) = (0, 1);
    while next != 0 {
        let whole = rest / next;
        (rest, next) = (next, rest - whole * next);
        (factor, after) = (after, factor - whole * after);
    }
    factor.rem_euclid(modulus) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_pack_is_found_by_its_name_and_names_come_in_order() {
        for blobs in [1, 1000, 50_000] {
            let shape = Shape::new(blobs, 1);
            let names = PackNames::new(shape);
            let listed: Vec<(u64, Id)> = (0..).map_while(|place| names.at(place)).collect();
            assert_eq!(listed.len() as u64, shape.packs());
            assert!(listed.is_sorted_by(|one, next| one.1 < next.1));
            assert!(
                listed.iter().all(|(pack, id)| names.name(*pack) == *id && names.find(id) == Some(*pack))
            );
            assert_eq!(listed.iter().map(|(pack, _)| pack).collect::<HashSet<_>>().len(), listed.len());
            assert_eq!(names.find(&[7; 32]), None);
        }
    }

    #[test]
    fn nine_of_ten_blobs_are_used_and_no_two_are_alike() {
        let shape = Shape::new(6400, 1);
        let used: HashSet<u64> = (0..shape.used()).map(used_blob).collect();
        assert_eq!((shape.blobs, used.len()), (6400, 5760));
        assert!(used.iter().all(|number| *number < shape.blobs));
        let ids: HashSet<Id> = (0..shape.blobs).map(|number| blob(number).id).collect();
        assert_eq!(ids.len(), 6400);
    }

    #[test]
    fn the_last_snapshot_has_seen_every_folder() {
        for (blobs, snapshots) in [(320, 1), (1000, 5), (1000, 100), (100_000, 7)] {
            let shape = Shape::new(blobs, snapshots);
            assert_eq!(shape.folders_until(snapshots - 1), shape.folders());
            assert_eq!(shape.folders_until(0), shape.folders_at_once());
            assert_eq!(shape.blobs_of(shape.folders() - 1).end, shape.used());
        }
    }

    #[test]
    fn index_files_have_all_packs() {
        let shape = Shape::new(5_000_000, 1);
        assert_eq!((shape.blobs, shape.index_files()), (5_000_000, 100));
        assert_eq!(shape.packs_of(99).end, shape.packs());
    }
}
