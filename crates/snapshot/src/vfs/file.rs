//! An open file: which blob holds which bytes, and whether they are read in order.

use super::blobs::Blobs;
use crate::error::Result;
use crate::node::Node;
use std::sync::{Arc, Mutex, PoisonError};
use tresor_repo::index::Index;
use tresor_repo::{BlobHandle, BlobId, BlobKind, Error as RepoError};

/// Bytes loaded ahead when reading in order begins; doubled with each further blob.
const FIRST_AHEAD: u64 = 2 << 20;
/// Bytes loaded ahead at most.
const MOST_AHEAD: u64 = 24 << 20;
/// After so many doublings it is more than that.
const MOST_DOUBLED: u32 = 4;

/// A file that can be read at any place.
pub struct OpenFile {
    node: Arc<Node>,
    index: Arc<Index>,
    /// Where each blob ends in the file.
    ends: Vec<u64>,
    order: Mutex<Order>,
}

/// How a file is read.
#[derive(Default)]
struct Order {
    /// The blob read last.
    last: usize,
    /// How many blobs in a row were read in order.
    run: u32,
    /// Blobs before this one were asked for ahead.
    ahead: usize,
}

impl OpenFile {
    /// # Errors
    /// A blob is not in the index.
    pub(super) fn new(node: &Arc<Node>, index: &Arc<Index>) -> Result<OpenFile> {
        let mut end = 0u64;
        let mut ends = Vec::with_capacity(node.blobs().len());
        for id in node.blobs() {
            let blob = BlobHandle { kind: BlobKind::Data, id: *id };
            let length = index.plain_length(BlobKind::Data, id)?.ok_or(RepoError::UnknownBlob { blob })?;
            end = end.saturating_add(length.into());
            ends.push(end);
        }
        let (node, index) = (Arc::clone(node), Arc::clone(index));
        Ok(OpenFile { node, index, ends, order: Mutex::default() })
    }

    /// Reads up to `size` bytes from `offset` on; fewer only at the end.
    pub(super) fn read(&self, blobs: &Blobs, offset: u64, size: usize) -> Result<Vec<u8>> {
        let end = offset.saturating_add(size as u64).min(self.ends.last().copied().unwrap_or(0));
        let mut out = Vec::with_capacity(usize::try_from(end.saturating_sub(offset)).unwrap_or(0));
        let mut at = offset;
        let mut blob = self.ends.partition_point(|end| *end <= at);
        while at < end {
            self.want(blobs, blob);
            let Some(id) = self.blob(blob) else { break };
            let start = if blob == 0 { 0 } else { self.ends[blob - 1] };
            let bytes = blobs.get(&self.index, id)?;
            let wanted = |place: u64| usize::try_from(place - start).unwrap_or(usize::MAX).min(bytes.len());
            out.extend_from_slice(&bytes[wanted(at)..wanted(end.min(self.ends[blob]))]);
            at = self.ends[blob];
            blob += 1;
        }
        Ok(out)
    }

    fn blob(&self, number: usize) -> Option<&BlobId> {
        self.node.blobs().get(number)
    }

    /// Has what follows a blob loaded ahead, if the file is read in order.
    fn want(&self, blobs: &Blobs, blob: usize) {
        let wanted = {
            let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
            order.next(blob, &self.ends)
        };
        if let Some(ids) = self.node.blobs().get(wanted).filter(|ids| !ids.is_empty()) {
            blobs.want(&self.index, ids);
        }
    }
}

impl Order {
    /// Notes that a blob is read; answers which blobs to load now that were not asked for before.
    fn next(&mut self, blob: usize, ends: &[u64]) -> std::ops::Range<usize> {
        let nothing = 0..0;
        match blob {
            // The kernel asks for a few pieces at once, and they come in any order.
            blob if blob == self.last && (blob > 0 || self.ahead > 0) => return nothing,
            blob if blob + 1 == self.last => return nothing,
            blob if blob == self.last + 1 => self.run = self.run.saturating_add(1),
            0 => *self = Order::default(),
            blob => *self = Order { last: blob, run: 0, ahead: 0 },
        }
        self.last = blob;
        // One blob somewhere in the middle says nothing of the next.
        if self.run == 0 && blob > 0 {
            return nothing;
        }
        let ahead = (FIRST_AHEAD << self.run.min(MOST_DOUBLED)).min(MOST_AHEAD);
        let here = ends.get(blob).copied().unwrap_or(u64::MAX);
        let until = ends.partition_point(|end| *end <= here.saturating_add(ahead));
        let from = self.ahead.max(blob);
        // In pieces of some size: many small requests cost more than they bring.
        let enough = until == ends.len() || until.saturating_sub(from) >= (until - blob.min(until)) / 4;
        if until <= from || !enough {
            return nothing;
        }
        self.ahead = until;
        from..until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_in_order_is_noticed_and_reading_anywhere_costs_nothing() {
        let ends: Vec<u64> = (1..=100).map(|end| end << 20).collect();
        let mut order = Order::default();
        let mut asked = Vec::new();
        for blob in 0..100 {
            asked.extend(order.next(blob, &ends));
            assert!(order.next(blob, &ends).is_empty(), "once for each blob");
            let ahead = asked.len().saturating_sub(blob + 1);
            assert!(ahead <= 24, "{ahead} blobs ahead of {blob}");
            assert!(ahead >= 15.min(99 - blob) || blob < 5, "{ahead} blobs ahead of {blob}");
        }
        assert_eq!(asked, (0..100).collect::<Vec<_>>());
        for blob in [7, 70, 35, 3, 99, 50] {
            assert!(order.next(blob, &ends).is_empty(), "{blob}");
        }
        assert!(!order.next(51, &ends).is_empty());
        assert!(order.next(50, &ends).is_empty(), "what comes late is no jump");
        order.next(52, &ends);
        assert!(order.run >= 2);
    }
}
