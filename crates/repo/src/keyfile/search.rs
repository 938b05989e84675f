//! Which of a repository's key files a password opens.
//!
//! Whoever may append can plant key files, any number of them: so each is read within bounds and judged by its cost
//! before a password is tried on it, cheap ones come first, and the whole has a time, not a number, as its limit.

use super::{KeyFile, NewKey, Password, Sealed, Tried};
use crate::clock;
use crate::crypto::Key;
use crate::error::{Error, Result};
use crate::id::KeyId;
use crate::monitor::{Monitor, Problem, tell_useless};
use crate::sealed;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use tresor_backend::handle::{MayAppend, Right};
use tresor_backend::{Cancel, ErrorKind, FileKind, Handle, Payload};

/// How long key files are read and tried; restic gives up after twenty of them.
const PATIENCE: Duration = Duration::from_secs(60);

/// Of so many useless key files is kept why; the others are counted.
const KEPT: usize = 10;

/// Finds the master key: in the file whose id begins with `hint`, else in any that `password` opens.
///
/// A hint that leads nowhere is ignored. Files that are no key files are told to the monitor and passed
/// over; of the rest cheap ones are tried first, so that no planted file makes the owner wait.
///
/// Memory: 4 KiB at most for every key file.
///
/// # Errors
/// [`Error::WrongPassword`] if all were tried in vain, [`Error::TooManyKeys`] if there was no time for all;
/// cancellation, which ends a derivation at once.
pub(crate) fn find_key<R: Right>(
    handle: &Handle<R>,
    password: &Password,
    hint: Option<&str>,
    monitor: &dyn Monitor,
    cancel: &Cancel,
) -> Result<(Key, KeyId)> {
    Search { handle, password, monitor, cancel, patience: PATIENCE, derivations: 0 }.find(hint)
}

fn only_one(listed: &[KeyId], prefix: &str) -> Option<KeyId> {
    let mut fitting = listed.iter().filter(|id| id.hex().starts_with(prefix));
    fitting.next().filter(|_| fitting.next().is_none() && !prefix.is_empty()).copied()
}

/// A search under way.
pub(super) struct Search<'a, R: Right> {
    pub(super) handle: &'a Handle<R>,
    pub(super) password: &'a Password,
    pub(super) monitor: &'a dyn Monitor,
    pub(super) cancel: &'a Cancel,
    pub(super) patience: Duration,
    /// On how many files the password was tried.
    pub(super) derivations: u64,
}

/// What reading key files came to.
#[derive(Default)]
struct Candidates {
    usable: Vec<(KeyId, Sealed)>,
    /// The first of those that are not usable.
    useless: Vec<(KeyId, Error)>,
    more_useless: usize,
    /// What stopped the reading.
    failed: Option<Error>,
}

impl<R: Right> Search<'_, R> {
    /// Finds the master key; see [`find_key`].
    pub(super) fn find(&mut self, hint: Option<&str>) -> Result<(Key, KeyId)> {
        let began = clock::since_start();
        let listed = self.handle.list_all(FileKind::Key)?;
        let mut listed: Vec<KeyId> = listed.iter().map(|listed| KeyId::from_id(listed.id)).collect();
        if let Some(id) = hint.and_then(|hint| only_one(&listed, hint)) {
            if let Some(key) = self.hinted(id)? {
                return Ok((key, id));
            }
            listed.retain(|other| *other != id);
        }
        let (candidates, all_read) = self.read(&listed, began + self.patience / 2)?;
        for (id, sealed) in &candidates {
            if clock::since_start() >= began + self.patience {
                return Err(Error::TooManyKeys);
            }
            if let Some(key) = self.open(*id, sealed)? {
                return Ok((key, *id));
            }
        }
        Err(if all_read { Error::WrongPassword } else { Error::TooManyKeys })
    }

    fn hinted(&mut self, id: KeyId) -> Result<Option<Key>> {
        match load_sealed(self.handle, id) {
            Ok(sealed) => self.open(id, &sealed),
            Err(_) => Ok(None), // why is told when all are read, if it is told at all
        }
    }

    /// Reads key files, several at a time: those a password can be tried on, cheap ones first; and whether there was
    /// time for all.
    fn read(&self, listed: &[KeyId], until: Duration) -> Result<(Vec<(KeyId, Sealed)>, bool)> {
        let (next, candidates) = (AtomicUsize::new(0), Mutex::new(Candidates::default()));
        let work = || {
            while clock::since_start() < until
                && let Some(&id) = listed.get(next.fetch_add(1, Ordering::Relaxed))
            {
                let read =
                    if self.cancel.is_set() { Err(Error::Cancelled) } else { load_sealed(self.handle, id) };
                let mut candidates = candidates.lock().unwrap_or_else(PoisonError::into_inner);
                if !candidates.take(id, read) {
                    next.store(listed.len(), Ordering::Relaxed);
                }
            }
        };
        thread::scope(|scope| {
            let threads = self.handle.capabilities().connections.min(listed.len());
            (1..threads).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        let Candidates { mut usable, mut useless, more_useless, failed } =
            candidates.into_inner().unwrap_or_else(PoisonError::into_inner);
        useless.sort_unstable_by_key(|(id, _)| *id);
        let all_read = usable.len() + useless.len() + more_useless == listed.len();
        let useless = useless.into_iter().map(|(id, cause)| (id.file(), cause)).collect();
        tell_useless(self.monitor, "key files", useless, more_useless);
        usable.sort_unstable_by_key(|(id, sealed)| (sealed.work(), *id));
        failed.map_or(Ok((usable, all_read)), Err)
    }

    fn open(&mut self, id: KeyId, sealed: &Sealed) -> Result<Option<Key>> {
        self.derivations += 1;
        match sealed.open(self.password, self.cancel)? {
            Tried::Opened(key) => Ok(Some(key)),
            Tried::WrongPassword => Ok(None),
            Tried::NoMasterKey(what) => {
                self.note(id, Error::BadKeyFile { file: id.file(), what });
                Ok(None)
            }
        }
    }

    fn note(&self, id: KeyId, cause: Error) {
        self.monitor.problem(&Problem { item: id.file().to_string(), doing: "use", cause: cause.into() });
    }
}

impl Candidates {
    /// Takes a file; whether more are to be read.
    fn take(&mut self, id: KeyId, read: Result<Sealed>) -> bool {
        match read {
            Ok(sealed) => self.usable.push((id, sealed)),
            Err(error) if !is_the_files_fault(&error) => drop(self.failed.get_or_insert(error)),
            Err(error) if self.useless.len() < KEPT => self.useless.push((id, error)),
            Err(_) => self.more_useless += 1,
        }
        self.failed.is_none()
    }
}

/// Whether the file is gone, damaged or no key file, rather than the backend unable.
fn is_the_files_fault(error: &Error) -> bool {
    match error {
        Error::Backend(error) => matches!(error.kind(), ErrorKind::NotFound | ErrorKind::WrongSize),
        Error::Cancelled => false,
        _ => true,
    }
}

/// Loads and reads a key file.
pub(crate) fn load_key_file<R: Right>(handle: &Handle<R>, id: KeyId) -> Result<KeyFile> {
    let stored = sealed::load_stored(handle, id.file(), || ())?;
    KeyFile::parse(&stored).map_err(|what| Error::BadKeyFile { file: id.file(), what })
}

fn load_sealed<R: Right>(handle: &Handle<R>, id: KeyId) -> Result<Sealed> {
    let file = load_key_file(handle, id)?;
    file.sealed().map_err(|what| Error::BadKeyFile { file: id.file(), what })
}

/// Saves a new key file; before that it is opened again, so that no key is stored that opens nothing.
pub(crate) fn save_key<R: MayAppend>(
    handle: &Handle<R>,
    master: &Key,
    password: &Password,
    new: &NewKey,
    cancel: &Cancel,
) -> Result<KeyId> {
    let stored = KeyFile::make(master, password, new, cancel)?;
    let id = KeyId::from_id(sealed::id_of(&stored));
    verify_key(master, password, &stored, cancel)?;
    handle.save(id.file(), &Payload::from(stored.as_slice()))?;
    Ok(id)
}

/// Whether `password` opens `stored` to give `master`.
pub(crate) fn verify_key(master: &Key, password: &Password, stored: &[u8], cancel: &Cancel) -> Result<()> {
    let file = KeyFile::parse(stored).ok();
    let tried = file.as_ref().and_then(|file| file.sealed().ok()).map(|sealed| sealed.open(password, cancel));
    match tried.transpose()? {
        Some(Tried::Opened(key)) if key.secret() == master.secret() => Ok(()),
        _ => Err(Error::FileVerification { kind: FileKind::Key }),
    }
}
