//! The files cache: what directories looked like at the last backup, and which trees they were.
//!
//! It lets a directory that looks the same be named by its known tree, without reading the parent snapshot's. It holds
//! a digest of each directory's view and no names; it is a sealed local file, and disposable. It is believed only
//! if the snapshot it was made with is the one compared with now, every index file that was there then is still
//! there, the trees of today would be written in the same way, and the last comparison of everything with the parent
//! snapshot is not too long ago.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tresor_repo::handle::Right;
use tresor_repo::index::Index;
use tresor_repo::local::LocalFile;
use tresor_repo::{BlobId, IndexId, Repository, SnapshotId, clock};

use super::options::{BackupOptions, FilesCacheUse};
use super::view::Digested;
use crate::fs::{Accounts, privileges};

/// Everything is compared with the parent snapshot at least so often, in seconds: a week.
const TRUSTED_FOR: i64 = 7 * 24 * 60 * 60;
/// More directories than this are not remembered.
const MOST_RECORDS: usize = 400_000;
/// A record: half a digest of the path, the view, the tree.
const RECORD: usize = PATH + 32 + 32;
const PATH: usize = 16;
/// The largest file that is read, in bytes.
const LARGEST: u64 = 64 << 20;

/// What is known from the last backup, and what this one learns.
pub(super) struct FilesCache {
    file: LocalFile,
    circumstances: Digested,
    /// Directories that were changed earlier than this are settled; in seconds since 1970.
    pub(super) settled: i64,
    /// When everything was compared with a parent the last time, in seconds since 1970.
    compared: i64,
    /// Sorted records.
    known: Vec<u8>,
    learnt: Mutex<Vec<[u8; RECORD]>>,
}

/// What the last backup knew of a directory.
#[derive(Clone, Copy)]
pub(super) struct Known {
    /// What it looked like.
    pub(super) view: Digested,
    /// Its tree.
    pub(super) tree: BlobId,
}

/// What the records stand and fall with.
#[derive(Serialize, Deserialize)]
struct Head {
    /// The snapshot of the backup that wrote this, and its root tree.
    snapshot: SnapshotId,
    tree: BlobId,
    circumstances: Digested,
    /// The names of all users and groups that were met.
    users: Vec<(u32, Option<String>)>,
    groups: Vec<(u32, Option<String>)>,
    /// Every blob of the snapshot is named by one of these.
    index_files: Vec<IndexId>,
    compared: i64,
}

impl FilesCache {
    /// The files cache for a source that is named by its `paths`; none if it is not to be used, if the repository
    /// has no local files, or if access times are stored, which a view leaves out.
    pub(super) fn open<R: Right>(
        repository: &Repository<R>,
        index: &Index,
        (paths, used): (&[String], FilesCacheUse),
        options: &BackupOptions,
        accounts: &Accounts,
    ) -> Option<FilesCache> {
        if options.with_atime || used == FilesCacheUse::Off {
            return None;
        }
        let name = serde_json::to_vec(&(&options.hostname, paths)).ok()?;
        let file = repository.local_file("files", &name)?;
        let (now, _) = clock::now();
        let circumstances = circumstances(options);
        let mut cache = FilesCache {
            file,
            circumstances,
            settled: now - options.settling,
            compared: now,
            known: Vec::new(),
            learnt: Mutex::default(),
        };
        if used == FilesCacheUse::Full
            && let Some((head, records)) = cache.load()
            && cache.believes(&head, index, options, accounts)
        {
            cache.compared = head.compared;
            cache.known = records;
        }
        Some(cache)
    }

    /// What is known of the directory at a path in the snapshot.
    pub(super) fn get(&self, path: &[u8]) -> Option<Known> {
        let records = self.known.as_chunks::<RECORD>().0;
        let path = half_digest(path);
        let found = records.binary_search_by(|record| record[..PATH].cmp(&path)).ok()?;
        let (view, tree) = records[found][PATH..].split_at(32);
        Some(Known { view: view.try_into().ok()?, tree: BlobId::from_bytes(tree.try_into().ok()?) })
    }

    /// Remembers what the directory at a path in the snapshot looks like, and its tree.
    pub(super) fn remember(&self, path: &[u8], known: &Known) {
        let mut record = [0; RECORD];
        record[..PATH].copy_from_slice(&half_digest(path));
        record[PATH..PATH + 32].copy_from_slice(&known.view);
        record[PATH + 32..].copy_from_slice(known.tree.as_bytes());
        let mut learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        if learnt.len() < MOST_RECORDS {
            learnt.push(record);
        }
    }

    /// Saves what was learnt for the next backup, which is to be compared with `snapshot`.
    ///
    /// A file that cannot be saved is removed as far as possible: what is in it is about another snapshot.
    pub(super) fn save(
        self,
        (snapshot, tree): (SnapshotId, BlobId),
        index_files: Vec<IndexId>,
        accounts: &Accounts,
    ) {
        let FilesCache { file, circumstances, compared, learnt, known, .. } = self;
        drop(known);
        let (users, groups) = (accounts.users(), accounts.groups());
        let head = Head { snapshot, tree, circumstances, users, groups, index_files, compared };
        let mut records = learnt.into_inner().unwrap_or_else(PoisonError::into_inner);
        records.sort_unstable();
        let mut content = serde_json::to_vec(&head).unwrap_or_default();
        content.push(b'\n');
        content.extend_from_slice(records.as_flattened());
        drop(records);
        if file.save(&content).is_err() {
            file.forget();
        }
    }

    fn load(&self) -> Option<(Head, Vec<u8>)> {
        let mut content = self.file.load(LARGEST)?;
        let end = content.iter().position(|&byte| byte == b'\n')?;
        let head = serde_json::from_slice(&content[..end]).ok()?;
        content.drain(..=end);
        Some((head, content))
    }

    fn believes(&self, head: &Head, index: &Index, options: &BackupOptions, accounts: &Accounts) -> bool {
        let (now, _) = clock::now();
        options.parent == Some((head.snapshot, head.tree))
            && head.circumstances == self.circumstances
            && (0..TRUSTED_FOR).contains(&(now - head.compared))
            && head.index_files.iter().all(|file| index.files().binary_search(file).is_ok())
            && head.users.iter().all(|(id, name)| accounts.user(*id).as_deref() == name.as_deref())
            && head.groups.iter().all(|(id, name)| accounts.group(*id).as_deref() == name.as_deref())
    }
}

/// A digest of what decides how a node is written, besides the entry itself.
fn circumstances(options: &BackupOptions) -> Digested {
    let mut hash = Sha256::new();
    hash.update(&options.program_version);
    for (start, offset) in options.zone.transitions() {
        hash.update(start.to_le_bytes());
        hash.update(offset.to_le_bytes());
    }
    hash.update(b"privileges");
    hash.update(privileges());
    hash.finalize().into()
}

fn half_digest(path: &[u8]) -> [u8; PATH] {
    let digest: [u8; 32] = Sha256::digest(path).into();
    *digest.first_chunk().expect("32 bytes are more than 16")
}
