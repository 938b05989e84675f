//! Scratch: what a worker puts aside for a while, in an unlinked file that nobody else can read.
//!
//! Names and metadata are secrets too, and a disk may keep them long after the file is gone: what is written is
//! encrypted with a key that is nowhere but in memory.

use crate::crypto::Concealed;
use crate::error::{Error, Result};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// How much is written at once.
const PIECE: usize = 128 * 1024;
/// How much a window holds, unless more was asked for at once.
const WINDOW: usize = 64 * 1024;

/// A growing file of our own; what was appended can be read again, and never changes.
pub struct Scratch {
    file: File,
    folder: PathBuf,
    concealed: Concealed,
    /// Bytes in the file.
    written: u64,
    /// What comes behind them.
    rest: Vec<u8>,
}

/// What of a scratch was read last: who reads in order asks the system rarely.
#[derive(Default)]
pub struct Window {
    start: u64,
    bytes: Vec<u8>,
    exact: bool,
}

impl Window {
    /// For who reads here and there: no more is read than was asked for.
    pub fn of_one() -> Self {
        Window { exact: true, ..Window::default() }
    }
}

impl Scratch {
    /// An empty one, its file in `folder`.
    ///
    /// # Errors
    /// Those of the file system, and of the random numbers.
    pub fn new(folder: &Path) -> Result<Self> {
        let folder = folder.to_owned();
        let concealed = Concealed::new()?;
        match tempfile::tempfile_in(&folder) {
            Ok(file) => Ok(Scratch { file, folder, concealed, written: 0, rest: Vec::new() }),
            Err(source) => Err(Error::Local { doing: "make a temporary file in", path: folder, source }),
        }
    }

    /// How many bytes were appended.
    pub fn len(&self) -> u64 {
        self.written + self.rest.len() as u64
    }

    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends these parts; answers where the first one begins.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn append(&mut self, parts: &[&[u8]]) -> Result<u64> {
        let start = self.len();
        for part in parts {
            self.rest.extend_from_slice(part);
        }
        if self.rest.len() >= PIECE {
            self.concealed.apply(self.written, &mut self.rest);
            let written = self.file.write_all_at(&self.rest, self.written);
            written.map_err(|source| self.failed(source))?;
            self.written += self.rest.len() as u64;
            self.rest.clear();
        }
        Ok(start)
    }

    /// The `length` bytes at `offset`, by way of `window`.
    ///
    /// # Errors
    /// Those of the file system; that so much was never written.
    pub fn read<'w>(&self, window: &'w mut Window, offset: u64, length: usize) -> Result<&'w [u8]> {
        let ends = window.start + window.bytes.len() as u64;
        if offset < window.start || offset + length as u64 > ends {
            let available = usize::try_from(self.len().saturating_sub(offset)).unwrap_or(usize::MAX);
            window.bytes.clear();
            let wanted = if window.exact { length } else { length.max(WINDOW) };
            window.bytes.resize(wanted.min(available), 0);
            window.start = offset;
            self.load(offset, &mut window.bytes).map_err(|source| self.failed(source))?;
        }
        let start = (offset - window.start) as usize;
        let found = window.bytes.get(start..start + length);
        found.ok_or_else(|| self.failed(io::ErrorKind::UnexpectedEof.into()))
    }

    fn load(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let in_file = usize::try_from(self.written.saturating_sub(offset)).unwrap_or(usize::MAX);
        let (stored, kept) = bytes.split_at_mut(in_file.min(bytes.len()));
        self.file.read_exact_at(stored, offset)?;
        self.concealed.apply(offset, stored);
        let from = (offset + stored.len() as u64).saturating_sub(self.written) as usize;
        let rest = self.rest.get(from..from + kept.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        kept.copy_from_slice(rest);
        Ok(())
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::Local { doing: "use a temporary file in", path: self.folder.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn what_was_appended_is_read_in_any_order(
            lengths in prop::collection::vec(0_usize..60_000, 1..20), order in any::<u64>(),
        ) {
            let mut scratch = Scratch::new(&std::env::temp_dir()).unwrap();
            let (mut records, mut window) = (Vec::new(), Window::default());
            for (number, &length) in (0_u8..).zip(&lengths) {
                let offset = scratch.append(&[&vec![number; length], b"."]).unwrap();
                records.push((offset, number, length));
                let (offset, number, length) = records[order as usize % records.len()];
                let read = scratch.read(&mut window, offset, length + 1).unwrap();
                prop_assert!(read[..length].iter().all(|byte| *byte == number) && read[length] == b'.');
            }
            for (offset, number, length) in records {
                let read = scratch.read(&mut window, offset, length + 1).unwrap();
                prop_assert!(read[..length].iter().all(|byte| *byte == number));
            }
            let end = scratch.len();
            prop_assert!(scratch.read(&mut window, end, 1).is_err());
        }
    }

    #[test]
    fn the_file_does_not_show_what_is_in_it() {
        let mut scratch = Scratch::new(&std::env::temp_dir()).unwrap();
        scratch.append(&[&b"secret ".repeat(PIECE)]).unwrap();
        let mut bytes = vec![0; PIECE];
        scratch.file.read_exact_at(&mut bytes, 0).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"secret"));
    }
}
