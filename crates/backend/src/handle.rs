//! Handles typed by right: who may read, who may add, who may remove.
//!
//! A function that takes a [`Handle<Append>`] cannot name the removal of data, and the compiler says so;
//! what makes a backup safe is then visible in its signature. Locks are apart: everybody may add and
//! remove lock files through a [`LockHandle`].
//!
//! What compiles with every right,
//!
//! ```
//! use tresor_backend::{FileName, Full, Handle, Payload, Result};
//! fn replace(handle: &Handle<Full>, file: FileName, payload: &Payload<'_>) -> Result<()> {
//!     handle.remove(file)?;
//!     handle.save(file, payload)
//! }
//! ```
//!
//! does not when data may only be added,
//!
//! ```compile_fail,E0599
//! use tresor_backend::{Append, FileName, Handle, Payload, Result};
//! fn replace(handle: &Handle<Append>, file: FileName, payload: &Payload<'_>) -> Result<()> {
//!     handle.remove(file)?;
//!     handle.save(file, payload)
//! }
//! ```
//!
//! and nothing can be added by who may only read,
//!
//! ```compile_fail,E0599
//! use tresor_backend::{FileName, Handle, Payload, Read, Result};
//! fn add(handle: &Handle<Read>, file: FileName, payload: &Payload<'_>) -> Result<()> {
//!     handle.save(file, payload)
//! }
//! ```
//!
//! nor can a right that was given up be had again:
//!
//! ```compile_fail,E0599
//! use tresor_backend::{Append, Handle, Read};
//! fn regain(handle: &Handle<Read>) -> Handle<Append> {
//!     handle.append()
//! }
//! ```

use crate::backend::TOLD_ONCE;
use crate::{
    Availability, Backend, ByteRange, Capabilities, FileKind, FileName, Id, Listed, Payload, Result,
};
use std::collections::HashSet;
use std::marker::PhantomData;
use std::sync::Arc;

mod sealed {
    pub trait Sealed {}
}

/// A right over a repository's files.
pub trait Right: sealed::Sealed + Send + Sync + 'static {}
/// A right that includes adding files.
pub trait MayAppend: Right {}
/// A right that includes removing files.
pub trait MayRemove: MayAppend {}

/// May load, stat and list.
pub struct Read;
/// May also save.
pub struct Append;
/// May also remove.
pub struct Full;

impl sealed::Sealed for Read {}
impl sealed::Sealed for Append {}
impl sealed::Sealed for Full {}
impl Right for Read {}
impl Right for Append {}
impl Right for Full {}
impl MayAppend for Append {}
impl MayAppend for Full {}
impl MayRemove for Full {}

/// A backend, and the right to use it as `R` allows. Rights can be given up, never gained.
pub struct Handle<R: Right> {
    backend: Arc<dyn Backend>,
    right: PhantomData<fn() -> R>,
}

impl<R: Right> Clone for Handle<R> {
    fn clone(&self) -> Self {
        Self::over(Arc::clone(&self.backend))
    }
}

impl Handle<Full> {
    /// Every right over `backend`.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self::over(backend)
    }

    /// The same backend, without the right to remove.
    pub fn append(&self) -> Handle<Append> {
        Handle::over(Arc::clone(&self.backend))
    }
}

impl<R: Right> Handle<R> {
    fn over(backend: Arc<dyn Backend>) -> Self {
        Handle { backend, right: PhantomData }
    }

    /// The same backend, for reading only.
    pub fn read(&self) -> Handle<Read> {
        Handle::over(Arc::clone(&self.backend))
    }

    /// The lock files alone, with every right over them.
    pub fn locks(&self) -> LockHandle {
        LockHandle { backend: Arc::clone(&self.backend) }
    }

    /// The same right over the backend that `wrap` makes of this one (a cache, say).
    #[must_use]
    pub fn wrapped(&self, wrap: impl FnOnce(Arc<dyn Backend>) -> Arc<dyn Backend>) -> Self {
        Self::over(wrap(Arc::clone(&self.backend)))
    }

    /// See [`Backend::capabilities`].
    pub fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
    }

    /// See [`Backend::location`].
    pub fn location(&self) -> String {
        self.backend.location()
    }

    /// See [`Backend::load`].
    pub fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> Result<()> {
        self.backend.load(file, range, into)
    }

    /// See [`Backend::load_whole`].
    pub fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Result<()> {
        self.backend.load_whole(file, at_most, into)
    }

    /// See [`Backend::stat`].
    pub fn stat(&self, file: FileName) -> Result<u64> {
        self.backend.stat(file)
    }

    /// See [`Backend::list`].
    pub fn list(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        self.backend.list(kind, each)
    }

    /// See [`Backend::bring_back`].
    pub fn bring_back(&self, file: FileName) -> Result<Availability> {
        self.backend.bring_back(file)
    }

    /// All files of `kind`, in the order of the listing, each once.
    pub fn list_all(&self, kind: FileKind) -> Result<Vec<Listed>> {
        let mut all = Vec::new();
        self.list(kind, &mut |listed| {
            all.push(listed);
            Ok(())
        })?;
        if all.len() > TOLD_ONCE {
            let mut told = HashSet::with_capacity(all.len());
            all.retain(|listed| told.insert(listed.id));
        }
        Ok(all)
    }
}

impl<R: MayAppend> Handle<R> {
    /// See [`Backend::create`].
    pub fn create(&self) -> Result<()> {
        self.backend.create()
    }

    /// See [`Backend::save`].
    pub fn save(&self, file: FileName, payload: &Payload<'_>) -> Result<()> {
        self.backend.save(file, payload)
    }
}

impl<R: MayRemove> Handle<R> {
    /// See [`Backend::remove`].
    pub fn remove(&self, file: FileName) -> Result<()> {
        self.backend.remove(file)
    }
}

/// Every right, over lock files only.
#[derive(Clone)]
pub struct LockHandle {
    backend: Arc<dyn Backend>,
}

impl LockHandle {
    /// Saves a lock file.
    pub fn save(&self, id: Id, bytes: &[u8]) -> Result<()> {
        self.backend.save(FileName::new(FileKind::Lock, id), &Payload::from(bytes))
    }

    /// Loads a lock file of at most `at_most` bytes.
    pub fn load(&self, id: Id, at_most: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.backend.load_whole(FileName::new(FileKind::Lock, id), at_most, &mut bytes)?;
        Ok(bytes)
    }

    /// All lock files.
    pub fn list(&self) -> Result<Vec<Listed>> {
        let mut all = Vec::new();
        self.backend.list(FileKind::Lock, &mut |listed| {
            all.push(listed);
            Ok(())
        })?;
        Ok(all)
    }

    /// Removes a lock file.
    pub fn remove(&self, id: Id) -> Result<()> {
        self.backend.remove(FileName::new(FileKind::Lock, id))
    }
}
