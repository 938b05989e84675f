//! The folder of the trust store: a file for each address, for nobody but its owner.

use super::entry::Entry;
use sha2::{Digest, Sha256};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// No file is read that is longer: 2 × (2¹⁷ + 2¹⁴) names of snapshots and index files take about ten.
const MOST_BYTES: u64 = 32 << 20;
/// A lock is held for milliseconds; who waits longer goes without.
const PATIENCE: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// A folder of entries.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

/// Why an entry cannot be had or kept.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The file cannot be read or written.
    #[error("{}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What it says makes no sense to this program.
    #[error("{} cannot be understood: {what}", path.display())]
    Content {
        /// Which one.
        path: PathBuf,
        /// Why.
        what: String,
    },
}

type Result<T> = std::result::Result<T, Unusable>;

impl Store {
    /// The store in a folder, which is made when something is kept.
    pub fn new(folder: PathBuf) -> Self {
        Store { folder }
    }

    /// The file of an address.
    pub fn path(&self, address: &str) -> PathBuf {
        let digest = Sha256::digest(address.as_bytes());
        let name: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(name + ".json")
    }

    /// What is remembered of an address.
    ///
    /// # Errors
    /// The file cannot be read, or not be understood, or is another's.
    pub fn load(&self, address: &str) -> Result<Option<Entry>> {
        let path = self.path(address);
        let entry = load(&path)?;
        match entry {
            Some(entry) if entry.address != address => {
                Err(Unusable::Content { path, what: format!("it is about {:?}", entry.address) })
            }
            entry => Ok(entry),
        }
    }

    /// Everything that is remembered, ordered by address; a file that cannot be read is an error in its place.
    ///
    /// # Errors
    /// The folder cannot be read; if it is not there, nothing is remembered.
    pub fn all(&self) -> Result<Vec<Result<Entry>>> {
        let listed = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed.map_err(|source| at(&self.folder, source))?,
        };
        let mut entries = Vec::new();
        for file in listed {
            let path = file.map_err(|source| at(&self.folder, source))?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                entries.extend(load(&path).transpose());
            }
        }
        entries.sort_by(|a, b| a.as_ref().ok().map(|a| &a.address).cmp(&b.as_ref().ok().map(|b| &b.address)));
        Ok(entries)
    }

    /// Changes what is remembered of an address, in one step, while no other program does.
    ///
    /// # Errors
    /// What is there cannot be understood, or nothing can be written; then everything is as it was.
    pub fn update<T>(&self, address: &str, change: impl FnOnce(&mut Entry) -> T) -> Result<T> {
        let _lock = self.lock()?;
        let entry = self.load(address)?;
        let mut changed = entry.clone().unwrap_or_else(|| Entry::new(address));
        let answer = change(&mut changed);
        if entry.as_ref() != Some(&changed) {
            self.write(&self.path(address), &changed.to_json())?;
        }
        Ok(answer)
    }

    /// Forgets an address, also what cannot be understood; says whether there was anything.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn forget(&self, address: &str) -> Result<bool> {
        let path = self.path(address);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(at(&path, source)),
        }
    }

    fn lock(&self) -> Result<File> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|source| at(&self.folder, source))?;
        let path = self.folder.join("lock");
        let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(|source| at(&path, source))?;
        for _ in 0..PATIENCE {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
                Err(TryLockError::Error(source)) => return Err(at(&path, source)),
            }
        }
        Err(at(&path, io::ErrorKind::WouldBlock.into()))
    }

    /// Temporary files of `tempfile` are for their owner alone, and stay so under the name they get.
    fn write(&self, path: &Path, content: &[u8]) -> Result<()> {
        let written = || {
            let mut temporary = tempfile::Builder::new().prefix("tmp-").tempfile_in(&self.folder)?;
            temporary.write_all(content)?;
            temporary.as_file().sync_all()?;
            temporary.persist(path)?;
            Ok(())
        };
        written().map_err(|source: io::Error| at(path, source))
    }
}

fn load(path: &Path) -> Result<Option<Entry>> {
    let mut json = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut json));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|source| at(path, source))?,
    };
    let unclear = |what| Unusable::Content { path: path.to_owned(), what };
    if json.len() as u64 > MOST_BYTES {
        return Err(unclear(format!("it is longer than {MOST_BYTES} bytes")));
    }
    Entry::parse(&json).map(Some).map_err(unclear)
}

fn at(path: &Path, source: io::Error) -> Unusable {
    Unusable::File { path: path.to_owned(), source }
}
