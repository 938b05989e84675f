//! Which nonces were used twice: of all that is sealed with the repository's key and was read.
//!
//! One that seals two texts gives away how they differ: the random numbers of whoever wrote them failed. The same
//! sealed bytes as a blob and as a file: somebody without the key has made a file of what was sealed as a blob. A blob
//! copied byte for byte into another pack is nothing of either.

use crate::check::finding::{Finding, Reuse};
use crate::crypto::OVERHEAD;
use crate::error::Result;
use crate::sort::Sorter;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use tresor_backend::FileName;

/// So much memory the records take; the rest lies in a temporary file.
const MEMORY: usize = 4 << 20;

const NONCE: usize = 16;
const TAG: usize = 16;
/// Nonce, tag, what it was sealed as, and the number of the file.
const RECORD: usize = NONCE + TAG + 1 + 4;

/// As what something was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sealed {
    Blob = 0,
    Header = 1,
    File = 2,
}

/// Takes note of nonces, from several threads.
pub(super) struct Nonces {
    gathered: Mutex<Gathered>,
}

struct Gathered {
    sorter: Sorter<RECORD>,
    /// The files that records name by their number.
    files: Vec<FileName>,
}

impl Nonces {
    /// Keeps what memory does not hold in `folder`.
    pub(super) fn new(folder: PathBuf) -> Self {
        Nonces { gathered: Mutex::new(Gathered { sorter: Sorter::new(MEMORY, folder), files: Vec::new() }) }
    }

    /// Notes what was read of one file: whole sealed bytes, found authentic.
    pub(super) fn note(&self, file: FileName, seen: &mut Seen) -> Result<()> {
        if seen.0.is_empty() {
            return Ok(());
        }
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        let number = u32::try_from(gathered.files.len()).unwrap_or(u32::MAX).to_be_bytes();
        gathered.files.push(file);
        for (begun, sealed) in seen.0.drain(..) {
            let mut record = [sealed as u8; RECORD];
            record[..NONCE + TAG].copy_from_slice(&begun);
            record[RECORD - 4..].copy_from_slice(&number);
            gathered.sorter.push(record)?;
        }
        Ok(())
    }

    /// Tells `found` of every nonce that was used twice, once.
    pub(super) fn judge(self, mut found: impl FnMut(Finding)) -> Result<()> {
        let Gathered { sorter, files } = self.gathered.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut sorted = sorter.finish()?;
        let (mut last, mut told) = (None::<[u8; RECORD]>, None);
        while let Some(record) = sorted.take_next()? {
            let before = last.replace(record);
            let Some(before) = before.filter(|before| before[..NONCE] == record[..NONCE]) else { continue };
            let reuse = match () {
                () if before[NONCE..][..TAG] != record[NONCE..][..TAG] => Reuse::OtherBytes,
                () if before[NONCE + TAG] != record[NONCE + TAG] => Reuse::OtherPurpose,
                () => continue,
            };
            if told != Some(record[..NONCE].to_vec()) {
                told = Some(record[..NONCE].to_vec());
                let [one, other] = [before, record].map(|record| file_of(&files, &record));
                found(Finding::NonceUsedTwice { one, other, reuse });
            }
        }
        Ok(())
    }
}

fn file_of(files: &[FileName], record: &[u8; RECORD]) -> FileName {
    let number = record.last_chunk().map_or(0, |number| u32::from_be_bytes(*number));
    files.get(number as usize).copied().unwrap_or(FileName::CONFIG)
}

/// What was found sealed in one file.
#[derive(Default)]
pub(super) struct Seen(Vec<([u8; NONCE + TAG], Sealed)>);

impl Seen {
    /// Notes sealed bytes: what they begin and end with tells them from all others under one key.
    pub(super) fn add(&mut self, bytes: &[u8], sealed: Sealed) {
        if let (Some(nonce), Some(tag), true) =
            (bytes.first_chunk::<NONCE>(), bytes.last_chunk::<TAG>(), bytes.len() >= OVERHEAD)
        {
            let mut both = [0; NONCE + TAG];
            both[..NONCE].copy_from_slice(nonce);
            both[NONCE..].copy_from_slice(tag);
            self.0.push((both, sealed));
        }
    }

    /// Notes what `other` has noted.
    pub(super) fn append(&mut self, mut other: Seen) {
        self.0.append(&mut other.0);
    }

    /// Forgets what was noted.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tresor_backend::{FileKind, Id};

    fn file(number: u8) -> FileName {
        FileName::new(FileKind::Pack, Id::from_bytes([number; 32]))
    }

    fn judged(all: &[(u8, u8, u8, Sealed)]) -> Vec<(FileName, FileName, Reuse)> {
        let nonces = Nonces::new(std::env::temp_dir());
        for &(name, nonce, tag, sealed) in all {
            let mut bytes = [nonce; 40];
            bytes[24..].fill(tag);
            let mut seen = Seen::default();
            seen.add(&bytes, sealed);
            nonces.note(file(name), &mut seen).unwrap();
        }
        let mut findings = Vec::new();
        nonces
            .judge(|finding| match finding {
                Finding::NonceUsedTwice { one, other, reuse } => findings.push((one, other, reuse)),
                other => panic!("{other}"),
            })
            .unwrap();
        findings
    }

    #[test]
    fn copies_are_legal_and_all_else_is_told_once() {
        use Sealed::{Blob, File, Header};
        assert_eq!(judged(&[(1, 5, 5, Blob), (2, 6, 5, Blob), (3, 5, 5, Blob), (3, 7, 7, Header)]), []);
        assert_eq!(judged(&[(1, 5, 5, Blob), (2, 5, 6, Blob)]), [(file(1), file(2), Reuse::OtherBytes)]);
        assert_eq!(judged(&[(1, 5, 5, Blob), (2, 5, 5, File)]), [(file(1), file(2), Reuse::OtherPurpose)]);
        assert_eq!(judged(&[(1, 5, 5, Header), (2, 5, 5, Blob)]), [(file(2), file(1), Reuse::OtherPurpose)]);
        let many: Vec<_> = (0..50).map(|tag| (tag, 5, tag, Blob)).collect();
        assert_eq!(judged(&many).len(), 1);
    }

    #[test]
    fn what_is_too_short_to_be_sealed_is_not_noted() {
        let mut seen = Seen::default();
        seen.add(&[0; OVERHEAD - 1], Sealed::File);
        assert!(seen.0.is_empty());
    }
}
