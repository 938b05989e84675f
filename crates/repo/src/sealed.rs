//! Load and save one sealed repository file that is no pack (format: "Unpacked files").

use crate::codec::{Compression, Decoder, Encoder, is_short_frame};
use crate::crypto::{Key, OVERHEAD};
use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use tresor_backend::handle::Right;
use tresor_backend::{ErrorKind, FileKind, FileName, Handle, Id};

/// Marks a file's content as compressed; JSON begins with a bracket.
const COMPRESSED: u8 = 2;

/// What a file may be at most: stored, and opened and decompressed.
pub(crate) struct Limits {
    pub(crate) stored: u64,
    pub(crate) content: u64,
}

/// Far more than any honest file of the kind has; what is larger is not read.
pub(crate) const fn limits(kind: FileKind) -> Limits {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    match kind {
        FileKind::Config | FileKind::Key => Limits { stored: 64 * KIB, content: 64 * KIB },
        FileKind::Lock => Limits { stored: MIB, content: MIB },
        FileKind::Snapshot => Limits { stored: 65 * MIB, content: 64 * MIB },
        FileKind::Index => Limits { stored: 129 * MIB, content: 128 * MIB },
        FileKind::Pack => Limits { stored: u32::MAX as u64, content: u32::MAX as u64 },
    }
}

/// What is longer, stored or opened, is held by one thread at a time: so are hostile ones, and honest ones are shorter.
pub(crate) const LONG: u64 = 16 << 20;

/// The id of a file: SHA-256 of its stored bytes.
pub(crate) fn id_of(stored: &[u8]) -> Id {
    Id::from_bytes(Sha256::digest(stored).into())
}

/// Loads a file's stored bytes; those with another hash than the name are not believed, and loaded once more.
///
/// `again` is called before the second try: the first answer may have come from a cache.
pub(crate) fn load_stored<R: Right>(
    handle: &Handle<R>,
    file: FileName,
    again: impl FnOnce(),
) -> Result<Vec<u8>> {
    load_stored_within(handle, file, limits(file.kind()).stored, again)
}

/// The same where it has at most so many bytes.
pub(crate) fn load_stored_within<R: Right>(
    handle: &Handle<R>,
    file: FileName,
    at_most: u64,
    again: impl FnOnce(),
) -> Result<Vec<u8>> {
    let mut stored = Vec::new();
    match handle.load_whole(file, at_most, &mut stored) {
        Ok(()) if id_of(&stored) == file.id() => return Ok(stored),
        Err(error) if error.kind() != ErrorKind::WrongSize => return Err(error.into()),
        _ => again(),
    }
    handle.load_whole(file, at_most, &mut stored)?;
    if id_of(&stored) != file.id() {
        return Err(Error::Damaged {
            file,
            what: "its content does not have the hash that is its name".into(),
        });
    }
    Ok(stored)
}

/// Loads a file's stored bytes, whether or not they have the hash that is its name.
pub(crate) fn load_any<R: Right>(handle: &Handle<R>, file: FileName) -> Result<Vec<u8>> {
    let mut stored = Vec::new();
    handle.load_whole(file, limits(file.kind()).stored, &mut stored)?;
    Ok(stored)
}

/// Opens stored bytes and decompresses them where the repository's version has that.
pub(crate) fn open(key: &Key, version: u32, file: FileName, stored: Vec<u8>) -> Result<Vec<u8>> {
    open_in_turn(key, version, file, stored, || ()).map(|(content, _)| content)
}

/// The same, where `turn` is waited for before more than [`LONG`] bytes come out; it is handed back.
pub(crate) fn open_in_turn<T>(
    key: &Key,
    version: u32,
    file: FileName,
    mut stored: Vec<u8>,
    turn: impl FnOnce() -> T,
) -> Result<(Vec<u8>, Option<T>)> {
    let damaged = |what: String| Error::Damaged { file, what };
    let plain = key.open_in_place(&mut stored).map_err(|error| damaged(error.to_string()))?;
    match plain {
        [COMPRESSED, packed @ ..] if version > 1 => {
            let mut content = Vec::new();
            let at_most = limits(file.kind()).content;
            let turn = (!is_short_frame(packed, LONG)).then(turn);
            Decoder::new()
                .decode(packed, at_most, &mut content)
                .map_err(|error| damaged(error.to_string()))?;
            Ok((content, turn))
        }
        [] | [b'{' | b'[', ..] => Ok((plain.to_vec(), None)),
        _ if version == 1 => Ok((plain.to_vec(), None)),
        [first, ..] => Err(damaged(format!("its encoding {first:#04x} is not known"))),
    }
}

/// Compresses, as the version has it, and seals: the bytes to store, and the id they give.
///
/// With `verify` what comes out is opened and compared by its hash, as a mistake of memory or processor
/// would be found by nobody until the day of the restore.
pub(crate) fn seal(
    key: &Key,
    version: u32,
    kind: FileKind,
    content: &[u8],
    verify: bool,
) -> Result<(Id, Vec<u8>)> {
    let mut packed = Vec::new();
    let mut stored = Vec::with_capacity(content.len() / 2 + OVERHEAD);
    let plain = if version == 1 {
        content
    } else {
        packed.push(COMPRESSED);
        Encoder::new(Compression::Auto).encode(content, &mut packed);
        &packed
    };
    key.seal(plain, &mut stored)?;
    let id = id_of(&stored);
    if verify {
        let file = FileName::new(kind, id);
        let opened = open(key, version, file, stored.clone());
        if !opened.is_ok_and(|opened| id_of(&opened) == id_of(content)) {
            return Err(Error::FileVerification { kind });
        }
    }
    Ok((id, stored))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tresor_backend::memory::Memory;
    use tresor_backend::{Backend, Full, Payload};

    const JSON: &[u8] = br#"{"some":"content"}"#;

    fn sealed(key: &Key, plain: &[u8]) -> (FileName, Vec<u8>) {
        let mut stored = Vec::new();
        key.seal(plain, &mut stored).unwrap();
        (FileName::new(FileKind::Snapshot, id_of(&stored)), stored)
    }

    fn opened(version: u32, plain: &[u8]) -> Result<Vec<u8>> {
        let key = Key::random().unwrap();
        let (file, stored) = sealed(&key, plain);
        open(&key, version, file, stored)
    }

    fn compressed(content: &[u8]) -> Vec<u8> {
        let mut out = vec![COMPRESSED];
        Encoder::new(Compression::Auto).encode(content, &mut out);
        out
    }

    #[test]
    fn both_versions_come_back() {
        let key = Key::random().unwrap();
        for version in [1, 2] {
            for content in [&b""[..], JSON, &vec![b'x'; 100_000]] {
                let (id, stored) = seal(&key, version, FileKind::Index, content, true).unwrap();
                assert_eq!(id, id_of(&stored));
                assert_eq!(stored.len() < 1000, content.len() < 1000 || version == 2);
                assert_eq!(open(&key, version, FileName::new(FileKind::Index, id), stored).unwrap(), content);
            }
        }
    }

    #[test]
    fn version_2_takes_plain_json_and_nothing_unknown() {
        for plain in [JSON, b"[1]", b""] {
            assert_eq!(opened(2, plain).unwrap(), plain);
        }
        assert_eq!(opened(2, &compressed(JSON)).unwrap(), JSON);
        for plain in [&b" {}"[..], b"\x03", b"\x02", b"\x02no frame"] {
            let error = opened(2, plain);
            assert_eq!(error.is_ok(), plain == b"\x02", "{plain:?}");
        }
    }

    #[test]
    fn version_1_never_decompresses() {
        let packed = compressed(JSON);
        assert_eq!(opened(1, &packed).unwrap(), packed);
    }

    #[test]
    fn content_beyond_the_limit_is_refused() {
        let key = Key::random().unwrap();
        let (_, stored) = sealed(&key, &compressed(&vec![b' '; (2 << 20) + 1]));
        assert!(open(&key, 2, FileName::new(FileKind::Lock, id_of(&stored)), stored).is_err());
    }

    #[test]
    fn another_key_does_not_open_it() {
        let (file, stored) = sealed(&Key::random().unwrap(), JSON);
        let error = open(&Key::random().unwrap(), 2, file, stored).unwrap_err();
        assert!(matches!(error, Error::Damaged { file: named, .. } if named == file));
    }

    #[test]
    fn a_file_with_another_hash_is_loaded_once_more() {
        let backend = Arc::new(Memory::new());
        let handle = Handle::<Full>::new(backend.clone());
        let file = FileName::new(FileKind::Snapshot, id_of(JSON));
        backend.plant(file, *b"damaged");
        assert_eq!(load_stored(&handle, file, || backend.plant(file, JSON)).unwrap(), JSON);
        backend.plant(file, *b"damaged");
        assert!(matches!(load_stored(&handle, file, || ()), Err(Error::Damaged { .. })));
        backend.remove(file).unwrap();
        assert!(
            matches!(load_stored(&handle, file, || ()), Err(Error::Backend(error)) if error.is_not_found())
        );
        let huge = vec![0; (1 << 20) + 1];
        let lock = FileName::new(FileKind::Lock, id_of(&huge));
        backend.save(lock, &Payload::from(huge.as_slice())).unwrap();
        assert!(load_stored(&handle, lock, || ()).is_err());
    }
}
