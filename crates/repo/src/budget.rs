//! One budget of bytes for the buffers of an operation, handed out in segments.

use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of one segment.
pub(crate) const SEGMENT: usize = 512 * 1024;

/// A bounded pool of equal segments; what is given back is used again before anything is allocated.
///
/// Nobody waits for a segment: who gets none keeps its bytes elsewhere (a temporary file).
pub(crate) struct Budget {
    pool: Mutex<Pool>,
}

struct Pool {
    free: Vec<Vec<u8>>,
    not_yet_made: u64,
}

/// Up to [`SEGMENT`] bytes; goes back to its budget when dropped.
pub(crate) struct Segment {
    bytes: Vec<u8>,
    budget: Arc<Budget>,
}

impl Budget {
    /// A budget of `bytes`, rounded down to whole segments.
    pub(crate) fn new(bytes: u64) -> Arc<Self> {
        let pool = Pool { free: Vec::new(), not_yet_made: bytes / SEGMENT as u64 };
        Arc::new(Budget { pool: Mutex::new(pool) })
    }

    /// An empty segment, if the budget is not used up.
    pub(crate) fn segment(self: &Arc<Self>) -> Option<Segment> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = match pool.free.pop() {
            Some(bytes) => bytes,
            None => {
                pool.not_yet_made = pool.not_yet_made.checked_sub(1)?;
                drop(pool);
                Vec::with_capacity(SEGMENT)
            }
        };
        Some(Segment { bytes, budget: Arc::clone(self) })
    }
}

impl Segment {
    /// Copies as much of `bytes` as there is room for; returns the rest.
    pub(crate) fn fill<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let (now, rest) = bytes.split_at(bytes.len().min(SEGMENT - self.bytes.len()));
        self.bytes.extend_from_slice(now);
        rest
    }

    /// What was filled in so far.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        self.budget.pool.lock().unwrap_or_else(PoisonError::into_inner).free.push(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_ends_and_what_is_given_back_is_used_again() {
        let budget = Budget::new(2 * SEGMENT as u64 + 1);
        let mut first = budget.segment().expect("two segments");
        let second = budget.segment().expect("two segments");
        assert!(budget.segment().is_none());
        let long = vec![7; SEGMENT + 3];
        assert_eq!(first.fill(&long), [7; 3]);
        assert_eq!(first.fill(&[8]), [8]);
        assert_eq!(first.bytes().len(), SEGMENT);
        drop((first, second));
        assert!(budget.segment().expect("given back").bytes().is_empty());
    }
}
