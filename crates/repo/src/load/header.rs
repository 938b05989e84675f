//! Load the header of a stored pack.

use crate::error::{Error, Result};
use crate::id::PackId;
use crate::pack::header::{self, BadHeader, COMPRESSED_ENTRY, Entry, FRAME, LENGTH_FIELD, SHORTEST_PACK};
use crate::repository::Repository;
use tresor_backend::ByteRange;
use tresor_backend::handle::Right;

/// Most packs have so few blobs (or are so large) that this many entries are worth one request.
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
        let (_, field) = tail.split_last_chunk::<LENGTH_FIELD>().ok_or_else(|| damaged("too short".into()))?;
        let length = header::sealed_length(*field, size).map_err(|bad| damaged(bad.to_string()))?;
        if length + LENGTH_FIELD > tail.len() {
            self.load_tail(pack, size, (length + LENGTH_FIELD) as u64, &mut tail)?;
        }
        let end = tail.len() - LENGTH_FIELD;
        let plain = self.key.open_in_place(&mut tail[end - length..end]).map_err(|bad| damaged(bad.to_string()))?;
        header::decode(plain).map_err(|bad: BadHeader| damaged(bad.to_string()))
    }

    /// Loads the last `length` bytes of a pack.
    fn load_tail(&self, pack: PackId, size: u64, length: u64, into: &mut Vec<u8>) -> Result<()> {
        self.handle.load(pack.file(), ByteRange { offset: size - length, length }, into)?;
        if into.len() as u64 != length {
            let what = format!("{length} bytes were asked for and {} came", into.len());
            return Err(Error::Damaged { file: pack.file(), what });
        }
        Ok(())
    }
}
