//! Everything to be restored, in compact form: one plan may hold millions of files.

use crate::error::{Error, Result};
use crate::restore::details::{Aside, Details, Metadata};
use crate::restore::failure::Failure;
use crate::restore::target::{Name, TargetPath};
use std::ffi::CStr;
use std::ops::Range;
use std::path::Path;
use tresor_repo::BlobId;

/// A directory's place in the table; its parent stands before it, the target at 0.
pub(crate) type DirNumber = u32;
/// An item's place in the table; items stand in stored order.
pub(crate) type ItemNumber = u32;

/// The directories and items to be restored.
pub(crate) struct Table {
    /// Names of directories, each with a final NUL.
    text: Vec<u8>,
    pub(crate) dirs: Vec<DirEntry>,
    pub(crate) items: Vec<Item>,
    /// The contents of all files, one after the other.
    blobs: Aside,
    blob_count: usize,
    details: Aside,
    buffer: Vec<u8>,
}

/// Text in the table: where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text(u64);

/// A directory to be made, or to be gone through.
pub(crate) struct DirEntry {
    pub(crate) parent: DirNumber,
    pub(crate) name: Text,
    /// Nothing for the target itself, whose metadata is the user's.
    pub(crate) metadata: Option<Metadata>,
    /// Whether the disk had a directory there when the plan was made.
    pub(crate) exists: bool,
}

/// Anything but a directory.
pub(crate) struct Item {
    pub(crate) dir: DirNumber,
    /// Where its details begin, and how long they are.
    details: (u64, u32),
    pub(crate) kind: Kind,
    pub(crate) decision: Decision,
    /// The size that the file shall have; 0 for others.
    pub(crate) size: u64,
}

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file; where its blobs stand in the table.
    File {
        first: u32,
        count: u32,
    },
    /// Another name of an earlier file.
    HardLink(ItemNumber),
    Symlink,
    Fifo,
    Block(u64),
    Character(u64),
}

/// What to do with an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Make it; nothing was there.
    Create,
    /// Make it in place of what is there.
    Replace,
    /// Write to the file that is there.
    Update,
    /// The content is right; the metadata may not be.
    Unchanged,
    /// Leave it as it is.
    Skip,
    /// It cannot be restored, and a problem says why.
    Impossible,
}

impl Table {
    /// A table that holds the target alone; what takes more than `longest` bytes goes to a file in `folder`.
    pub(crate) fn new(target_exists: bool, folder: &Path, longest: u64) -> Self {
        let aside = || Aside::new(folder.to_owned(), longest);
        let (blobs, details, buffer) = (aside(), aside(), Vec::new());
        let (text, dirs, items) = (Vec::new(), Vec::new(), Vec::new());
        let mut table = Table { text, dirs, items, blobs, blob_count: 0, details, buffer };
        let name = table.push_text(c"");
        table.dirs.push(DirEntry { parent: 0, name, metadata: None, exists: target_exists });
        table
    }

    pub(crate) fn push_text(&mut self, text: &CStr) -> Text {
        let place = Text(self.text.len() as u64);
        self.text.extend_from_slice(text.to_bytes_with_nul());
        place
    }

    pub(crate) fn push_dir(&mut self, dir: DirEntry) -> Result<DirNumber> {
        let number = number(self.dirs.len())?;
        self.dirs.push(dir);
        Ok(number)
    }

    /// Adds an item that is to be made; a symbolic link with where it leads.
    pub(crate) fn push_item(
        &mut self,
        dir: DirNumber,
        (name, link_target): (&CStr, &CStr),
        kind: Kind,
        metadata: &Metadata,
        size: u64,
    ) -> Result<ItemNumber> {
        let place = number(self.items.len())?;
        self.buffer.clear();
        Details::write(name, link_target, metadata, &mut self.buffer);
        let details = (self.details.append(&self.buffer)?, number(self.buffer.len())?);
        self.items.push(Item { dir, details, kind, decision: Decision::Create, size });
        Ok(place)
    }

    pub(crate) fn push_blobs(&mut self, blobs: &[BlobId]) -> Result<Kind> {
        let first = number(self.blob_count)?;
        for blob in blobs {
            self.blobs.append(blob.as_bytes())?;
        }
        self.blob_count += blobs.len();
        number(self.blob_count)?;
        Ok(Kind::File { first, count: number(blobs.len())? })
    }

    pub(crate) fn text(&self, text: Text) -> &CStr {
        let rest = usize::try_from(text.0).ok().and_then(|start| self.text.get(start..));
        let text = rest.and_then(|rest| CStr::from_bytes_until_nul(rest).ok());
        text.expect("every text of the table is in it, with its final NUL")
    }

    pub(crate) fn name(&self, text: Text) -> Name<'_> {
        Name::new(self.text(text)).expect("names were checked before they came here")
    }

    /// Name and metadata of an item.
    pub(crate) fn details(&self, item: &Item) -> Result<Details, Failure> {
        self.details.read(item.details.0, item.details.1 as usize, Details::read)
    }

    /// The blobs of a file; none of anything else.
    pub(crate) fn content(&self, item: &Item) -> Result<Vec<BlobId>, Failure> {
        let range = content_range(item);
        self.blobs.ids(range.start as u64, range.len())
    }

    /// One of all blobs.
    pub(crate) fn blob(&self, place: u32) -> Result<Option<BlobId>, Failure> {
        Ok(self.blobs.ids(place.into(), 1)?.first().copied())
    }

    /// Where a directory is below the target.
    pub(crate) fn target_path(&self, dir: DirNumber) -> TargetPath {
        let mut path = TargetPath::default();
        self.way_to(dir).for_each(|dir| path.push(self.name(self.dirs[dir as usize].name)));
        path
    }

    /// A directory's path in the snapshot.
    pub(crate) fn dir_path(&self, dir: DirNumber) -> Vec<u8> {
        let mut path = Vec::new();
        for dir in self.way_to(dir) {
            path.push(b'/');
            path.extend_from_slice(self.name(self.dirs[dir as usize].name).bytes());
        }
        if path.is_empty() {
            path.push(b'/');
        }
        path
    }

    /// An item's path in the snapshot.
    pub(crate) fn item_path(&self, item: &Item) -> Vec<u8> {
        let mut path = self.dir_path(item.dir);
        if path.len() > 1 {
            path.push(b'/');
        }
        match self.details(item) {
            Ok(details) => path.extend_from_slice(details.name.to_bytes()),
            Err(_) => path.push(b'?'), // there are other problems then
        }
        path
    }

    /// The directories from the first below the target down to `dir`.
    fn way_to(&self, dir: DirNumber) -> impl Iterator<Item = DirNumber> {
        let up = std::iter::successors(Some(dir), |dir| Some(self.dirs[*dir as usize].parent));
        let mut way: Vec<_> = up.take_while(|dir| *dir != 0).collect();
        way.reverse();
        way.into_iter()
    }
}

/// Where the blobs of a file stand in the table.
pub(crate) fn content_range(item: &Item) -> Range<usize> {
    match item.kind {
        Kind::File { first, count } => first as usize..first as usize + count as usize,
        _ => 0..0,
    }
}

fn number(place: usize) -> Result<u32> {
    u32::try_from(place).ok().filter(|number| *number != u32::MAX).ok_or(Error::TooManyItems)
}
