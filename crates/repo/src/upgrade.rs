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
