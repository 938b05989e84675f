//! Copies snapshots to another repository: blobs sealed with another key, not cut anew.
//!
//! What is missing is a value, shown before it is copied. The order of writes is that of a backup: packs, index,
//! and only then the snapshots that need them.

use crate::error::{Error, Result};
use crate::node::NodeKind;
use crate::select::Listed;
use crate::snapshot::Snapshot;
use crate::tree::StoredTree;
use crate::trees::for_each_tree;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use tresor_repo::handle::Right;
use tresor_repo::index::{Index, Marks, Place};
use tresor_repo::load::Found;
use tresor_repo::upload::{BlobSaver, Upload};
use tresor_repo::{BlobHandle, BlobId, BlobKind, Monitor, PackId, Phase, Repository, SnapshotId};

/// Bytes of a pack that a worker copies at once: enough for few requests, little enough that all workers end
/// at about the same time.
const PORTION: u64 = 8 << 20;

/// The repository that is copied from.
pub struct Source<'a, R: Right> {
    repo: &'a Repository<R>,
    index: &'a Index,
    /// Trees of snapshots that were looked at: what they need is stored, or planned.
    seen: Marks<'a>,
    /// Blobs that earlier plans hold, and which the destination's index does not know.
    planned: Marks<'a>,
}

/// Blobs that the destination lacks.
#[derive(Debug, Default)]
pub struct Missing {
    /// Sorted by pack and offset.
    blobs: Vec<(BlobHandle, Place)>,
    /// Packs that hold them.
    pub packs: usize,
    /// Stored bytes.
    pub bytes: u64,
}

impl Missing {
    /// How many blobs.
    pub fn len(&self) -> usize {
        self.blobs.len()
    }

    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        self.blobs.is_empty()
    }
}

impl<'a, R: Right> Source<'a, R> {
    /// A source of which nothing was planned yet.
    pub fn new(repo: &'a Repository<R>, index: &'a Index) -> Self {
        Source { repo, index, seen: index.marks(), planned: index.marks() }
    }

    /// Finds what of the tree `root` is in neither `destination` nor an earlier plan.
    ///
    /// Every tree is looked at, also those that the destination has: it may lack what they need.
    ///
    /// # Errors
    /// A tree cannot be loaded, a blob is not in the source's index, or the operation was cancelled.
    pub fn missing(&self, root: BlobId, destination: &Index) -> Result<Missing> {
        let (seen, planned, missing) = (&self.seen, &self.planned, Mutex::new(Vec::new()));
        let visit = |tree: &BlobId, stored: Result<StoredTree<'_>>| {
            let (mut blobs, mut subtrees) =
                (vec![BlobHandle { kind: BlobKind::Tree, id: *tree }], Vec::new());
            stored?.for_each_node(|node| {
                match node.kind {
                    NodeKind::Dir => subtrees.extend(node.subtree),
                    _ => {
                        let ids = node.blobs().iter();
                        blobs.extend(ids.map(|id| BlobHandle { kind: BlobKind::Data, id: *id }));
                    }
                }
                Ok::<(), Error>(())
            })?;
            let mut here = Vec::new();
            for blob in blobs.iter() {
                if !destination.contains(blob.kind, &blob.id)? && is_new(planned, blob.kind, &blob.id)? {
                    here.push(*blob);
                }
            }
            missing.lock().unwrap_or_else(PoisonError::into_inner).append(&mut here);
            let mut new = Vec::new();
            for tree in subtrees {
                if is_new(seen, BlobKind::Tree, &tree)? {
                    new.push(tree);
                }
            }
            Ok(new)
        };
        if is_new(&self.seen, BlobKind::Tree, &root)? {
            for_each_tree(self.repo, self.index, &[root], &visit, &|| ())?;
        }
        self.placed(missing.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn placed(&self, missing: Vec<BlobHandle>) -> Result<Missing> {
        let place = |blob: BlobHandle| match self.index.find(blob.kind, &blob.id)? {
            Some(place) => Ok((blob, place)),
            None => Err(Error::from(tresor_repo::Error::UnknownBlob { blob })),
        };
        let mut blobs = missing.into_iter().map(place).collect::<Result<Vec<_>>>()?;
        blobs.sort_unstable_by_key(|(_, place)| (place.pack, place.offset));
        let bytes = blobs.iter().map(|(_, place)| u64::from(place.length)).sum();
        let packs = blobs.chunk_by(|(_, one), (_, next)| one.pack == next.pack).count();
        Ok(Missing { blobs, packs, bytes })
    }

    /// Copies what is missing, several portions at a time; the monitor hears of each pack that is done.
    ///
    /// # Errors
    /// The first blob that cannot be loaded, the first failure of the upload, or that the operation was cancelled.
    pub fn copy(&self, missing: &Missing, upload: &Upload<'_>, monitor: &dyn Monitor) -> Result<()> {
        let mut packs: Vec<PackId> = missing.blobs.iter().map(|(_, place)| place.pack).collect();
        packs.dedup();
        self.repo.bring_back(&packs, monitor)?;
        monitor.begin(Phase::Copy, Some(missing.packs as u64));
        let portions: Vec<&[(BlobHandle, Place)]> = portions(&missing.blobs).collect();
        let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
        std::thread::scope(|scope| {
            for _ in 0..self.repo.parallel_loads().min(portions.len()) {
                scope.spawn(|| {
                    let copied = self.copy_portions(&portions, &next, upload, monitor);
                    if let Err(error) = copied {
                        next.store(portions.len(), Ordering::Relaxed);
                        failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    }
                });
            }
        });
        if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        monitor.end(Phase::Copy);
        Ok(())
    }

    /// Copies portions until none is left.
    fn copy_portions(
        &self,
        portions: &[&[(BlobHandle, Place)]],
        next: &AtomicUsize,
        upload: &Upload<'_>,
        monitor: &dyn Monitor,
    ) -> Result<()> {
        let (mut loader, mut saver) = (self.repo.loader_beside_upload(), upload.saver());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(portion) = portions.get(number) else { return Ok(()) };
            let Some(pack) = pack(portion) else { continue };
            let (long, mut short): (Vec<_>, Vec<_>) =
                portion.iter().copied().partition(|(blob, place)| loader.is_long(blob, place));
            for (blob, _) in long {
                upload.save_long(blob.kind, &loader.load_long(self.index, blob)?)?;
            }
            loader.load_stored_from_pack(self.index, pack, &mut short, &mut |_, found| {
                save(&mut saver, &found?, self.repo)
            })?;
            if portions.get(number + 1).and_then(|portion| self::pack(portion)) != Some(pack) {
                monitor.advance(Phase::Copy, 1);
            }
        }
    }
}

/// Adds a blob to a set; whether it was new. One that the source does not know is, whenever it comes.
fn is_new(set: &Marks<'_>, kind: BlobKind, id: &BlobId) -> Result<bool> {
    Ok(set.mark(kind, id)?.unwrap_or(true))
}

fn save<R: Right>(saver: &mut BlobSaver<'_>, found: &Found<'_>, source: &Repository<R>) -> Result<()> {
    if source.cancel().is_set() {
        return Err(tresor_repo::Error::Cancelled.into());
    }
    saver.copy_blob(found)?;
    Ok(())
}

/// Cuts blobs, which are sorted by their place, where a pack ends or a portion is full.
fn portions(blobs: &[(BlobHandle, Place)]) -> impl Iterator<Item = &[(BlobHandle, Place)]> {
    blobs.chunk_by(|(_, one), (_, next)| {
        one.pack == next.pack && u64::from(one.offset) / PORTION == u64::from(next.offset) / PORTION
    })
}

fn pack(portion: &[(BlobHandle, Place)]) -> Option<PackId> {
    portion.first().map(|(_, place)| place.pack)
}

/// The snapshot of the destination that is a copy of `source`, or that both are copies of a third.
pub fn copy_of<'a>(source: &Listed, destination: &'a [Listed]) -> Option<&'a Listed> {
    let origin = |(id, snapshot): &Listed| snapshot.original.unwrap_or(*id);
    destination.iter().find(|copy| origin(copy) == origin(source) && says_the_same(&copy.1, &source.1))
}

/// Whether two snapshots agree in all that a copy keeps.
fn says_the_same(one: &Snapshot, other: &Snapshot) -> bool {
    let who = |snapshot: &Snapshot| {
        (snapshot.hostname.clone(), snapshot.username.clone(), snapshot.uid, snapshot.gid)
    };
    one.time.same_instant(&other.time)
        && one.tree == other.tree
        && who(one) == who(other)
        && one.paths == other.paths
        && one.tags == other.tags
        && one.excludes == other.excludes
}

/// What is saved as the copy: without the parent, which may not be there, and with the first original.
pub fn copied(id: SnapshotId, source: &Snapshot) -> Snapshot {
    Snapshot { parent: None, original: Some(source.original.unwrap_or(id)), ..source.clone() }
}

#[cfg(test)]
mod tests;
