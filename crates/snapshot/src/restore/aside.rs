//! Bytes that a plan keeps: in memory, or in a scratch file if they are many.

use std::path::{Path, PathBuf};
use tresor_repo::scratch::{Scratch, Window};
use tresor_repo::{BlobId, Error};

/// Where there is room for what is too much for memory, and from how many bytes on it is.
#[derive(Clone, Copy)]
pub(crate) struct Room<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) longest: u64,
}

/// Bytes one behind the other: in memory, or in a scratch file if they are many.
pub(crate) struct Aside {
    folder: PathBuf,
    longest: u64,
    few: Vec<u8>,
    many: Option<Scratch>,
}

impl Aside {
    /// Nothing yet.
    pub(crate) fn new(room: Room<'_>) -> Self {
        Aside { folder: room.folder.to_owned(), longest: room.longest, few: Vec::new(), many: None }
    }

    /// Appends bytes; answers where they begin.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<u64, Error> {
        if self.many.is_none() && (self.few.len() + bytes.len()) as u64 > self.longest {
            let mut scratch = Scratch::new(&self.folder)?;
            scratch.append(&[&self.few])?;
            (self.few, self.many) = (Vec::new(), Some(scratch));
        }
        match &mut self.many {
            Some(scratch) => scratch.append(&[bytes]),
            None => {
                self.few.extend_from_slice(bytes);
                Ok((self.few.len() - bytes.len()) as u64)
            }
        }
    }

    /// Reads `length` bytes that were appended at `offset`, and no others.
    pub(crate) fn read<T>(
        &self,
        offset: u64,
        length: usize,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, Error> {
        self.read_through(&mut Window::of_one(), offset, length, take)
    }

    /// The same by way of `window`, for who reads in order.
    pub(crate) fn read_through<T>(
        &self,
        window: &mut Window,
        offset: u64,
        length: usize,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, Error> {
        match &self.many {
            None => {
                let found = usize::try_from(offset).ok().and_then(|at| self.few.get(at..at + length));
                Ok(take(found.unwrap_or_default()))
            }
            Some(scratch) => Ok(take(scratch.read(window, offset, length)?)),
        }
    }

    /// The ids of which the `first` is the oldest but so many.
    pub(crate) fn ids(&self, window: &mut Window, first: u64, count: usize) -> Result<Vec<BlobId>, Error> {
        self.read_through(window, first * 32, count * 32, |bytes| {
            bytes.as_chunks().0.iter().map(|id| BlobId::from_bytes(*id)).collect()
        })
    }
}
