//! The caches of all repositories below one folder: which there are, how old and how big.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::clock;

/// What the name of a temporary cache of `check` begins with.
const OF_A_CHECK: &str = "restic-check-cache-";

/// One cache.
#[derive(Debug)]
pub struct Stocked {
    /// Name of its folder: the id of a repository in hexadecimal, or that of a temporary cache.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
    /// When it was opened last.
    pub last_used: SystemTime,
}

impl Stocked {
    /// Whether it is a temporary cache that a check left behind.
    pub fn is_temporary(&self) -> bool {
        self.name.starts_with(OF_A_CHECK)
    }

    /// How long nobody has opened it; nothing if the clock was set back.
    pub fn unused(&self) -> Duration {
        let (seconds, nanoseconds) = clock::now();
        let now = UNIX_EPOCH + Duration::new(seconds.unsigned_abs(), nanoseconds);
        now.duration_since(self.last_used).unwrap_or_default()
    }

    /// Bytes of the files in it; reads every folder. What vanishes meanwhile counts as nothing.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn size(&self) -> io::Result<u64> {
        size_of(&self.folder)
    }

    /// Removes the whole cache; nothing is lost that the repository does not have.
    ///
    /// # Errors
    /// Something in it cannot be removed.
    pub fn remove(&self) -> io::Result<()> {
        std::fs::remove_dir_all(&self.folder)
    }
}

/// The caches below `base`, the longest unused first; none if there is no such folder.
///
/// Only folders with the name of a cache count: nothing else in `base` is ours to touch, links least of all.
///
/// # Errors
/// `base` cannot be read.
pub fn list(base: &Path) -> io::Result<Vec<Stocked>> {
    let entries = match std::fs::read_dir(base) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut caches = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !is_cache_name(&name) || !entry.file_type()?.is_dir() {
            continue;
        }
        let last_used = match entry.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            metadata => metadata?.modified()?,
        };
        caches.push(Stocked { name, folder: entry.path(), last_used });
    }
    caches.sort_by(|a, b| (a.last_used, &a.name).cmp(&(b.last_used, &b.name)));
    Ok(caches)
}

fn is_cache_name(name: &str) -> bool {
    let of_repository =
        name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let temporary = name.strip_prefix(OF_A_CHECK);
    of_repository
        || temporary.is_some_and(|nr| !nr.is_empty() && nr.bytes().all(|byte| byte.is_ascii_digit()))
}

fn size_of(folder: &Path) -> io::Result<u64> {
    let mut size = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            size += size_of(&entry.path())?;
        } else if kind.is_file() {
            size += entry.metadata().map_or(0, |metadata| metadata.len());
        }
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_with_the_name_of_a_cache_count() {
        let base = tempfile::tempdir().unwrap();
        let (one, two) = ("1".repeat(64), "restic-check-cache-17");
        for name in [&one, two, "restic-check-cache-", "restic-check-cache-x", "junk", &"G".repeat(64)] {
            std::fs::create_dir_all(base.path().join(name).join("data")).unwrap();
        }
        std::fs::write(base.path().join("2".repeat(64)), "a file").unwrap();
        std::os::unix::fs::symlink("/", base.path().join("3".repeat(64))).unwrap();
        std::fs::write(base.path().join(&one).join("data/x"), "12345").unwrap();
        std::fs::write(base.path().join(&one).join("version"), "1").unwrap();
        let caches = list(base.path()).unwrap();
        let found = |name: &str| caches.iter().find(|cache| cache.name == name).unwrap();
        assert_eq!(caches.len(), 2, "{caches:?}");
        assert_eq!(found(&one).size().unwrap(), 6);
        assert!(found(two).is_temporary() && !found(&one).is_temporary());
        found(&one).remove().unwrap();
        assert_eq!(list(base.path()).unwrap().len(), 1);
        assert!(list(&base.path().join("nowhere")).unwrap().is_empty());
    }
}
