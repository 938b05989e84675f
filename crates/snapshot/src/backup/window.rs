//! The bytes of a content between its last cut and what was read of it.

use tresor_chunker::Chunker;

use super::content::STEP;

/// Bytes a window holds at most: the longest chunk, and two reads.
const MOST: usize = Chunker::MAX + 2 * STEP;

/// A buffer of bounded size that is used for one file after the other.
#[derive(Default)]
pub(super) struct Window {
    bytes: Vec<u8>,
    start: usize,
}

impl Window {
    /// What was read and not cut off yet; less than the longest chunk.
    pub(super) fn pending(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Cuts off the first `length` bytes.
    pub(super) fn cut(&mut self, length: usize) {
        self.start += length;
    }

    /// The buffer, with room behind its end for one more read.
    pub(super) fn room(&mut self) -> &mut Vec<u8> {
        if self.bytes.len() + STEP > MOST {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        if !self.bytes.is_empty() {
            // The content goes on after its first read: from here on the buffer has its final size.
            self.bytes.reserve_exact(MOST - self.bytes.len());
        }
        &mut self.bytes
    }

    /// Forgets everything; the memory stays for the next content.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.start = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_stays_within_its_bound_however_much_is_read() {
        let mut window = Window::default();
        let (mut read, mut cut) = (0_usize, 0_usize);
        for _ in 0..200 {
            let room = window.room();
            for byte in read..read + STEP {
                room.push(byte as u8);
            }
            read += STEP;
            while window.pending().len() >= 3 * STEP / 2 {
                assert_eq!(window.pending()[0], cut as u8);
                window.cut(STEP + 1);
                cut += STEP + 1;
            }
            assert!(window.bytes.capacity() <= MOST);
        }
        assert_eq!(window.pending().len(), read - cut);
    }
}
