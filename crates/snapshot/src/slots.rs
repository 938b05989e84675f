//! The nodes of a folder while they are collected: in memory, in a file once they are many.
//!
//! Nodes come in any order; each has its slot. A node in the file is there in its stored form, behind its name, and
//! costs 8 bytes of memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tresor_repo::scratch::{Scratch, Window};
use tresor_repo::upload::Upload;

use crate::error::Result;
use crate::gojson;
use crate::node::{Node, NodeSeed, Owners};
use crate::tree::TreeSaver;
use serde::de::DeserializeSeed;

/// Bytes in front of a node in the file: the lengths of its name and its stored form.
const LENGTHS: usize = 8;

/// No node.
const EMPTY: u64 = u64::MAX;

/// Slots for nodes.
#[derive(Default)]
pub(crate) struct Slots {
    /// All of them, unless they are in the file.
    few: Vec<Option<Node>>,
    /// What these take, more or less.
    bytes: usize,
    many: Option<Many>,
}

struct Many {
    scratch: Scratch,
    places: Vec<u64>,
    /// For writing one.
    buffer: Vec<u8>,
}

impl From<Vec<Option<Node>>> for Slots {
    fn from(few: Vec<Option<Node>>) -> Slots {
        let bytes = few.iter().map(|node| weight(node.as_ref())).sum();
        Slots { few, bytes, many: None }
    }
}

impl Slots {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.many.as_ref().map_or(self.few.len(), |many| many.places.len())
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a slot.
    ///
    /// # Errors
    /// Those of the scratch file.
    pub(crate) fn push(&mut self, node: Option<Node>, upload: &Upload<'_>) -> Result<()> {
        match &mut self.many {
            Some(many) => {
                let place = many.write(node.as_ref())?;
                many.places.push(place);
                Ok(())
            }
            None => {
                self.bytes += weight(node.as_ref());
                self.few.push(node);
                self.spill_if_many(upload)
            }
        }
    }

    /// Fills a slot.
    ///
    /// # Errors
    /// Those of the scratch file.
    pub(crate) fn put(&mut self, slot: usize, node: Option<Node>, upload: &Upload<'_>) -> Result<()> {
        match &mut self.many {
            Some(many) => {
                let place = many.write(node.as_ref())?;
                if let Some(old) = many.places.get_mut(slot) {
                    *old = place;
                }
                Ok(())
            }
            None => {
                let Some(place) = self.few.get_mut(slot) else { return Ok(()) };
                self.bytes += weight(node.as_ref());
                self.bytes -= weight(place.as_ref()).min(self.bytes);
                *place = node;
                self.spill_if_many(upload)
            }
        }
    }

    /// The node in a slot.
    ///
    /// # Errors
    /// Those of the scratch file.
    pub(crate) fn get(&self, slot: usize) -> Result<Option<Node>> {
        let Some(many) = &self.many else { return Ok(self.few.get(slot).cloned().flatten()) };
        let Some(&place) = many.places.get(slot).filter(|place| **place != EMPTY) else { return Ok(None) };
        let mut window = Window::default();
        let (_, stored) = many.read(&mut window, place)?;
        let text = gojson::input(stored);
        let mut json = serde_json::Deserializer::from_str(&text);
        let seed = NodeSeed { owners: &mut Owners::default() };
        seed.deserialize(&mut json).map(Some).map_err(|source| crate::Error::DecodeTree { source })
    }

    /// Whether a slot is empty.
    pub(crate) fn lack_any(&self) -> bool {
        match &self.many {
            None => self.few.iter().any(Option::is_none),
            Some(many) => many.places.contains(&EMPTY),
        }
    }

    /// Writes all nodes in the order of their slots.
    ///
    /// # Errors
    /// Those of the tree, and of the scratch file.
    pub(crate) fn write(&self, tree: &mut TreeSaver<'_>) -> Result<()> {
        let Some(many) = &self.many else {
            return self.few.iter().flatten().try_for_each(|node| tree.push(node));
        };
        let mut window = Window::default();
        for &place in many.places.iter().filter(|place| **place != EMPTY) {
            let (name, node) = many.read(&mut window, place)?;
            tree.push_written(name, node)?;
        }
        Ok(())
    }

    /// Writes all nodes in the order of their names. Memory: as for one node of every stretch of slots that is in order.
    ///
    /// # Errors
    /// Those of the tree, and of the scratch file.
    pub(crate) fn write_sorted(&mut self, tree: &mut TreeSaver<'_>) -> Result<()> {
        let Some(many) = &self.many else {
            let name = |node: &Node| node.name.clone();
            self.few.sort_by_cached_key(|node| node.as_ref().map(name));
            return self.write(tree);
        };
        let mut runs = many.runs()?;
        let mut heads = BinaryHeap::new();
        for (number, run) in runs.iter_mut().enumerate() {
            heads.extend(many.next(run)?.map(|head| Reverse((head, number))));
        }
        while let Some(Reverse(((name, node), run))) = heads.pop() {
            tree.push_written(&name, &node)?;
            heads.extend(many.next(&mut runs[run])?.map(|head| Reverse((head, run))));
        }
        Ok(())
    }

    fn spill_if_many(&mut self, upload: &Upload<'_>) -> Result<()> {
        if self.bytes as u64 <= upload.longest_in_memory() {
            return Ok(());
        }
        let places = Vec::with_capacity(self.few.len());
        let mut many = Many { scratch: upload.scratch()?, places, buffer: Vec::new() };
        for node in std::mem::take(&mut self.few) {
            let place = many.write(node.as_ref())?;
            many.places.push(place);
        }
        self.many = Some(many);
        Ok(())
    }
}

/// What a slot takes in memory, more or less.
fn weight(node: Option<&Node>) -> usize {
    let Some(node) = node else { return size_of::<Node>() };
    let rare = node.rare.as_ref().map_or(0, |rare| {
        let attributes = rare.extended_attributes.iter();
        let attributes = attributes.map(|one| 80 + one.name.len() + one.value.as_ref().map_or(0, Vec::len));
        200 + rare.link_target.len() + attributes.sum::<usize>()
    });
    size_of::<Node>() + node.name.len() + 32 * node.blobs().len() + rare
}

/// Name and stored form of a node.
type Written = (Box<[u8]>, Box<[u8]>);

/// A stretch of slots whose names are in order.
struct Run {
    next: usize,
    end: usize,
}

impl Many {
    fn write(&mut self, node: Option<&Node>) -> Result<u64> {
        let Some(node) = node else { return Ok(EMPTY) };
        self.buffer.clear();
        node.write(&mut self.buffer);
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
        let lengths = [length(&node.name), length(&self.buffer)];
        Ok(self.scratch.append(&[&lengths[0], &lengths[1], &node.name, &self.buffer])?)
    }

    /// Name and stored form of a node.
    fn read<'w>(&self, window: &'w mut Window, place: u64) -> Result<(&'w [u8], &'w [u8])> {
        let lengths = self.scratch.read(window, place, LENGTHS)?;
        let (name, node) = lengths.split_at(LENGTHS / 2);
        let length = |field: &[u8]| field.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let (name, node) = (length(name), length(node));
        Ok(self.scratch.read(window, place + LENGTHS as u64, name + node)?.split_at(name))
    }

    fn runs(&self) -> Result<Vec<Run>> {
        let (mut runs, mut window) = (vec![Run { next: 0, end: self.places.len() }], Window::default());
        let mut last: Vec<u8> = Vec::new();
        for (slot, &place) in self.places.iter().enumerate().filter(|(_, place)| **place != EMPTY) {
            let (name, _) = self.read(&mut window, place)?;
            if *name < *last {
                runs.last_mut().expect("there is one").end = slot;
                runs.push(Run { next: slot, end: self.places.len() });
            }
            last.clear();
            last.extend_from_slice(name);
        }
        Ok(runs)
    }

    /// Name and stored form of the next node of a run.
    fn next(&self, run: &mut Run) -> Result<Option<Written>> {
        while run.next < run.end {
            let place = self.places[run.next];
            run.next += 1;
            if place != EMPTY {
                let mut window = Window::of_one();
                let (name, node) = self.read(&mut window, place)?;
                return Ok(Some((name.into(), node.into())));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
