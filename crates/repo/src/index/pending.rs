//! The stored packs of an upload that no index file names yet.

use crate::id::PackId;
use crate::pack::Entry;

/// So many blobs are worth an index file.
pub(crate) const MANY_BLOBS: usize = 50_000;
/// So many seconds after its first pack, an index file is due.
const LONG: i64 = 10 * 60;

/// Packs whose upload was confirmed; they wait for the next index file, each as a whole.
#[derive(Default)]
pub(crate) struct Pending {
    packs: Vec<(PackId, Vec<Entry>)>,
    blobs: usize,
    /// When the first of them came, in seconds since 1970.
    since: i64,
}

impl Pending {
    /// Adds a stored pack at the time `now`; returns what the next index file is to list, if it is due.
    pub(crate) fn add(
        &mut self,
        pack: PackId,
        entries: Vec<Entry>,
        now: i64,
    ) -> Option<Vec<(PackId, Vec<Entry>)>> {
        if self.packs.is_empty() {
            self.since = now;
        }
        self.blobs += entries.len();
        self.packs.push((pack, entries));
        let due = self.blobs >= MANY_BLOBS || now.saturating_sub(self.since) >= LONG;
        due.then(|| self.take())
    }

    /// Everything that waits.
    pub(crate) fn take(&mut self) -> Vec<(PackId, Vec<Entry>)> {
        self.blobs = 0;
        std::mem::take(&mut self.packs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::{BlobHandle, BlobKind};
    use crate::id::BlobId;

    fn add(pending: &mut Pending, blobs: usize, now: i64) -> Option<usize> {
        let blob = BlobHandle { kind: BlobKind::Data, id: BlobId::from_bytes([0; 32]) };
        let entry = Entry { blob, offset: 0, length: 32, uncompressed_length: 0 };
        pending.add(PackId::from_bytes([1; 32]), vec![entry; blobs], now).map(|packs| packs.len())
    }

    #[test]
    fn an_index_file_is_due_by_number_or_age() {
        let mut pending = Pending::default();
        assert_eq!(add(&mut pending, 49_998, 1000), None);
        assert_eq!(add(&mut pending, 1, 1599), None);
        assert_eq!(add(&mut pending, 1, 1000), Some(3), "50 000 blobs");
        assert_eq!(add(&mut pending, 1, 5000), None);
        assert_eq!(add(&mut pending, 1, 4000), None, "the clock went back");
        assert_eq!(add(&mut pending, 1, 5600), Some(3), "10 minutes");
        assert!(pending.take().is_empty());
    }
}
