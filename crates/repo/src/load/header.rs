//! Load the header of a stored pack.

use crate::error::{Error, Result};
use crate::id::PackId;
use crate::load::load_range;
use crate::pack::Entry;
use crate::pack::header::{self, COMPRESSED_ENTRY, FRAME, LENGTH_FIELD, SHORTEST_PACK};
use crate::repository::Repository;
use tresor_backend::ByteRange;
use tresor_backend::handle::Right;

/// So many entries are asked for at first: enough for most packs, and little to load in vain.
const ENTRIES_AT_FIRST: usize = 15;

impl<R: Right> Repository<R> {
    /// Loads the table at the end of a pack of `size` bytes: one small request, a second if it is long.
    ///
    /// # Errors
    /// Those of the backend; [`Error::Damaged`] if the header does not authenticate or breaks the format.
    pub fn load_pack_header(&self, pack: PackId, size: u64) -> Result<Vec<Entry>> {
        let damaged = |what: String| Error::Damaged { file: pack.file(), what };
        if size < SHORTEST_PACK {
            return Err(damaged(format!("{size} bytes are no pack")));
        }
        let mut tail = Vec::new();
        let at_first = (ENTRIES_AT_FIRST * COMPRESSED_ENTRY + FRAME) as u64;
        self.load_tail(pack, size, at_first.min(size), &mut tail)?;
        let length =
            header::sealed_length(last_field(&tail), size).map_err(|bad| damaged(bad.to_string()))?;
        if length + LENGTH_FIELD > tail.len() {
            self.load_tail(pack, size, (length + LENGTH_FIELD) as u64, &mut tail)?;
        }
        let end = tail.len() - LENGTH_FIELD;
        let sealed = &mut tail[end - length..end];
        let plain = self.key.open_in_place(sealed).map_err(|bad| damaged(bad.to_string()))?;
        header::decode(plain).map_err(|bad| damaged(bad.to_string()))
    }

    /// Loads the last `length` bytes of a pack.
    fn load_tail(&self, pack: PackId, size: u64, length: u64, into: &mut Vec<u8>) -> Result<()> {
        Ok(load_range(self, pack, ByteRange { offset: size - length, length }, into)?)
    }
}

fn last_field(tail: &[u8]) -> [u8; LENGTH_FIELD] {
    *tail.last_chunk().expect("a tail holds at least the shortest pack")
}
