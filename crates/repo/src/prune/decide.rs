//! Which packs stay, which are repacked and which go: decided from numbers alone.

use crate::id::PackId;
use crate::monitor::{Monitor, Note, Phase};
use crate::prune::options::{MaxUnused, PruneOptions};
use crate::prune::pack_use::{Holds, PackUse};
use crate::prune::stats::{Amount, PruneStats};
use hashbrown::HashMap;
use std::cmp::{Ordering, Reverse};

/// Fewer small packs than this are not worth the work.
const MANY_SMALL: usize = 10;
/// No pack from this size on is small by itself.
const SMALLEST_TARGET: u64 = 4 << 20;

/// What is to become of the packs; each list is sorted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) unindexed: Vec<PackId>,
    pub(super) repack: Vec<PackId>,
    pub(super) remove: Vec<PackId>,
    pub(super) missing: Vec<PackId>,
}

/// Why nothing can be decided.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Undecided {
    Size { pack: PackId, calculated: u64, real: u64 },
    Missing(Vec<PackId>),
}

/// A pack that may be repacked.
struct Candidate {
    pack: PackId,
    pack_use: PackUse,
    must_be_compressed: bool,
}

/// Decides for each of the `stored` packs and of those in the index, `packs`; adds to `stats`.
pub(super) fn decide(
    packs: impl Iterator<Item = (PackId, PackUse)>,
    stored: &[(PackId, u64)],
    version: u32,
    options: &PruneOptions,
    stats: &mut PruneStats,
    monitor: &dyn Monitor,
) -> Result<Decision, Undecided> {
    let mut packs: HashMap<PackId, PackUse> =
        packs.filter(|(_, pack_use)| pack_use.holds != Holds::Nothing).collect();
    let mut deciding = Deciding {
        options,
        target: small(options, stored),
        version,
        stats,
        decision: Decision::default(),
        candidates: Vec::new(),
        small: Vec::new(),
    };
    monitor.begin(Phase::PlanPacks, Some(packs.len() as u64));
    let sorted = stored.iter().try_for_each(|&(pack, size)| match packs.remove(&pack) {
        None => {
            monitor.note(&Note::UnindexedPack { pack });
            deciding.unindexed(pack, size);
            Ok(())
        }
        Some(pack_use) => {
            deciding.sort(pack, size, pack_use)?;
            monitor.advance(Phase::PlanPacks, 1);
            Ok(())
        }
    });
    monitor.end(Phase::PlanPacks);
    sorted?;
    deciding.forget_missing(packs)?;
    deciding.choose();
    Ok(deciding.finish())
}

/// Below which size a pack is small.
fn small(options: &PruneOptions, stored: &[(PackId, u64)]) -> u64 {
    options.repack_smaller_than.unwrap_or_else(|| {
        let mut sizes: Vec<u64> = stored.iter().map(|(_, size)| *size).collect();
        let position = sizes.len() * 3 / 100;
        let usual = match sizes.is_empty() {
            true => 0,
            false => *sizes.select_nth_unstable(position).1,
        };
        usual.max(SMALLEST_TARGET) / 5 * 4
    })
}

struct Deciding<'a> {
    options: &'a PruneOptions,
    target: u64,
    version: u32,
    stats: &'a mut PruneStats,
    decision: Decision,
    candidates: Vec<Candidate>,
    small: Vec<Candidate>,
}

impl Deciding<'_> {
    fn unindexed(&mut self, pack: PackId, size: u64) {
        self.decision.unindexed.push(pack);
        self.stats.unindexed_bytes = self.stats.unindexed_bytes.saturating_add(size); // whatever a listing says
        self.stats.packs.unindexed += 1;
    }

    /// Decides on a pack that is stored and in the index, or puts it among the candidates.
    fn sort(&mut self, pack: PackId, size: u64, pack_use: PackUse) -> Result<(), Undecided> {
        let calculated = pack_use.size();
        if calculated != size && pack_use.used.blobs > 0 {
            return Err(Undecided::Size { pack, calculated, real: size });
        }
        let counter = match (pack_use.used.blobs, pack_use.unused.blobs) {
            (0, _) => &mut self.stats.packs.unused,
            (_, 0) => &mut self.stats.packs.used,
            _ => &mut self.stats.packs.partly_used,
        };
        *counter += 1;
        if pack_use.has_uncompressed && self.version >= 2 {
            self.stats.uncompressed_bytes += calculated;
        }
        let is_concerned = pack_use.holds == Holds::Trees || self.options.repack_uncompressed;
        let must_be_compressed = self.version >= 2 && is_concerned && pack_use.has_uncompressed;
        let candidate = Candidate { pack, pack_use, must_be_compressed };
        let is_needed_whole =
            pack_use.unused.blobs == 0 && pack_use.holds != Holds::Both && !must_be_compressed;
        if pack_use.used.blobs == 0 {
            self.decision.remove.push(pack);
            self.stats.remove.add(pack_use.unused);
            self.stats.packs.remove += 1;
        } else if self.options.repack_cacheable_only && pack_use.holds == Holds::Data {
            self.stats.packs.keep += 1;
        } else if !is_needed_whole {
            self.candidates.push(candidate);
        } else if size < self.target {
            self.small.push(candidate);
        } else {
            self.stats.packs.keep += 1;
        }
        Ok(())
    }

    /// Packs of the index that are not stored: nothing may need them.
    fn forget_missing(&mut self, missing: HashMap<PackId, PackUse>) -> Result<(), Undecided> {
        let (needed, forgotten): (Vec<_>, Vec<_>) =
            missing.into_iter().partition(|(_, pack_use)| pack_use.used.blobs > 0);
        if !needed.is_empty() {
            return Err(Undecided::Missing(sorted(needed.into_iter().map(|(pack, _)| pack).collect())));
        }
        for (pack, pack_use) in forgotten {
            self.decision.missing.push(pack);
            self.stats.remove.add(pack_use.unused);
        }
        Ok(())
    }

    /// Chooses which candidates are repacked, the most worthwhile first.
    fn choose(&mut self) {
        if self.small.len() < MANY_SMALL {
            self.stats.packs.keep += self.small.len() as u64;
        } else {
            self.candidates.append(&mut self.small);
        }
        let target = self.target;
        self.candidates.sort_unstable_by(|one, other| one.compare(other, target));
        let most = match self.options.recover_without_space {
            true => 0,
            false => self.options.max_repack_bytes.unwrap_or(u64::MAX),
        };
        let tolerated = tolerated(self.options.max_unused, self.stats.used.bytes);
        for candidate in std::mem::take(&mut self.candidates) {
            let size = candidate.pack_use.size();
            let is_too_much = self.stats.repack.bytes.saturating_add(size) >= most;
            let is_urgent = candidate.pack_use.holds != Holds::Data || candidate.must_be_compressed;
            let is_tolerable = self.stats.unused_bytes_after() < tolerated && size >= target;
            if is_too_much || (is_tolerable && !is_urgent) {
                self.stats.packs.keep += 1;
            } else {
                self.repack(&candidate);
            }
        }
    }

    fn repack(&mut self, candidate: &Candidate) {
        let Candidate { pack, pack_use, .. } = candidate;
        let blobs = pack_use.used.blobs + pack_use.unused.blobs;
        self.decision.repack.push(*pack);
        self.stats.repack.add(Amount { blobs, bytes: pack_use.size() });
        self.stats.repack_removes.add(pack_use.unused);
        self.stats.packs.repack += 1;
        if pack_use.has_uncompressed && self.version >= 2 {
            self.stats.uncompressed_bytes -= pack_use.size();
        }
    }

    fn finish(self) -> Decision {
        let Decision { unindexed, repack, remove, missing } = self.decision;
        let [unindexed, repack, remove, missing] = [unindexed, repack, remove, missing].map(sorted);
        Decision { unindexed, repack, remove, missing }
    }
}

impl Candidate {
    /// Packs with trees first, then small ones, then those with the largest share of unused bytes.
    fn compare(&self, other: &Candidate, target: u64) -> Ordering {
        let is_data = |candidate: &Candidate| candidate.pack_use.holds == Holds::Data;
        let is_large = |candidate: &Candidate| candidate.pack_use.size() >= target;
        // unused / used of the one against that of the other, without a division
        let share = |one: &Candidate, other: &Candidate| {
            u128::from(one.pack_use.unused.bytes) * u128::from(other.pack_use.used_size())
        };
        is_data(self)
            .cmp(&is_data(other))
            .then_with(|| is_large(self).cmp(&is_large(other)))
            .then_with(|| Reverse(share(self, other)).cmp(&Reverse(share(other, self))))
            .then_with(|| self.pack.cmp(&other.pack))
    }
}

/// How many unused bytes may stay beside `used` bytes.
fn tolerated(max_unused: MaxUnused, used: u64) -> u64 {
    match max_unused {
        MaxUnused::Unlimited => u64::MAX,
        MaxUnused::Bytes(bytes) => bytes,
        MaxUnused::Percent(percent) => (percent / (100.0 - percent) * used as f64) as u64,
    }
}

fn sorted(mut packs: Vec<PackId>) -> Vec<PackId> {
    packs.sort_unstable();
    packs
}
