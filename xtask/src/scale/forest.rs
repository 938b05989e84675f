//! Snapshots and their trees: each differs from the one before in a few folders.
//!
//! The folders with files lie at the bottom of a pyramid of folders. Every snapshot replaces the next few of them by
//! newer ones, and the folders above these; all other trees it shares with the one before.

use super::packs::Writer;
use super::shape::{self, Blob, IN_A_FOLDER, Id, Shape};
use super::tree::{TreeText, snapshot};
use crate::Result;
use std::ops::Range;

/// The device that everything lay on.
const DEVICE: u64 = 2049;
/// How many folders a folder has.
const FOLDERS: usize = 64;
/// How many files with data of its own a folder has; all but the last have one blob.
const FILES: u64 = 32;

/// Stores all snapshots; the id of a small one.
pub(super) fn plant(shape: Shape, writer: &mut Writer) -> Result<String> {
    let mut pyramid = Pyramid { shape, levels: Vec::new() };
    let mut root = pyramid.build(writer)?;
    for number in 0..shape.snapshots {
        if number > 0 && pyramid.change(number, writer)? {
            root = pyramid.root(writer)?;
        }
        writer.snapshot(&snapshot(number, &root, "/scale")?)?;
    }
    let small = writer.tree(&files(shape, 0, 3)?)?;
    writer.snapshot(&snapshot(shape.snapshots, &small, "/small")?)
}

/// The ids of the trees of one snapshot, from the folders with files up to the only one.
struct Pyramid {
    shape: Shape,
    levels: Vec<Vec<Id>>,
}

impl Pyramid {
    /// Stores the trees of the first snapshot; the id of its root.
    fn build(&mut self, writer: &mut Writer) -> Result<Id> {
        let mut lowest = Vec::new();
        for number in 0..self.shape.folders_at_once() {
            lowest.push(writer.tree(&files(self.shape, number, FILES)?)?);
        }
        self.levels.push(lowest);
        while let Some(below) = self.levels.last().filter(|level| level.len() > 1) {
            let trees = below.chunks(FOLDERS).map(|children| writer.tree(&folders(children)?));
            let level = trees.collect::<Result<_>>()?;
            self.levels.push(level);
        }
        self.root(writer)
    }

    /// Stores what is new in a snapshot; whether anything is.
    fn change(&mut self, snapshot: u64, writer: &mut Writer) -> Result<bool> {
        let new = self.shape.folders_until(snapshot - 1)..self.shape.folders_until(snapshot);
        let mut changed = Vec::new();
        for number in new {
            let place = (number % self.shape.folders_at_once()) as usize;
            self.levels[0][place] = writer.tree(&files(self.shape, number, FILES)?)?;
            changed.push(place);
        }
        for level in 1..self.levels.len() {
            changed.iter_mut().for_each(|place| *place /= FOLDERS);
            changed.sort_unstable();
            changed.dedup();
            for place in &changed {
                let children = self.levels[level - 1].chunks(FOLDERS).nth(*place).unwrap_or_default();
                let tree = writer.tree(&folders(children)?)?;
                self.levels[level][*place] = tree;
            }
        }
        Ok(!changed.is_empty())
    }

    /// Stores the tree above all.
    fn root(&self, writer: &mut Writer) -> Result<Id> {
        let top = self.levels.last().and_then(|level| level.first()).ok_or("there is no folder")?;
        writer.tree(&named_folders(&[*top], |_| "scale".to_owned())?)
    }
}

/// The tree of a folder of folders.
fn folders(children: &[Id]) -> Result<Vec<u8>> {
    named_folders(children, |place| format!("folder-{place:02}"))
}

fn named_folders(children: &[Id], name: impl Fn(usize) -> String) -> Result<Vec<u8>> {
    let mut tree = TreeText::new(DEVICE);
    for (place, child) in children.iter().enumerate() {
        let inode = u64::from_be_bytes(child[..8].try_into()?) >> 20;
        tree.folder(&name(place), inode + 1, child)?;
    }
    Ok(tree.finish())
}

/// The tree of a folder with so many files, and one that the folder before it has as well.
fn files(shape: Shape, folder: u64, files: u64) -> Result<Vec<u8>> {
    let mut tree = TreeText::new(DEVICE);
    let blobs = shape.blobs_of(folder);
    let inode = |place| folder * IN_A_FOLDER + place + 1;
    for place in 0..files {
        let first = (blobs.start + place).min(blobs.end);
        let last = if place + 1 == FILES { blobs.end } else { (first + 1).min(blobs.end) };
        file(&mut tree, &format!("file-{place:02}.bin"), inode(place), first..last)?;
    }
    if let Some(before) = folder.checked_sub(1) {
        let first = shape.blobs_of(before).start;
        file(&mut tree, "same-as-before.bin", inode(FILES), first..first + 1)?;
    }
    Ok(tree.finish())
}

/// A file of these blobs, which are numbers among those that are used.
fn file(tree: &mut TreeText, name: &str, inode: u64, blobs: Range<u64>) -> Result<()> {
    let blobs: Vec<Blob> = blobs.map(|number| shape::blob(shape::used_blob(number))).collect();
    let size = blobs.iter().map(|blob| blob.plain).sum();
    tree.file(name, inode, size, blobs.iter().map(|blob| blob.id))
}
