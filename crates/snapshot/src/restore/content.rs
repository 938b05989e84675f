//! Brings the blobs from their packs into the files.

use crate::error::{Error, Result};
use crate::restore::dirs::OpenDirs;
use crate::restore::failure::{Failure, SharedCause};
use crate::restore::files::Files;
use crate::restore::items::ItemNumber;
use crate::restore::parallel::parallel;
use crate::restore::plan::RestorePlan;
use crate::restore::target::Target;
use crate::restore::wants::Want;
use hashbrown::HashMap;
use std::ops::Range;
use std::sync::Arc;
use tresor_repo::handle::Right;
use tresor_repo::index::Index;
use tresor_repo::load::Loader;
use tresor_repo::{BlobId, Cancel, Repository};

/// Files without wanted blobs that a worker takes at once.
const BARE_PORTION: usize = 256;

/// What a worker does next.
enum Job {
    /// Fetch the blobs that these want, all in one pack.
    Fetch(Vec<Want>),
    /// Make these files, which want none.
    Bare(Vec<ItemNumber>),
}

/// What is still to be done.
struct Jobs<'a> {
    plan: &'a RestorePlan,
    /// Bare files from this number on are still to be made.
    bare: u64,
}

impl Jobs<'_> {
    fn next(&mut self) -> Result<Option<Job>> {
        let wants = self.plan.wants.portion()?;
        if !wants.is_empty() {
            return Ok(Some(Job::Fetch(wants)));
        }
        let next = || {
            let number = self.plan.bare.next(self.bare)?;
            self.bare = number + 1;
            Some(number as ItemNumber)
        };
        let bare: Vec<_> = std::iter::from_fn(next).take(BARE_PORTION).collect();
        Ok((!bare.is_empty()).then_some(Job::Bare(bare)))
    }
}

/// A worker's own.
struct Worker<'a, R: Right> {
    loader: Loader<'a, R>,
    dirs: OpenDirs<'a>,
}

/// Fills all files of the plan.
///
/// # Errors
/// Those of temporary files; that the operation was cancelled.
pub(crate) fn fill<R: Right>(
    plan: &RestorePlan,
    repo: &Repository<R>,
    index: &Index,
    target: &Target,
    files: &Files<'_>,
) -> Result<()> {
    plan.wants.rewind()?;
    let mut jobs = Jobs { plan, bare: 0 };
    let worker = || Worker { loader: repo.loader(), dirs: OpenDirs::new(target) };
    parallel(
        || jobs.next(),
        repo.parallel_loads(),
        repo.cancel(),
        worker,
        |worker, job| {
            match job {
                Job::Bare(items) => items.iter().for_each(|item| files.write_bare(&mut worker.dirs, *item)),
                // What stops a portion is that all is to stop, and `parallel` says so.
                Job::Fetch(wants) => _ = fetch(plan, index, &wants, worker, files, repo.cancel()),
            }
            Ok(())
        },
    )
}

/// Loads what a portion wants, and writes it wherever it is wanted.
fn fetch<R: Right>(
    plan: &RestorePlan,
    index: &Index,
    wants: &[Want],
    worker: &mut Worker<'_, R>,
    files: &Files<'_>,
    cancel: &Cancel,
) -> Result<()> {
    // Many may want the same few blobs.
    let mut by_blob: HashMap<BlobId, Range<usize>> = HashMap::new();
    let mut wanted = Vec::new();
    for (place, want) in wants.iter().enumerate() {
        let Ok(Some((blob, found))) = plan.place(want) else {
            let failure =
                Failure::Step { doing: "find the blob", source: std::io::ErrorKind::NotFound.into() };
            files.miss(&mut worker.dirs, want.item, failure);
            continue;
        };
        let range = by_blob.entry(blob.id).or_insert_with(|| {
            wanted.push((blob, found));
            place..place
        });
        range.end = place + 1;
    }
    let Some((_, first)) = wanted.first().copied() else { return Ok(()) };
    let dirs = &mut worker.dirs;
    worker.loader.load_from_pack(index, first.pack, &mut wanted, &mut |blob, plain| {
        if cancel.is_set() {
            return Err(Error::from(tresor_repo::Error::Cancelled));
        }
        let takers = by_blob.get(&blob.id).map_or(&[][..], |range| &wants[range.clone()]);
        match plain {
            Ok(plain) => {
                takers.iter().for_each(|want| files.write(dirs, want.item, want.file_offset, plain));
            }
            Err(error) => {
                let cause = SharedCause(Arc::new(error));
                takers.iter().for_each(|want| files.miss(dirs, want.item, Failure::Blob(cause.clone())));
            }
        }
        Ok(())
    })
}
