//! Long blobs: saved and loaded as short ones are, whatever stands in the way.

use super::*;
use crate::codec::Compression;
use crate::monitor::Silent;
use crate::testing::{Numbers, repository};
use crate::upload::{Saved, Uploaded};
use tresor_backend::memory::Memory;
use tresor_backend::{Backend, FileKind, Full, Payload};

/// Saves `plain` as a long blob, in pieces.
fn save_long(repository: &Repository<Full>, index: &Index, plain: &[u8]) -> (Saved, Uploaded) {
    let work = |upload: &crate::upload::Upload<'_>| {
        let mut saver = upload.long_saver(BlobKind::Tree)?;
        plain.chunks(77_777).try_for_each(|piece| saver.write(piece))?;
        saver.finish()
    };
    repository.upload(index, work).unwrap()
}

fn read_all(long: &LongBlob) -> Vec<u8> {
    let mut plain = Vec::new();
    long.reader().read_to_end(&mut plain).unwrap();
    plain
}

#[test]
fn a_long_blob_is_the_same_blob() {
    let mut numbers = Numbers(5);
    for (version, alphabet) in [(1, 3), (2, 3), (2, 256)] {
        for length in [0, 1, 100_000, 3_000_000] {
            let backend = Arc::new(Memory::new());
            let repository = repository(&backend, version, |options| options.memory = 1 << 20);
            let plain = numbers.bytes(length, alphabet);
            let (saved, uploaded) = save_long(&repository, &Index::default(), &plain);
            assert!(saved.was_new && saved.id == BlobId::of(&plain));
            assert_eq!((uploaded.tree_blobs, uploaded.plain_bytes), (1, length as u64));
            let index = repository.load_index(&Silent).unwrap();
            // As one piece, the usual way; and as it is read in pieces.
            assert!(repository.load_blob(&index, BlobKind::Tree, &saved.id).unwrap() == plain);
            let blob = BlobHandle { kind: BlobKind::Tree, id: saved.id };
            let long = repository.loader().load_long(&index, blob).unwrap();
            assert!(read_all(&long) == plain && long.len() == length as u64);
            let again = save_long(&repository, &index, &plain).0;
            assert_eq!(again, Saved { id: saved.id, was_new: false, stored_bytes: 0 });
        }
    }
}

#[test]
fn what_is_long_depends_on_the_memory() {
    let backend = Arc::new(Memory::new());
    let repository = repository(&backend, 2, |options| options.memory = 6 << 16);
    let (short, long) = (vec![7; 1 << 16], vec![7; (1 << 16) + 1]);
    for plain in [&short, &long] {
        save_long(&repository, &Index::default(), plain);
    }
    let index = repository.load_index(&Silent).unwrap();
    let (mut loader, mut buffer) = (repository.loader(), Vec::new());
    let mut load =
        |plain: &[u8]| match loader.load_any(&index, BlobKind::Tree, &BlobId::of(plain), &mut buffer) {
            Ok(Loaded::Short(found)) => (found == plain, false),
            Ok(Loaded::Long(found)) => (read_all(&found) == plain, true),
            Err(error) => panic!("{error}"),
        };
    assert_eq!((load(&short), load(&long)), ((true, false), (true, true)));
}

#[test]
fn no_changed_byte_of_a_long_blob_is_believed_and_another_copy_helps() {
    let backend = Arc::new(Memory::new());
    let repository = repository(&backend, 2, |options| options.compression = Compression::Fastest);
    let plain = Numbers(9).bytes(300_000, 5);
    let saved = save_long(&repository, &Index::default(), &plain).0;
    let index = repository.load_index(&Silent).unwrap();
    let blob = BlobHandle { kind: BlobKind::Tree, id: saved.id };
    let place = index.find(BlobKind::Tree, &saved.id).unwrap().unwrap();
    let mut pack = Vec::new();
    backend.load_whole(place.pack.file(), u64::MAX, &mut pack).unwrap();
    let put = |bytes: &[u8]| {
        backend.remove(place.pack.file()).unwrap();
        backend.save(place.pack.file(), &Payload::from(bytes)).unwrap();
    };
    for at in [0, 15, 16, 70_000, place.length as usize - 17, place.length as usize - 1] {
        let mut damaged = pack.clone();
        damaged[at] ^= 1;
        put(&damaged);
        let loaded = repository.loader().load_long(&index, blob);
        assert!(matches!(loaded, Err(Error::DamagedBlob { .. })), "{at}");
    }
    put(&pack[..place.length as usize - 1]);
    assert!(repository.loader().load_long(&index, blob).is_err());

    save_long(&repository, &Index::default(), &plain); // nonces differ, so it is another pack
    assert_eq!(repository.list(FileKind::Pack).unwrap().len(), 2);
    let index = repository.load_index(&Silent).unwrap();
    assert!(read_all(&repository.loader().load_long(&index, blob).unwrap()) == plain);
}

#[test]
fn an_unknown_long_blob_is_an_error() {
    let repository = repository(&Arc::new(Memory::new()), 2, |_| {});
    let blob = BlobHandle { kind: BlobKind::Tree, id: BlobId::of(b"?") };
    let loaded = repository.loader().load_long(&Index::default(), blob);
    assert!(matches!(loaded, Err(Error::UnknownBlob { .. })));
}
