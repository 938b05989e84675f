//! Sort more than memory is to hold: sorted pieces in an unlinked file, merged when read.

use crate::crypto::{Key, OVERHEAD};
use crate::error::{Error, Result};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{Error as IoError, ErrorKind, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// So many records of a piece are sealed, and read again, at once.
const FRAME: usize = 1024;

/// Takes records of `N` bytes in any order; they are put in that of their bytes.
pub struct Sorter<const N: usize> {
    records: Vec<[u8; N]>,
    /// How many are held in memory.
    at_most: usize,
    folder: PathBuf,
    len: u64,
    spilled: Option<Spilled>,
}

/// Sorted pieces in a file, sealed with a key that nobody else ever has.
struct Spilled {
    file: File,
    key: Key,
    size: u64,
    /// Where each piece lies.
    pieces: Vec<Range<u64>>,
}

impl<const N: usize> Sorter<N> {
    /// A sorter that holds about so many bytes in memory, and all else in `folder`.
    pub fn new(memory: usize, folder: PathBuf) -> Self {
        Sorter { records: Vec::new(), at_most: (memory / N).max(FRAME), folder, len: 0, spilled: None }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// [`Error::Local`]: the file cannot be made or written.
    pub fn push(&mut self, record: [u8; N]) -> Result<()> {
        if self.records.len() == self.at_most {
            self.spill()?;
        }
        self.records.push(record);
        self.len += 1;
        Ok(())
    }

    /// How many records were added.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn spill(&mut self) -> Result<()> {
        self.records.sort_unstable();
        let folder = &self.folder;
        let failed = |source| local("write to", folder, source);
        let spilled = match &mut self.spilled {
            Some(spilled) => spilled,
            none => {
                let file = tempfile::tempfile_in(folder).map_err(failed)?;
                none.insert(Spilled { file, key: Key::random()?, size: 0, pieces: Vec::new() })
            }
        };
        let (start, mut sealed) = (spilled.size, Vec::new());
        for frame in self.records.chunks(FRAME) {
            sealed.clear();
            spilled.key.seal(frame.as_flattened(), &mut sealed)?;
            spilled.file.write_all(&sealed).map_err(failed)?;
            spilled.size += sealed.len() as u64;
        }
        spilled.pieces.push(start..spilled.size);
        self.records.clear();
        Ok(())
    }

    /// All records, in order.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(mut self) -> Result<Sorted<N>> {
        if self.spilled.is_some() {
            self.spill()?;
            self.records = Vec::new();
        }
        self.records.sort_unstable();
        let mut sorted = Sorted {
            in_memory: self.records,
            taken: 0,
            len: self.len,
            spilled: self.spilled,
            folder: self.folder,
            pieces: Vec::new(),
            heads: BinaryHeap::new(),
        };
        sorted.rewind()?;
        Ok(sorted)
    }
}

/// Sorted records, to be taken one after the other.
pub struct Sorted<const N: usize> {
    in_memory: Vec<[u8; N]>,
    /// How many of those in memory were taken.
    taken: usize,
    len: u64,
    spilled: Option<Spilled>,
    folder: PathBuf,
    pieces: Vec<Piece<N>>,
    /// The next record of every piece that has one, and the piece's number.
    heads: BinaryHeap<Reverse<([u8; N], usize)>>,
}

/// What is left of a piece.
struct Piece<const N: usize> {
    frame: std::vec::IntoIter<[u8; N]>,
    /// What of the file was not read yet.
    rest: Range<u64>,
}

impl<const N: usize> Sorted<N> {
    /// How many records there are, those taken with them.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Begins with the first one again.
    ///
    /// # Errors
    /// As [`take_next`](Self::take_next).
    pub fn rewind(&mut self) -> Result<()> {
        self.taken = 0;
        self.heads.clear();
        let pieces = self.spilled.iter().flat_map(|spilled| spilled.pieces.clone());
        self.pieces = pieces.map(|rest| Piece { frame: Vec::new().into_iter(), rest }).collect();
        for number in 0..self.pieces.len() {
            if let Some(record) = self.next_of(number)? {
                self.heads.push(Reverse((record, number)));
            }
        }
        Ok(())
    }

    /// The next record; equal ones come one after the other.
    ///
    /// # Errors
    /// [`Error::Local`]: the file cannot be read, or is not as it was written.
    pub fn take_next(&mut self) -> Result<Option<[u8; N]>> {
        if self.spilled.is_none() {
            let next = self.in_memory.get(self.taken).copied();
            self.taken += 1;
            return Ok(next);
        }
        let Some(Reverse((record, number))) = self.heads.peek().copied() else { return Ok(None) };
        let following = self.next_of(number)?;
        if let Some(mut head) = self.heads.peek_mut() {
            match following {
                Some(following) => *head = Reverse((following, number)),
                None => drop(PeekMut::pop(head)),
            }
        }
        Ok(Some(record))
    }

    fn next_of(&mut self, number: usize) -> Result<Option<[u8; N]>> {
        let (piece, Some(spilled)) = (&mut self.pieces[number], &self.spilled) else { return Ok(None) };
        if let Some(record) = piece.frame.next() {
            return Ok(Some(record));
        }
        let length = (piece.rest.end - piece.rest.start).min((FRAME * N + OVERHEAD) as u64);
        if length == 0 {
            return Ok(None);
        }
        let mut sealed = vec![0; length as usize];
        let failed = |source| local("read a temporary file in", &self.folder, source);
        spilled.file.read_exact_at(&mut sealed, piece.rest.start).map_err(failed)?;
        piece.rest.start += length;
        let plain = spilled.key.open_in_place(&mut sealed);
        let plain = plain.map_err(|damage| failed(IoError::new(ErrorKind::InvalidData, damage)))?;
        piece.frame = plain.as_chunks().0.to_vec().into_iter();
        Ok(piece.frame.next())
    }
}

fn local(doing: &'static str, folder: &Path, source: IoError) -> Error {
    Error::Local { doing, path: folder.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Numbers;

    fn check(count: u64, memory: usize) {
        let folder = tempfile::tempdir().unwrap();
        let (mut numbers, mut expect) = (Numbers(count + 1), Vec::new());
        let mut sorter = Sorter::<16>::new(memory, folder.path().to_owned());
        for _ in 0..count {
            let record: [u8; 16] = numbers.bytes(16, 3).try_into().unwrap();
            expect.push(record);
            sorter.push(record).unwrap();
        }
        expect.sort_unstable();
        let mut sorted = sorter.finish().unwrap();
        for _ in 0..2 {
            assert_eq!(sorted.len(), count);
            for record in &expect {
                assert_eq!(sorted.take_next().unwrap().as_ref(), Some(record));
            }
            assert_eq!(sorted.take_next().unwrap(), None);
            sorted.rewind().unwrap();
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing with a name");
    }

    #[test]
    fn equals_a_sort_in_memory() {
        for count in [0, 1, 1000, 1024, 1025, 2048, 5000, 20_000] {
            check(count, 0);
            check(count, 3000 * 16);
            check(count, 1 << 20);
        }
    }
}
