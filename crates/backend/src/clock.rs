//! The one place where backends learn the time and wait.

use crate::Cancel;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Tells the time and waits, so that tests can hold it still.
pub trait Clock: Send + Sync {
    /// Time since some fixed moment; never goes back.
    fn now(&self) -> Duration;

    /// Waits for `time`, or until `cancel` is set; returns whether it is set.
    fn sleep(&self, time: Duration, cancel: &Cancel) -> bool;
}

/// The system's monotonic clock.
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, time: Duration, cancel: &Cancel) -> bool {
        cancel.sleep(time)
    }
}

/// A clock for tests: it moves only when somebody sleeps or [`ManualClock::advance`]s it.
#[derive(Default)]
pub struct ManualClock {
    now: Mutex<Duration>,
}

impl ManualClock {
    /// Moves the clock forward.
    pub fn advance(&self, time: Duration) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep(&self, time: Duration, cancel: &Cancel) -> bool {
        if !cancel.is_set() {
            self.advance(time);
        }
        cancel.is_set()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::Reason;

    #[test]
    fn a_manual_clock_moves_by_what_is_slept_unless_cancelled() {
        let (clock, cancel) = (ManualClock::default(), Cancel::new());
        assert!(!clock.sleep(Duration::from_secs(900), &cancel));
        cancel.set(Reason::Interrupted);
        assert!(clock.sleep(Duration::from_secs(900), &cancel));
        assert_eq!(clock.now(), Duration::from_secs(900));
    }
}
