//! A backend made of requests to a server: what is the same whatever the protocol.

use crate::net::download;
use crate::net::failure::Failure;
use crate::net::http::Answer;
use crate::{
    Availability, Backend, ByteRange, Capabilities, Error, ErrorKind, FileKind, FileName, Listed, Payload,
    Result,
};
use std::num::NonZeroUsize;
use std::time::Duration;

/// What a request gives, or why it failed.
pub(crate) type Outcome<T> = std::result::Result<T, Failure>;

/// A repository behind a server, request by request.
pub(crate) trait Served: Send + Sync {
    /// See [`Capabilities::atomic_replace`].
    const ATOMIC_REPLACE: bool;
    /// See [`Capabilities::lists_all`].
    const LISTS_ALL: bool = true;

    /// How many calls run at once.
    fn connections(&self) -> NonZeroUsize;
    /// The location as people see it.
    fn shown(&self) -> &str;
    /// The file's length in bytes.
    fn length(&self, file: FileName) -> Outcome<u64>;
    /// The answer that holds the file, or what this `Range` header asks for.
    fn get(&self, file: FileName, range: Option<&str>) -> Outcome<Answer<'_>>;
    /// Makes the place ready for a new repository.
    fn make_ready(&self) -> Outcome<()>;
    /// Saves a whole file.
    fn put(&self, file: FileName, payload: &Payload<'_>) -> Outcome<()>;
    /// Removes a file.
    fn delete(&self, file: FileName) -> Outcome<()>;
    /// Tells `each` of the files of a kind, which is not the config.
    fn files(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()>;

    /// See [`Capabilities::archive`].
    fn archive(&self) -> Option<Duration> {
        None
    }
    /// See [`Backend::bring_back`].
    fn available(&self, _file: FileName) -> Outcome<Availability> {
        Ok(Availability::Now)
    }
    /// Whether asking for the config failed because there is no repository yet.
    fn is_absent(failure: &Failure) -> bool {
        failure.kind() == ErrorKind::NotFound
    }
    /// Loads a file of at most `at_most` bytes into `into`, which is empty.
    fn whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Outcome<()> {
        download::whole(self.get(file, None)?, at_most, into)
    }
    /// What it means that a file could not be saved.
    fn not_saved(&self, file: FileName, failure: Failure) -> Error {
        failure.of_file("save", file)
    }
}

impl<S: Served> Backend for S {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            connections: self.connections().get(),
            atomic_replace: S::ATOMIC_REPLACE,
            lists_all: S::LISTS_ALL,
            near: false,
            archive: self.archive(),
        }
    }

    fn location(&self) -> String {
        self.shown().to_owned()
    }

    fn create(&self) -> Result<()> {
        match self.length(FileName::CONFIG) {
            Ok(_) => return Err(Error::new(ErrorKind::AlreadyExists, "create", FileName::CONFIG)),
            Err(failure) if S::is_absent(&failure) => {}
            Err(failure) => return Err(failure.about("create", self.shown())),
        }
        self.make_ready().map_err(|failure| failure.about("create", self.shown()))
    }

    fn save(&self, file: FileName, payload: &Payload<'_>) -> Result<()> {
        self.put(file, payload).map_err(|failure| self.not_saved(file, failure))
    }

    fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> Result<()> {
        into.clear();
        download::range(range, into, |bytes| self.get(file, Some(&bytes)), || self.length(file))
            .map_err(|failure| failure.of_file("load", file))
    }

    fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Result<()> {
        into.clear();
        self.whole(file, at_most, into).map_err(|failure| failure.of_file("load", file))
    }

    fn stat(&self, file: FileName) -> Result<u64> {
        self.length(file).map_err(|failure| failure.of_file("stat", file))
    }

    fn list(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        match kind {
            FileKind::Config => Ok(()),
            _ => self.files(kind, each),
        }
    }

    fn remove(&self, file: FileName) -> Result<()> {
        self.delete(file).map_err(|failure| failure.of_file("remove", file))
    }

    fn bring_back(&self, file: FileName) -> Result<Availability> {
        self.available(file).map_err(|failure| failure.of_file("bring back", file))
    }
}
