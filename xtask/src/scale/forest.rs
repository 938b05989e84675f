//! Snapshots and their trees: each differs from the one before in a few folders.
//!
//! The folders with files lie at the bottom of a pyramid of folders. Every snapshot replaces the next few of them by
//! newer ones, and the folders above these; all other trees it shares with the one before.

use super::packs::Writer;
use super::sealed::push_hex;
use super::shape::{self, IN_A_FOLDER, Id, Shape, Stream, noise};
use crate::Result;
use std::io::Write;

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
    let mut tree = Tree::default();
    for (place, child) in children.iter().enumerate() {
        let inode = u64::from_be_bytes(child[..8].try_into()?) >> 20;
        tree.node(&name(place), "dir", (1 << 31) | 0o755, inode)?;
        tree.text.extend_from_slice(br#","content":null,"subtree":""#);
        push_hex(child, &mut tree.text);
        tree.text.extend_from_slice(br#""}"#);
    }
    Ok(tree.finish())
}

/// The tree of a folder with so many files, and one that the folder before it has as well.
fn files(shape: Shape, folder: u64, files: u64) -> Result<Vec<u8>> {
    let mut tree = Tree::default();
    let blobs = shape.blobs_of(folder);
    for place in 0..files {
        let first = (blobs.start + place).min(blobs.end);
        let last = if place + 1 == FILES { blobs.end } else { (first + 1).min(blobs.end) };
        tree.file(&format!("file-{place:02}.bin"), folder * IN_A_FOLDER + place, first..last)?;
    }
    if let Some(before) = folder.checked_sub(1) {
        let first = shape.blobs_of(before).start;
        tree.file("same-as-before.bin", folder * IN_A_FOLDER + FILES, first..first + 1)?;
    }
    Ok(tree.finish())
}

/// A tree's JSON as restic writes it.
#[derive(Default)]
struct Tree {
    text: Vec<u8>,
}

impl Tree {
    /// A file of these blobs, which are numbers among those that are used.
    fn file(&mut self, name: &str, inode: u64, blobs: std::ops::Range<u64>) -> Result<()> {
        self.node(name, "file", 0o644, inode)?;
        let blobs: Vec<_> = blobs.map(|number| shape::blob(shape::used_blob(number))).collect();
        let size: u64 = blobs.iter().map(|blob| blob.plain).sum();
        let text = &mut self.text;
        if size > 0 {
            write!(text, r#","size":{size}"#)?;
        }
        text.extend_from_slice(br#","links":1,"content":["#);
        for (place, blob) in blobs.iter().enumerate() {
            text.extend_from_slice(if place == 0 { br#"""# } else { br#",""# });
            push_hex(&blob.id, text);
            text.push(b'"');
        }
        text.extend_from_slice(b"]}");
        Ok(())
    }

    /// What every node begins with.
    fn node(&mut self, name: &str, kind: &str, mode: u32, inode: u64) -> Result<()> {
        let text = &mut self.text;
        text.extend_from_slice(if text.is_empty() { br#"{"nodes":["# } else { b"," });
        let mut noise = noise(Stream::Files, inode);
        let (month, day) = (noise.within(1..=12), noise.within(1..=28));
        let (hour, minute, nanosecond) = (noise.below(24), noise.below(60), noise.below(99_999_999) * 10 + 1);
        let time = format!("2019-{month:02}-{day:02}T{hour:02}:{minute:02}:30.{nanosecond:09}Z");
        write!(text, r#"{{"name":"{name}","type":"{kind}","mode":{mode},"mtime":"{time}","atime":"{time}""#)?;
        write!(text, r#","ctime":"{time}","uid":1000,"gid":1000,"user":"scale","group":"scale""#)?;
        write!(text, r#","inode":{},"device_id":2049"#, inode + 1)?;
        Ok(())
    }

    fn finish(mut self) -> Vec<u8> {
        self.text.extend_from_slice(b"]}\n");
        self.text
    }
}

/// The JSON of a snapshot, taken an hour after the one before; months have 28 days.
fn snapshot(number: u64, root: &Id, path: &str) -> Result<String> {
    let (hour, day, month) = (number % 24, number / 24 % 28 + 1, number / 672 % 12 + 1);
    let time = format!("{}-{month:02}-{day:02}T{hour:02}:00:00Z", 2020 + number / 8064);
    let mut tree = Vec::new();
    push_hex(root, &mut tree);
    let tree = String::from_utf8(tree)?;
    Ok(format!(
        r#"{{"time":"{time}","tree":"{tree}","paths":["{path}"],"hostname":"scale","username":"scale","uid":1000,"gid":1000,"program_version":"restic 0.19.1","summary":{{"backup_start":"{time}","backup_end":"{time}","files_new":1,"files_changed":2,"files_unmodified":3,"dirs_new":1,"dirs_changed":2,"dirs_unmodified":3,"data_blobs":200,"tree_blobs":4,"data_added":123456789,"data_added_packed":98765432,"total_files_processed":6,"total_bytes_processed":1234567890}}}}"#
    ))
}
