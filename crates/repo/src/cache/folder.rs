//! The cache's folder: laid out as restic lays out its own, owned by one repository.

use crate::id::{PackId, RepoId};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use tresor_backend::{ByteRange, FileKind, FileName, Id};

const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n";
const VERSION: u32 = 1;
/// Files this short hold nothing: a sealed file is longer.
const TOO_SHORT: u64 = 32;
/// So many files are fetched at a time: each is a pack in memory, and two keep a line busy.
const FETCHES: usize = 2;

/// One repository's folder of copies; every failure to use it is a miss.
pub struct Cache {
    folder: PathBuf,
    known: Mutex<Known>,
    /// Told whenever a fetch ends.
    fetched: Condvar,
}

#[derive(Default)]
struct Known {
    /// Packs that hold trees, as the index or an upload says.
    tree_packs: HashSet<PackId>,
    /// Files whose fetch was tried in this process.
    tried: HashSet<FileName>,
    /// Files that are being fetched, or wait for it.
    fetching: HashSet<FileName>,
    /// How many are being fetched.
    running: usize,
    /// Files whose copy was wrong.
    distrusted: HashSet<FileName>,
}

/// A cache, and whether its folder was made just now.
pub struct OpenedCache {
    /// The cache.
    pub cache: Arc<Cache>,
    /// Whether it is new.
    pub is_new: bool,
}

impl Cache {
    /// Opens or makes the folder of `repository` below `base` and marks it as used now.
    ///
    /// The id is 32 bytes by its type, so a hostile config cannot name another folder.
    ///
    /// # Errors
    /// A folder that cannot be made or written, or one of a newer version of this layout.
    pub fn open(base: &Path, repository: &RepoId) -> io::Result<OpenedCache> {
        make_folder(base)?;
        write_once(&base.join("CACHEDIR.TAG"), TAG.as_bytes())?;
        let folder = base.join(repository.hex());
        let is_new = !folder.exists();
        make_folder(&folder)?;
        check_version(&folder.join("version"))?;
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let times = Timestamps { last_access: now, last_modification: now };
        rustix::fs::utimensat(CWD, &folder, &times, AtFlags::empty())?;
        Ok(OpenedCache {
            cache: Arc::new(Cache { folder, known: Mutex::default(), fetched: Condvar::new() }),
            is_new,
        })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Says that a pack holds trees, so that it is kept as a whole.
    pub fn note_tree_pack(&self, pack: PackId) {
        self.known().tree_packs.insert(pack);
    }

    /// Whether somebody said so.
    pub(super) fn is_tree_pack(&self, pack: &PackId) -> bool {
        self.known().tree_packs.contains(pack)
    }

    /// Drops a copy that turned out wrong; says whether there was one, so that loading again may help.
    ///
    /// From then on this process does not read copies of that file.
    pub fn distrust(&self, file: FileName) -> bool {
        let first = self.known().distrusted.insert(file);
        let removed = self.path(file).is_some_and(|path| fs::remove_file(path).is_ok());
        first && removed
    }

    /// Removes the copies of packs that `keep` does not want.
    pub fn retain_packs(&self, keep: impl Fn(&PackId) -> bool) {
        self.retain(FileKind::Pack, |id| keep(&PackId::from_id(*id)));
    }

    /// Removes the copies of index files: a run says what they say.
    pub fn drop_index_files(&self) {
        self.retain(FileKind::Index, |_| false);
    }

    /// Whether copies of this kind can exist.
    pub(super) fn has_kind(&self, kind: FileKind) -> bool {
        subfolder(kind).is_some()
    }

    /// Whether a copy may be read.
    pub(super) fn may_hold(&self, file: FileName) -> bool {
        self.has_kind(file.kind()) && !self.known().distrusted.contains(&file)
    }

    /// Fetches a file, at most once in a process; who comes while that is going on waits for it.
    ///
    /// Says whether there may be a copy now that was not there when the caller looked.
    pub(super) fn fetch_once(&self, file: FileName, fetch: impl FnOnce()) -> bool {
        let mut known = self.known();
        if !known.tried.insert(file) {
            let waits = known.fetching.contains(&file);
            while known.fetching.contains(&file) {
                known = self.fetched.wait(known).unwrap_or_else(PoisonError::into_inner);
            }
            return waits;
        }
        known.fetching.insert(file);
        while known.running >= FETCHES {
            known = self.fetched.wait(known).unwrap_or_else(PoisonError::into_inner);
        }
        known.running += 1;
        drop(known);
        let _ended = Ended { cache: self, file };
        fetch();
        true
    }

    /// Reads a range of a copy; false is a miss.
    pub(super) fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> bool {
        let (Some(copy), Ok(length)) = (self.open_copy(file), usize::try_from(range.length)) else {
            return false;
        };
        let long_enough = copy
            .metadata()
            .is_ok_and(|meta| range.offset.checked_add(range.length).is_some_and(|end| end <= meta.len()));
        into.clear();
        if long_enough {
            into.resize(length, 0);
        }
        long_enough && copy.read_exact_at(into, range.offset).is_ok()
    }

    /// Reads a whole copy of at most so many bytes; false is a miss.
    pub(super) fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> bool {
        let Some(copy) = self.open_copy(file) else { return false };
        let Ok(size) = copy.metadata().map(|meta| meta.len()) else { return false };
        into.clear();
        size > TOO_SHORT && size <= at_most && copy.take(at_most).read_to_end(into).is_ok()
    }

    /// Keeps a copy of what `write` hands to its sink; a failure leaves no copy.
    pub(super) fn save_with(
        &self,
        file: FileName,
        write: impl FnOnce(&mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()>,
    ) {
        let Some(path) = self.path(file) else { return };
        let saved = path.parent().map_or(Ok(()), make_folder).and_then(|()| {
            let mut temporary =
                tempfile::Builder::new().prefix("tmp-").tempfile_in(path.parent().unwrap_or(&path))?;
            let mut size = 0;
            write(&mut |piece| {
                size += piece.len() as u64;
                temporary.write_all(piece)
            })?;
            if size > TOO_SHORT {
                temporary.persist(&path)?;
            }
            Ok(())
        });
        drop(saved); // a copy that cannot be kept is a miss the next time, no more
    }

    /// Removes a copy.
    pub(super) fn remove(&self, file: FileName) {
        if let Some(path) = self.path(file) {
            drop(fs::remove_file(path)); // there may be none
        }
    }

    /// Removes the copies of `kind` that `keep` does not want.
    pub(super) fn retain(&self, kind: FileKind, keep: impl Fn(&Id) -> bool) {
        for (id, path) in self.paths(kind) {
            if !keep(&id) {
                drop(fs::remove_file(path)); // stays until the next time
            }
        }
    }

    /// The files of a kind of which there are copies.
    pub(super) fn copies(&self, kind: FileKind) -> impl Iterator<Item = Id> {
        self.paths(kind).map(|(id, _)| id)
    }

    fn paths(&self, kind: FileKind) -> impl Iterator<Item = (Id, PathBuf)> + use<> {
        let folders = subfolder(kind).map(|subfolder| entries(&self.folder.join(subfolder)));
        folders.into_iter().flatten().flat_map(|folder| entries(&folder)).filter_map(|path| {
            let id = path.file_name().and_then(|name| Id::from_hex(name.as_encoded_bytes()))?;
            Some((id, path))
        })
    }

    fn open_copy(&self, file: FileName) -> Option<File> {
        let flags = rustix::fs::OFlags::NOFOLLOW.bits();
        let flags = i32::try_from(flags).unwrap_or(0);
        fs::OpenOptions::new().read(true).custom_flags(flags).open(self.path(file)?).ok()
    }

    fn path(&self, file: FileName) -> Option<PathBuf> {
        let name = file.id().hex();
        Some(self.folder.join(subfolder(file.kind())?).join(&name[..2]).join(name))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fetch that ends when this is dropped, by a panic too.
struct Ended<'a> {
    cache: &'a Cache,
    file: FileName,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut known = self.cache.known();
        known.fetching.remove(&self.file);
        known.running -= 1;
        drop(known);
        self.cache.fetched.notify_all();
    }
}

fn subfolder(kind: FileKind) -> Option<&'static str> {
    match kind {
        FileKind::Pack => Some("data"),
        FileKind::Index => Some("index"),
        FileKind::Snapshot => Some("snapshots"),
        FileKind::Config | FileKind::Key | FileKind::Lock => None,
    }
}

/// The paths in a folder; one that cannot be read has none.
fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect()
}

fn make_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Writes a small file that is not there yet, whole or not at all.
fn write_once(path: &Path, content: &[u8]) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let mut temporary = tempfile::Builder::new().prefix("tmp-").tempfile_in(path.parent().unwrap_or(path))?;
    temporary.write_all(content)?;
    temporary.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    temporary.persist(path)?;
    Ok(())
}

fn check_version(path: &Path) -> io::Result<()> {
    write_once(path, VERSION.to_string().as_bytes())?;
    let mut text = String::new();
    File::open(path)?.take(32).read_to_string(&mut text)?;
    match text.parse::<u32>() {
        Ok(version) if version <= VERSION => Ok(()),
        Ok(version) => Err(io::Error::other(format!("cache version {version} is newer than {VERSION}"))),
        Err(_) => Err(io::Error::other(format!("cache version {text:?} is not a number"))),
    }
}
