//! Lock files: what they say, whom they are in the way of, when they are stale.

use super::{Mode, Owner, Sightings};
use crate::clock;
use crate::error::{Cause, Error, Result};
use crate::holder::Holder;
use crate::id::LockId;
use crate::json::Object;
use crate::time::{Time, Zone};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use tresor_backend::{ErrorKind, Listed, LockHandle};

/// More than any lock file needs.
const MOST_BYTES: u64 = 1 << 20;
/// From this age on a lock is stale, whoever holds it.
const STALE_AFTER: Duration = Duration::from_secs(30 * 60);

/// Seals the JSON of a lock into what is stored, and opens it again.
pub(crate) trait Envelope: Send + Sync {
    /// The stored bytes of `json`.
    fn wrap(&self, json: &[u8]) -> Result<Vec<u8>>;
    /// The JSON in `stored` bytes.
    fn unwrap(&self, stored: &[u8]) -> Result<Vec<u8>, Cause>;
}

/// What a lock file says, in its order.
#[derive(Serialize)]
struct Content<'a> {
    time: Time,
    exclusive: bool,
    hostname: &'a str,
    username: &'a str,
    pid: u32,
    #[serde(skip_serializing_if = "is_zero")]
    uid: u32,
    #[serde(skip_serializing_if = "is_zero")]
    gid: u32,
}

/// Reads what a lock file says.
fn holder(lock: LockId, json: &[u8]) -> Result<Holder, Cause> {
    let object = Object::parse(json)?;
    let time: String = object.get("time")?;
    Ok(Holder {
        lock,
        exclusive: object.get("exclusive")?,
        time: Time::parse(time)?,
        hostname: object.get("hostname")?,
        username: object.get("username")?,
        pid: object.get("pid")?,
        uid: object.get("uid")?,
        gid: object.get("gid")?,
    })
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// Whether nobody holds it any more: too old, or of this machine and its process is gone.
pub(super) fn is_stale(holder: &Holder, owner: &Owner) -> bool {
    holder.age() > STALE_AFTER || (holder.hostname == owner.hostname && !is_alive(holder.pid))
}

/// Whether a process exists. No signal is sent to it: it may be a stranger that would die of one.
fn is_alive(pid: u32) -> bool {
    use nix::errno::Errno;
    use nix::unistd::Pid;
    let Ok(pid) = i32::try_from(pid) else { return false };
    pid > 0 && nix::sys::signal::kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH)
}

pub(super) fn now() -> Time {
    let (seconds, nanoseconds) = clock::now();
    Time::utc(seconds, nanoseconds)
}

/// The lock files of a repository.
#[derive(Clone)]
pub(crate) struct LockFiles {
    handle: LockHandle,
    envelope: Arc<dyn Envelope>,
    sightings: Arc<Sightings>,
}

/// What a look at the locks of others finds.
pub(super) struct Others {
    /// One in the way.
    pub(super) conflict: Option<Holder>,
    /// Those that cannot be read, and why; as far as they were looked at.
    pub(super) unreadable: Vec<(LockId, Error)>,
}

impl LockFiles {
    pub(crate) fn new(handle: LockHandle, envelope: Arc<dyn Envelope>, sightings: Sightings) -> Self {
        LockFiles { handle, envelope, sightings: Arc::new(sightings) }
    }

    /// Since when locks that cannot be read have been there.
    pub(super) fn sightings(&self) -> &Sightings {
        &self.sightings
    }

    /// Writes a new lock of `owner`, dated now.
    pub(super) fn save(&self, owner: &Owner, mode: Mode, zone: &Zone) -> Result<LockId> {
        let content = Content {
            time: now().in_zone(zone),
            exclusive: mode == Mode::Exclusive,
            hostname: &owner.hostname,
            username: &owner.username,
            pid: owner.pid,
            uid: owner.uid,
            gid: owner.gid,
        };
        let json = serde_json::to_vec(&content).map_err(|source| Error::Refused(source.to_string()))?;
        let stored = self.envelope.wrap(&json)?;
        let id = LockId::from_bytes(Sha256::digest(&stored).into());
        self.handle.save(id.id(), &stored)?;
        Ok(id)
    }

    /// Reads a lock; `None` if it has gone meanwhile or is empty, which restic leaves behind on a full disk.
    pub(super) fn load(&self, id: &LockId) -> Result<Option<Holder>> {
        let stored = match self.handle.load(id.id(), MOST_BYTES) {
            Ok(stored) if stored.is_empty() => return Ok(None),
            Ok(stored) => stored,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::WrongSize => return Err(unreadable(id, error)),
            Err(error) => return Err(error.into()),
        };
        if Sha256::digest(&stored)[..] != id.as_bytes()[..] {
            return Err(unreadable(id, "its content does not fit its name"));
        }
        let json = self.envelope.unwrap(&stored).map_err(|source| unreadable(id, source))?;
        holder(*id, &json).map(Some).map_err(|source| unreadable(id, source))
    }

    /// Looks for a lock in the way of `mode`, ours apart. Age does not matter: only `unlock` judges it.
    pub(super) fn others(&self, mode: Mode, ours: Option<LockId>) -> Result<Others> {
        let mut unreadable = Vec::new();
        for id in self.list()?.into_iter().map(|listed| LockId::from_id(listed.id)) {
            if Some(id) == ours {
                continue;
            }
            match self.load(&id) {
                Ok(Some(holder)) if mode == Mode::Exclusive || holder.exclusive => {
                    return Ok(Others { conflict: Some(holder), unreadable });
                }
                Ok(_) => {}
                Err(error @ Error::UnreadableLock { .. }) => unreadable.push((id, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(Others { conflict: None, unreadable })
    }

    /// Whether a lock is still there.
    pub(super) fn exists(&self, id: &LockId) -> Result<bool> {
        Ok(self.list()?.iter().any(|listed| listed.id == id.id()))
    }

    pub(super) fn list(&self) -> Result<Vec<Listed>> {
        Ok(self.handle.list()?)
    }

    pub(super) fn remove(&self, id: &LockId) -> Result<()> {
        Ok(self.handle.remove(id.id())?)
    }
}

fn unreadable(id: &LockId, source: impl Into<Cause>) -> Error {
    Error::UnreadableLock { lock: *id, source: source.into() }
}

/// For [`fuzz`](crate::fuzz).
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(bytes: &[u8]) {
    if let Ok(holder) = holder(LockId::from_bytes([0; 32]), bytes) {
        let _ = holder.age();
    }
}
