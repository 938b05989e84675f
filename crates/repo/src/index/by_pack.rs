//! The index grouped by pack.

use crate::blob::{BlobHandle, BlobKind};
use crate::id::{BlobId, PackId};
use crate::index::columns::Spot;
use crate::index::{Index, Place};
use crate::pack::header::{FRAME, entry_size};

/// What the index says of one pack as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackTotals {
    /// Size of the whole file, if it holds these blobs and nothing else.
    pub size: u64,
    /// Number of blobs of each kind, in the order of [`BlobKind::ALL`].
    pub blobs: [u32; 2],
}

impl PackTotals {
    /// Whether the pack holds data and tree blobs.
    pub const fn is_mixed(&self) -> bool {
        self.blobs[0] > 0 && self.blobs[1] > 0
    }
}

/// The entries of each pack in order of offset: 4 bytes a blob beside the index.
pub struct ByPack<'a> {
    index: &'a Index,
    /// Positions, data blobs before tree blobs, sorted by pack and offset.
    positions: Vec<u32>,
    /// Where each pack's positions begin, and the end of the last.
    starts: Vec<u32>,
}

impl Index {
    /// Totals of every pack, in the order of [`Index::packs`].
    pub fn pack_totals(&self) -> impl Iterator<Item = (PackId, PackTotals)> + '_ {
        let mut totals = vec![PackTotals { size: FRAME as u64, blobs: [0; 2] }; self.packs.len()];
        for kind in BlobKind::ALL {
            for (_, spot) in self.of(kind).iter() {
                let total = &mut totals[spot.pack as usize];
                total.size += u64::from(spot.length) + entry_size(spot.uncompressed_length) as u64;
                total.blobs[kind as usize] += 1;
            }
        }
        self.packs().zip(totals)
    }

    /// Groups the entries by pack; costs one pass over the index and a sort within each pack.
    pub fn by_pack(&self) -> ByPack<'_> {
        let mut starts = vec![0u32; self.packs.len() + 1];
        for position in 0..self.len() {
            starts[self.spot(position as u32).pack as usize + 1] += 1;
        }
        for pack in 1..starts.len() {
            starts[pack] += starts[pack - 1];
        }
        let mut next = starts.clone();
        let mut positions = vec![0u32; self.len()];
        for position in 0..self.len() as u32 {
            let at = &mut next[self.spot(position).pack as usize];
            positions[*at as usize] = position;
            *at += 1;
        }
        for bounds in starts.windows(2) {
            positions[bounds[0] as usize..bounds[1] as usize]
                .sort_unstable_by_key(|&position| (self.spot(position).offset, position));
        }
        ByPack { index: self, positions, starts }
    }

    fn spot(&self, position: u32) -> &Spot {
        self.row(position).1
    }

    /// The entry at a position among all data and then all tree blobs.
    fn row(&self, position: u32) -> (BlobKind, &Spot, &[u8; 32]) {
        let (position, data) = (position as usize, self.of(BlobKind::Data));
        let (kind, (id, spot)) = match position.checked_sub(data.len()) {
            None => (BlobKind::Data, data.row(position)),
            Some(position) => (BlobKind::Tree, self.of(BlobKind::Tree).row(position)),
        };
        (kind, spot, id)
    }
}

impl ByPack<'_> {
    /// The blobs of a pack in order of offset; none if no index file names it.
    pub fn blobs(&self, pack: &PackId) -> impl ExactSizeIterator<Item = (BlobHandle, Place)> + '_ {
        let bounds = match self.index.pack_number(pack) {
            Some(number) => self.starts[number] as usize..self.starts[number + 1] as usize,
            None => 0..0,
        };
        self.positions[bounds].iter().map(|&position| {
            let (kind, spot, id) = self.index.row(position);
            (BlobHandle { kind, id: BlobId::from_bytes(*id) }, self.index.place(spot))
        })
    }
}
