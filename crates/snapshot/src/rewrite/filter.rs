//! The edit that leaves out what patterns exclude, or all that they do not include.

use crate::error::Result;
use crate::filter::{Excludes, Includes};
use crate::node::{Node, NodeKind};

use super::trees::{Edit, Edited};

/// Which items stay.
pub enum TreeFilter {
    /// All.
    Everything,
    /// All but what matches, and what is below.
    Excludes(Excludes),
    /// Only what matches, and the directories that lead there.
    Includes(Includes),
}

/// What is told of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A pattern excludes it.
    Excluded,
    /// A pattern includes it.
    Included,
    /// A pattern includes it; it is a directory, and there is nothing in it.
    IncludedEmpty,
}

/// Filters, tells what it does, and counts the files that stay.
pub struct Filtered<'a> {
    filter: &'a TreeFilter,
    told: &'a mut dyn FnMut(Verdict, &[u8]),
    /// Files that stay.
    pub files: u64,
    /// Their sizes in all.
    pub bytes: u64,
}

impl<'a> Filtered<'a> {
    /// A filter that tells of each item why it goes or stays.
    pub fn new(filter: &'a TreeFilter, told: &'a mut dyn FnMut(Verdict, &[u8])) -> Self {
        Filtered { filter, told, files: 0, bytes: 0 }
    }

    fn keeps(&mut self, path: &[u8], node: &Node) -> bool {
        match self.filter {
            TreeFilter::Everything => true,
            TreeFilter::Excludes(excludes) => {
                let rejected = excludes.rejects(path);
                if rejected {
                    (self.told)(Verdict::Excluded, path);
                }
                !rejected
            }
            TreeFilter::Includes(includes) => {
                let selection = includes.select(path);
                let is_dir = node.kind == NodeKind::Dir; // told of when it is known to be empty
                if selection.selected && !is_dir {
                    (self.told)(Verdict::Included, path);
                }
                selection.selected || (is_dir && selection.descend)
            }
        }
    }
}

impl Edit for Filtered<'_> {
    const DEPENDS_ON_PATH: bool = true;
    const KNOWN_ONLY: bool = true;

    fn node(&mut self, path: &[u8], node: &Node) -> Result<Edited> {
        if !self.keeps(path, node) {
            return Ok(Edited::Dropped);
        }
        if node.kind == NodeKind::File {
            self.files += 1;
            self.bytes = self.bytes.saturating_add(node.size);
        }
        Ok(Edited::Kept)
    }

    fn keeps_empty(&mut self, path: &[u8]) -> bool {
        let TreeFilter::Includes(includes) = self.filter else { return true };
        let selected = includes.select(path).selected;
        if selected {
            (self.told)(Verdict::IncludedEmpty, path);
        }
        selected
    }
}
