//! Takes locks without ado, for tests of what needs one.

use std::sync::Arc;
use std::time::Duration;
use tresor_backend::Full;
use tresor_repo::Repository;
use tresor_repo::lock::{ExclusiveLock, Gate, LockOptions, Owner, Pace};
use tresor_repo::monitor::{Monitor, Silent};
use tresor_repo::time::Zone;

/// An exclusive lock, taken without waiting; of another machine, as restic would send us a signal to see
/// whether we are alive.
pub fn exclusive(repository: &Repository<Full>) -> ExclusiveLock {
    let owner = Owner {
        hostname: "elsewhere".into(),
        username: "tester".into(),
        pid: std::process::id(),
        uid: 1,
        gid: 2,
    };
    let options = LockOptions {
        owner,
        zone: Zone::utc(),
        retry: Duration::ZERO,
        pace: Pace { double_check: Duration::ZERO, ..Pace::default() },
        gate: Gate::default(),
        cancel: repository.cancel().clone(),
    };
    let monitor: Arc<dyn Monitor> = Arc::new(Silent);
    repository.lock_exclusive(&options, &monitor).expect("nobody else uses the repository")
}
