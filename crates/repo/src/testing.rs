//! Repositories in memory, and backends that fail, for this crate's own tests.

use crate::codec::Compression;
use crate::config::Config;
use crate::crypto::Key;
use crate::id::{IndexId, KeyId, PackId};
use crate::index::Index;
use crate::index::assemble::Assembly;
use crate::index::file::{IndexFile, decode, encode};
use crate::lock::{ExclusiveLock, Gate, LockOptions, Owner, Pace};
use crate::monitor::{Monitor, Silent};
use crate::pack::Entry;
use crate::repository::{Options, Repository};
use crate::time::Zone;
use std::sync::Arc;
use std::time::Duration;
use tresor_backend::memory::Memory;
use tresor_backend::{
    Backend, ByteRange, Cancel, Capabilities, Error, ErrorKind, FileKind, FileName, Full, Handle, Listed,
    Payload, Result,
};

/// A repository with a new key over `backend`, used with 64 KiB packs unless `change` says otherwise.
pub(crate) fn repository(
    backend: &Arc<impl Backend + 'static>,
    version: u32,
    change: impl FnOnce(&mut Options),
) -> Repository<Full> {
    let mut options = Options {
        compression: Compression::Auto,
        pack_size: 64 * 1024,
        verify_before_upload: true,
        memory: 8 << 20,
        temporary_folder: std::env::temp_dir(),
        cancel: Cancel::new(),
    };
    change(&mut options);
    Repository::assemble(
        Handle::new(Arc::clone(backend) as Arc<dyn Backend>),
        Key::random().unwrap(),
        KeyId::from_bytes([1; 32]),
        Config::new(version, None).unwrap(),
        options,
    )
}

/// An exclusive lock of its own, taken without waiting.
pub(crate) fn lock(repository: &Repository<Full>) -> ExclusiveLock {
    let owner =
        Owner { hostname: "vm".into(), username: "me".into(), pid: std::process::id(), uid: 0, gid: 0 };
    let options = LockOptions {
        owner,
        zone: Zone::utc(),
        retry: Duration::ZERO,
        pace: Pace { double_check: Duration::ZERO, ..Pace::default() },
        gate: Gate::default(),
        cancel: repository.cancel().clone(),
    };
    let silent: Arc<dyn Monitor> = Arc::new(Silent);
    repository.lock_exclusive(&options, &silent).unwrap()
}

/// Fails to save and to remove the files that `refuse` names.
pub(crate) struct Refusing<F> {
    pub(crate) inner: Memory,
    pub(crate) refuse: F,
}

impl<F: Fn(FileName) -> bool + Send + Sync> Backend for Refusing<F> {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    fn location(&self) -> String {
        self.inner.location()
    }
    fn create(&self) -> Result<()> {
        self.inner.create()
    }
    fn save(&self, file: FileName, payload: &Payload<'_>) -> Result<()> {
        match (self.refuse)(file) {
            true => Err(Error::new(ErrorKind::NoSpace, "save", file)),
            false => self.inner.save(file, payload),
        }
    }
    fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> Result<()> {
        self.inner.load(file, range, into)
    }
    fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Result<()> {
        self.inner.load_whole(file, at_most, into)
    }
    fn stat(&self, file: FileName) -> Result<u64> {
        self.inner.stat(file)
    }
    fn list(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        self.inner.list(kind, each)
    }
    fn remove(&self, file: FileName) -> Result<()> {
        match (self.refuse)(file) {
            true => Err(Error::new(ErrorKind::Denied, "remove", file)),
            false => self.inner.remove(file),
        }
    }
}

/// An index that names these packs.
pub(crate) fn index_of(packs: &[(PackId, Vec<Entry>)]) -> Index {
    index_of_files(&[packs])
}

/// The index of files that name these packs; their ids are 0, 1, ….
pub(crate) fn index_of_files(files: &[&[(PackId, Vec<Entry>)]]) -> Index {
    let ids: Vec<IndexId> = (0..files.len()).map(|number| IndexId::from_bytes([number as u8; 32])).collect();
    let key = Arc::new(Key::random().unwrap());
    let assembly = Assembly::without_kept(std::env::temp_dir(), key, ids.clone());
    let mut gathering = assembly.gather(ids.clone());
    for (id, packs) in ids.into_iter().zip(files) {
        gathering.add(id, &index_file(packs)).unwrap();
    }
    assembly.finish(Some(gathering)).unwrap()
}

/// What an index file of these packs says.
pub(crate) fn index_file(packs: &[(PackId, Vec<Entry>)]) -> IndexFile {
    let mut json = Vec::new();
    encode(packs, &mut json);
    decode(&json, 2).unwrap()
}

/// Numbers that are the same in every run: xorshift.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// `length` bytes; `alphabet` of 256 cannot be compressed, a small one can.
    pub(crate) fn bytes(&mut self, length: usize, alphabet: u64) -> Vec<u8> {
        (0..length).map(|_| self.below(alphabet) as u8).collect()
    }
}
