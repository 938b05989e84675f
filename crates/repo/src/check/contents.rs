//! Read one pack from front to back and verify every byte of it.

use crate::check::finding::{Finding, PackFault};
use crate::check::nonces::{Sealed, Seen};
use crate::check::pieces::pieces;
use crate::codec::{Decoder, in_pieces};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::id::{BlobId, PackId};
use crate::load::load_range;
use crate::pack::Entry;
use crate::pack::header::{self, LENGTH_FIELD};
use crate::pack::open::{BadBlob, Opened, TOLERATED, open_blob_beside};
use crate::repository::Repository;
use std::ops::Range;
use tresor_backend::ByteRange;
use tresor_backend::handle::Right;

/// A worker's buffers for checking packs; made once, reused.
pub(super) struct PackReader<'a, R: Right> {
    repository: &'a Repository<R>,
    decoder: Decoder,
    loaded: Vec<u8>,
    /// One blob, to be opened in place.
    blob: Vec<u8>,
    unpacked: Vec<u8>,
    /// What was found authentic in the pack read last.
    pub(super) seen: Seen,
}

impl<'a, R: Right> PackReader<'a, R> {
    pub(super) fn new(repository: &'a Repository<R>) -> Self {
        let (loaded, blob, unpacked) = (Vec::new(), Vec::new(), Vec::new());
        let seen = Seen::default();
        PackReader { repository, decoder: Decoder::new(), loaded, blob, unpacked, seen }
    }

    /// Reads the pack that should hold `entries`, sorted by offset; if something is wrong, once more.
    pub(super) fn check(&mut self, pack: PackId, entries: &[Entry]) -> Option<Finding> {
        let first = match self.read(pack, entries) {
            Ok(faults) if faults.is_empty() => return None,
            first => first,
        };
        let was_cached = self.repository.distrust(pack);
        match (first, self.read(pack, entries)) {
            (Ok(_), Ok(now)) if now.is_empty() && was_cached => None, // only the copy was wrong
            (Ok(mut faults), Ok(now)) if now.is_empty() => {
                faults.push(PackFault::GoodAtSecondTry);
                Some(Finding::PackDamaged { pack, faults })
            }
            (_, Ok(now)) if now.is_empty() => None, // the request failed, not the pack
            (_, Ok(faults)) => Some(Finding::PackDamaged { pack, faults }),
            (_, Err(cause)) => Some(Finding::PackUnreadable { pack, cause }),
        }
    }

    fn read(&mut self, pack: PackId, entries: &[Entry]) -> Result<Vec<PackFault>> {
        let (pieces, mut faults) = (pieces(entries), Vec::new());
        self.seen.clear();
        if !pieces.contiguous {
            faults.push(PackFault::NotContiguous);
        }
        let mut hash = Hash::new();
        for piece in pieces.in_order {
            self.load(pack, piece.bytes.clone())?;
            for entry in &entries[piece.entries] {
                let hashed = hash.length();
                faults.extend(self.open(entry, piece.bytes.start, hashed, &mut hash));
            }
            let rest = (hash.length() - piece.bytes.start) as usize;
            hash.update(&self.loaded[rest..]);
        }
        for entry in pieces.overlapping.into_iter().map(|number| &entries[number]) {
            let start = u64::from(entry.offset);
            self.load(pack, start..start + u64::from(entry.length))?;
            faults.extend(self.open(entry, start, start, &mut Hash::new()));
        }
        let position = hash.length();
        self.load(pack, position..position.max(header::pack_size(entries)))?;
        hash.update(&self.loaded);
        let hash = PackId::from_bytes(hash.finish());
        match hash == pack {
            true => faults.extend(self.check_header(entries)),
            false => faults.push(PackFault::OtherHash(hash)), // the header needs no second complaint
        }
        Ok(faults)
    }

    fn load(&mut self, pack: PackId, bytes: Range<u64>) -> Result<()> {
        if self.repository.cancel().is_set() {
            return Err(Error::Cancelled);
        }
        let range = ByteRange { offset: bytes.start, length: bytes.end - bytes.start };
        Ok(load_range(self.repository, pack, range, &mut self.loaded)?)
    }

    /// Opens one of the blobs in the loaded bytes, which begin at `start` of the pack, while the hash of the pack goes
    /// on from `hashed` to the end of the blob.
    fn open(&mut self, entry: &Entry, start: u64, hashed: u64, hash: &mut Hash) -> Option<PackFault> {
        let at = (u64::from(entry.offset) - start) as usize;
        let (hashed, end) = ((hashed - start) as usize, at + entry.length as usize);
        self.blob.clear();
        self.blob.extend_from_slice(&self.loaded[at..end]);
        if u64::from(entry.uncompressed_length) > TOLERATED {
            hash.update(&self.loaded[hashed..end]);
            return self.open_long(entry);
        }
        let (key, decoder) = (&self.repository.key, &mut self.decoder);
        let (buffers, beside) = ((&mut self.blob[..], &mut self.unpacked), (hash, &self.loaded[hashed..end]));
        let opened = open_blob_beside(key, decoder, entry, buffers, beside);
        if !matches!(opened, Err(BadBlob::NotAuthentic(_))) {
            self.seen.add(&self.loaded[at..end], Sealed::Blob);
        }
        let (blob, declared) = (entry.blob, entry.uncompressed_length as usize);
        match opened {
            Ok(Opened { plain, .. }) if declared == 0 || plain.len() == declared => None,
            Ok(Opened { plain, .. }) => {
                let what = format!("its length is {}, not {declared} as the index says", plain.len());
                Some(PackFault::WrongBlob { blob, what })
            }
            Err(BadBlob::NotAuthentic(_)) => Some(PackFault::NotAuthentic { blob }),
            Err(bad) => Some(PackFault::WrongBlob { blob, what: bad.to_string() }),
        }
    }

    /// Opens the blob that was copied, whose plaintext is too long for memory, or said to be.
    fn open_long(&mut self, entry: &Entry) -> Option<PackFault> {
        let blob = entry.blob;
        let wrong = |what| Some(PackFault::WrongBlob { blob, what });
        let Ok(frame) = self.repository.key.open_in_place(&mut self.blob) else {
            return Some(PackFault::NotAuthentic { blob });
        };
        let (mut hash, declared) = (Hash::new(), u64::from(entry.uncompressed_length));
        match in_pieces(frame, declared, |piece| hash.update(piece)) {
            Err(bad) => wrong(bad.to_string()),
            Ok(length) if length != declared => {
                wrong(format!("its length is {length}, not {declared} as the index says"))
            }
            Ok(_) => match BlobId::from_bytes(hash.finish()) {
                found if found == blob.id => None,
                found => wrong(BadBlob::OtherId(found).to_string()),
            },
        }
    }

    /// Compares the header, at the end of the loaded bytes, with the index.
    fn check_header(&mut self, entries: &[Entry]) -> Vec<PackFault> {
        let listed = match self.open_header() {
            Ok(listed) => listed,
            Err(what) => return vec![PackFault::Header(what)],
        };
        let size = |entries: &[Entry]| entries.iter().map(|entry| entry.size() as u64).sum::<u64>();
        let (expected, got) = (size(entries), size(&listed));
        let wrong_size = (expected != got).then_some(PackFault::HeaderSize { expected, got });
        let is_indexed = |entry: &Entry| {
            let from = entries.partition_point(|other| other.offset < entry.offset);
            entries[from..]
                .iter()
                .take_while(|other| other.offset == entry.offset)
                .any(|other| other == entry)
        };
        let not_indexed = listed.iter().filter(|entry| !is_indexed(entry));
        wrong_size.into_iter().chain(not_indexed.map(|entry| PackFault::NotInIndex(entry.blob))).collect()
    }

    fn open_header(&mut self) -> Result<Vec<Entry>, String> {
        let (rest, field) =
            self.loaded.split_last_chunk_mut::<LENGTH_FIELD>().ok_or("there is no room for a header")?;
        let size = (rest.len() + LENGTH_FIELD) as u64;
        let length = header::sealed_length(*field, size).map_err(|bad| bad.to_string())?;
        let start = rest.len() - length;
        let mut seen = Seen::default();
        seen.add(&rest[start..], Sealed::Header);
        let opened = self.repository.key.open_in_place(&mut rest[start..]).map_err(|bad| bad.to_string())?;
        self.seen.append(seen);
        header::decode(opened).map_err(|bad| bad.to_string())
    }
}
