//! Which snapshot is a copy of which, and what a copy keeps.

use super::*;
use tresor_repo::time::Time;

fn listed(id: u8, original: Option<u8>) -> Listed {
    let (tree, time) = (BlobId::from_bytes([1; 32]), Time::utc(5, 0));
    let original = original.map(|id| SnapshotId::from_bytes([id; 32]));
    let snapshot = Snapshot { original, ..Snapshot::new(tree, time, vec!["/a".into()]) };
    (SnapshotId::from_bytes([id; 32]), snapshot)
}

#[test]
fn a_copy_is_known_by_its_origin_and_by_what_it_says() {
    let source = listed(1, None);
    let found = |copy: Listed| copy_of(&source, std::slice::from_ref(&copy)).is_some();
    assert!(found(listed(2, Some(1))));
    assert!(found(listed(1, None)));
    assert!(!found(listed(2, Some(3))));
    assert!(!found(listed(2, None)));
    let (id, mut tagged) = listed(2, Some(1));
    tagged.tags.push("t".into());
    assert!(!found((id, tagged)));
    let third = listed(7, Some(9));
    assert!(copy_of(&third, &[listed(8, Some(9))]).is_some());
}

#[test]
fn a_copy_keeps_the_first_original_and_no_parent() {
    let (id, mut snapshot) = listed(1, None);
    snapshot.parent = Some(id);
    let copy = copied(id, &snapshot);
    assert_eq!((copy.parent, copy.original), (None, Some(id)));
    let (id, snapshot) = listed(2, Some(1));
    assert_eq!(copied(id, &snapshot).original, snapshot.original);
}

#[test]
fn portions_end_with_their_pack() {
    let blob = |pack: u8, offset| {
        let place = Place { pack: PackId::from_bytes([pack; 32]), offset, length: 1, uncompressed_length: 0 };
        (BlobHandle { kind: BlobKind::Data, id: BlobId::from_bytes([0; 32]) }, place)
    };
    let blobs = [blob(1, 0), blob(1, 9), blob(1, 9 << 20), blob(2, 0), blob(2, 9)];
    assert_eq!(portions(&blobs).map(<[_]>::len).collect::<Vec<_>>(), [2, 1, 2]);
}
