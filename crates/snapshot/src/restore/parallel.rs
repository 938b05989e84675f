//! Several workers on a list of jobs.

use crate::error::Result;
use std::sync::atomic::{AtomicUsize, Ordering};
use tresor_repo::Cancel;

/// Hands each of `jobs` to one of several workers, in order; each worker has a state of its own.
///
/// # Errors
/// Only that the operation was cancelled.
pub(crate) fn parallel<J: Copy + Sync, S>(
    jobs: &[J],
    cancel: &Cancel,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, J) + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
    std::thread::scope(|scope| {
        for _ in 0..workers.min(jobs.len()) {
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
