//! Bytes in secret memory, as many as come.
#![allow(unsafe_code, reason = "slices of memory taken by hand")]

use crate::pool::Part;
use std::io::{self, Read};
use std::ops::{Deref, DerefMut};

/// Bytes that lie in secret memory, and are wiped when dropped, cut or moved to make room.
pub struct SecretBytes {
    part: Part,
    length: usize,
}

impl SecretBytes {
    /// None yet, and room for so many.
    pub fn with_capacity(bytes: usize) -> Self {
        SecretBytes { part: Part::take(bytes), length: 0 }
    }

    /// A copy of bytes that are wiped, or harmless, elsewhere.
    pub fn copied(bytes: &[u8]) -> Self {
        let mut copy = SecretBytes::with_capacity(bytes.len());
        copy.extend_from_slice(bytes);
        copy
    }

    /// Everything that `reader` gives, with no other copy between than those that it makes itself.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn read_from(reader: &mut impl Read) -> io::Result<Self> {
        let mut bytes = SecretBytes::with_capacity(4096);
        loop {
            if bytes.length == bytes.part.length() {
                bytes.make_room(bytes.length);
            }
            let begun = bytes.length;
            match reader.read(&mut bytes.all_mut()[begun..]) {
                Ok(0) => return Ok(bytes),
                Ok(read) => bytes.length += read.min(bytes.part.length() - begun),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Adds bytes at the end.
    pub fn extend_from_slice(&mut self, more: &[u8]) {
        let end = self.length + more.len();
        if end > self.part.length() {
            self.make_room(more.len());
        }
        let begun = self.length;
        self.all_mut()[begun..end].copy_from_slice(more);
        self.length = end;
    }

    /// Keeps only the bytes of a range.
    pub fn keep(&mut self, range: std::ops::Range<usize>) {
        let (start, end) = (range.start.min(self.length), range.end.min(self.length));
        self.copy_within(start..end.max(start), 0);
        let (kept, before) = (end.saturating_sub(start), self.length);
        self.all_mut()[kept..before].fill(0);
        self.length = kept;
    }

    fn make_room(&mut self, more: usize) {
        let mut larger = SecretBytes::with_capacity((self.length + more).max(2 * self.length));
        larger.all_mut()[..self.length].copy_from_slice(self);
        larger.length = self.length;
        *self = larger;
    }

    /// The whole part, of which nothing is unwritten: it is zero when it is taken.
    fn all_mut(&mut self) -> &mut [u8] {
        // SAFETY: the part is ours alone and this long, and has held bytes from the beginning.
        unsafe { std::slice::from_raw_parts_mut(self.part.start().as_ptr(), self.part.length()) }
    }
}

impl Deref for SecretBytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: as in `all_mut`; it is borrowed as these bytes are.
        unsafe { std::slice::from_raw_parts(self.part.start().as_ptr(), self.length) }
    }
}

impl DerefMut for SecretBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        let length = self.length;
        &mut self.all_mut()[..length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_grow_and_are_cut() {
        let all: Vec<u8> = (0..100_000).map(|number| (number * 7) as u8).collect();
        let mut bytes = SecretBytes::with_capacity(0);
        for piece in all.chunks(777) {
            bytes.extend_from_slice(piece);
        }
        assert!(bytes[..] == all);
        assert!(SecretBytes::read_from(&mut &all[..]).unwrap()[..] == all);
        assert!(SecretBytes::copied(b"").is_empty());
        bytes.keep(10..13);
        assert_eq!(bytes[..], all[10..13]);
        assert!(bytes.all_mut()[3..].iter().all(|byte| *byte == 0));
        bytes.keep(2..900);
        assert_eq!(bytes[..], all[12..13]);
        bytes.keep(5..9);
        assert!(bytes.is_empty());
    }
}
