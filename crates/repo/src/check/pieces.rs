//! In which pieces a pack is read from front to back, so that blobs come whole.

use crate::pack::Entry;
use std::ops::Range;

/// Blobs are read together up to this many bytes; a larger one comes alone.
const PIECE: u64 = 4 * 1024 * 1024;

/// A stretch of a pack, and the entries that lie in it as a whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) bytes: Range<u64>,
    pub(super) entries: Range<usize>,
}

/// How to read a pack.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pieces {
    /// From 0 to the end of the last blob, without a gap.
    pub(super) in_order: Vec<Piece>,
    /// Entries that begin before an earlier one ends (a wrong index says so).
    pub(super) overlapping: Vec<usize>,
    /// Whether each blob begins where the one before it ends.
    pub(super) contiguous: bool,
}

/// Cuts a pack into pieces; `entries` are sorted by offset.
pub(super) fn pieces(entries: &[Entry]) -> Pieces {
    let mut pieces = Pieces { in_order: Vec::new(), overlapping: Vec::new(), contiguous: true };
    let mut position = 0;
    for (number, entry) in entries.iter().enumerate() {
        let (start, end) = (u64::from(entry.offset), u64::from(entry.offset) + u64::from(entry.length));
        pieces.contiguous &= start == position;
        if start < position {
            pieces.overlapping.push(number);
            continue;
        }
        while position < start {
            let to = start.min(position + PIECE);
            pieces.in_order.push(Piece { bytes: position..to, entries: number..number });
            position = to;
        }
        match pieces.in_order.last_mut() {
            Some(last) if last.entries.end == number && end - last.bytes.start <= PIECE => {
                (last.bytes.end, last.entries.end) = (end, number + 1);
            }
            _ => pieces.in_order.push(Piece { bytes: start..end, entries: number..number + 1 }),
        }
        position = end;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::{BlobHandle, BlobKind};
    use crate::id::BlobId;
    use proptest::prelude::*;

    fn cut(places: &[(u32, u32)]) -> Pieces {
        let blob = BlobHandle { kind: BlobKind::Data, id: BlobId::from_bytes([0; 32]) };
        let entry = |&(offset, length): &(u32, u32)| Entry { blob, offset, length, uncompressed_length: 0 };
        pieces(&places.iter().map(entry).collect::<Vec<_>>())
    }

    #[test]
    fn small_blobs_come_together_and_large_ones_alone() {
        let large = PIECE as u32 + 1;
        let cut = cut(&[(0, 10), (10, 20), (30, large), (30 + large, 5)]);
        assert!(cut.contiguous && cut.overlapping.is_empty());
        let shape: Vec<_> = cut.in_order.into_iter().map(|piece| (piece.bytes.end, piece.entries)).collect();
        assert_eq!(shape, [(30, 0..2), (30 + u64::from(large), 2..3), (35 + u64::from(large), 3..4)]);
    }

    proptest! {
        #[test]
        fn pieces_cover_everything_once(mut places in proptest::collection::vec((0u32..1 << 25, 0u32..1 << 23), 0..30)) {
            places.sort_unstable();
            let cut = cut(&places);
            let mut position = 0;
            let mut seen = cut.overlapping.clone();
            for piece in &cut.in_order {
                prop_assert_eq!(piece.bytes.start, position);
                position = piece.bytes.end;
                for number in piece.entries.clone() {
                    let (offset, length) = places[number];
                    prop_assert!(u64::from(offset) >= piece.bytes.start);
                    prop_assert!(u64::from(offset) + u64::from(length) <= piece.bytes.end);
                    seen.push(number);
                }
                prop_assert!(piece.entries.len() == 1 || piece.bytes.end - piece.bytes.start <= PIECE);
            }
            seen.sort_unstable();
            prop_assert!(seen.into_iter().eq(0..places.len()));
        }
    }
}
