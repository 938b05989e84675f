//! Who holds a lock: what people are told when it is in the way.

use crate::clock;
use crate::id::LockId;
use crate::time::Time;
use std::fmt;
use std::time::Duration;

/// Who holds a lock: what a conflict tells people.
#[derive(Debug, Clone)]
pub struct Holder {
    /// The lock file.
    pub lock: LockId,
    /// Whether it excludes everybody else.
    pub exclusive: bool,
    /// When it was made or last refreshed.
    pub time: Time,
    /// On which machine.
    pub hostname: String,
    /// By whom.
    pub username: String,
    /// By which process.
    pub pid: u32,
    /// The process's user id.
    pub uid: u32,
    /// The process's group id.
    pub gid: u32,
}

impl Holder {
    /// How long ago it was made or refreshed; nothing if it is dated in the future.
    pub fn age(&self) -> Duration {
        let (seconds, nanoseconds) = clock::now();
        Time::utc(seconds, nanoseconds).since(&self.time)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.exclusive { "already locked exclusively" } else { "already locked" };
        write!(f, "repository is {how} by PID {} on {} by {}", self.pid, self.hostname, self.username)?;
        write!(f, " (UID {}, GID {})", self.uid, self.gid)
    }
}
