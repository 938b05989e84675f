//! Everything to be restored, in compact form: one plan may hold millions of files.

use crate::error::{Error, Result};
use crate::restore::aside::{Aside, Room};
use crate::restore::details::{Details, Metadata};
use crate::restore::failure::Failure;
use crate::restore::items::{Decision, DirNumber, Item, ItemNumber, Items, Kind};
use crate::restore::target::{Name, TargetPath};
use std::ffi::CStr;
use std::sync::Arc;
use tresor_repo::BlobId;
use tresor_repo::scratch::Window;

/// The directories and items to be restored.
pub(crate) struct Table {
    /// Names of directories, each with a final NUL.
    text: Vec<u8>,
    pub(crate) dirs: Vec<DirEntry>,
    pub(crate) items: Items,
    /// The contents of all files, one after the other.
    blobs: Aside,
    blob_count: usize,
    details: Aside,
    buffer: Vec<u8>,
}

/// Text in the table: where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text(u32);

/// A directory to be made, or to be gone through.
pub(crate) struct DirEntry {
    pub(crate) parent: DirNumber,
    pub(crate) name: Text,
    /// Where its metadata begin, and how long they are; of the target itself, whose metadata are the user's, nothing.
    details: (u64, u32),
    /// Whether the disk had a directory there when the plan was made.
    pub(crate) exists: bool,
}

impl Table {
    /// A table that holds the target alone.
    pub(crate) fn new(target_exists: bool, room: Room<'_>) -> Self {
        let target = DirEntry { parent: 0, name: Text(0), details: (0, 0), exists: target_exists };
        Table {
            text: c"".to_bytes_with_nul().to_vec(),
            dirs: vec![target],
            items: Items::new(room),
            blobs: Aside::new(room),
            blob_count: 0,
            details: Aside::new(room),
            buffer: Vec::new(),
        }
    }

    /// Adds a directory that is not on disk, as far as is known.
    pub(crate) fn push_dir(
        &mut self,
        parent: DirNumber,
        name: &CStr,
        metadata: &Metadata,
    ) -> Result<DirNumber> {
        let number = number(self.dirs.len())?;
        let place = Text(self::number(self.text.len())?);
        self.text.extend_from_slice(name.to_bytes_with_nul());
        let details = self.push_details(c"", c"", metadata)?;
        self.dirs.push(DirEntry { parent, name: place, details, exists: false });
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
        let details = self.push_details(name, link_target, metadata)?;
        let decision = Decision::Create;
        self.items.push(&Item { number: 0, dir, details, kind, decision, size, wanted: 0, odd: false })
    }

    fn push_details(&mut self, name: &CStr, link_target: &CStr, metadata: &Metadata) -> Result<(u64, u32)> {
        self.buffer.clear();
        Details::write(name, link_target, metadata, &mut self.buffer);
        Ok((self.details.append(&self.buffer)?, number(self.buffer.len())?))
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

    /// How many blobs all files have, each counted as often as it is there.
    pub(crate) fn blob_count(&self) -> u64 {
        self.blob_count as u64
    }

    pub(crate) fn text(&self, text: Text) -> &CStr {
        let rest = self.text.get(text.0 as usize..);
        let text = rest.and_then(|rest| CStr::from_bytes_until_nul(rest).ok());
        text.expect("every text of the table is in it, with its final NUL")
    }

    pub(crate) fn name(&self, text: Text) -> Name<'_> {
        Name::new(self.text(text)).expect("names were checked before they came here")
    }

    /// Name and metadata of an item.
    pub(crate) fn details(&self, item: &Item) -> Result<Details, Failure> {
        self.read_details(item.details)
    }

    /// The metadata of a directory; none for the target.
    pub(crate) fn dir_metadata(&self, dir: DirNumber) -> Result<Option<Metadata>, Failure> {
        match self.dirs[dir as usize].details {
            (_, 0) => Ok(None),
            place => Ok(Some(self.read_details(place)?.metadata)),
        }
    }

    fn read_details(&self, (start, length): (u64, u32)) -> Result<Details, Failure> {
        self.details.read(start, length as usize, Details::read).map_err(lost)
    }

    /// The blobs of a file; none of anything else.
    pub(crate) fn content(&self, item: &Item) -> Result<Vec<BlobId>, Failure> {
        self.content_through(&mut Window::of_one(), item)
    }

    /// The same by way of `window`, for who asks in the order of the items.
    pub(crate) fn content_through(&self, window: &mut Window, item: &Item) -> Result<Vec<BlobId>, Failure> {
        let range = item.content();
        self.blobs.ids(window, range.start.into(), range.len()).map_err(lost)
    }

    /// One of all blobs.
    pub(crate) fn blob(&self, place: u32) -> Result<Option<BlobId>, Failure> {
        let ids = self.blobs.ids(&mut Window::of_one(), place.into(), 1);
        Ok(ids.map_err(lost)?.first().copied())
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

    /// An item's path in the snapshot; the name is a `?` if it cannot be read, and there are other problems then.
    pub(crate) fn item_path(&self, item: &Item) -> Vec<u8> {
        let details = self.details(item);
        self.path_in(item.dir, details.as_ref().map_or(b"?", |details| details.name().bytes()))
    }

    /// The path in the snapshot of what has this name in a directory.
    pub(crate) fn path_in(&self, dir: DirNumber, name: &[u8]) -> Vec<u8> {
        let mut path = self.dir_path(dir);
        if path.len() > 1 {
            path.push(b'/');
        }
        path.extend_from_slice(name);
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

fn lost(error: tresor_repo::Error) -> Failure {
    Failure::Aside(Arc::new(error))
}

fn number(place: usize) -> Result<u32> {
    u32::try_from(place).ok().filter(|number| *number != u32::MAX).ok_or(Error::TooManyItems)
}
