//! Which of a repository's key files a password opens.

use super::{KeyFile, NewKey, Password, Tried};
use crate::crypto::Key;
use crate::error::{Error, Result};
use crate::id::KeyId;
use crate::monitor::{Monitor, Problem};
use crate::sealed;
use tresor_backend::handle::{MayAppend, Right};
use tresor_backend::{Cancel, ErrorKind, FileKind, Handle, Payload};

/// How many key files a password is tried on, beside the hinted one; as restic.
const MOST_TRIED: usize = 20;

/// How many key files are read to find those that can be tried; anybody who may append can plant more.
const MOST_READ: usize = 1000;

/// Finds the master key: in the file whose id begins with `hint`, else in any that `password` opens.
///
/// A hint that leads nowhere is ignored. Files that are no key files are told to the monitor and passed
/// over; of the rest cheap ones are tried first, so that no planted file makes the owner wait.
pub(crate) fn find_key<R: Right>(
    handle: &Handle<R>,
    password: &Password,
    hint: Option<&str>,
    monitor: &dyn Monitor,
    cancel: &Cancel,
) -> Result<(Key, KeyId)> {
    let mut listed: Vec<KeyId> =
        handle.list_all(FileKind::Key)?.iter().map(|listed| KeyId::from_id(listed.id)).collect();
    let mut attempt = Attempt { handle, password, monitor, cancel };
    if let Some(id) = hint.and_then(|hint| only_one(&listed, hint)) {
        if let Some(key) = attempt.hinted(id)? {
            return Ok((key, id));
        }
        listed.retain(|other| *other != id);
    }
    attempt.any(&listed)
}

fn only_one(listed: &[KeyId], prefix: &str) -> Option<KeyId> {
    let mut fitting = listed.iter().filter(|id| id.hex().starts_with(prefix));
    fitting.next().filter(|_| fitting.next().is_none() && !prefix.is_empty()).copied()
}

struct Attempt<'a, R: Right> {
    handle: &'a Handle<R>,
    password: &'a Password,
    monitor: &'a dyn Monitor,
    cancel: &'a Cancel,
}

impl<R: Right> Attempt<'_, R> {
    fn hinted(&mut self, id: KeyId) -> Result<Option<Key>> {
        let Ok(file) = load_key_file(self.handle, id) else { return Ok(None) };
        self.open(id, &file)
    }

    fn any(&mut self, listed: &[KeyId]) -> Result<(Key, KeyId)> {
        let mut files = Vec::new();
        let mut rest = listed.iter().take(MOST_READ);
        while files.len() < MOST_TRIED {
            let Some(&id) = rest.next() else { break };
            if self.cancel.is_set() {
                return Err(Error::Cancelled);
            }
            match load_key_file(self.handle, id)
                .and_then(|file| usable(id, &file).map(|work| (work, id, file)))
            {
                Ok(file) => files.push(file),
                Err(Error::Backend(error)) if !is_the_files_fault(&error) => return Err(error.into()),
                Err(cause) => self.note(id, cause),
            }
        }
        files.sort_by_key(|(work, ..)| *work);
        for (_, id, file) in &files {
            if let Some(key) = self.open(*id, file)? {
                return Ok((key, *id));
            }
        }
        let all_tried = rest.next().is_none() && listed.len() <= MOST_READ;
        Err(if all_tried { Error::WrongPassword } else { Error::TooManyKeys })
    }

    fn open(&self, id: KeyId, file: &KeyFile) -> Result<Option<Key>> {
        let Ok(sealed) = file.sealed() else { return Ok(None) };
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

/// Whether the file is gone or too large, rather than the backend unable.
fn is_the_files_fault(error: &tresor_backend::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::WrongSize)
}

/// Loads and reads a key file.
pub(crate) fn load_key_file<R: Right>(handle: &Handle<R>, id: KeyId) -> Result<KeyFile> {
    let stored = sealed::load_stored(handle, id.file(), || ())?;
    KeyFile::parse(&stored).map_err(|what| Error::BadKeyFile { file: id.file(), what })
}

fn usable(id: KeyId, file: &KeyFile) -> Result<u64> {
    let sealed = file.sealed().map_err(|what| Error::BadKeyFile { file: id.file(), what })?;
    Ok(sealed.work())
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
