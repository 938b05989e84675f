//! Local files: sealed, disposable, for what the storeys above remember between two runs.
//!
//! One is sealed with a key of its own label, derived from the repository's, so that what it says of names and ids
//! stays as secret as the repository, and nobody without the key can make it lie. It is never needed: a file that is not
//! there, or is not ours, or is another's or damaged, is a miss.

use crate::crypto::Key;
use crate::error::{Error, Result};
use crate::repository::Repository;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use tresor_backend::handle::Right;

/// The folder of such files in that of a repository's cache; restic has none of this name.
const FOLDER: &str = "tresor";

/// A local file that can only be had whole.
pub struct LocalFile {
    path: PathBuf,
    key: Key,
}

impl<R: Right> Repository<R> {
    /// The local file of this repository for a purpose, `label`, and of this name among those for that purpose.
    ///
    /// None if the repository is used without a cache.
    pub fn local_file(&self, label: &str, name: &[u8]) -> Option<LocalFile> {
        let folder = self.cache_folder()?.join(FOLDER);
        let key = self.key.derived(&format!("tresor/local/v1/{label}")).ok()?;
        // The name would tell what was backed up.
        let name = Sha256::new().chain_update(&key.secret()[..]).chain_update(name).finalize();
        let name: String = name[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        Some(LocalFile { path: folder.join(format!("{label}-{name}")), key })
    }
}

impl<R: Right> Repository<R> {
    /// The folder of local files, made if it is not there; none without a cache, or if that cannot be written.
    pub(crate) fn local_folder(&self) -> Option<PathBuf> {
        let folder = self.cache_folder()?.join(FOLDER);
        make_folder(&folder).ok()?;
        Some(folder)
    }

    /// The key of the local index.
    ///
    /// # Errors
    /// None that anybody has seen: one key in 2^128 cannot be used.
    pub(crate) fn index_key(&self) -> Result<Key> {
        let unusable = |_| Error::Refused("internal error: a derived key cannot be used".into());
        self.key.derived("tresor/local/v1/index").map_err(unusable)
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

impl LocalFile {
    /// What was saved last, of at most so many bytes when sealed; nothing if there is no such file or it is not as it was.
    pub fn load(&self, at_most: u64) -> Option<Vec<u8>> {
        let mut sealed = Vec::new();
        let file = File::open(&self.path).ok()?;
        file.take(at_most).read_to_end(&mut sealed).ok()?;
        let mut content = Vec::new();
        self.key.open(&sealed, &mut content).ok()?;
        Some(content)
    }

    /// Puts `content` in the place of what is there, in one step.
    ///
    /// # Errors
    /// Those of the file system, and of the random numbers; what was there stays.
    pub fn save(&self, content: &[u8]) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(&self.path);
        make_folder(folder)?;
        let mut sealed = Vec::new();
        self.key.seal(content, &mut sealed).map_err(io::Error::other)?;
        let mut temporary = tempfile::Builder::new().prefix("tmp-").tempfile_in(folder)?;
        temporary.write_all(&sealed)?;
        temporary.persist(&self.path)?;
        Ok(())
    }

    /// Removes it, so that nothing is remembered.
    pub fn forget(&self) {
        drop(fs::remove_file(&self.path)); // there may be none
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::Silent;
    use crate::testing;
    use std::sync::Arc;
    use tresor_backend::Full;
    use tresor_backend::memory::Memory;

    fn repository() -> Repository<Full> {
        testing::repository(&Arc::new(Memory::new()), 2, |_| {})
    }

    #[test]
    fn what_was_saved_comes_back_and_nothing_else() {
        let base = tempfile::tempdir().unwrap();
        let repository = repository().with_cache(base.path(), &Silent);
        let file = repository.local_file("files", b"/home").unwrap();
        assert_eq!(file.load(1000), None);
        file.save(b"what is known").unwrap();
        assert_eq!(file.load(1000).unwrap(), b"what is known");
        assert_eq!(file.load(20), None, "too long");
        assert_eq!(repository.local_file("files", b"/etc").unwrap().load(1000), None);
        let other_label =
            LocalFile { path: file.path.clone(), key: repository.key.derived("other").unwrap() };
        assert_eq!(other_label.load(1000), None);

        let sealed = fs::read(&file.path).unwrap();
        assert!(!sealed.windows(4).any(|window| window == b"what"));
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            fs::write(&file.path, &damaged).unwrap();
            assert_eq!(file.load(1000), None, "bit flipped at {at}");
        }
        for length in 0..sealed.len() {
            fs::write(&file.path, &sealed[..length]).unwrap();
            assert_eq!(file.load(1000), None, "cut to {length}");
        }
        file.forget();
        assert_eq!(file.load(1000), None);
    }

    #[test]
    fn without_a_cache_there_are_no_local_files() {
        assert!(repository().local_file("files", b"/").is_none());
    }
}
