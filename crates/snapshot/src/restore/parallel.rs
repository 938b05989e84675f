//! Several workers on a list of jobs.

use crate::error::Result;
use std::sync::atomic::{AtomicUsize, Ordering};
use tresor_repo::Cancel;

/// Hands each of `jobs` to one of up to `workers`, in order; each worker has a state of its own.
///
/// # Errors
/// Only that the operation was cancelled.
pub(crate) fn parallel<J: Copy + Sync, S>(
    jobs: &[J],
    workers: usize,
    cancel: &Cancel,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, J) + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..workers.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                let mut state = state();
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if cancel.is_set() {
                        return;
                    }
                    work(&mut state, *job);
                }
            });
        }
    });
    if cancel.is_set() { Err(tresor_repo::Error::Cancelled.into()) } else { Ok(()) }
}

/// Workers for what the disk and the processor do alone.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2))
}
