//! Compares what a storage shows with what is known of the repository.

use super::known::{Evidence, Known};
use super::names::{Name, Names};
use super::view::{Seen, View};

/// An index file of at most so many bytes is far from full, so whoever rewrites the index merges it with others.
///
/// restic and tresor leave files of 50,000 blobs or more as they are, rustic of 10,000; a blob takes 32 bytes that
/// cannot be compressed.
const SMALL_INDEX: u64 = 256 << 10;

/// What a comparison found.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Snapshots that were there and are not: removed by somebody, or hidden.
    pub vanished: Vec<Name>,
    /// How many snapshots there were and are, if they were listed.
    pub snapshots: Option<(usize, usize)>,
    pub(super) went_back: Option<Evidence>,
}

impl Findings {
    /// Whether the repository is as it was at an earlier time.
    pub fn went_back(&self) -> bool {
        self.went_back.is_some()
    }

    /// How many files that were gone are there again.
    pub fn returned(&self) -> usize {
        self.went_back.iter().flat_map(|evidence| &evidence.returned).map(Names::len).sum()
    }

    /// How many snapshots and index files are gone with the time that was undone.
    pub fn lost(&self) -> (usize, usize) {
        let lost = |place: usize| self.went_back.as_ref().map_or(0, |evidence| evidence.lost[place].len());
        (lost(0), lost(1))
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.vanished.is_empty() && !self.went_back()
    }
}

/// Compares; what was not listed is not judged.
///
/// A repository went back in time if a file that was gone is there again, or if the newest snapshots and index files
/// are gone and nobody can have removed them: whoever removes an index file writes its content anew, together with
/// that of every other small one. Snapshots that are missing are never an alarm by themselves.
pub fn judge(known: &Known, view: &View) -> Findings {
    let vanished_of = |place: usize| vanished(&known.files()[place].seen, &view.kinds[place]);
    let lost = [0, 1, 2].map(vanished_of);
    let returned = [0, 1, 2].map(|place| returned(&known.files()[place].gone, &view.kinds[place]));
    let is_certain = returned.iter().any(|names| !names.is_empty()) || is_cut_off(known, view, &lost);
    let is_undone = known.went_back.as_ref().is_none_or(|evidence| is_undone(evidence, view));
    let snapshots = view.snapshots().map(|now| (known.snapshots(), now));
    let mut vanished: Vec<Name> = lost[0].iter().map(|(name, _)| *name).collect();
    vanished.sort_unstable();
    let went_back = match (is_certain, is_undone) {
        (true, _) => Some(Evidence { returned, lost }),
        (false, false) => known.went_back.clone(),
        (false, true) => None,
    };
    Findings { vanished, snapshots, went_back }
}

/// What was there and is not, and was not removed by us.
fn vanished(known: &Names, seen: &Seen) -> Names {
    let Some(listed) = &seen.listed else { return Names::default() };
    let is_missing = |name: &Name| {
        !listed.contains_key(name) && !seen.saved.contains(name) && !seen.removed.contains(name)
    };
    known.iter().filter(|(name, _)| is_missing(name)).map(|(name, look)| (*name, look)).collect()
}

/// What was gone and is there.
fn returned(gone: &Names, seen: &Seen) -> Names {
    let listed = seen.listed.iter().flat_map(|listed| listed.keys());
    listed.filter_map(|name| Some((*name, gone.look(name)?))).collect()
}

/// Whether the newest snapshots and index files were cut off, which no program does.
fn is_cut_off(known: &Known, view: &View, lost: &[Names; 3]) -> bool {
    let [snapshots, indexes, _] = &view.kinds;
    let (Some(_), Some(present)) = (&snapshots.listed, &indexes.listed) else { return false };
    let mut others = present.iter().filter(|(name, _)| !indexes.saved.contains(*name));
    let is_known = |name: &Name| known.indexes.seen.contains(name);
    let is_small = |(name, size): (&Name, &u64)| *size <= SMALL_INDEX && is_known(name);
    let is_rewritten = others.clone().any(|(name, _)| !is_known(name));
    let has_small = others.any(is_small);
    !is_rewritten
        && has_small
        && is_end(&known.snapshots.seen, &lost[0])
        && is_end(&known.indexes.seen, &lost[1])
}

/// Whether something is lost, and nothing that is left was met later than what is lost.
fn is_end(seen: &Names, lost: &Names) -> bool {
    let first_lost = lost.iter().map(|(_, look)| look).min();
    let left = seen.iter().filter(|(name, _)| !lost.contains(name));
    let last_left = left.map(|(_, look)| look).max();
    first_lost.is_some_and(|first| last_left.is_none_or(|last| last <= first))
}

/// Whether everything is again as it was before an alarm.
fn is_undone(evidence: &Evidence, view: &View) -> bool {
    view.kinds.iter().enumerate().all(|(place, seen)| {
        let (returned, lost) = (&evidence.returned[place], &evidence.lost[place]);
        match &seen.listed {
            None => returned.is_empty() && lost.is_empty(),
            Some(listed) => {
                returned.iter().all(|(name, _)| !listed.contains_key(name))
                    && lost.iter().all(|(name, _)| listed.contains_key(name))
            }
        }
    })
}
