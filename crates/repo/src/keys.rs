//! The key files of an open repository: list, add, change, remove.

use crate::error::{Error, Result};
use crate::id::KeyId;
use crate::keyfile::{KeyFile, NewKey, Password, load_key_file, save_key, verify_key};
use crate::lock::ExclusiveLock;
use crate::monitor::{Monitor, Problem};
use crate::repository::Repository;
use crate::sealed;
use crate::time::Time;
use tresor_backend::handle::Right;
use tresor_backend::{FileKind, Full};

/// A key file as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its name.
    pub id: KeyId,
    /// Whether it is the one in use.
    pub is_current: bool,
    /// By whom it was made.
    pub username: String,
    /// On which machine.
    pub hostname: String,
    /// When.
    pub created: Time,
}

impl<R: Right> Repository<R> {
    /// All key files that can be read; others are told to the monitor.
    ///
    /// # Errors
    /// Those of the listing.
    pub fn keys(&self, monitor: &dyn Monitor) -> Result<Vec<KeyInfo>> {
        let mut keys = Vec::new();
        for listed in self.list(FileKind::Key)? {
            let id = KeyId::from_id(listed.id);
            match load_key_file(&self.handle, id) {
                Ok(KeyFile { created, username, hostname, .. }) => {
                    keys.push(KeyInfo { id, is_current: id == self.key_id, username, hostname, created });
                }
                Err(cause) => monitor.problem(&Problem {
                    item: id.file().to_string(),
                    doing: "read",
                    cause: cause.into(),
                }),
            }
        }
        Ok(keys)
    }
}

impl Repository<Full> {
    /// Adds a key file for `password`, and removes it again should it not open once it is stored.
    ///
    /// # Errors
    /// Those of the backend, or the verification's.
    pub fn add_key(&self, password: &Password, new: &NewKey) -> Result<KeyId> {
        let id = save_key(&self.handle, &self.key, password, new, self.cancel())?;
        let stored = sealed::load_stored(&self.handle, id.file(), || ());
        if let Err(error) = stored.and_then(|stored| verify_key(&self.key, password, &stored, self.cancel()))
        {
            // What is told is why it is not good; a file that stays as well does no harm.
            let _ = self.handle.remove(id.file());
            return Err(error);
        }
        Ok(id)
    }

    /// Replaces the key file in use by one for another password.
    ///
    /// # Errors
    /// As [`add_key`](Self::add_key); then the old key file is still there.
    pub fn change_password(
        &mut self,
        password: &Password,
        new: &NewKey,
        _lock: &ExclusiveLock,
    ) -> Result<KeyId> {
        let id = self.add_key(password, new)?;
        self.handle.remove(self.key_id.file())?;
        self.key_id = id;
        Ok(id)
    }

    /// Removes a key file.
    ///
    /// # Errors
    /// Refused for the key file in use.
    pub fn remove_key(&self, id: KeyId, _lock: &ExclusiveLock) -> Result<()> {
        if id == self.key_id {
            return Err(Error::Refused("refusing to remove key currently used to access repository".into()));
        }
        Ok(self.handle.remove(id.file())?)
    }

    /// The key files that cannot be read, sorted.
    ///
    /// # Errors
    /// Those of the listing and of the backend.
    pub fn unreadable_keys(&self) -> Result<Vec<KeyId>> {
        let mut unreadable = Vec::new();
        for listed in self.list(FileKind::Key)? {
            let id = KeyId::from_id(listed.id);
            match load_key_file(&self.handle, id) {
                Ok(_) => {}
                Err(error) if error.is_damage() || matches!(error, Error::BadKeyFile { .. }) => {
                    unreadable.push(id)
                }
                Err(error) => return Err(error),
            }
        }
        unreadable.sort_unstable();
        Ok(unreadable)
    }

    /// The id of the only key file whose id begins with `prefix`.
    ///
    /// # Errors
    /// Refused if there is none, or more than one.
    pub fn find_key(&self, prefix: &str) -> Result<KeyId> {
        let listed = self.list(FileKind::Key)?;
        let mut fitting = listed.iter().filter(|listed| listed.id.hex().starts_with(prefix));
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => Ok(KeyId::from_id(only.id)),
            (None, _) => Err(Error::Refused(format!("no matching ID found for prefix {prefix:?}"))),
            _ => Err(Error::Refused(format!("multiple IDs with prefix {prefix:?} found"))),
        }
    }
}
