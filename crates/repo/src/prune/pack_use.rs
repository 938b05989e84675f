//! How much of each pack is needed, as the index has it, with one copy chosen of each blob.

use crate::blob::BlobKind;
use crate::index::{Marks, Place};
use crate::pack::header::{FRAME, entry_size};
use crate::prune::stats::{Amount, PruneStats};

/// Blobs of which kinds a pack holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// None that the index knew.
    Nothing,
    /// Data blobs only.
    Data,
    /// Tree blobs only.
    Trees,
    /// Both.
    Both,
}

/// How much of a pack is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PackUse {
    pub(super) holds: Holds,
    pub(super) used: Amount,
    pub(super) unused: Amount,
    /// Blobs of which there are other copies, and at least one is needed.
    copies: u64,
    /// Bytes of the header.
    header: u64,
    /// Whether any of its blobs is not compressed.
    pub(super) has_uncompressed: bool,
}

impl PackUse {
    const EMPTY: PackUse = PackUse {
        holds: Holds::Nothing,
        used: Amount { blobs: 0, bytes: 0 },
        unused: Amount { blobs: 0, bytes: 0 },
        copies: 0,
        header: FRAME as u64,
        has_uncompressed: false,
    };

    /// The size of the pack, if it holds what the index says and nothing else.
    pub(super) fn size(&self) -> u64 {
        self.used_size() + self.unused.bytes
    }

    /// What stays of it if only what is needed stays; the header counts to that.
    pub(super) fn used_size(&self) -> u64 {
        self.used.bytes + self.header
    }

    fn note(&mut self, kind: BlobKind, place: &Place) {
        self.holds = match (self.holds, kind) {
            (Holds::Nothing | Holds::Data, BlobKind::Data) => Holds::Data,
            (Holds::Nothing | Holds::Trees, BlobKind::Tree) => Holds::Trees,
            _ => Holds::Both,
        };
        self.header += entry_size(place.uncompressed_length) as u64;
        self.has_uncompressed |= place.uncompressed_length == 0;
    }
}

/// Counts the blobs of every pack, in the order of the index's packs; all copies of a needed blob that has
/// several count as unused.
pub(super) fn count(used: &Marks<'_>, stats: &mut PruneStats) -> Vec<PackUse> {
    let mut packs = vec![PackUse::EMPTY; used.index().packs().len()];
    for blob in used.blobs() {
        let is_copied = blob.places().len() > 1;
        for (pack, place) in blob.places() {
            let (pack, amount) = (&mut packs[pack], one(&place));
            pack.note(blob.blob.kind, &place);
            match (blob.is_marked, is_copied) {
                (true, false) => {
                    pack.used.add(amount);
                    stats.used.add(amount);
                }
                (true, true) => {
                    pack.unused.add(amount);
                    pack.copies += 1;
                    stats.duplicate.add(amount);
                }
                (false, _) => {
                    pack.unused.add(amount);
                    stats.unused.add(amount);
                }
            }
        }
    }
    packs
}

/// Chooses one copy of each needed blob that has several, to count as used from now on.
///
/// It is one in a pack that is needed anyway, or in a pack of nothing but such copies (as an interrupted prune
/// leaves them), or else the last; of packs that are not `sound` only if there is no other.
pub(super) fn choose_copies(used: &Marks<'_>, sound: &[bool], packs: &mut [PackUse], stats: &mut PruneStats) {
    for blob in used.blobs().filter(|blob| blob.is_marked && blob.places().len() > 1) {
        let is_good = |(pack, _): &(usize, Place)| {
            let pack = &packs[*pack];
            pack.used.blobs > 0 || pack.copies == pack.unused.blobs
        };
        let in_sound = || blob.places().filter(|(pack, _)| sound[*pack]);
        let chosen = in_sound().find(is_good).or_else(|| in_sound().last()).or_else(|| blob.places().last());
        if let Some((pack, place)) = chosen {
            let amount = one(&place);
            packs[pack].unused.sub(amount);
            packs[pack].used.add(amount);
            stats.duplicate.sub(amount);
            stats.used.add(amount);
        }
    }
}

fn one(place: &Place) -> Amount {
    Amount { blobs: 1, bytes: place.length.into() }
}
