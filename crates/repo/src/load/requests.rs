//! Which blobs of a pack come in one request.

use crate::blob::BlobHandle;
use crate::index::Place;
use tresor_backend::ByteRange;

/// Bytes that are cheaper to load in vain than to ask twice.
const GAP: u64 = 1024 * 1024;
/// No request for several blobs is larger.
const LARGEST: u64 = 32 * 1024 * 1024;
/// No budget is so small that requests must be smaller.
const SMALLEST: u64 = 4 * 1024 * 1024;

/// Largest request for several blobs where a request costs next to nothing: what came is still in the processor's
/// cache when it is opened.
pub(super) const NEAR: u64 = 512 * 1024;

/// Largest request for several blobs, when `workers` share `memory` bytes for what they load.
pub(super) fn at_most(memory: u64, workers: usize) -> u64 {
    (memory / workers.max(1) as u64).clamp(SMALLEST, LARGEST)
}

/// Takes the blobs of the next request off `rest`, which is sorted by offset.
///
/// Blobs that overlap (a wrong index says so) come in requests of their own, as each is opened in place.
pub(super) fn next<'w>(
    rest: &mut &'w [(BlobHandle, Place)],
    at_most: u64,
) -> Option<&'w [(BlobHandle, Place)]> {
    let (_, first) = rest.first()?;
    let (start, mut end) = (u64::from(first.offset), end_of(first));
    let more = rest[1..].iter().take_while(|(_, place)| {
        let near = (end..=end + GAP).contains(&u64::from(place.offset));
        let fits = near && end_of(place) - start < at_most;
        end = if fits { end_of(place) } else { end };
        fits
    });
    let (now, later) = rest.split_at(1 + more.count());
    *rest = later;
    Some(now)
}

/// The bytes from the first to the last of these blobs.
pub(super) fn range(blobs: &[(BlobHandle, Place)]) -> ByteRange {
    let offset = blobs.first().map_or(0, |(_, place)| place.offset.into());
    let end = blobs.last().map_or(0, |(_, place)| end_of(place));
    ByteRange { offset, length: end - offset }
}

fn end_of(place: &Place) -> u64 {
    u64::from(place.offset) + u64::from(place.length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::BlobKind;
    use crate::id::{BlobId, PackId};

    const MIB: u32 = 1 << 20;

    fn split(blobs: &[(u32, u32)], at_most: u64) -> Vec<(u64, u64, usize)> {
        let blob = BlobHandle { kind: BlobKind::Data, id: BlobId::from_bytes([0; 32]) };
        let pack = PackId::from_bytes([0; 32]);
        let place = |&(offset, length): &(u32, u32)| Place { pack, offset, length, uncompressed_length: 0 };
        let wanted: Vec<_> = blobs.iter().map(|blob_at| (blob, place(blob_at))).collect();
        let mut rest = &wanted[..];
        let mut requests = Vec::new();
        while let Some(now) = next(&mut rest, at_most) {
            requests.push((range(now).offset, range(now).length, now.len()));
        }
        requests
    }

    #[test]
    fn near_blobs_come_together() {
        assert_eq!(split(&[], LARGEST), []);
        assert_eq!(split(&[(7, 0)], LARGEST), [(7, 0, 1)]);
        assert_eq!(split(&[(0, 10), (10, 10), (20 + MIB, 1)], LARGEST), [(0, u64::from(MIB) + 21, 3)]);
        assert_eq!(split(&[(0, 10), (11 + MIB, 1)], LARGEST), [(0, 10, 1), (u64::from(MIB) + 11, 1, 1)]);
        assert_eq!(split(&[(0, 10), (10, 6)], 16), [(0, 10, 1), (10, 6, 1)]);
        assert_eq!(split(&[(0, 10), (10, 5)], 16), [(0, 15, 2)]);
    }

    #[test]
    fn what_a_wrong_index_says_makes_requests_of_its_own() {
        assert_eq!(split(&[(5, 10), (5, 10), (14, 1)], LARGEST), [(5, 10, 1), (5, 10, 1), (14, 1, 1)]);
        let whole = u64::from(u32::MAX);
        assert_eq!(
            split(&[(0, u32::MAX), (u32::MAX, u32::MAX)], LARGEST),
            [(0, whole, 1), (whole, whole, 1)]
        );
        assert_eq!(at_most(0, 0), SMALLEST);
        assert_eq!(at_most(u64::MAX, 1), LARGEST);
        assert_eq!(at_most(48 << 20, 2), 24 << 20);
    }
}
