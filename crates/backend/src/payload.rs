//! The bytes of a file to be saved: parts in memory, parts in temporary files.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

/// A file's content in order, readable as often as a retry needs it.
///
/// Backends take it through [`Payload::for_each_piece`] or [`Payload::reader`], so that a pace holds.
#[derive(Clone, Default)]
pub struct Payload<'a> {
    parts: Vec<Part<'a>>,
    len: u64,
    pace: Option<Pace<'a>>,
    for_everyday: bool,
}

/// Called before that many bytes of a payload are handed out; waits, or fails to stop the transfer.
pub type Pace<'a> = &'a (dyn Fn(usize) -> io::Result<()> + Sync);

/// How much of a temporary file is read at once.
const PIECE: usize = 256 * 1024;
/// How much is handed out at once when there is a pace to keep.
const PACED_PIECE: usize = 16 * 1024;

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
    pub(crate) fn len(&self) -> u64 {
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

    /// The same content, which everyday work will read: it never belongs in an archive.
    #[must_use]
    pub fn for_everyday(self) -> Self {
        Payload { for_everyday: true, ..self }
    }

    /// Whether everyday work will read it.
    pub const fn is_for_everyday(&self) -> bool {
        self.for_everyday
    }

    /// The same content, which asks `pace` before each piece it hands out.
    #[must_use]
    pub fn paced<'b>(&self, pace: Pace<'b>) -> Payload<'b>
    where
        'a: 'b,
    {
        Payload { pace: Some(pace), ..self.clone() }
    }

    /// The same content without a pace, for whoever reads but does not send.
    pub(crate) fn unpaced(&self) -> Payload<'a> {
        Payload { pace: None, ..self.clone() }
    }

    /// The same content at the same pace, between two other parts.
    pub(crate) fn framed<'b>(&self, before: &'b [u8], after: &'b [u8]) -> Payload<'b>
    where
        'a: 'b,
    {
        let mut framed = Payload::from(before);
        self.parts.iter().for_each(|part| framed.push(*part));
        framed.push(Part::Memory(after));
        Payload { pace: self.pace, for_everyday: self.for_everyday, ..framed }
    }

    fn piece(&self) -> usize {
        if self.pace.is_some() { PACED_PIECE } else { PIECE }
    }

    fn wait_for(&self, bytes: usize) -> io::Result<()> {
        self.pace.map_or(Ok(()), |pace| pace(bytes))
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
                Part::Memory(bytes) if self.pace.is_none() => sink(bytes)?,
                Part::Memory(bytes) => {
                    for piece in bytes.chunks(self.piece()) {
                        self.wait_for(piece.len())?;
                        sink(piece)?;
                    }
                }
                Part::File { file, len } => {
                    buffer.resize(self.piece(), 0);
                    let mut offset = 0;
                    while offset < *len {
                        let want = at_most(*len - offset, buffer.len());
                        self.wait_for(want)?;
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
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(part) = self.payload.parts.get(self.part) {
            let limit = if self.payload.pace.is_some() { PACED_PIECE } else { usize::MAX };
            let want = at_most(part.len() - self.offset, buffer.len().min(limit));
            if want == 0 {
                (self.part, self.offset) = (self.part + 1, 0);
                continue;
            }
            self.payload.wait_for(want)?;
            match part {
                Part::Memory(bytes) => {
                    let start = self.offset as usize; // within a slice, so it fits
                    buffer[..want].copy_from_slice(&bytes[start..start + want]);
                }
                Part::File { file, .. } => file.read_exact_at(&mut buffer[..want], self.offset)?,
            }
            self.offset += want as u64;
            return Ok(want);
        }
        Ok(0)
    }
}

fn at_most(length: u64, limit: usize) -> usize {
    usize::try_from(length).map_or(limit, |length| length.min(limit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn sample() -> (File, Vec<u8>, Vec<u8>) {
        let on_disk: Vec<u8> = (0..600_000u32).map(|i| (i % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&on_disk).unwrap();
        (file, on_disk, b"the parts in memory".to_vec())
    }

    fn all_ways(payload: &Payload<'_>) -> Vec<Vec<u8>> {
        let mut read = Vec::new();
        payload.reader().read_to_end(&mut read).unwrap();
        vec![payload.to_vec().unwrap(), payload.to_vec().unwrap(), read]
    }

    #[test]
    fn every_way_of_reading_gives_the_parts_in_order_and_again() {
        let (file, on_disk, memory) = sample();
        let mut payload = Payload::from(&memory[..]);
        payload.push(Part::File { file: &file, len: on_disk.len() as u64 });
        payload.push(Part::Memory(b""));
        payload.push(Part::File { file: &file, len: 3 });
        let expected = [&memory[..], &on_disk, &on_disk[..3]].concat();
        assert_eq!(payload.len(), expected.len() as u64);
        for way in all_ways(&payload) {
            assert!(way == expected);
        }
    }

    #[test]
    fn a_pace_is_asked_for_every_byte_and_can_stop_the_reading() {
        let (file, on_disk, memory) = sample();
        let mut payload = Payload::from(&memory[..]);
        payload.push(Part::File { file: &file, len: on_disk.len() as u64 });
        let asked = AtomicUsize::new(0);
        let pace = |bytes: usize| {
            assert!(bytes <= PACED_PIECE);
            asked.fetch_add(bytes, Ordering::Relaxed);
            Ok(())
        };
        all_ways(&payload.paced(&pace));
        assert_eq!(asked.into_inner() as u64, 3 * payload.len());
        let stop = |_| Err(io::Error::other("stop"));
        assert!(payload.paced(&stop).to_vec().is_err());
    }

    #[test]
    fn a_temporary_file_that_is_too_short_is_an_error() {
        let (file, on_disk, _) = sample();
        let mut payload = Payload::default();
        payload.push(Part::File { file: &file, len: on_disk.len() as u64 + 1 });
        assert!(payload.to_vec().is_err());
        assert!(payload.reader().read_to_end(&mut Vec::new()).is_err());
    }
}
