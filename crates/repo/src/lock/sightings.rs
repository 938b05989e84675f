//! Since when locks that nobody can read have been listed, by our own clock.
//!
//! Whoever may append can plant such a file, so that it must not stop backups for ever. No living program leaves one so
//! long: a lock is written in one go and replaced every five minutes. What the file says of its age is not asked.

use crate::id::LockId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// After so many seconds a lock that stayed listed all the time, and cannot be read, is nobody's.
const ENOUGH: i64 = 30 * 60;

/// Remembered are so many at most; others are new each time.
const MOST: usize = 1000;

/// A record: a lock's name, then the time in seconds, little-endian.
const RECORD: usize = 32 + 8;

/// Keeps a few bytes from one run to the next; losing them costs patience alone.
pub(crate) trait Notebook: Send + Sync {
    /// What was written last, of at most so many bytes.
    fn read(&self, at_most: u64) -> Option<Vec<u8>>;
    /// Puts these bytes in the place of what was there.
    fn write(&self, bytes: &[u8]);
}

/// When each unreadable lock was first seen.
pub(crate) struct Sightings {
    notebook: Option<Arc<dyn Notebook>>,
    first: Mutex<BTreeMap<LockId, i64>>,
    told: Mutex<BTreeSet<LockId>>,
}

impl Sightings {
    /// Those that the notebook knows; without one, only what this process sees is remembered.
    pub(crate) fn new(notebook: Option<Arc<dyn Notebook>>) -> Self {
        let at_most = (MOST * RECORD + 1000) as u64;
        let known = notebook.as_ref().and_then(|notebook| notebook.read(at_most)).unwrap_or_default();
        let record = |record: &[u8; RECORD]| {
            let (name, time) = record.split_first_chunk::<32>()?;
            Some((LockId::from_bytes(*name), i64::from_le_bytes(time.try_into().ok()?)))
        };
        let first = known.as_chunks::<RECORD>().0.iter().filter_map(record).collect();
        Sightings { notebook, first: Mutex::new(first), told: Mutex::default() }
    }

    /// Hears which unreadable locks are listed now, at `now` seconds; answers with those that have stayed long enough.
    pub(super) fn hear(&self, listed: &[LockId], now: i64) -> BTreeSet<LockId> {
        let mut first = locked(&self.first);
        let before = first.clone();
        first.retain(|id, seen| listed.contains(id) && *seen <= now); // a clock put back counts anew
        for id in listed.iter().take(MOST) {
            first.entry(*id).or_insert(now);
        }
        if let Some(notebook) = self.notebook.as_ref().filter(|_| *first != before) {
            let record = |(id, seen): (&LockId, &i64)| [&id.as_bytes()[..], &seen.to_le_bytes()].concat();
            notebook.write(&first.iter().flat_map(record).collect::<Vec<u8>>());
        }
        let stayed = first.iter().filter(|(_, seen)| now.saturating_sub(**seen) >= ENOUGH);
        stayed.map(|(id, _)| *id).collect()
    }

    /// Whether somebody is to be told of this lock now: once.
    pub(super) fn is_news(&self, id: LockId) -> bool {
        locked(&self.told).insert(id)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For [`fuzz`](crate::fuzz): what the file between two runs holds may be anything.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(bytes: &[u8]) {
    struct Page(Vec<u8>);
    impl Notebook for Page {
        fn read(&self, at_most: u64) -> Option<Vec<u8>> {
            Some(self.0[..self.0.len().min(at_most as usize)].to_vec())
        }
        fn write(&self, bytes: &[u8]) {
            assert!(bytes.len() <= MOST * RECORD, "it grows");
        }
    }
    let sightings = Sightings::new(Some(Arc::new(Page(bytes.to_vec()))));
    let id = LockId::from_bytes([7; 32]);
    let _ = sightings.hear(&[id], 1 << 40);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Page(Mutex<Vec<u8>>);

    impl Notebook for Page {
        fn read(&self, at_most: u64) -> Option<Vec<u8>> {
            Some(locked(&self.0).clone()).filter(|bytes| bytes.len() as u64 <= at_most)
        }
        fn write(&self, bytes: &[u8]) {
            *locked(&self.0) = bytes.to_vec();
        }
    }

    const A: LockId = LockId::from_bytes([1; 32]);
    const B: LockId = LockId::from_bytes([2; 32]);

    #[test]
    fn a_lock_must_stay_listed_for_half_an_hour_over_runs_and_without_a_gap() {
        let page = Arc::new(Page::default());
        let heard = |listed: &[LockId], now| {
            let stayed = Sightings::new(Some(Arc::clone(&page) as _)).hear(listed, now);
            stayed.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(heard(&[A], 10_000), []);
        assert_eq!(heard(&[B, A], 11_000), []);
        assert_eq!(heard(&[A, B], 11_799), []);
        assert_eq!(heard(&[A, B], 11_800), [A]);
        assert_eq!(heard(&[A, B], 12_800), [A, B]);
        assert_eq!(heard(&[B], 12_801), [B]);
        assert_eq!(heard(&[A, B], 99_999), [B], "it was gone for a while");
        assert_eq!(heard(&[A, B], 5_000), [], "the clock was put back");
        assert_eq!(heard(&[A, B], 6_800), [A, B]);
    }

    #[test]
    fn what_the_notebook_holds_may_be_anything() {
        for bytes in [vec![], vec![7; 39], vec![0xff; RECORD], vec![7; RECORD + 5], vec![1; 100_000]] {
            let page = Arc::new(Page(Mutex::new(bytes)));
            assert_eq!(Sightings::new(Some(page)).hear(&[A], 0).len(), 0);
        }
        let many: Vec<LockId> = (0..5000_u32)
            .map(|n| LockId::from_bytes(std::array::from_fn(|i| n.to_le_bytes()[i % 4])))
            .collect();
        let page = Arc::new(Page::default());
        let sightings = Sightings::new(Some(Arc::clone(&page) as _));
        sightings.hear(&many, 0);
        assert_eq!(locked(&page.0).len(), MOST * RECORD);
        assert_eq!(sightings.hear(&many, ENOUGH).len(), MOST);
    }
}
