//! What directories on disk have and the snapshot has not: names to be removed; aside if many.

use crate::error::Result;
use crate::restore::aside::{Aside, Room};
use crate::restore::failure::Failure;
use crate::restore::items::DirNumber;
use std::ffi::{CStr, CString};
use std::sync::Arc;

/// Names to be removed, by directory.
pub(crate) struct Extra {
    /// Each with its final NUL.
    names: Aside,
    /// Where those of a directory begin, and how many bytes they take; sorted once all are known.
    of: Vec<(DirNumber, u64, u64)>,
}

impl Extra {
    /// None yet.
    pub(crate) fn new(room: Room<'_>) -> Self {
        Extra { names: Aside::new(room), of: Vec::new() }
    }

    /// Adds a directory's names, all of them at once.
    pub(crate) fn add<'n>(&mut self, dir: DirNumber, names: impl Iterator<Item = &'n CStr>) -> Result<()> {
        let (mut start, mut length) = (None, 0);
        for name in names {
            let bytes = name.to_bytes_with_nul();
            let place = self.names.append(bytes)?;
            start.get_or_insert(place);
            length += bytes.len() as u64;
        }
        self.of.extend(start.map(|start| (dir, start, length)));
        Ok(())
    }

    /// Keeps everything.
    pub(crate) fn clear(&mut self) {
        self.of.clear();
    }

    /// No more will be added.
    pub(crate) fn close(&mut self) {
        self.of.sort_unstable();
    }

    /// The names of a directory, in the order in which they were added.
    pub(crate) fn names(&self, dir: DirNumber) -> Result<Vec<CString>, Failure> {
        let Ok(place) = self.of.binary_search_by_key(&dir, |(dir, ..)| *dir) else { return Ok(Vec::new()) };
        let (_, start, length) = self.of[place];
        let names = |bytes: &[u8]| {
            let names = bytes.split_inclusive(|byte| *byte == 0);
            names.filter_map(|name| Some(CStr::from_bytes_with_nul(name).ok()?.to_owned())).collect()
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.names.read(start, length, names).map_err(|error| Failure::Aside(Arc::new(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_by_directory_in_memory_and_from_a_file() {
        for longest in [0, 5, 1 << 20] {
            let mut extra = Extra::new(Room { folder: &std::env::temp_dir(), longest });
            extra.add(7, [c"z", c"a longer name"].into_iter()).unwrap();
            extra.add(5, [].into_iter()).unwrap();
            extra.add(3, [c"y"].into_iter()).unwrap();
            extra.close();
            let found = [0, 3, 5, 7].map(|dir| extra.names(dir).unwrap());
            assert_eq!(found, [&[][..], &[c"y"], &[], &[c"z", c"a longer name"]]);
            extra.clear();
            assert!(extra.names(7).unwrap().is_empty());
        }
    }
}
