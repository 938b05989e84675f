//! Brings the blobs from their packs into the files.

use crate::error::{Error, Result};
use crate::restore::dirs::OpenDirs;
use crate::restore::failure::{Failure, SharedCause};
use crate::restore::files::Files;
use crate::restore::parallel::parallel;
use crate::restore::plan::{RestorePlan, Want};
use crate::restore::table::ItemNumber;
use crate::restore::target::Target;
use hashbrown::HashMap;
use std::ops::Range;
use std::sync::Arc;
use tresor_repo::handle::Right;
use tresor_repo::index::Index;
use tresor_repo::load::Loader;
use tresor_repo::{BlobId, Cancel, Repository};

/// Bytes of a pack that a worker takes at once: enough for few requests, little enough that all
/// workers end at about the same time.
const PORTION: u64 = 8 << 20;

/// Files without wanted blobs that a worker takes at once.
const BARE_PORTION: usize = 256;

/// What a worker does next.
#[derive(Clone, Copy)]
enum Job<'a> {
    /// Fetch the blobs that these want, all in one pack.
    Fetch(&'a [Want]),
    /// Make these files, which want none.
    Bare(&'a [ItemNumber]),
}

/// A worker's own.
struct Worker<'a, R: Right> {
    loader: Loader<'a, R>,
    dirs: OpenDirs<'a>,
}

/// Fills all files of the plan.
///
/// # Errors
/// Only that the operation was cancelled.
pub(crate) fn fill<R: Right>(
    plan: &RestorePlan,
    repo: &Repository<R>,
    index: &Index,
    target: &Target,
    files: &Files<'_>,
) -> Result<()> {
    let bare = plan.bare.chunks(BARE_PORTION).map(Job::Bare);
    let jobs: Vec<_> = portions(&plan.wants).map(Job::Fetch).chain(bare).collect();
    let worker = || Worker { loader: repo.loader(), dirs: OpenDirs::new(target) };
    parallel(&jobs, repo.parallel_loads(), repo.cancel(), worker, |worker, job| match job {
        Job::Bare(items) => items.iter().for_each(|item| files.write_bare(&mut worker.dirs, *item)),
        // What stops a portion is that all is to stop, and `parallel` says so.
        Job::Fetch(wants) => _ = fetch(plan, index, wants, worker, files, repo.cancel()),
    })
}

/// Cuts the wants, which are sorted by their place, where a pack ends or a portion is full; wants for one
/// blob stay together.
fn portions(wants: &[Want]) -> impl Iterator<Item = &[Want]> {
    let mut rest = wants;
    std::iter::from_fn(move || {
        let first = rest.first()?;
        let ends = |want: &Want| {
            want.pack != first.pack || u64::from(want.offset) >= u64::from(first.offset) + PORTION
        };
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        let (portion, after) = rest.split_at(length);
        rest = after;
        Some(portion)
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_end_with_their_pack_and_keep_one_blob_together() {
        let want = |pack, offset, item| Want {
            pack,
            offset,
            length: 1 << 20,
            uncompressed_length: 0,
            item,
            file_offset: 0,
            blob: 0,
        };
        let wants = [
            want(0, 0, 1),
            want(0, 7 << 20, 1),
            want(0, 7 << 20, 2),
            want(0, 8 << 20, 1),
            want(0, 8 << 20, 3),
            want(1, 0, 1),
            want(1, 100, 2),
        ];
        let lengths: Vec<_> = portions(&wants).map(<[Want]>::len).collect();
        assert_eq!(lengths, [3, 2, 2]);
        assert_eq!(portions(&[]).count(), 0);
    }
}
