//! The locks of an open repository: taken for a purpose, or removed.

use crate::crypto::Key;
use crate::error::{Cause, Result};
use crate::local::LocalFile;
use crate::lock::{
    self, Envelope, ExclusiveLock, LockFiles, LockOptions, Notebook, Owner, Purpose, SharedLock, Sightings,
};
use crate::monitor::Monitor;
use crate::repository::Repository;
use crate::sealed;
use std::sync::Arc;
use tresor_backend::handle::Right;
use tresor_backend::{FileKind, FileName};

impl<R: Right> Repository<R> {
    /// Takes a shared lock to read, for which waiting is told to the monitor, and keeps it until it is released.
    ///
    /// A lock that cannot be read stops no reading: it is told to the monitor as a problem.
    ///
    /// # Errors
    /// [`Locked`](crate::Error::Locked) with an exclusive lock in the way; [`Cancelled`](crate::Error::Cancelled).
    pub fn lock_to_read(&self, options: &LockOptions, monitor: &Arc<dyn Monitor>) -> Result<SharedLock> {
        SharedLock::acquire(self.locks(), Purpose::Read, options, monitor)
    }

    /// Takes a shared lock to add, as [`lock_to_read`](Self::lock_to_read).
    ///
    /// A lock that cannot be read counts as exclusive until it was listed for half an hour.
    ///
    /// # Errors
    /// The same, and [`UnreadableLock`](crate::Error::UnreadableLock).
    pub fn lock_shared(&self, options: &LockOptions, monitor: &Arc<dyn Monitor>) -> Result<SharedLock> {
        SharedLock::acquire(self.locks(), Purpose::Add, options, monitor)
    }

    /// Takes an exclusive lock to remove, as [`lock_shared`](Self::lock_shared) does a shared one.
    ///
    /// # Errors
    /// [`Locked`](crate::Error::Locked) with any lock in the way, and
    /// [`UnreadableLock`](crate::Error::UnreadableLock) with any that cannot be read, however old;
    /// [`Cancelled`](crate::Error::Cancelled).
    pub fn lock_exclusive(&self, options: &LockOptions, monitor: &Arc<dyn Monitor>) -> Result<ExclusiveLock> {
        ExclusiveLock::acquire(self.locks(), Purpose::Remove, options, monitor)
    }

    /// Removes locks left behind; returns how many.
    ///
    /// # Errors
    /// Those of the backend. Locks that cannot be read are no errors: they stay, unless all are to go.
    pub fn unlock(&self, which: lock::Which, owner: &Owner) -> Result<u64> {
        lock::unlock(&self.locks(), which, owner)
    }

    fn locks(&self) -> LockFiles {
        let envelope = SealedLocks { key: Arc::clone(&self.key), version: self.config.version };
        let notebook =
            self.local_file("locks", b"unreadable").map(|file| Arc::new(file) as Arc<dyn Notebook>);
        LockFiles::new(self.handle.locks(), Arc::new(envelope), Sightings::new(notebook))
    }
}

impl Repository<tresor_backend::Read> {
    /// Takes an exclusive lock to check, while nobody changes anything; as
    /// [`lock_to_read`](Self::lock_to_read) does a shared one.
    ///
    /// # Errors
    /// The same, with any lock in the way.
    pub fn lock_to_check(&self, options: &LockOptions, monitor: &Arc<dyn Monitor>) -> Result<ExclusiveLock> {
        ExclusiveLock::acquire(self.locks(), Purpose::Check, options, monitor)
    }
}

/// Seals and opens lock files.
struct SealedLocks {
    key: Arc<Key>,
    version: u32,
}

impl Envelope for SealedLocks {
    fn wrap(&self, json: &[u8]) -> Result<Vec<u8>> {
        sealed::seal(&self.key, self.version, FileKind::Lock, json, false).map(|(_, stored)| stored)
    }

    fn unwrap(&self, stored: &[u8]) -> Result<Vec<u8>, Cause> {
        let file = FileName::new(FileKind::Lock, sealed::id_of(stored));
        Ok(sealed::open(&self.key, self.version, file, stored.to_vec())?)
    }
}

impl Notebook for LocalFile {
    fn read(&self, at_most: u64) -> Option<Vec<u8>> {
        self.load(at_most)
    }

    fn write(&self, bytes: &[u8]) {
        drop(self.save(bytes)); // without it somebody waits longer
    }
}
