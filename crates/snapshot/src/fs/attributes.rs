//! Extended attributes of all namespaces, in the order the system lists them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;

use super::platform;
use super::unix::Directory;
use crate::node::ExtendedAttribute;

/// The longest list and the longest value that Linux has.
const LONGEST: usize = 64 * 1024;

/// Reads extended attributes; one for each worker, for its buffers are used again.
pub struct AttributeReader {
    path: Vec<u8>,
    names: Vec<u8>,
    value: Vec<u8>,
    /// Devices whose file system has no attributes: asked once.
    without: Vec<u64>,
}

/// Where attributes are read from.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// An open file or directory.
    Open(BorrowedFd<'a>),
    /// An entry by a path that is not followed.
    Entry(&'a [u8]),
}

impl Default for AttributeReader {
    fn default() -> Self {
        AttributeReader {
            path: Vec::new(),
            names: vec![0; LONGEST],
            value: vec![0; LONGEST],
            without: Vec::new(),
        }
    }
}

impl AttributeReader {
    /// Adds the attributes of an open file or directory on `device` to `into`.
    ///
    /// # Errors
    /// The first failure; what can be read is in `into` all the same.
    pub fn of_open(
        &mut self,
        file: impl AsFd,
        device: u64,
        into: &mut Vec<ExtendedAttribute>,
    ) -> io::Result<()> {
        self.read(Place::Open(file.as_fd()), device, into)
    }

    /// Adds the attributes of an entry on `device`, a symbolic link's own, to `into`.
    ///
    /// # Errors
    /// The first failure; what can be read is in `into` all the same.
    pub fn of_entry(
        &mut self,
        directory: &Directory,
        name: &[u8],
        device: u64,
        into: &mut Vec<ExtendedAttribute>,
    ) -> io::Result<()> {
        let mut path = std::mem::take(&mut self.path);
        platform::entry_path(directory.as_fd(), name, &mut path);
        let outcome = self.read(Place::Entry(&path), device, into);
        self.path = path;
        outcome
    }

    fn read(&mut self, place: Place<'_>, device: u64, into: &mut Vec<ExtendedAttribute>) -> io::Result<()> {
        if self.without.contains(&device) {
            return Ok(());
        }
        let length = match place.list(&mut self.names) {
            Err(Errno::NOTSUP) => {
                self.without.push(device);
                return Ok(());
            }
            listed => listed?,
        };
        let mut outcome = Ok(());
        for name in self.names[..length].split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
            match place.get(name, &mut self.value) {
                Ok(length) => {
                    into.push(ExtendedAttribute {
                        name: name.into(),
                        value: Some(self.value[..length].to_vec()),
                    });
                }
                // Removed since it was listed.
                Err(Errno::NODATA) => {}
                Err(error) => outcome = outcome.and(Err(error.into())),
            }
        }
        outcome
    }
}

impl Place<'_> {
    fn list(self, names: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Place::Open(file) => rustix::fs::flistxattr(file, names),
            Place::Entry(path) => rustix::fs::llistxattr(path, names),
        }
    }

    fn get(self, name: &[u8], value: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Place::Open(file) => rustix::fs::fgetxattr(file, name, value),
            Place::Entry(path) => rustix::fs::lgetxattr(path, name, value),
        }
    }
}
