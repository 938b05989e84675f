//! How much of each pack is needed, as the index has it, with one copy chosen of each blob.

use crate::bits::Bits;
use crate::blob::BlobKind;
use crate::codec::is_untried;
use crate::crypto::OVERHEAD;
use crate::error::Result;
use crate::index::{Copies, Marks, Spot};
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

/// How much of a pack is needed: 24 bytes, as there may be millions.
///
/// Bytes that do not fit come out smaller than they are, and than any real pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct PackUse {
    used_blobs: u32,
    used_bytes: u32,
    unused_blobs: u32,
    unused_bytes: u32,
    /// How many are not compressed.
    uncompressed: u32,
    /// Blobs of which there are other copies, and at least one is needed; in the first three bits, what it holds.
    copies: u32,
}

/// The bits that say what a pack holds, in the order of [`BlobKind::ALL`].
const HOLDS: [u32; 2] = [1 << 30, 1 << 31];
/// The bit that says that a blob is in a frame and nobody tried to compress it.
const UNTRIED: u32 = 1 << 29;

impl PackUse {
    /// Blobs of which kinds it holds.
    pub(super) fn holds(&self) -> Holds {
        match HOLDS.map(|bit| self.copies & bit != 0) {
            [false, false] => Holds::Nothing,
            [true, false] => Holds::Data,
            [false, true] => Holds::Trees,
            [true, true] => Holds::Both,
        }
    }

    /// What is needed of it.
    pub(super) fn used(&self) -> Amount {
        Amount { blobs: self.used_blobs.into(), bytes: self.used_bytes.into() }
    }

    /// What is not.
    pub(super) fn unused(&self) -> Amount {
        Amount { blobs: self.unused_blobs.into(), bytes: self.unused_bytes.into() }
    }

    /// Whether any of its blobs is not compressed and might be.
    pub(super) fn has_uncompressed(&self) -> bool {
        self.uncompressed > 0 || self.copies & UNTRIED != 0
    }

    /// The size of the pack, if it holds what the index says and nothing else.
    pub(super) fn size(&self) -> u64 {
        self.used_size() + self.unused().bytes
    }

    /// What stays of it if only what is needed stays; the header counts to that.
    pub(super) fn used_size(&self) -> u64 {
        let blobs = self.used().blobs + self.unused().blobs;
        let uncompressed = u64::from(self.uncompressed).min(blobs);
        let entries = uncompressed * entry_size(0) as u64 + (blobs - uncompressed) * entry_size(1) as u64;
        self.used().bytes + FRAME as u64 + entries
    }

    /// Whether all that is not needed of it is copies.
    fn is_of_copies(&self) -> bool {
        self.copies & !(HOLDS[0] | HOLDS[1] | UNTRIED) == self.unused_blobs
    }

    fn note(&mut self, kind: BlobKind, spot: &Spot, is_used: bool, is_copy: bool) {
        self.copies |= HOLDS[kind as usize];
        let frame = u64::from(spot.length).saturating_sub(OVERHEAD as u64);
        self.copies |= if is_untried(frame, spot.uncompressed_length) { UNTRIED } else { 0 };
        self.copies += u32::from(is_copy);
        self.uncompressed += u32::from(spot.uncompressed_length == 0);
        let (blobs, bytes) = match is_used {
            true => (&mut self.used_blobs, &mut self.used_bytes),
            false => (&mut self.unused_blobs, &mut self.unused_bytes),
        };
        *blobs += 1;
        *bytes = bytes.saturating_add(spot.length);
    }

    /// Counts a copy as used from now on.
    fn use_copy(&mut self, spot: &Spot) {
        self.unused_blobs -= 1;
        self.unused_bytes = self.unused_bytes.saturating_sub(spot.length);
        self.used_blobs += 1;
        self.used_bytes = self.used_bytes.saturating_add(spot.length);
    }
}

/// Counts the blobs of every pack, by slot; all copies of a needed blob that has several count as unused.
///
/// # Errors
/// As those of every answer of an index.
pub(super) fn count(used: &Marks<'_>, stats: &mut PruneStats) -> Result<Vec<PackUse>> {
    let mut packs = vec![PackUse::default(); used.index().slots() as usize];
    let mut blobs = used.blobs()?;
    while let Some(Copies { blob, is_marked, places, .. }) = blobs.next()? {
        let is_copied = places.len() > 1;
        for (slot, spot) in places {
            let is_used = is_marked && !is_copied;
            packs[*slot as usize].note(blob.kind, spot, is_used, is_marked && is_copied);
            let counter = match (is_marked, is_copied) {
                (true, false) => &mut stats.used,
                (true, true) => &mut stats.duplicate,
                (false, _) => &mut stats.unused,
            };
            counter.add(one(spot));
        }
    }
    Ok(packs)
}

/// Chooses one copy of each needed blob that has several, to count as used from now on.
///
/// It is one in a pack that is needed anyway, or in a pack of nothing but such copies (as an interrupted prune
/// leaves them), or else the last; of packs that are not `sound`, by their slots, only if there is no other.
///
/// # Errors
/// As those of every answer of an index.
pub(super) fn choose_copies(
    used: &Marks<'_>,
    sound: &Bits,
    packs: &mut [PackUse],
    stats: &mut PruneStats,
) -> Result<()> {
    let mut blobs = used.blobs()?;
    while let Some(Copies { is_marked, places, .. }) = blobs.next()? {
        if !is_marked || places.len() < 2 {
            continue;
        }
        let is_good = |(slot, _): &&(u64, Spot)| {
            let pack = &packs[*slot as usize];
            pack.used_blobs > 0 || pack.is_of_copies()
        };
        let in_sound = || places.iter().filter(|(slot, _)| sound.contains(*slot));
        let chosen = in_sound().find(is_good).or_else(|| in_sound().next_back()).or_else(|| places.last());
        if let Some((slot, spot)) = chosen {
            packs[*slot as usize].use_copy(spot);
            stats.duplicate.sub(one(spot));
            stats.used.add(one(spot));
        }
    }
    Ok(())
}

fn one(spot: &Spot) -> Amount {
    Amount { blobs: 1, bytes: spot.length.into() }
}
