//! The bytes of a pack being written: in memory, or in an unlinked file once the budget is used up.

use crate::budget::{Budget, Segment};
use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use tresor_backend::Payload;
use tresor_backend::payload::Part;

/// Where bodies may be kept.
pub(crate) struct Room {
    /// Memory, as long as it lasts.
    pub(crate) budget: Arc<Budget>,
    /// Folder for the files that take over.
    pub(crate) folder: PathBuf,
}

/// A growing stretch of bytes. Only ever appended to, and hashed once.
#[derive(Default)]
pub(crate) struct Body {
    segments: Vec<Segment>,
    spilled: Option<Spilled>,
    len: u64,
}

/// A body that outgrew the memory: everything is in the file, and hashed as it was written.
struct Spilled {
    file: File,
    hasher: Sha256,
}

impl Body {
    /// Length in bytes.
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// Whether the bytes are in a file.
    #[cfg(test)]
    pub(crate) const fn is_spilled(&self) -> bool {
        self.spilled.is_some()
    }

    /// Appends `bytes`, to memory as long as the budget allows.
    ///
    /// # Errors
    /// Those of writing the temporary file.
    pub(crate) fn append(&mut self, mut bytes: &[u8], room: &Room) -> Result<()> {
        self.len += bytes.len() as u64;
        while self.spilled.is_none() && !bytes.is_empty() {
            if let Some(last) = self.segments.last_mut() {
                bytes = last.fill(bytes);
            }
            if !bytes.is_empty() {
                match room.budget.segment() {
                    Some(segment) => self.segments.push(segment),
                    None => self.spill(room)?,
                }
            }
        }
        match &mut self.spilled {
            Some(spilled) if !bytes.is_empty() => spilled.write(bytes).map_err(|source| failed(room, source)),
            _ => Ok(()),
        }
    }

    /// Appends all of `other`.
    ///
    /// # Errors
    /// Those of the temporary files.
    pub(crate) fn append_body(&mut self, other: &Body, room: &Room) -> Result<()> {
        let mut result = Ok(());
        let read = other.payload(&[]).for_each_piece(|piece| {
            result = self.append(piece, room);
            if result.is_err() { Err(io::ErrorKind::Other.into()) } else { Ok(()) }
        });
        result?;
        read.map_err(|source| failed(room, source))
    }

    /// SHA-256 of the body followed by `tail`.
    pub(crate) fn hash_with(&self, tail: &[u8]) -> [u8; 32] {
        let mut hasher = match &self.spilled {
            Some(spilled) => spilled.hasher.clone(),
            None => {
                let mut hasher = Sha256::new();
                self.segments.iter().for_each(|segment| hasher.update(segment.bytes()));
                hasher
            }
        };
        hasher.update(tail);
        hasher.finalize().into()
    }

    /// The body followed by `tail`, to be saved.
    pub(crate) fn payload<'a>(&'a self, tail: &'a [u8]) -> Payload<'a> {
        let mut payload = Payload::default();
        match &self.spilled {
            Some(Spilled { file, .. }) => payload.push(Part::File { file, len: self.len }),
            None => self.segments.iter().for_each(|segment| payload.push(Part::Memory(segment.bytes()))),
        }
        payload.push(Part::Memory(tail));
        payload
    }

    fn spill(&mut self, room: &Room) -> Result<()> {
        let segments = std::mem::take(&mut self.segments);
        let spilled = Spilled::with(&segments, room).map_err(|source| failed(room, source))?;
        self.spilled = Some(spilled);
        Ok(())
    }
}

impl Spilled {
    fn with(segments: &[Segment], room: &Room) -> io::Result<Self> {
        let mut spilled = Spilled { file: tempfile::tempfile_in(&room.folder)?, hasher: Sha256::new() };
        segments.iter().try_for_each(|segment| spilled.write(segment.bytes()))?;
        Ok(spilled)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.file.write_all(bytes)
    }
}

fn failed(room: &Room, source: io::Error) -> Error {
    Error::Local { doing: "keep a pack in a temporary file in", path: room.folder.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::SEGMENT;

    fn room(segments: usize) -> Room {
        Room { budget: Budget::new((segments * SEGMENT) as u64), folder: std::env::temp_dir() }
    }

    fn fill(body: &mut Body, room: &Room, pieces: usize) -> Vec<u8> {
        let piece: Vec<u8> = (0..100_003u32).map(|i| (i * 31) as u8).collect();
        (0..pieces).for_each(|_| body.append(&piece, room).unwrap());
        piece.repeat(pieces)
    }

    #[test]
    fn a_body_is_the_same_in_memory_and_in_a_file() {
        for segments in [0, 1, 2, 9] {
            let room = room(segments);
            let mut body = Body::default();
            let mut expect = fill(&mut body, &room, 12);
            assert_eq!(body.is_spilled(), segments < 3, "{segments} segments");
            assert_eq!(body.len(), expect.len() as u64);
            expect.extend_from_slice(b"tail");
            let payload = body.payload(b"tail");
            assert!(payload.to_vec().unwrap() == expect);
            assert_eq!(body.hash_with(b"tail"), <[u8; 32]>::from(Sha256::digest(&expect)));
        }
    }

    #[test]
    fn a_spilled_body_gives_its_memory_back() {
        let room = room(1);
        let mut body = Body::default();
        fill(&mut body, &room, 6);
        assert!(body.is_spilled() && room.budget.segment().is_some());
    }

    #[test]
    fn bodies_are_appended_wherever_they_lie() {
        for segments in [0, 3, 30] {
            let room = room(segments);
            let (mut first, mut second) = (Body::default(), Body::default());
            let mut expect = fill(&mut first, &room, 7);
            expect.extend(fill(&mut second, &room, 8));
            first.append_body(&second, &room).unwrap();
            assert!(first.payload(&[]).to_vec().unwrap() == expect);
        }
    }
}
