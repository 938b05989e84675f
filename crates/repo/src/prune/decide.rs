//! Which packs stay, which are repacked and which go: decided from numbers alone.

use crate::bits::Bits;
use crate::error::{Error, Result};
use crate::id::PackId;
use crate::index::Index;
use crate::monitor::{Monitor, Note, Phase};
use crate::prune::options::{MaxUnused, PruneOptions};
use crate::prune::pack_use::{Holds, PackUse};
use crate::prune::stats::{Amount, PruneStats};
use crate::stored_packs::{Known, StoredPacks};
use hashbrown::HashMap;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Fewer small packs than this are not worth the work.
const MANY_SMALL: usize = 10;
/// No pack from this size on is small by itself.
const SMALLEST_TARGET: u64 = 4 << 20;

/// What is to become of the packs; each list is sorted.
#[derive(Default)]
pub(super) struct Decision {
    pub(super) unindexed: Vec<PackId>,
    pub(super) repack: Vec<PackId>,
    pub(super) remove: Vec<PackId>,
    pub(super) missing: Vec<PackId>,
    /// The slots of all of these that the index names.
    pub(super) going: Bits,
}

/// The stored packs, as far as they are not as the index says.
pub(super) struct Stored {
    /// The slots of packs that are there, as long as the index says.
    pub(super) sound: Bits,
    /// The sizes of those that are there otherwise, by slot.
    unsound: HashMap<u64, u64>,
    unindexed: Vec<(PackId, u64)>,
}

impl Stored {
    /// Compares what is stored with what the index says of the packs.
    ///
    /// # Errors
    /// Those of the index and of a temporary file.
    pub(super) fn compare(stored: StoredPacks, index: &Index, packs: &[PackUse]) -> Result<Stored> {
        let mut compared =
            Stored { sound: Bits::new(index.slots()), unsound: HashMap::new(), unindexed: Vec::new() };
        for known in stored.beside(index)? {
            let Known { pack, size: Some(size), slot } = known? else { continue };
            let pack_use = slot.map(|slot| (slot, &packs[slot as usize]));
            match pack_use.filter(|(_, pack_use)| pack_use.holds() != Holds::Nothing) {
                None => compared.unindexed.push((pack, size)),
                Some((slot, pack_use)) if pack_use.size() == size => drop(compared.sound.insert(slot)),
                Some((slot, _)) => drop(compared.unsound.insert(slot, size)),
            }
        }
        Ok(compared)
    }

    /// The size of an indexed pack that is stored.
    fn size(&self, slot: u64, pack_use: &PackUse) -> Option<u64> {
        match self.sound.contains(slot) {
            true => Some(pack_use.size()),
            false => self.unsound.get(&slot).copied(),
        }
    }

    /// Below which size a pack is small.
    fn small(&self, options: &PruneOptions, packs: &[PackUse]) -> u64 {
        if let Some(size) = options.repack_smaller_than {
            return size;
        }
        let sizes = || {
            let sound = (0..).zip(packs).filter(|(slot, _)| self.sound.contains(*slot));
            let unindexed = self.unindexed.iter().map(|(_, size)| *size);
            sound.map(|(_, pack)| pack.size()).chain(self.unsound.values().copied()).chain(unindexed)
        };
        // The smallest ones, of which the largest is asked for: 3 of 100.
        let position = sizes().count() * 3 / 100;
        let mut smallest = BinaryHeap::with_capacity(position + 2);
        for size in sizes() {
            smallest.push(size);
            if smallest.len() > position + 1 {
                smallest.pop();
            }
        }
        smallest.peek().copied().unwrap_or_default().max(SMALLEST_TARGET) / 5 * 4
    }
}

/// Why nothing can be decided.
#[derive(Debug)]
pub(super) enum Undecided {
    Size { pack: PackId, calculated: u64, real: u64 },
    Missing(Vec<PackId>),
    Failed(Error),
}

impl From<Error> for Undecided {
    fn from(error: Error) -> Self {
        Undecided::Failed(error)
    }
}

/// Decides for each of the `stored` packs and of those in the index, `packs` by their slots; adds to `stats`.
pub(super) fn decide(
    index: &Index,
    packs: &[PackUse],
    stored: &Stored,
    version: u32,
    options: &PruneOptions,
    stats: &mut PruneStats,
    monitor: &dyn Monitor,
) -> Result<Decision, Undecided> {
    let slots = || Bits::new(index.slots());
    let mut deciding = Deciding {
        options,
        target: stored.small(options, packs),
        version,
        stats,
        packs,
        candidates: Vec::new(),
        repack: slots(),
        remove: slots(),
        missing: slots(),
    };
    let named = packs.iter().filter(|pack| pack.holds() != Holds::Nothing).count();
    monitor.begin(Phase::PlanPacks, Some(named as u64));
    for &(pack, size) in &stored.unindexed {
        monitor.note(&Note::UnindexedPack { pack });
        deciding.unindexed(size);
    }
    let sorted = deciding.sort_all(index, stored, monitor);
    monitor.end(Phase::PlanPacks);
    sorted?;
    deciding.choose();
    deciding.finish(index, stored)
}

struct Deciding<'a> {
    options: &'a PruneOptions,
    target: u64,
    version: u32,
    stats: &'a mut PruneStats,
    /// By slot, as are all the following.
    packs: &'a [PackUse],
    /// That may be repacked, in the order of their ids; and whether only because they are small.
    candidates: Vec<(u64, bool)>,
    repack: Bits,
    remove: Bits,
    missing: Bits,
}

impl Deciding<'_> {
    fn unindexed(&mut self, size: u64) {
        self.stats.unindexed_bytes = self.stats.unindexed_bytes.saturating_add(size); // whatever a listing says
        self.stats.packs.unindexed += 1;
    }

    /// Decides on all packs that the index names, or puts them among the candidates.
    fn sort_all(&mut self, index: &Index, stored: &Stored, monitor: &dyn Monitor) -> Result<(), Undecided> {
        let mut needed_and_missing = Vec::new();
        for named in index.packs() {
            let (pack, slot) = named?;
            let pack_use = self.packs[slot as usize];
            if pack_use.holds() == Holds::Nothing {
                continue;
            }
            match stored.size(slot, &pack_use) {
                Some(size) => {
                    self.sort(pack, slot, size)?;
                    monitor.advance(Phase::PlanPacks, 1);
                }
                None if pack_use.used().blobs > 0 => needed_and_missing.push(pack),
                None => {
                    self.missing.insert(slot);
                    self.stats.remove.add(pack_use.unused());
                }
            }
        }
        if needed_and_missing.is_empty() { Ok(()) } else { Err(Undecided::Missing(needed_and_missing)) }
    }

    /// Decides on a pack that is stored and in the index, or puts it among the candidates.
    fn sort(&mut self, pack: PackId, slot: u64, size: u64) -> Result<(), Undecided> {
        let pack_use = self.packs[slot as usize];
        let (calculated, used, unused) = (pack_use.size(), pack_use.used(), pack_use.unused());
        if calculated != size && used.blobs > 0 {
            return Err(Undecided::Size { pack, calculated, real: size });
        }
        let counter = match (used.blobs, unused.blobs) {
            (0, _) => &mut self.stats.packs.unused,
            (_, 0) => &mut self.stats.packs.used,
            _ => &mut self.stats.packs.partly_used,
        };
        *counter += 1;
        if pack_use.has_uncompressed() && self.version >= 2 {
            self.stats.uncompressed_bytes += calculated;
        }
        let is_needed_whole =
            unused.blobs == 0 && pack_use.holds() != Holds::Both && !self.must_be_compressed(&pack_use);
        if used.blobs == 0 {
            self.remove.insert(slot);
            self.stats.remove.add(unused);
            self.stats.packs.remove += 1;
        } else if self.options.repack_cacheable_only && pack_use.holds() == Holds::Data {
            self.stats.packs.keep += 1;
        } else if !is_needed_whole {
            self.candidates.push((slot, false));
        } else if size < self.target {
            self.candidates.push((slot, true));
        } else {
            self.stats.packs.keep += 1;
        }
        Ok(())
    }

    fn must_be_compressed(&self, pack: &PackUse) -> bool {
        let is_concerned = pack.holds() == Holds::Trees || self.options.repack_uncompressed;
        self.version >= 2 && is_concerned && pack.has_uncompressed()
    }

    /// Chooses which candidates are repacked, the most worthwhile first.
    fn choose(&mut self) {
        let (target, packs) = (self.target, self.packs);
        let mut candidates = std::mem::take(&mut self.candidates);
        let small = candidates.iter().filter(|(_, is_small)| *is_small).count();
        if small < MANY_SMALL {
            self.stats.packs.keep += small as u64;
            candidates.retain(|(_, is_small)| !is_small);
        }
        // Equals stay in the order of their ids.
        candidates
            .sort_by(|(one, _), (other, _)| compare(&packs[*one as usize], &packs[*other as usize], target));
        let most = match self.options.recover_without_space {
            true => 0,
            false => self.options.max_repack_bytes.unwrap_or(u64::MAX),
        };
        let tolerated = tolerated(self.options.max_unused, self.stats.used.bytes);
        for (slot, _) in candidates {
            let pack = packs[slot as usize];
            let is_too_much = self.stats.repack.bytes.saturating_add(pack.size()) >= most;
            let is_urgent = pack.holds() != Holds::Data || self.must_be_compressed(&pack);
            let is_tolerable = self.stats.unused_bytes_after() < tolerated && pack.size() >= target;
            if is_too_much || (is_tolerable && !is_urgent) {
                self.stats.packs.keep += 1;
            } else {
                self.repack(slot, &pack);
            }
        }
    }

    fn repack(&mut self, slot: u64, pack: &PackUse) {
        self.repack.insert(slot);
        self.stats.repack.add(Amount { blobs: pack.used().blobs + pack.unused().blobs, bytes: pack.size() });
        self.stats.repack_removes.add(pack.unused());
        self.stats.packs.repack += 1;
        if pack.has_uncompressed() && self.version >= 2 {
            self.stats.uncompressed_bytes -= pack.size();
        }
    }

    fn finish(self, index: &Index, stored: &Stored) -> Result<Decision, Undecided> {
        let mut decision = Decision { going: Bits::new(index.slots()), ..Decision::default() };
        decision.unindexed = stored.unindexed.iter().map(|(pack, _)| *pack).collect();
        for named in index.packs() {
            let (pack, slot) = named?;
            let list = match [&self.repack, &self.remove, &self.missing].map(|slots| slots.contains(slot)) {
                [true, ..] => &mut decision.repack,
                [_, true, _] => &mut decision.remove,
                [.., true] => &mut decision.missing,
                _ => continue,
            };
            list.push(pack);
            decision.going.insert(slot);
        }
        Ok(decision)
    }
}

/// Packs with trees first, then small ones, then those with the largest share of unused bytes.
fn compare(one: &PackUse, other: &PackUse, target: u64) -> Ordering {
    let is_data = |pack: &PackUse| pack.holds() == Holds::Data;
    let is_large = |pack: &PackUse| pack.size() >= target;
    // unused / used of the one against that of the other, without a division
    let share =
        |one: &PackUse, other: &PackUse| u128::from(one.unused().bytes) * u128::from(other.used_size());
    is_data(one)
        .cmp(&is_data(other))
        .then_with(|| is_large(one).cmp(&is_large(other)))
        .then_with(|| Reverse(share(one, other)).cmp(&Reverse(share(other, one))))
}

/// How many unused bytes may stay beside `used` bytes.
fn tolerated(max_unused: MaxUnused, used: u64) -> u64 {
    match max_unused {
        MaxUnused::Unlimited => u64::MAX,
        MaxUnused::Bytes(bytes) => bytes,
        MaxUnused::Percent(percent) => (percent / (100.0 - percent) * used as f64) as u64,
    }
}
