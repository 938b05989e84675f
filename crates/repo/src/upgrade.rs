//! Upgrade a repository of version 1 to version 2: a new config, and nothing else.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::lock::ExclusiveLock;
use crate::repository::Repository;
use crate::sealed;
use tresor_backend::handle::Right;
use tresor_backend::{FileKind, FileName, Full, Payload};

/// Why an upgrade did not come about.
#[derive(Debug)]
pub struct NotUpgraded {
    /// What went wrong.
    pub cause: Box<Error>,
    /// Why the old config could not be stored again; then there is none.
    pub not_restored: Option<Box<Error>>,
}

impl From<Error> for NotUpgraded {
    fn from(cause: Error) -> Self {
        NotUpgraded { cause: cause.into(), not_restored: None }
    }
}

impl<R: Right> Repository<R> {
    /// The config's bytes as they are stored: what a copy of it has to hold.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn stored_config(&self) -> Result<Vec<u8>> {
        let mut stored = Vec::new();
        self.handle.load_whole(FileName::CONFIG, sealed::limits(FileKind::Config).stored, &mut stored)?;
        Ok(stored)
    }
}

impl Repository<Full> {
    /// Replaces the config by one of version 2; `stored` is what [`stored_config`](Self::stored_config) gave.
    ///
    /// Where the backend cannot replace a file at once, the old one goes first, and is stored again should the
    /// new one fail. This repository still says version 1 afterwards: it is to be opened anew.
    ///
    /// # Errors
    /// It is no version 1; those of the backend.
    pub fn upgrade(&self, stored: &[u8], _lock: &ExclusiveLock) -> Result<(), NotUpgraded> {
        let version = self.config.version;
        if version != 1 {
            let why = format!("repository has version {version}, only upgrades from version 1 are supported");
            return Err(Error::Refused(why).into());
        }
        let config = Config { version: 2, ..self.config.clone() };
        let json = config.to_json();
        let (mut sealed_config, mut opened) = (Vec::new(), Vec::new());
        self.key.seal(&json, &mut sealed_config)?;
        let comes_back = self.key.open(&sealed_config, &mut opened).is_ok() && opened == json;
        if !comes_back {
            return Err(Error::FileVerification { kind: FileKind::Config }.into());
        }
        if self.cancel().is_set() {
            return Err(Error::Cancelled.into());
        }
        let replaces = self.handle.capabilities().atomic_replace;
        if !replaces {
            self.handle.remove(FileName::CONFIG).map_err(Error::from)?;
        }
        let saved = self.handle.save(FileName::CONFIG, &Payload::from(sealed_config.as_slice()));
        saved.map_err(|error| {
            let not_restored = self.restore_config(stored).map(Box::new);
            NotUpgraded { cause: Box::new(error.into()), not_restored }
        })
    }

    /// Stores the old config again, unless it is still there; says why that failed.
    fn restore_config(&self, stored: &[u8]) -> Option<Error> {
        if self.stored_config().is_ok_and(|found| found == stored) {
            return None;
        }
        // Half a new one may be in the way; whether there is any shows when the old one is saved.
        let _ = self.handle.remove(FileName::CONFIG);
        self.handle.save(FileName::CONFIG, &Payload::from(stored)).err().map(Error::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Refusing, lock, repository};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tresor_backend::memory::Memory;
    use tresor_backend::{Backend, Capabilities};

    /// Upgrades over a backend that refuses the first `refused` times to save the config.
    fn upgrade(version: u32, atomic_replace: bool, refused: u32) -> (Result<(), NotUpgraded>, Option<u32>) {
        let tried = AtomicU32::new(0);
        let refuse = move |file: FileName| {
            file.kind() == FileKind::Config
                && (1..=refused)
                    .contains(&(tried.fetch_add(1, Ordering::Relaxed) + u32::from(atomic_replace)))
        };
        let inner = Memory::with(Capabilities {
            connections: 2,
            atomic_replace,
            lists_all: true,
            near: false,
            archive: None,
        });
        let backend = Arc::new(Refusing { inner, refuse });
        let repository = repository(&backend, version, |_| ());
        let mut stored = Vec::new();
        repository.key.seal(&repository.config.to_json(), &mut stored).unwrap();
        backend.inner.save(FileName::CONFIG, &Payload::from(stored.as_slice())).unwrap();
        let lock = lock(&repository);
        let ended = repository.upgrade(&stored, &lock);
        lock.release().unwrap();
        let found = repository.stored_config().ok().map(|mut sealed_config| {
            Config::parse(repository.key.open_in_place(&mut sealed_config).unwrap()).unwrap().version
        });
        (ended, found)
    }

    #[test]
    fn the_config_is_new_or_old_and_if_it_is_neither_that_is_told() {
        for atomic_replace in [true, false] {
            let (ended, found) = upgrade(1, atomic_replace, 0);
            assert!(ended.is_ok() && found == Some(2));
            let (ended, found) = upgrade(2, atomic_replace, 0);
            assert!(ended.is_err() && found == Some(2));
        }
        let (ended, found) = upgrade(1, true, 1);
        assert!(ended.unwrap_err().not_restored.is_none() && found == Some(1));
        // Refusing counts the removal of the old config first.
        let (ended, found) = upgrade(1, false, 1);
        assert!(ended.unwrap_err().not_restored.is_none() && found == Some(1));
        let (ended, found) = upgrade(1, false, 3);
        assert!(ended.unwrap_err().not_restored.is_some() && found.is_none());
    }
}
