//! Locks: shared to add, exclusive to remove (format: "Locks").

use crate::id::LockId;
use crate::time::Time;
use std::fmt;

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

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.exclusive { "already locked exclusively" } else { "already locked" };
        write!(f, "repository is {how} by PID {} on {} by {}", self.pid, self.hostname, self.username)?;
        write!(f, " (UID {}, GID {})", self.uid, self.gid)
    }
}
