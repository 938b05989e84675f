//! The view: entries by name, their attributes, their content; new snapshots as they come.

use super::Options;
use super::attributes::{Attributes, Kind};
use super::blobs::Blobs;
use super::file::OpenFile;
use super::folder::{self, Folders};
use super::inode::{Numbers, ROOT};
use super::structure::{Shared, Structure, What};
use crate::error::{Error, Result};
use crate::node::{Node, NodeKind};
use crate::snapshots;
use hashbrown::HashMap;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Instant;
use tresor_repo::handle::Read;
use tresor_repo::index::Index;
use tresor_repo::monitor::Silent;
use tresor_repo::time::Time;
use tresor_repo::{BlobId, FileKind, Repository, SnapshotId};

/// A repository's snapshots as one tree. All methods may be called from several threads.
pub struct View {
    repository: Arc<Repository<Read>>,
    options: Options,
    numbers: Numbers,
    /// When the view was made: the time of the folders that are ours.
    since: Time,
    now: Mutex<Now>,
    /// Held by who looks for new snapshots.
    looking: Mutex<Looked>,
    folders: Folders,
    blobs: Blobs,
}

/// What is shown at the moment.
#[derive(Clone)]
struct Now {
    structure: Arc<Structure>,
    index: Arc<Index>,
}

#[derive(Default)]
struct Looked {
    last: Option<Instant>,
    /// Those that can be read, whether they are shown or not.
    snapshots: HashMap<SnapshotId, Shared>,
    /// Those that were listed, sorted.
    ids: Vec<SnapshotId>,
}

/// What looking for new snapshots brought.
#[derive(Debug, Default)]
pub struct Refreshed {
    /// Snapshots that cannot be read, and so are not shown; each told once.
    pub unreadable: Vec<(SnapshotId, Error)>,
}

/// An entry of the view; it stays good while others come and go.
#[derive(Debug, Clone)]
pub struct Item {
    inode: u64,
    parent: u64,
    of: Of,
}

#[derive(Debug, Clone)]
enum Of {
    Folder(Arc<str>),
    Latest { target: Arc<str>, time: Time },
    Snapshot(Shared),
    Node { node: Arc<Node>, place: u64 },
}

/// An entry with the name it has in its folder.
pub type Entry = (Box<[u8]>, Item);

impl Item {
    /// The entry's number.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// The number of the folder it was found in.
    pub fn parent(&self) -> u64 {
        self.parent
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        match &self.of {
            Of::Folder(_) | Of::Snapshot(_) => Kind::Dir,
            Of::Latest { .. } => Kind::Symlink,
            Of::Node { node, .. } => Kind::of(node),
        }
    }

    /// Whether it is part of a snapshot and so never changes.
    pub fn is_fixed(&self) -> bool {
        matches!(self.of, Of::Node { .. } | Of::Snapshot(_))
    }

    /// Where a symbolic link leads; nothing for others.
    pub fn link_target(&self) -> &[u8] {
        match &self.of {
            Of::Latest { target, .. } => target.as_bytes(),
            Of::Node { node, .. } => node.link_target(),
            _ => &[],
        }
    }

    /// The extended attributes as names and values, in stored order; `None` where there can be none.
    pub fn extended_attributes(&self) -> Option<impl Iterator<Item = (&[u8], &[u8])>> {
        let of = match &self.of {
            Of::Node { node, .. }
                if matches!(node.kind, NodeKind::File | NodeKind::Dir | NodeKind::Symlink) =>
            {
                node.extended_attributes()
            }
            Of::Snapshot(_) => &[],
            _ => return None,
        };
        Some(of.iter().map(|one| (&*one.name, one.value.as_deref().unwrap_or_default())))
    }
}

impl View {
    /// A view of what the repository holds now.
    ///
    /// # Errors
    /// The index or the list of snapshots cannot be loaded.
    pub fn new(
        repository: Repository<Read>,
        index: Index,
        options: Options,
        since: Time,
    ) -> Result<(View, Refreshed)> {
        let repository = Arc::new(repository);
        let view = View {
            numbers: Numbers::new(repository.id()),
            now: Mutex::new(Now { structure: Arc::default(), index: Arc::new(index) }),
            looking: Mutex::default(),
            folders: Folders::new(options.folder_memory),
            blobs: Blobs::new(&repository, options.content_memory),
            repository,
            options,
            since,
        };
        let refreshed = view.look(&mut view.looking.lock().unwrap_or_else(PoisonError::into_inner), true)?;
        Ok((view, refreshed))
    }

    /// Looks for new snapshots, unless that was done lately or is being done.
    ///
    /// # Errors
    /// Those of listing and loading; what was shown before is still shown.
    pub fn refresh(&self) -> Result<Refreshed> {
        match self.looking.try_lock() {
            Ok(mut looked) => self.look(&mut looked, false),
            Err(TryLockError::Poisoned(poisoned)) => self.look(&mut poisoned.into_inner(), false),
            Err(TryLockError::WouldBlock) => Ok(Refreshed::default()),
        }
    }

    fn look(&self, looked: &mut Looked, first: bool) -> Result<Refreshed> {
        let now = Instant::now();
        let lately = |last: Instant| now.duration_since(last) < self.options.reload_after;
        if looked.last.is_some_and(lately) {
            return Ok(Refreshed::default());
        }
        looked.last = Some(now);
        let listed = self.repository.list(FileKind::Snapshot)?;
        let mut ids: Vec<_> = listed.iter().map(|file| SnapshotId::from_id(file.id)).collect();
        ids.sort_unstable();
        if ids == looked.ids && !first {
            return Ok(Refreshed::default());
        }
        let new: Vec<_> = ids.iter().filter(|id| looked.ids.binary_search(id).is_err()).copied().collect();
        let loaded = snapshots::load_these(&self.repository, &new)?;
        let index = match first || new.is_empty() {
            true => self.now().index,
            false => Arc::new(self.repository.load_index(&Silent)?),
        };
        let mut refreshed = Refreshed::default();
        for (id, snapshot) in loaded {
            match snapshot {
                Ok(snapshot) => drop(looked.snapshots.insert(id, Arc::new((id, snapshot)))),
                Err(error) => refreshed.unreadable.push((id, error)),
            }
        }
        looked.snapshots.retain(|id, _| ids.binary_search(id).is_ok());
        looked.ids = ids;
        let shown = looked.snapshots.values().filter(|one| self.options.filter.matches(&one.1));
        let shown: Vec<Shared> = shown.cloned().collect();
        let structure = Arc::new(Structure::new(&self.options, &shown));
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = Now { structure, index };
        Ok(refreshed)
    }

    fn now(&self) -> Now {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The repository that is viewed.
    pub fn repository(&self) -> &Repository<Read> {
        &self.repository
    }

    /// The folder that everything is in.
    pub fn root(&self) -> Item {
        Item { inode: ROOT, parent: ROOT, of: Of::Folder("".into()) }
    }

    /// Finds an entry of a folder.
    ///
    /// # Errors
    /// The folder's tree cannot be loaded.
    pub fn lookup(&self, folder: &Item, name: &[u8]) -> Result<Option<Item>> {
        if let Of::Folder(path) = &folder.of {
            let Ok(name) = str::from_utf8(name) else { return Ok(None) };
            return Ok(self.stand(&self.now().structure, folder, path, name));
        }
        let Some((tree, place)) = subtree(folder)? else { return Ok(None) };
        let found = self.folders.get(&self.repository, &self.now().index, &tree)?;
        Ok(folder::find(&found, name).map(|(name, node)| self.node(folder, place, name, node)))
    }

    /// All entries of a folder, sorted by name; none for what is no folder.
    ///
    /// # Errors
    /// The folder's tree cannot be loaded.
    pub fn list(&self, folder: &Item) -> Result<Vec<Entry>> {
        if let Of::Folder(path) = &folder.of {
            let now = self.now();
            let entry = |name: &str| {
                self.stand(&now.structure, folder, path, name).map(|item| (Box::from(name.as_bytes()), item))
            };
            return Ok(now.structure.children(path).filter_map(entry).collect());
        }
        let Some((tree, place)) = subtree(folder)? else { return Ok(Vec::new()) };
        let found = self.folders.get(&self.repository, &self.now().index, &tree)?;
        Ok(found.iter().map(|(name, node)| (name.clone(), self.node(folder, place, name, node))).collect())
    }

    /// What stands above the snapshots.
    fn stand(&self, structure: &Structure, folder: &Item, path: &str, name: &str) -> Option<Item> {
        let path = format!("{path}/{name}");
        let what = structure.get(&path)?;
        let (about, of) = match &what {
            What::Folder => (Vec::new(), Of::Folder(path.as_str().into())),
            What::Snapshot(shared) => (shared.0.as_bytes().to_vec(), Of::Snapshot(Arc::clone(shared))),
            What::Latest { target, snapshot } => {
                let (target, time) = (Arc::from(target.as_str()), snapshot.1.time);
                (snapshot.0.as_bytes().to_vec(), Of::Latest { target, time })
            }
        };
        Some(Item { inode: self.numbers.of_path(&path, &about), parent: folder.inode, of })
    }

    fn node(&self, folder: &Item, place: u64, name: &[u8], node: &Arc<Node>) -> Item {
        let inode = self.numbers.of_node(place, folder.inode, name, node);
        Item { inode, parent: folder.inode, of: Of::Node { node: Arc::clone(node), place } }
    }

    /// What is said of an entry.
    pub fn attributes(&self, item: &Item) -> Attributes {
        let ours = if self.options.owner_root { (0, 0) } else { self.options.owner };
        match &item.of {
            Of::Folder(_) => Attributes::of_folder(item.inode, 1, ours, self.since),
            Of::Snapshot(shared) => Attributes::of_folder(item.inode, 2, ours, shared.1.time),
            Of::Latest { target, time } => {
                let folder = Attributes::of_folder(item.inode, 1, ours, *time);
                Attributes { kind: Kind::Symlink, permissions: 0o777, size: target.len() as u64, ..folder }
            }
            Of::Node { node, .. } => {
                let owner = if self.options.owner_root { (0, 0) } else { (node.uid, node.gid) };
                Attributes::of_node(item.inode, node, owner)
            }
        }
    }

    /// Opens a file to read it.
    ///
    /// # Errors
    /// It is no file, or a blob of its content is not in the repository.
    pub fn open(&self, item: &Item) -> Result<OpenFile> {
        match &item.of {
            Of::Node { node, .. } if node.kind == NodeKind::File => OpenFile::new(node, &self.now().index),
            _ => Err(Error::WrongKind {
                path: String::new(),
                wanted: "file",
                found: format!("{:?}", item.kind()),
            }),
        }
    }

    /// Reads up to `size` bytes of a file from `offset` on; fewer only at its end. Who reads in order is read ahead
    /// for.
    ///
    /// # Errors
    /// A blob cannot be loaded.
    pub fn read(&self, file: &OpenFile, offset: u64, size: usize) -> Result<Vec<u8>> {
        file.read(&self.blobs, offset, size)
    }
}

/// The tree of a folder in a snapshot, and the number of that snapshot's root; nothing for what is no folder.
fn subtree(item: &Item) -> Result<Option<(BlobId, u64)>> {
    match &item.of {
        Of::Snapshot(shared) => Ok(Some((shared.1.tree, item.inode))),
        Of::Node { node, place } if node.kind == NodeKind::Dir => {
            Ok(Some((node.subtree.ok_or(Error::NoSubtree)?, *place)))
        }
        _ => Ok(None),
    }
}
