//! The bytes of a pack being written: in memory, or in an unlinked file once the budget is used up.

use crate::budget::{Budget, SEGMENT, Segment};
use crate::error::{Error, Result};
use crate::hash::{Hash, update_both};
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    /// Full ones.
    segments: Vec<Arc<Segment>>,
    /// What comes behind them.
    last: Option<Segment>,
    /// How far the segments are hashed.
    hashed: Arc<Mutex<Hash>>,
    spilled: Option<Spilled>,
    len: u64,
}

/// A body that outgrew the memory: everything is in the file, and hashed as it was written.
struct Spilled {
    file: File,
    hash: Hash,
}

/// Full segments of a body that still grows, to be hashed beside something else.
pub(crate) struct Unhashed {
    hashed: Arc<Mutex<Hash>>,
    /// Where in the body the segments begin.
    start: u64,
    segments: Vec<Arc<Segment>>,
}

/// Segments of a body as they are hashed; nobody else hashes the body meanwhile.
pub(crate) struct Hashing<'b> {
    hashed: MutexGuard<'b, Hash>,
    of: &'b Unhashed,
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
            match self.last.take().or_else(|| room.budget.segment()) {
                Some(mut last) => {
                    bytes = last.fill(bytes);
                    match last.bytes().len() {
                        SEGMENT => self.segments.push(Arc::new(last)),
                        _ => self.last = Some(last),
                    }
                }
                None => self.spill(room)?,
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

    /// What may be hashed of it by now, no more segments than `length` bytes touch; `None` if there is nothing, or
    /// somebody is just hashing it.
    pub(crate) fn unhashed(&self, length: usize) -> Option<Unhashed> {
        let start = self.hashed.try_lock().ok()?.length();
        let (first, most) = (segment_at(start), length.div_ceil(SEGMENT) + 1);
        let segments: Vec<_> = self.segments.iter().skip(first).take(most).cloned().collect();
        let start = (first * SEGMENT) as u64;
        (!segments.is_empty()).then(|| Unhashed { hashed: Arc::clone(&self.hashed), start, segments })
    }

    /// SHA-256 of the body followed by `tail`.
    pub(crate) fn hash_with(&self, tail: &[u8]) -> [u8; 32] {
        let mut hash = match &self.spilled {
            Some(spilled) => spilled.hash.clone(),
            None => self.hash_in_memory(),
        };
        hash.update(tail);
        hash.finish()
    }

    /// The hash so far, brought to the end.
    fn hash_in_memory(&self) -> Hash {
        let mut hash = lock(&self.hashed).clone();
        let mut skip = (hash.length() % SEGMENT as u64) as usize;
        for segment in self.in_memory().skip(segment_at(hash.length())) {
            hash.update(&segment.bytes()[skip..]);
            skip = 0;
        }
        hash
    }

    /// The body followed by `tail`, to be saved.
    pub(crate) fn payload<'a>(&'a self, tail: &'a [u8]) -> Payload<'a> {
        let mut payload = Payload::default();
        match &self.spilled {
            Some(Spilled { file, .. }) => payload.push(Part::File { file, len: self.len }),
            None => self.in_memory().for_each(|segment| payload.push(Part::Memory(segment.bytes()))),
        }
        payload.push(Part::Memory(tail));
        payload
    }

    fn in_memory(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter().map(Arc::as_ref).chain(&self.last)
    }

    fn spill(&mut self, room: &Room) -> Result<()> {
        let spilled = Spilled::with(self.in_memory(), room).map_err(|source| failed(room, source))?;
        self.spilled = Some(spilled);
        self.segments = Vec::new();
        Ok(())
    }
}

impl Unhashed {
    /// Begins to hash, unless somebody else is just doing that.
    pub(crate) fn begin(&self) -> Option<Hashing<'_>> {
        self.hashed.try_lock().ok().map(|hashed| Hashing { hashed, of: self })
    }
}

impl Hashing<'_> {
    /// How many bytes there are to be hashed.
    pub(crate) fn left(&self) -> usize {
        let end = self.of.start + (self.of.segments.len() * SEGMENT) as u64;
        end.saturating_sub(self.hashed.length()) as usize
    }

    /// Goes on with `other`, and with as many bytes of the body; says how many, which are fewer than `bytes` only if
    /// a segment ends.
    pub(crate) fn hash_beside(&mut self, other: &mut Hash, bytes: &[u8]) -> usize {
        let from = self.hashed.length().saturating_sub(self.of.start) as usize;
        let segment = self.of.segments.get(from / SEGMENT);
        let ours = segment.map_or(&[][..], |segment| &segment.bytes()[from % SEGMENT..]);
        let together = ours.len().min(bytes.len());
        update_both([&mut self.hashed, other], [&ours[..together], &bytes[..together]]);
        together
    }
}

impl Spilled {
    fn with<'s>(segments: impl Iterator<Item = &'s Segment>, room: &Room) -> io::Result<Self> {
        let mut spilled = Spilled { file: tempfile::tempfile_in(&room.folder)?, hash: Hash::new() };
        for segment in segments {
            spilled.write(segment.bytes())?;
        }
        Ok(spilled)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.file.write_all(bytes)
    }
}

/// Number of the segment that holds the byte at `position`.
fn segment_at(position: u64) -> usize {
    (position / SEGMENT as u64) as usize
}

fn lock(hashed: &Mutex<Hash>) -> MutexGuard<'_, Hash> {
    hashed.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(room: &Room, source: io::Error) -> Error {
    Error::Local { doing: "keep a pack in a temporary file in", path: room.folder.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(body.hash_with(b"tail"), Hash::of(&expect));
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

    #[test]
    fn a_body_is_hashed_beside_other_streams_while_it_grows() {
        let room = room(30);
        let (mut body, mut expect, mut both) = (Body::default(), Vec::new(), 0);
        for round in 0..40_usize {
            expect.extend(fill(&mut body, &room, round % 4));
            let other = &expect[..(round * 37_813).min(expect.len())];
            let (mut hash, mut rest) = (Hash::new(), other);
            if let Some(unhashed) = body.unhashed(other.len()) {
                let mut hashing = unhashed.begin().unwrap();
                while hashing.left() > 0 && !rest.is_empty() {
                    let hashed = hashing.hash_beside(&mut hash, &rest[..rest.len().min(16 * 1024)]);
                    rest = &rest[hashed..];
                    both += 1;
                }
            }
            hash.update(rest);
            assert_eq!(hash.finish(), Hash::of(other));
        }
        assert!(both > 10 && lock(&body.hashed).length() > SEGMENT as u64);
        let busy = lock(&body.hashed);
        assert!(body.unhashed(1).is_none(), "somebody is hashing it");
        drop(busy);
        assert_eq!(body.hash_with(b"tail"), Hash::of(&[&expect[..], b"tail"].concat()));
    }
}
