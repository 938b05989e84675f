//! What snapshots hold in numbers, counted in four ways.

use crate::error::Result;
use crate::node::{Node, NodeKind};
use crate::tree::StoredTree;
use crate::trees::for_each_tree;
use crate::walk::{Descend, walk};
use hashbrown::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use tresor_repo::handle::Right;
use tresor_repo::index::{Index, Marks};
use tresor_repo::{BlobId, BlobKind, Repository};

/// Bytes that sealing adds to a blob: nonce and code.
const SEALING: u64 = 32;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// What a restore of each snapshot would bring; the names of one file count once for its size.
    RestoreSize,
    /// Distinct contents of files.
    FilesByContents,
    /// The blobs of distinct contents, for each path anew, and these paths.
    BlobsPerFile,
    /// Distinct blobs as they are stored; one that is stored twice counts twice.
    RawData,
}

/// The numbers; those a mode does not count are 0.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Stats {
    /// In bytes: of files, or of stored blobs.
    pub total_size: u64,
    /// Bytes that the stored blobs would take if none were compressed.
    pub total_uncompressed_size: u64,
    /// Stored bytes of the blobs that are compressed.
    pub compressed_size: u64,
    /// Bytes that these would take if they were not.
    pub compressed_plain_size: u64,
    /// Files, or everything that has a path.
    pub total_file_count: u64,
    /// Blobs.
    pub total_blob_count: u64,
}

/// How far the count is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Nodes of this snapshot so far.
    pub files: u64,
    /// Blobs of the contents that were new in this snapshot, one as often as they name it; or, where nothing but
    /// blobs is counted, those of all snapshots.
    pub blobs: u64,
    /// Bytes of the nodes, or else of the blobs.
    pub bytes: u64,
}

/// A count of one mode over snapshots that are given one after the other.
pub struct Counter<'a, R: Right> {
    repo: &'a Repository<R>,
    index: &'a Index,
    mode: Mode,
    stats: Stats,
    /// Hashes of the contents met: which blobs in which order.
    contents: HashSet<BlobId>,
    /// The blobs met at each path.
    by_path: HashMap<Vec<u8>, HashSet<BlobId>>,
    blobs: Marks<'a>,
}

impl<'a, R: Right> Counter<'a, R> {
    /// A count that begins.
    pub fn new(repo: &'a Repository<R>, index: &'a Index, mode: Mode) -> Self {
        let (contents, by_path, blobs) = (HashSet::new(), HashMap::new(), index.marks());
        Counter { repo, index, mode, stats: Stats::default(), contents, by_path, blobs }
    }

    /// Counts a snapshot's tree; `progress` hears of it now and then, and at the end.
    ///
    /// # Errors
    /// The first tree that cannot be loaded, or that the operation was cancelled.
    pub fn add(&mut self, tree: BlobId, progress: &(dyn Fn(Counted) + Sync)) -> Result<()> {
        if self.mode == Mode::RawData {
            return self.add_blobs(tree, progress);
        }
        let (repo, index) = (self.repo, self.index);
        let mut links = HashSet::new();
        let mut counted = Counted::default();
        walk(repo, index, tree, &mut |path: &[u8], node: &Node| {
            counted.blobs += self.node(path, node, &mut links)?;
            counted.files += 1;
            counted.bytes += size(node);
            progress(counted);
            Ok(Descend::Into)
        })
    }

    /// Counts a node; answers how many blobs were looked at.
    fn node(&mut self, path: &[u8], node: &Node, links: &mut HashSet<(u64, u64)>) -> Result<u64> {
        match self.mode {
            Mode::RestoreSize => {
                self.stats.total_file_count += 1;
                if node.links <= 1 || links.insert((node.inode, node.device_id)) {
                    self.stats.total_size += size(node);
                }
            }
            Mode::FilesByContents | Mode::BlobsPerFile => {
                if !self.contents.insert(content_id(node)) {
                    return Ok(0);
                }
                if self.mode == Mode::BlobsPerFile {
                    self.blobs_of(path, node)?;
                    return Ok(node.blobs().len() as u64);
                }
                self.stats.total_file_count += 1;
                self.stats.total_size += size(node);
            }
            Mode::RawData => {}
        }
        Ok(0)
    }

    fn blobs_of(&mut self, path: &[u8], node: &Node) -> Result<()> {
        if node.blobs().is_empty() {
            return Ok(());
        }
        let met = self.by_path.entry_ref(path).or_default();
        self.stats.total_file_count += u64::from(met.is_empty());
        for blob in node.blobs().iter().filter(|blob| met.insert(**blob)) {
            self.stats.total_blob_count += 1;
            let length = self.index.plain_length(BlobKind::Data, blob)?.unwrap_or(0);
            self.stats.total_size += u64::from(length);
        }
        Ok(())
    }

    /// Counts the blobs that no snapshot before had.
    fn add_blobs(&mut self, root: BlobId, progress: &(dyn Fn(Counted) + Sync)) -> Result<()> {
        let (met, stats) = (&self.blobs, Mutex::new(&mut self.stats));
        let index = self.index;
        let add = |kind, ids: &[BlobId]| -> Result<Vec<BlobId>> {
            let mut new = Vec::new();
            for id in ids {
                // One that the index does not know counts for nothing.
                if met.mark(kind, id)?.unwrap_or(true) {
                    new.push(*id);
                }
            }
            let mut stats = stats.lock().unwrap_or_else(PoisonError::into_inner);
            new.iter().try_for_each(|id| stats.blob(index, kind, id))?;
            progress(Counted { files: 0, blobs: stats.total_blob_count, bytes: stats.total_size });
            Ok(new)
        };
        let visit = |_: &BlobId, stored: Result<StoredTree<'_>>| {
            let (mut data, mut trees) = (Vec::new(), Vec::new());
            stored?.for_each_node(|node| {
                match node.kind {
                    NodeKind::Dir => trees.extend(node.subtree),
                    _ => data.extend_from_slice(node.blobs()),
                }
                Ok::<(), crate::Error>(())
            })?;
            add(BlobKind::Data, &data)?;
            add(BlobKind::Tree, &trees)
        };
        match add(BlobKind::Tree, &[root])?.is_empty() {
            true => Ok(()),
            false => for_each_tree(self.repo, index, &[root], &visit, &|| ()),
        }
    }

    /// The numbers so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }
}

impl Stats {
    /// Adds a blob with all of its copies, as they are stored.
    fn blob(&mut self, index: &Index, kind: BlobKind, id: &BlobId) -> Result<()> {
        for place in index.copies(kind, id)? {
            self.total_blob_count += 1;
            self.total_size += u64::from(place.length);
            let uncompressed = u64::from(place.plain_length()) + SEALING;
            self.total_uncompressed_size += uncompressed;
            if place.uncompressed_length > 0 {
                self.compressed_size += u64::from(place.length);
                self.compressed_plain_size += uncompressed;
            }
        }
        Ok(())
    }
}

fn size(node: &Node) -> u64 {
    if node.kind == NodeKind::File { node.size } else { 0 }
}

/// The hash of a node's list of blobs: what is empty or no file shares one.
fn content_id(node: &Node) -> BlobId {
    let ids: Vec<u8> = node.blobs().iter().flat_map(|blob| *blob.as_bytes()).collect();
    BlobId::of(&ids)
}
