//! Blocks of 4 KiB, each sealed with its file's id and its number, behind a bounded cache.
//!
//! They are written once, front to back, into memory while they are few, else into a file. A block that is cut,
//! damaged, of another file or from another position does not open.

use crate::crypto::{Key, OVERHEAD};
use crate::error::{Error, Result};
use crate::random;
use quick_cache::sync::Cache;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempPath;

/// The bytes of a block in its file.
const BLOCK: usize = 4096;
/// File id and number, in front of what a block holds.
const HEAD: usize = 16 + 8;
/// The bytes that a block holds.
pub(super) const ROOM: usize = BLOCK - OVERHEAD - HEAD;
/// Blocks stay in memory up to so many bytes, if no file is asked for.
const IN_MEMORY: usize = 2 << 20;
/// So many bytes are written at once.
const AT_ONCE: usize = 64 * BLOCK;

/// Opened blocks of several files, by the file's number in this process and the block's.
pub(super) type BlockCache = Cache<(u32, u64), Arc<[u8]>>;

/// A cache for blocks of 16 MiB in all.
pub(super) fn cache() -> Arc<BlockCache> {
    Arc::new(Cache::new(4096))
}

/// Where blocks are written.
#[derive(Debug, Clone)]
pub(super) enum Home {
    /// In a file of this folder, to be kept under a name.
    Kept(PathBuf),
    /// In memory, or without a name in this folder when there are many.
    Unnamed(PathBuf),
}

impl Home {
    /// The folder for whatever is only needed while writing.
    pub(super) fn folder(&self) -> &Path {
        match self {
            Home::Kept(folder) | Home::Unnamed(folder) => folder,
        }
    }
}

/// Written blocks.
pub(super) struct Blocks {
    source: Source,
    key: Arc<Key>,
    id: [u8; 16],
    count: u64,
    number: u32,
    cache: Arc<BlockCache>,
}

enum Source {
    Memory(Vec<u8>),
    /// With its path, if it has a name.
    File(File, Option<PathBuf>),
}

impl Blocks {
    /// The blocks of a file that was kept under its id.
    ///
    /// # Errors
    /// [`Error::Local`].
    pub(super) fn open(path: &Path, id: [u8; 16], key: Arc<Key>, cache: Arc<BlockCache>) -> Result<Blocks> {
        let failed = |source| Error::Local { doing: "open", path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let count = file.metadata().map_err(failed)?.len() / BLOCK as u64;
        Ok(Blocks::new(Source::File(file, Some(path.to_owned())), key, id, count, cache))
    }

    fn new(source: Source, key: Arc<Key>, id: [u8; 16], count: u64, cache: Arc<BlockCache>) -> Blocks {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Blocks { source, key, id, count, number: NEXT.fetch_add(1, Ordering::Relaxed), cache }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The file's path, if it has a name.
    pub(super) fn path(&self) -> Option<&Path> {
        match &self.source {
            Source::Memory(_) | Source::File(_, None) => None,
            Source::File(_, Some(path)) => Some(path),
        }
    }

    /// One block, from the cache if it is there.
    ///
    /// # Errors
    /// [`Error::Local`]: it cannot be read, or is not what was written.
    pub(super) fn get(&self, number: u64) -> Result<Arc<[u8]>> {
        self.cache.get_or_insert_with(&(self.number, number), || {
            let mut sealed = [0; BLOCK];
            self.read(number, &mut sealed)?;
            Ok(Arc::from(self.unseal(number, &mut sealed)?))
        })
    }

    /// Appends the contents of `count` blocks from `first` on to `out`, past the cache.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(super) fn read_many(&self, first: u64, count: u64, out: &mut Vec<u8>) -> Result<()> {
        let mut sealed = vec![0; count as usize * BLOCK];
        self.read(first, &mut sealed)?;
        for (number, sealed) in (first..).zip(sealed.chunks_exact_mut(BLOCK)) {
            out.extend_from_slice(self.unseal(number, sealed)?);
        }
        Ok(())
    }

    fn read(&self, first: u64, into: &mut [u8]) -> Result<()> {
        match &self.source {
            Source::Memory(all) => {
                let start = first as usize * BLOCK;
                match all.get(start..start + into.len()) {
                    Some(bytes) => into.copy_from_slice(bytes),
                    None => return Err(self.bad(io::ErrorKind::UnexpectedEof.into())),
                }
                Ok(())
            }
            Source::File(file, _) => {
                file.read_exact_at(into, first * BLOCK as u64).map_err(|source| self.bad(source))
            }
        }
    }

    fn unseal<'b>(&self, number: u64, sealed: &'b mut [u8]) -> Result<&'b [u8]> {
        let opened = self.key.open_in_place(sealed);
        let plain = opened.map_err(|damage| self.bad(io::Error::new(io::ErrorKind::InvalidData, damage)))?;
        let (head, content) = plain.split_at(HEAD);
        if head != head_of(self.id, number) {
            return Err(
                self.bad(io::Error::new(io::ErrorKind::InvalidData, "a block is not where it belongs"))
            );
        }
        Ok(content)
    }

    fn bad(&self, source: io::Error) -> Error {
        let unnamed = Path::new("(a temporary file)");
        local("read the local index", self.path().unwrap_or(unnamed), source)
    }
}

fn head_of(id: [u8; 16], number: u64) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..16].copy_from_slice(&id);
    head[16..].copy_from_slice(&number.to_le_bytes());
    head
}

/// How the name of a kept file begins; its id follows.
const PREFIX: &str = "index-";

fn name_of(id: &[u8; 16]) -> String {
    id.iter().fold(String::from(PREFIX), |name, byte| name + &format!("{byte:02x}"))
}

/// The id in the name of a kept file.
pub(super) fn id_of(name: &str) -> Option<[u8; 16]> {
    let hex = name.strip_prefix(PREFIX).filter(|hex| hex.len() == 32 && hex.is_ascii())?;
    let mut id = [0; 16];
    for (byte, at) in id.iter_mut().zip((0..32).step_by(2)) {
        *byte = u8::from_str_radix(&hex[at..at + 2], 16).ok()?;
    }
    Some(id)
}

/// Writes blocks.
pub(super) struct BlocksWriter {
    key: Arc<Key>,
    id: [u8; 16],
    count: u64,
    home: Home,
    /// Sealed blocks that are not in the file yet.
    sealed: Vec<u8>,
    file: Option<(File, Option<TempPath>)>,
}

impl BlocksWriter {
    /// Begins a file with an id of its own.
    ///
    /// # Errors
    /// [`Error::Random`]; [`Error::Local`] if no file can be made.
    pub(super) fn new(key: Arc<Key>, home: Home) -> Result<BlocksWriter> {
        let file = match &home {
            Home::Unnamed(_) => None,
            Home::Kept(folder) => {
                let made = tempfile::Builder::new().prefix("tmp-").tempfile_in(folder);
                let (file, path) = made.map_err(|source| local("write to", folder, source))?.into_parts();
                Some((file, Some(path)))
            }
        };
        Ok(BlocksWriter { key, id: random::bytes()?, count: 0, home, sealed: Vec::new(), file })
    }

    /// How many blocks were written.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Writes a block with this content of at most [`ROOM`] bytes.
    ///
    /// # Errors
    /// [`Error::Random`], [`Error::Local`].
    pub(super) fn push(&mut self, content: &[u8]) -> Result<()> {
        let mut plain = [0; HEAD + ROOM];
        plain[..HEAD].copy_from_slice(&head_of(self.id, self.count));
        plain[HEAD..][..content.len()].copy_from_slice(content);
        self.key.seal(&plain, &mut self.sealed)?;
        self.count += 1;
        let limit = if self.file.is_some() { AT_ONCE } else { IN_MEMORY };
        if self.sealed.len() >= limit { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let folder = self.home.folder();
        let failed = |source| local("write to", folder, source);
        let file = match &mut self.file {
            Some((file, _)) => file,
            none => &mut none.insert((tempfile::tempfile_in(folder).map_err(failed)?, None)).0,
        };
        file.write_all(&self.sealed).map_err(failed)?;
        self.sealed.clear();
        Ok(())
    }

    /// Ends the file, and gives it its name if it is to be kept.
    ///
    /// # Errors
    /// [`Error::Local`].
    pub(super) fn finish(mut self, cache: Arc<BlockCache>) -> Result<Blocks> {
        if self.file.is_some() {
            self.flush()?;
        }
        let source = match self.file {
            None => {
                self.sealed.shrink_to_fit();
                Source::Memory(self.sealed)
            }
            Some((file, None)) => Source::File(file, None),
            Some((file, Some(temporary))) => {
                let path = self.home.folder().join(name_of(&self.id));
                temporary.persist(&path).map_err(|error| local("write to", &path, error.error))?;
                Source::File(file, Some(path))
            }
        };
        Ok(Blocks::new(source, self.key, self.id, self.count, cache))
    }
}

pub(super) fn local(doing: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Local { doing, path: path.to_owned(), source }
}
