//! How an upload fares: its first failure, and what it added.

use crate::blob::BlobKind;
use crate::error::{Error, Result};
use crate::pack::header::FRAME;
use crate::upload::Uploaded;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use tresor_backend::Cancel;

/// Shared by workers and finishers; the first failure ends the upload for all of them.
pub(super) struct Outcome {
    broken: AtomicBool,
    failure: Mutex<Option<Error>>,
    cancel: Cancel,
    /// In the order of [`BlobKind::ALL`].
    blobs: [AtomicU64; 2],
    plain_bytes: AtomicU64,
    stored_bytes: AtomicU64,
}

impl Outcome {
    pub(super) fn new(cancel: Cancel) -> Self {
        Outcome {
            broken: AtomicBool::new(false),
            failure: Mutex::new(None),
            cancel,
            blobs: Default::default(),
            plain_bytes: AtomicU64::new(0),
            stored_bytes: AtomicU64::new(0),
        }
    }

    /// Whether to go on.
    ///
    /// # Errors
    /// [`Error::Cancelled`] once the upload has failed or the repository's operations are cancelled.
    pub(super) fn check(&self) -> Result<()> {
        if self.cancel.is_set() {
            self.fail(Error::Cancelled);
        }
        if self.broken.load(Ordering::Acquire) { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Ends the upload; the first failure is the one to report. Returns what workers are told.
    pub(super) fn fail(&self, error: Error) -> Error {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.abandon();
        Error::Cancelled
    }

    /// Ends the upload for a reason that the caller reports.
    pub(super) fn abandon(&self) {
        self.broken.store(true, Ordering::Release);
    }

    /// The first failure, once.
    pub(super) fn take_failure(&self) -> Result<()> {
        match self.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Counts a new blob.
    pub(super) fn count(&self, kind: BlobKind, plain_bytes: u64, stored_bytes: u64) {
        self.blobs[kind as usize].fetch_add(1, Ordering::Relaxed);
        self.plain_bytes.fetch_add(plain_bytes, Ordering::Relaxed);
        self.stored_bytes.fetch_add(stored_bytes, Ordering::Relaxed);
    }

    /// Counts what frames a pack that became full.
    pub(super) fn count_full_pack(&self) {
        self.stored_bytes.fetch_add(FRAME as u64, Ordering::Relaxed);
    }

    pub(super) fn so_far(&self) -> Uploaded {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Uploaded {
            data_blobs: value(&self.blobs[BlobKind::Data as usize]),
            tree_blobs: value(&self.blobs[BlobKind::Tree as usize]),
            plain_bytes: value(&self.plain_bytes),
            stored_bytes: value(&self.stored_bytes),
            index_files: Vec::new(),
        }
    }
}
