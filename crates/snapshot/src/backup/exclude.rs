//! What is left out of a backup, by its name or by its metadata.

use std::fs::File;
use std::io::{self, Read};

use crate::filter::Excludes;
use crate::fs::{Directory, Metadata};

/// What is left out of a backup. Targets given by name never are; what is below them may be.
#[derive(Default)]
pub struct SourceFilter {
    /// Patterns for absolute paths on disk.
    pub patterns: Excludes,
    /// Absolute, clean paths that are left out with all that is below them: the local cache, say.
    pub paths: Vec<Vec<u8>>,
    /// Files larger than so many bytes are left out.
    pub larger_than: Option<u64>,
    /// The content of directories that hold one of these files is left out.
    pub if_present: Vec<TagFile>,
    /// Whether only what is on the file system of its target is kept; mount points stay as empty directories.
    pub one_file_system: bool,
}

/// A file that marks its directory as not to be backed up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagFile {
    /// Its name.
    pub name: Vec<u8>,
    /// What it must begin with; nothing, and it need not be readable.
    pub header: Vec<u8>,
}

impl TagFile {
    /// The mark of cache directories (<https://bford.info/cachedir/>).
    pub fn cache() -> TagFile {
        TagFile {
            name: b"CACHEDIR.TAG".to_vec(),
            header: b"Signature: 8a477f597d28d172789f06886806bc55".to_vec(),
        }
    }

    /// Whether the directory is marked. `Err` stands for a file without the header, or an unreadable one.
    fn marks(&self, directory: &Directory) -> Result<bool, io::Error> {
        if directory.child_metadata(&self.name).is_err() {
            return Ok(false);
        }
        if self.header.is_empty() {
            return Ok(true);
        }
        let mut start = vec![0; self.header.len()];
        let file: File = directory.open_file(&self.name)?;
        (&file).read_exact(&mut start)?;
        if start == self.header { Ok(true) } else { Err(io::ErrorKind::InvalidData.into()) }
    }
}

impl SourceFilter {
    /// Whether the entry at this absolute path is left out, whatever it is.
    pub(super) fn rejects_path(&self, path: &[u8]) -> bool {
        let below = |folder: &Vec<u8>| {
            path.strip_prefix(folder.as_slice()).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
        };
        self.patterns.rejects(path) || self.paths.iter().any(below)
    }

    /// Whether an entry is left out for its size.
    pub(super) fn rejects_size(&self, metadata: &Metadata) -> bool {
        !metadata.is_dir() && self.larger_than.is_some_and(|most| metadata.size > most)
    }

    /// Whether an entry is left out for being on another file system than `wanted`.
    ///
    /// A directory that is a mount point on the wanted file system, on which `parent` is, stays.
    pub(super) fn rejects_device(&self, metadata: &Metadata, wanted: Option<u64>, parent: u64) -> bool {
        let Some(wanted) = wanted.filter(|_| self.one_file_system) else { return false };
        metadata.device != wanted && !(metadata.is_dir() && parent == wanted)
    }

    /// The tags that mark the directory; `unsigned` is told of files that have the name alone.
    pub(super) fn tags_in(
        &self,
        directory: &Directory,
        mut unsigned: impl FnMut(&TagFile, &io::Error),
    ) -> Vec<&TagFile> {
        let mut marks = |tag: &&TagFile| match tag.marks(directory) {
            Ok(marks) => marks,
            Err(cause) => {
                unsigned(tag, &cause);
                false
            }
        };
        self.if_present.iter().filter(|tag| marks(tag)).collect()
    }
}

/// Whether one of the tags in its directory leaves an entry out; a tag file itself is kept.
pub(super) fn rejected_by_tags(tags: &[&TagFile], name: &[u8]) -> bool {
    tags.iter().any(|tag| tag.name != name)
}
