//! The bytes of a file to be saved: parts in memory, parts in temporary files.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

/// A file's content in order, readable as often as a retry needs it.
#[derive(Clone, Default)]
pub struct Payload<'a> {
    parts: Vec<Part<'a>>,
    len: u64,
}

/// One stretch of a payload.
#[derive(Clone, Copy)]
pub enum Part<'a> {
    /// Bytes in memory.
    Memory(&'a [u8]),
    /// The first `len` bytes of a file of our own.
    File {
        /// The open file; read by position, so that its cursor does not matter.
        file: &'a File,
        /// How many bytes of it belong to the payload.
        len: u64,
    },
}

impl Part<'_> {
    fn len(&self) -> u64 {
        match self {
            Part::Memory(bytes) => bytes.len() as u64,
            Part::File { len, .. } => *len,
        }
    }
}

impl<'a> From<&'a [u8]> for Payload<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        let mut payload = Payload::default();
        payload.push(Part::Memory(bytes));
        payload
    }
}

impl<'a> Payload<'a> {
    /// Appends a part.
    pub fn push(&mut self, part: Part<'a>) {
        self.len += part.len();
        self.parts.push(part);
    }

    /// The parts in order.
    pub fn parts(&self) -> &[Part<'a>] {
        &self.parts
    }

    /// Length in bytes.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is nothing to save.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Hands the content to `sink` piece by piece, from the start.
    ///
    /// # Errors
    /// The first error of `sink`, or of reading a temporary file.
    pub fn for_each_piece(&self, mut sink: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut buffer = Vec::new();
        for part in &self.parts {
            match part {
                Part::Memory(bytes) => sink(bytes)?,
                Part::File { file, len } => {
                    buffer.resize(256 * 1024, 0);
                    let mut offset = 0;
                    while offset < *len {
                        let want =
                            usize::try_from(*len - offset).map_or(buffer.len(), |n| n.min(buffer.len()));
                        file.read_exact_at(&mut buffer[..want], offset)?;
                        sink(&buffer[..want])?;
                        offset += want as u64;
                    }
                }
            }
        }
        Ok(())
    }

    /// A reader over the content from the start, for backends that stream.
    pub fn reader(&self) -> impl Read + '_ {
        PayloadReader { payload: self, part: 0, offset: 0 }
    }

    /// The content in one buffer.
    ///
    /// # Errors
    /// Those of reading a temporary file.
    pub fn to_vec(&self) -> io::Result<Vec<u8>> {
        let mut all = Vec::with_capacity(usize::try_from(self.len).unwrap_or(0));
        self.for_each_piece(|piece| {
            all.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(all)
    }
}

struct PayloadReader<'a> {
    payload: &'a Payload<'a>,
    part: usize,
    offset: u64,
}

impl Read for PayloadReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(part) = self.payload.parts.get(self.part) {
            let left = part.len() - self.offset;
            let want = usize::try_from(left).map_or(buffer.len(), |n| n.min(buffer.len()));
            if left > 0 && want > 0 {
                match part {
                    Part::Memory(bytes) => {
                        let start = self.offset as usize;
                        buffer[..want].copy_from_slice(&bytes[start..start + want]);
                    }
                    Part::File { file, .. } => file.read_exact_at(&mut buffer[..want], self.offset)?,
                }
                self.offset += want as u64;
                return Ok(want);
            }
            if left > 0 {
                return Ok(0);
            }
            (self.part, self.offset) = (self.part + 1, 0);
        }
        Ok(0)
    }
}
