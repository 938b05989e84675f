//! An open repository: the façade over key, config, backend and codec.

use crate::codec::Compression;
use crate::config::Config;
use crate::crypto::Key;
use crate::error::Result;
use crate::id::{KeyId, RepoId, SnapshotId};
use crate::index::Index;
use crate::monitor::Monitor;
use std::path::PathBuf;
use std::sync::Arc;
use tresor_backend::handle::{MayAppend, Right};
use tresor_backend::{Cancel, FileKind, Handle, Listed};

/// How an open repository is to be used.
#[derive(Clone)]
pub struct Options {
    /// Compression of new blobs.
    pub compression: Compression,
    /// Target size of new packs in bytes (4 to 128 MiB).
    pub pack_size: u32,
    /// Whether every sealed blob is opened, decompressed and hashed again before its upload.
    pub verify_before_upload: bool,
    /// Bytes of buffers an operation may hold in memory.
    pub memory: u64,
    /// Folder for unlinked temporary files.
    pub temporary_folder: PathBuf,
    /// Stops everything.
    pub cancel: Cancel,
}

/// A repository opened with the right `R` over its files.
pub struct Repository<R: Right> {
    pub(crate) handle: Handle<R>,
    pub(crate) key: Arc<Key>,
    pub(crate) key_id: KeyId,
    pub(crate) config: Config,
    pub(crate) options: Options,
}

impl<R: Right> Repository<R> {
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

    /// The chunker of this repository.
    pub fn chunker(&self) -> tresor_chunker::Chunker {
        unimplemented!()
    }

    /// All files of a kind.
    ///
    /// # Errors
    /// Those of the listing, which is complete or an error.
    pub fn list(&self, kind: FileKind) -> Result<Vec<Listed>> {
        Ok(self.handle.list_all(kind)?)
    }

    /// Loads a sealed file that is no pack (a snapshot, an index file), opened and decompressed.
    ///
    /// # Errors
    /// [`crate::Error::Damaged`] if it does not authenticate, does not decompress or has another hash than its name.
    pub fn load_file(&self, kind: FileKind, id: tresor_backend::Id) -> Result<Vec<u8>> {
        let _ = (kind, id);
        unimplemented!()
    }

    /// Loads every index file (in parallel) and merges them.
    ///
    /// # Errors
    /// One index file that cannot be decoded stops it, as it stops restic.
    pub fn load_index(&self, monitor: &dyn Monitor) -> Result<Index> {
        let _ = monitor;
        unimplemented!()
    }
}

impl<R: MayAppend> Repository<R> {
    /// Saves a snapshot: the commit point of a backup. Everything it refers to must be stored.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn save_snapshot(&self, json: &[u8]) -> Result<SnapshotId> {
        let _ = json;
        unimplemented!()
    }
}
