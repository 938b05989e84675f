//! Merge what all index files say into one index.

use crate::blob::BlobKind;
use crate::id::{IndexId, PackId};
use crate::index::Index;
use crate::index::columns::{Columns, Row};
use crate::index::file::IndexFile;
use hashbrown::HashMap;

/// There are more entries than an index can number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the index has more than 4294967295 entries")]
pub(crate) struct TooMany;

/// Merges index files, in any order: entries said twice are kept once, different ones all.
///
/// # Errors
/// From 2³² entries on.
pub(crate) fn merge(files: Vec<(IndexId, IndexFile)>) -> Result<Index, TooMany> {
    let (ids, files): (Vec<IndexId>, Vec<IndexFile>) = files.into_iter().unzip();
    let entries = files.iter().flat_map(|file| &file.rows).map(|rows| rows.len() as u64).sum::<u64>();
    u32::try_from(entries).map_err(|_| TooMany)?;
    let packs = all_packs(&files);
    let numbers: HashMap<PackId, u32> = packs.iter().copied().zip(0..).collect();
    let mut parts: [Vec<Vec<Row>>; 2] = Default::default();
    for mut file in files {
        for kind in BlobKind::ALL {
            let mut rows = std::mem::take(&mut file.rows[kind as usize]);
            for row in &mut rows {
                row.spot.pack = numbers[&file.packs[row.spot.pack as usize]];
            }
            parts[kind as usize].push(rows);
        }
    }
    Ok(Index { columns: parts.map(Columns::build), packs, files: ids })
}

fn all_packs(files: &[IndexFile]) -> Vec<PackId> {
    let mut packs: Vec<PackId> = files.iter().flat_map(|file| &file.packs).copied().collect();
    packs.sort_unstable();
    packs.dedup();
    packs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::BlobHandle;
    use crate::id::BlobId;
    use crate::index::file::{decode, encode};
    use crate::pack::Entry;

    fn pack_id(n: u8) -> PackId {
        PackId::from_bytes([n; 32])
    }

    fn entry(kind: BlobKind, n: u8, offset: u32) -> Entry {
        let blob = BlobHandle { kind, id: BlobId::from_bytes([n; 32]) };
        Entry { blob, offset, length: 40, uncompressed_length: u32::from(n % 2) }
    }

    fn index(files: &[&[(PackId, Vec<Entry>)]]) -> Index {
        let read = |packs: &&[(PackId, Vec<Entry>)]| {
            let mut json = Vec::new();
            encode(packs, &mut json);
            (IndexId::from_bytes([0; 32]), decode(&json, 2).unwrap())
        };
        merge(files.iter().map(read).collect()).unwrap()
    }

    #[test]
    fn copies_are_kept_and_repetitions_are_not() {
        let first = (pack_id(9), vec![entry(BlobKind::Data, 3, 0), entry(BlobKind::Data, 2, 40)]);
        let other = (pack_id(4), vec![entry(BlobKind::Data, 3, 0)]);
        let contradicting = (pack_id(4), vec![entry(BlobKind::Data, 3, 8)]);
        let tree = (pack_id(5), vec![entry(BlobKind::Tree, 3, 0)]);
        let index = index(&[&[first.clone(), other, tree], &[first, contradicting]]);
        assert_eq!(index.len(), 5);
        let three = BlobId::from_bytes([3; 32]);
        let copies: Vec<_> =
            index.copies(BlobKind::Data, &three).map(|place| (place.pack, place.offset)).collect();
        assert_eq!(copies, [(pack_id(4), 0), (pack_id(4), 8), (pack_id(9), 0)]);
        assert_eq!(index.copies(BlobKind::Tree, &three).count(), 1);
        assert!(!index.contains(BlobKind::Tree, &BlobId::from_bytes([2; 32])));
        assert!(index.packs().eq([4, 5, 9].map(pack_id)));
        assert_eq!(index.plain_length(BlobKind::Data, &BlobId::from_bytes([2; 32])), Some(8));
    }

    #[test]
    fn packs_have_their_blobs_in_order_and_their_totals() {
        let entries =
            vec![entry(BlobKind::Data, 7, 0), entry(BlobKind::Tree, 1, 40), entry(BlobKind::Data, 4, 80)];
        let alone = vec![entry(BlobKind::Tree, 8, 0)];
        let index = index(&[&[(pack_id(2), entries.clone()), (pack_id(1), alone), (pack_id(3), vec![])]]);
        let by_pack = index.by_pack();
        let listed: Vec<Entry> = by_pack.blobs(&pack_id(2)).map(|(blob, place)| place.entry(blob)).collect();
        assert_eq!(listed, entries);
        assert_eq!(by_pack.blobs(&pack_id(3)).len(), 0);
        assert_eq!(by_pack.blobs(&pack_id(77)).len(), 0);
        let totals: Vec<_> = index.pack_totals().map(|(_, total)| (total.size, total.is_mixed())).collect();
        assert_eq!(totals, [(40 + 37 + 36, false), (120 + 41 + 41 + 37 + 36, true), (36, false)]);
    }
}
