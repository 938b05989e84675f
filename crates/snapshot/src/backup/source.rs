//! What a directory of the source has to offer: its entries, without what is left out.

use std::cmp::Ordering;
use std::collections::btree_map;
use std::io;
use std::iter::Peekable;

use super::exclude::{SourceFilter, TagFile, rejected_by_tags};
use super::place::push_component;
use super::targets::{Branch, Branches};
use crate::error::{Error, Result};
use crate::fs::{Cursor, Directory, Metadata, Names};
use crate::node::NodeKind;

/// Who is told what a directory has to offer, in the order of the names.
pub(super) trait Visit {
    /// An entry that belongs to the snapshot.
    ///
    /// # Errors
    /// Stop the visit.
    fn entry(&mut self, entry: Entry<'_>) -> Result<()>;
    /// A directory that targets lead through, under its name in the snapshot.
    ///
    /// All in it should be on `device` if it is a target itself, but was not named.
    ///
    /// # Errors
    /// Stop the visit.
    fn passage(&mut self, name: &[u8], branch: Branch, device: Option<u64>) -> Result<()>;
    /// An entry that cannot be looked at.
    fn failed(&mut self, path: &[u8], cause: io::Error);
    /// An entry that is left out, at this absolute path, with all that is below it.
    fn excluded(&mut self, path: &[u8]);
    /// A tag file without the header that would make it one.
    fn unsigned(&mut self, path: &[u8], cause: &io::Error);
}

/// An entry that belongs to the snapshot.
pub(super) struct Entry<'a> {
    /// Its name in the snapshot.
    pub(super) name: &'a [u8],
    /// Its name on disk.
    pub(super) disk_name: &'a [u8],
    /// Its absolute path on disk.
    pub(super) path: &'a [u8],
    /// Its own metadata, if it is a symbolic link.
    pub(super) metadata: Metadata,
    /// The device that all below should be on.
    pub(super) device: Option<u64>,
}

/// A directory that is being visited.
pub(super) struct Level<'a> {
    pub(super) filter: &'a SourceFilter,
    pub(super) directory: &'a Directory,
    /// The device that the directory is on.
    pub(super) own_device: u64,
    /// The device that entries should be on.
    pub(super) device: Option<u64>,
}

/// The names in a directory and those that targets name there, in one ascending order.
pub(super) struct Entries {
    names: Names,
    cursor: Cursor,
    branches: Peekable<btree_map::IntoIter<Vec<u8>, Branch>>,
    /// Whether it was told which tag files are none.
    tags_told: bool,
}

impl Entries {
    /// All of them are still to be visited.
    pub(super) fn new(names: Names, branches: Branches) -> Entries {
        let branches = branches.into_iter().peekable();
        Entries { names, cursor: Cursor::default(), branches, tags_told: false }
    }

    /// Gives the names back, so that their memory can be used again.
    pub(super) fn into_names(self) -> Names {
        self.names
    }
}

impl<'f> Level<'f> {
    /// Visits `most` of the entries; `path` is the directory's absolute path. Says whether more are left.
    pub(super) fn visit(
        &self,
        path: &mut Vec<u8>,
        entries: &mut Entries,
        most: usize,
        visit: &mut impl Visit,
    ) -> Result<bool> {
        let mut tags = None;
        let own_length = path.len();
        let Entries { names, cursor, branches, tags_told } = entries;
        let failed = |source| Error::Scratch { source };
        for _ in 0..most {
            path.truncate(own_length);
            let listed = names.at(cursor).map_err(failed)?;
            let order = match (listed, branches.peek()) {
                (None, None) => return Ok(false),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(listed), Some((branch, _))) => listed.cmp(branch),
            };
            // What is listed is part of a target: all of it belongs to the snapshot.
            let (named, branch) = match order {
                Ordering::Less => (None, None),
                Ordering::Equal => {
                    (None, branches.next().map(|(_, branch)| Branch { target: true, ..branch }))
                }
                Ordering::Greater => {
                    branches.next().map_or((None, None), |(name, branch)| (Some(name), Some(branch)))
                }
            };
            let listed_length = if named.is_some() { None } else { listed.map(<[u8]>::len) };
            let name = named.as_deref().or(listed).unwrap_or_default();
            match branch {
                Some(branch) if !branch.children.is_empty() => visit.passage(name, branch, self.device)?,
                Some(branch) => {
                    let names = (name, &*branch.disk_name);
                    self.offer(path, names, branch.named, (&mut tags, tags_told), visit)?;
                }
                None => self.offer(path, (name, name), false, (&mut tags, tags_told), visit)?,
            }
            if let Some(length) = listed_length {
                names.advance(cursor, length);
            }
        }
        path.truncate(own_length);
        Ok(true)
    }

    /// Looks at one entry and offers it unless it is left out; `path` still ends at the directory.
    fn offer(
        &self,
        path: &mut Vec<u8>,
        (name, disk_name): (&[u8], &[u8]),
        named: bool,
        (tags, tags_told): (&mut Option<Vec<&'f TagFile>>, &mut bool),
        visit: &mut impl Visit,
    ) -> Result<()> {
        let own_length = path.len();
        push_component(path, disk_name);
        if !named && self.filter.rejects_path(path) {
            visit.excluded(path);
            return Ok(());
        }
        let metadata = match self.directory.child_metadata(disk_name) {
            Ok(metadata) => metadata,
            // It vanished since it was listed.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(cause) => {
                visit.failed(path, cause);
                return Ok(());
            }
        };
        if metadata.kind() == NodeKind::Socket {
            return Ok(());
        }
        if !named {
            let tags = tags.get_or_insert_with(|| self.tags(&path[..own_length], tags_told, visit));
            if self.filter.rejects_device(&metadata, self.device, self.own_device)
                || self.filter.rejects_size(&metadata)
                || rejected_by_tags(tags, disk_name)
            {
                visit.excluded(path);
                return Ok(());
            }
        }
        let device = if named { Some(metadata.device) } else { self.device };
        visit.entry(Entry { name, disk_name, path, metadata, device })
    }

    fn tags(&self, path: &[u8], told: &mut bool, visit: &mut impl Visit) -> Vec<&'f TagFile> {
        let was_told = std::mem::replace(told, true);
        self.filter.tags_in(self.directory, |tag, cause| {
            let mut path = path.to_vec();
            push_component(&mut path, &tag.name);
            if !was_told {
                visit.unsigned(&path, cause);
            }
        })
    }
}
