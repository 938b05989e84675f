//! An open repository: the façade over key, config, backend and codec.

use crate::cache::{Cache, Cached};
use crate::codec::Compression;
use crate::config::Config;
use crate::crypto::Key;
use crate::error::{Error, Existing, Result};
use crate::id::{KeyId, RepoId, SnapshotId};
use crate::keyfile::{self, NewKey, Password, find_key, save_key};
use crate::monitor::{Monitor, Note};
use crate::sealed;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tresor_backend::handle::{Append, MayAppend, Right};
use tresor_backend::{Cancel, ErrorKind, FileKind, FileName, Full, Handle, Id, Listed, Payload, Read};
use tresor_chunker::{Chunker, Polynomial};
use tresor_secmem::SecretBytes;

/// How an open repository is to be used.
#[derive(Clone)]
pub struct Options {
    /// Compression of new blobs.
    pub compression: Compression,
    /// Target size of new packs in bytes (4 to 128 MiB).
    pub pack_size: u32,
    /// Whether everything sealed is opened, decompressed and hashed again before its upload.
    pub verify_before_upload: bool,
    /// Bytes of buffers an operation may hold in memory.
    pub memory: u64,
    /// Folder for unlinked temporary files.
    pub temporary_folder: PathBuf,
    /// Stops everything.
    pub cancel: Cancel,
}

/// What a new repository is to be.
#[derive(Debug, Clone)]
pub struct InitOptions {
    /// 1 or 2.
    pub version: u32,
    /// The chunker's polynomial; one is drawn at random where none is given.
    pub polynomial: Option<Polynomial>,
    /// The first key file.
    pub key: NewKey,
}

/// A repository opened with the right `R` over its files.
pub struct Repository<R: Right> {
    pub(crate) handle: Handle<R>,
    pub(crate) key: Arc<Key>,
    pub(crate) key_id: KeyId,
    pub(crate) config: Config,
    pub(crate) options: Options,
    pub(crate) cache: Option<Arc<Cache>>,
    /// Held by whoever holds a long file.
    long_files: Arc<Mutex<()>>,
}

/// The only one who holds a long file.
pub(crate) type Turn<'a> = MutexGuard<'a, ()>;

impl<R: Right> Repository<R> {
    /// Opens the repository that `password` opens; `key_hint` is the beginning of the id of the key file to
    /// try first.
    ///
    /// # Errors
    /// [`Error::NoRepository`], [`Error::WrongPassword`], [`Error::TooManyKeys`], [`Error::BadConfig`].
    pub fn open(
        handle: Handle<R>,
        password: &Password,
        key_hint: Option<&str>,
        options: Options,
        monitor: &dyn Monitor,
    ) -> Result<Self> {
        let mut sealed_config = load_config(&handle)?;
        let (key, key_id) = find_key(&handle, password, key_hint, monitor, &options.cancel)?;
        let plain = key
            .open_in_place(&mut sealed_config)
            .map_err(|error| Error::BadConfig { what: format!("config or key is damaged: {error}") })?;
        let config = Config::parse(plain)?;
        Ok(Self::assemble(handle, key, key_id, config, options))
    }

    pub(crate) fn assemble(
        handle: Handle<R>,
        key: Key,
        key_id: KeyId,
        config: Config,
        options: Options,
    ) -> Self {
        let (key, long_files) = (Arc::new(key), Arc::default());
        Repository { handle, key, key_id, config, options, cache: None, long_files }
    }

    /// The same repository with a local cache in a folder of its own below `base`.
    ///
    /// A cache that cannot be used is told to the monitor, and the answer is the repository without it.
    #[must_use]
    pub fn with_cache(mut self, base: &Path, monitor: &dyn Monitor) -> Self {
        match Cache::open(base, &self.config.id) {
            Ok(opened) => {
                if opened.is_new {
                    monitor.note(&Note::NewCache { folder: opened.cache.folder().to_owned() });
                }
                let cache = Arc::clone(&opened.cache);
                self.handle = self.handle.wrapped(|backend| Arc::new(Cached::new(backend, cache)));
                self.cache = Some(opened.cache);
            }
            Err(error) => monitor.note(&Note::NoCache { cause: error.to_string() }),
        }
        self
    }

    /// The same repository for reading only.
    pub fn read(&self) -> Repository<Read> {
        self.with_handle(self.handle.read())
    }

    fn with_handle<S: Right>(&self, handle: Handle<S>) -> Repository<S> {
        Repository {
            handle,
            key: Arc::clone(&self.key),
            key_id: self.key_id,
            config: self.config.clone(),
            options: self.options.clone(),
            cache: self.cache.clone(),
            long_files: Arc::clone(&self.long_files),
        }
    }

    /// The repository's own id.
    pub fn id(&self) -> RepoId {
        self.config.id
    }

    /// The config.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The key file that the password opened.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// How the repository is used.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Stops every operation on this repository.
    pub fn cancel(&self) -> &Cancel {
        &self.options.cancel
    }

    /// The location as it may be shown to people.
    pub fn location(&self) -> String {
        self.handle.location()
    }

    /// The folder of the local cache, if one is in use.
    pub fn cache_folder(&self) -> Option<&Path> {
        self.cache.as_deref().map(Cache::folder)
    }

    /// The chunker of this repository.
    pub fn chunker(&self) -> Chunker {
        self.config.chunker().expect("a config is only made with a polynomial that a chunker takes")
    }

    /// All files of a kind.
    ///
    /// # Errors
    /// Those of the listing, which is complete or an error.
    pub fn list(&self, kind: FileKind) -> Result<Vec<Listed>> {
        Ok(self.handle.list_all(kind)?)
    }

    /// Loads a sealed file that is no pack (a snapshot, an index file, a lock), opened and decompressed.
    ///
    /// # Errors
    /// [`Error::Damaged`] if it does not authenticate, does not decompress or has another hash than its name.
    pub fn load_file(&self, kind: FileKind, id: Id) -> Result<Vec<u8>> {
        self.with_file(kind, id, <[u8]>::to_vec)
    }

    /// The same for whoever reads many of them in several threads: long ones are read one at a time.
    ///
    /// # Errors
    /// Those of [`load_file`](Self::load_file).
    pub fn with_file<T>(&self, kind: FileKind, id: Id, read: impl FnOnce(&[u8]) -> T) -> Result<T> {
        let file = FileName::new(kind, id);
        let (stored, turn) = self.load_in_turn(file)?;
        let (content, _turn) = self.open_in_turn(file, stored, turn)?;
        Ok(read(&content))
    }

    /// Loads a file's stored bytes; a long one when it is its turn.
    pub(crate) fn load_in_turn(&self, file: FileName) -> Result<(Vec<u8>, Option<Turn<'_>>)> {
        match self.load_stored_within(file, sealed::LONG) {
            Err(Error::Backend(error)) if error.kind() == ErrorKind::WrongSize => {
                let turn = self.turn();
                Ok((self.load_stored(file)?, Some(turn)))
            }
            stored => Ok((stored?, None)),
        }
    }

    /// Opens stored bytes; waits for a turn before much comes out of them, unless there is one.
    pub(crate) fn open_in_turn<'a>(
        &'a self,
        file: FileName,
        stored: Vec<u8>,
        turn: Option<Turn<'a>>,
    ) -> Result<(Vec<u8>, Option<Turn<'a>>)> {
        let (key, version) = (&self.key, self.config.version);
        match turn {
            Some(turn) => Ok((sealed::open(key, version, file, stored)?, Some(turn))),
            None => sealed::open_in_turn(key, version, file, stored, || self.turn()),
        }
    }

    fn turn(&self) -> Turn<'_> {
        self.long_files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loads a file's bytes as they are stored.
    ///
    /// # Errors
    /// [`Error::Damaged`] if they have another hash than the name.
    pub fn load_stored(&self, file: FileName) -> Result<Vec<u8>> {
        self.load_stored_within(file, sealed::limits(file.kind()).stored)
    }

    fn load_stored_within(&self, file: FileName, at_most: u64) -> Result<Vec<u8>> {
        sealed::load_stored_within(&self.handle, file, at_most, || {
            if let Some(cache) = &self.cache {
                cache.distrust(file);
            }
        })
    }

    /// The master key in restic's JSON form: whoever has it can read everything.
    pub fn master_key_json(&self) -> SecretBytes {
        keyfile::master_json(&self.key)
    }
}

impl Repository<Full> {
    /// The same repository without the right to remove.
    pub fn append(&self) -> Repository<Append> {
        self.with_handle(self.handle.append())
    }
}

impl<R: MayAppend> Repository<R> {
    /// Makes a new repository with one key file, and opens it. The config is saved last: before it is there,
    /// there is no repository.
    ///
    /// # Errors
    /// [`Error::RepositoryExists`] if a config, a key file or a snapshot is there.
    pub fn init(handle: Handle<R>, password: &Password, new: &InitOptions, options: Options) -> Result<Self> {
        let config = Config::new(new.version, new.polynomial)?;
        // First of all: in a bucket that is not there, nothing can be looked for.
        match handle.create() {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(exists(&handle, Existing::Config));
            }
            created => created?,
        }
        refuse_existing(&handle)?;
        let key = Key::random()?;
        let mut sealed_config = Vec::new();
        key.seal(&config.to_json(), &mut sealed_config)?;
        let key_id = save_key(&handle, &key, password, &new.key, &options.cancel)?;
        handle.save(FileName::CONFIG, &Payload::from(sealed_config.as_slice()))?;
        Ok(Self::assemble(handle, key, key_id, config, options))
    }

    /// Saves a snapshot: the commit point of a backup. Everything it refers to must be stored.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn save_snapshot(&self, json: &[u8]) -> Result<SnapshotId> {
        self.save_file(FileKind::Snapshot, json).map(SnapshotId::from_id)
    }

    /// Seals and saves a file that is no pack.
    pub(crate) fn save_file(&self, kind: FileKind, content: &[u8]) -> Result<Id> {
        let verify = self.options.verify_before_upload;
        let (id, stored) = sealed::seal(&self.key, self.config.version, kind, content, verify)?;
        self.handle.save(FileName::new(kind, id), &Payload::from(stored.as_slice()))?;
        Ok(id)
    }
}

fn load_config<R: Right>(handle: &Handle<R>) -> Result<Vec<u8>> {
    let mut sealed = Vec::new();
    match handle.load_whole(FileName::CONFIG, sealed::limits(FileKind::Config).stored, &mut sealed) {
        Ok(()) if sealed.is_empty() => {
            Err(Error::BadConfig { what: "config file has zero size, invalid repository?".into() })
        }
        Ok(()) => Ok(sealed),
        Err(source) if source.is_not_found() => {
            Err(Error::NoRepository { location: handle.location(), source: source.into() })
        }
        Err(error) => Err(error.into()),
    }
}

fn exists<R: Right>(handle: &Handle<R>, found: Existing) -> Error {
    Error::RepositoryExists { location: handle.location(), found }
}

fn refuse_existing<R: Right>(handle: &Handle<R>) -> Result<()> {
    match handle.stat(FileName::CONFIG) {
        Ok(_) => return Err(exists(handle, Existing::Config)),
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.into()),
    }
    if !handle.list_all(FileKind::Key)?.is_empty() {
        return Err(exists(handle, Existing::Keys));
    }
    if !handle.list_all(FileKind::Snapshot)?.is_empty() {
        return Err(exists(handle, Existing::Snapshots));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
