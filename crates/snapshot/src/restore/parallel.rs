//! Several workers on jobs that come one after the other.

use crate::error::Result;
use std::sync::{Mutex, PoisonError};
use tresor_repo::Cancel;

/// Hands each job that `next` answers to one of `workers`, in order; each worker has a state of its own.
///
/// # Errors
/// The first of `next` or `work`, after which no other job is taken; that the operation was cancelled.
pub(crate) fn parallel<J, S>(
    next: impl FnMut() -> Result<Option<J>> + Send,
    workers: usize,
    cancel: &Cancel,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, J) -> Result<()> + Sync,
) -> Result<()> {
    // What comes next, until there is nothing more.
    let (next, failed) = (Mutex::new(Some(next)), Mutex::new(None));
    let take = || {
        let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
        let job = next.as_mut().map_or(Ok(None), |next| if cancel.is_set() { Ok(None) } else { next() });
        if !matches!(job, Ok(Some(_))) {
            *next = None;
        }
        job
    };
    let stop = |error| {
        *next.lock().unwrap_or_else(PoisonError::into_inner) = None;
        failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    };
    std::thread::scope(|scope| {
        for _ in 0..workers.max(1) {
            scope.spawn(|| {
                let mut own = None;
                loop {
                    let done = match take() {
                        Ok(Some(job)) => work(own.get_or_insert_with(&state), job),
                        Ok(None) => return,
                        Err(error) => Err(error),
                    };
                    if let Err(error) = done {
                        return stop(error);
                    }
                }
            });
        }
    });
    if cancel.is_set() {
        return Err(tresor_repo::Error::Cancelled.into());
    }
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// Workers for what the disk and the processor do alone.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use std::sync::atomic::{AtomicU64, Ordering};

    fn sum(count: u64, bad: u64) -> (Result<()>, u64) {
        let (mut jobs, sum) = (0..count, AtomicU64::new(0));
        let work = |_: &mut (), job| {
            sum.fetch_add(job, Ordering::Relaxed);
            if job == bad { Err(Error::TooManyItems) } else { Ok(()) }
        };
        let done = parallel(|| Ok(jobs.next()), 3, &Cancel::new(), || (), work);
        (done, sum.into_inner())
    }

    #[test]
    fn each_job_is_done_once_and_a_failure_ends_it() {
        assert!(matches!(sum(1000, 1000), (Ok(()), 499_500)));
        assert!(matches!(sum(0, 0), (Ok(()), 0)));
        let (done, sum) = sum(1_000_000, 10);
        assert!(matches!(done, Err(Error::TooManyItems)) && sum < 499_999_500_000);
        let fail = || Err::<Option<()>, _>(Error::TooManyItems);
        assert!(parallel(fail, 2, &Cancel::new(), || (), |(), ()| Ok(())).is_err());
    }
}
