//! Everything to be restored, in compact form: one plan may hold millions of files.

use crate::error::{Error, Result};
use crate::node::ExtendedAttribute;
use crate::restore::target::{Name, TargetPath};
use std::ffi::CStr;
use std::ops::Range;
use tresor_repo::BlobId;
use tresor_repo::time::Time;

/// A directory's place in the table; its parent stands before it, the target at 0.
pub(crate) type DirNumber = u32;
/// An item's place in the table; items stand in stored order.
pub(crate) type ItemNumber = u32;

/// The directories and items to be restored.
#[derive(Default)]
pub(crate) struct Table {
    /// Names and link targets, each with a final NUL.
    text: Vec<u8>,
    pub(crate) dirs: Vec<DirEntry>,
    pub(crate) items: Vec<Item>,
    /// The contents of all files, one after the other.
    pub(crate) blobs: Vec<BlobId>,
    xattrs: Vec<Box<[ExtendedAttribute]>>,
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
    pub(crate) name: Text,
    pub(crate) kind: Kind,
    pub(crate) decision: Decision,
    pub(crate) metadata: Metadata,
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
    Symlink(Text),
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

/// What is set on everything that is restored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Metadata {
    /// As `chmod` takes it.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    seconds: [i64; 2],
    nanoseconds: [u32; 2],
    /// Place in the table, or [`NO_XATTRS`].
    xattrs: u32,
}

const NO_XATTRS: u32 = u32::MAX;

impl Metadata {
    pub(crate) fn new(
        mode: u32,
        (uid, gid): (u32, u32),
        mtime: &Time,
        atime: &Time,
        xattrs: Option<u32>,
    ) -> Self {
        Metadata {
            mode,
            uid,
            gid,
            seconds: [mtime.seconds(), atime.seconds()],
            nanoseconds: [mtime.nanoseconds(), atime.nanoseconds()],
            xattrs: xattrs.unwrap_or(NO_XATTRS),
        }
    }

    /// When the content was last changed: seconds since 1970 and nanoseconds.
    pub(crate) fn mtime(&self) -> (i64, u32) {
        (self.seconds[0], self.nanoseconds[0])
    }

    /// When it was last read.
    pub(crate) fn atime(&self) -> (i64, u32) {
        (self.seconds[1], self.nanoseconds[1])
    }

    pub(crate) fn has_xattrs(&self) -> bool {
        self.xattrs != NO_XATTRS
    }
}

impl Table {
    /// A table that holds the target alone.
    pub(crate) fn new(target_exists: bool) -> Self {
        let mut table = Table::default();
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

    pub(crate) fn push_item(&mut self, item: Item) -> Result<ItemNumber> {
        let number = number(self.items.len())?;
        self.items.push(item);
        Ok(number)
    }

    pub(crate) fn push_blobs(&mut self, blobs: &[BlobId]) -> Result<Kind> {
        let first = number(self.blobs.len())?;
        self.blobs.extend_from_slice(blobs);
        number(self.blobs.len())?;
        Ok(Kind::File { first, count: number(blobs.len())? })
    }

    pub(crate) fn push_xattrs(&mut self, xattrs: &[ExtendedAttribute]) -> Result<Option<u32>> {
        if xattrs.is_empty() {
            return Ok(None);
        }
        let place = number(self.xattrs.len())?;
        self.xattrs.push(xattrs.into());
        Ok(Some(place))
    }

    pub(crate) fn text(&self, text: Text) -> &CStr {
        let rest = usize::try_from(text.0).ok().and_then(|start| self.text.get(start..));
        let text = rest.and_then(|rest| CStr::from_bytes_until_nul(rest).ok());
        text.expect("every text of the table is in it, with its final NUL")
    }

    pub(crate) fn name(&self, text: Text) -> Name<'_> {
        Name::new(self.text(text)).expect("names were checked before they came here")
    }

    pub(crate) fn xattrs(&self, metadata: &Metadata) -> &[ExtendedAttribute] {
        self.xattrs.get(metadata.xattrs as usize).map_or(&[], |xattrs| xattrs)
    }

    /// The blobs of a file; none of anything else.
    pub(crate) fn content(&self, item: &Item) -> &[BlobId] {
        &self.blobs[content_range(item)]
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
        path.extend_from_slice(self.name(item.name).bytes());
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
