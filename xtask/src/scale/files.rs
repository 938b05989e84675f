//! A folder with any number of small files, none of which is on a disk.

use super::packs::Writer;
use super::shape::{Id, Stream, noise};
use super::tree::{TreeText, snapshot};
use crate::Result;

/// How many files a folder has that has files.
const FILES: u64 = 1000;
/// How many folders a folder has that has folders.
const FOLDERS: u64 = 64;
/// The numbers of folders of a level begin there in inodes; below are files.
const LEVEL: u32 = 40;

/// A file or folder; those at level 0 have files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    File(u64),
    Folder { level: u32, number: u64 },
}

/// The folder.
#[derive(Debug, Clone)]
pub(super) struct Files {
    pub(super) count: u64,
    /// How many folders each level has, from the one with files up to the only one.
    levels: Vec<u64>,
}

impl Files {
    pub(super) fn new(count: u64) -> Self {
        let mut levels = vec![count.div_ceil(FILES).max(1)];
        while let Some(below) = levels.last().copied().filter(|below| *below > 1) {
            levels.push(below.div_ceil(FOLDERS));
        }
        Files { count, levels }
    }

    pub(super) fn root(&self) -> Node {
        Node::Folder { level: self.levels.len() as u32 - 1, number: 0 }
    }

    /// What is at this place in a folder.
    pub(super) fn child(&self, folder: Node, place: u64) -> Option<Node> {
        match folder {
            Node::File(_) => None,
            Node::Folder { level: 0, number } => {
                let file = number * FILES + place;
                (place < FILES && file < self.count).then_some(Node::File(file))
            }
            Node::Folder { level, number } => {
                let child = number * FOLDERS + place;
                let is_there = place < FOLDERS && child < self.levels[level as usize - 1];
                is_there.then_some(Node::Folder { level: level - 1, number: child })
            }
        }
    }

    pub(super) fn find(&self, folder: Node, name: &str) -> Option<Node> {
        let number = name.trim_start_matches(|c: char| !c.is_ascii_digit()).trim_end_matches(".txt");
        let child = self.child(folder, number.parse().ok()?)?;
        (child.name() == name).then_some(child)
    }

    pub(super) fn inode(&self, node: Node) -> u64 {
        match node {
            Node::File(number) => number + 2,
            node if node == self.root() => 1,
            Node::Folder { level, number } => (u64::from(level) + 1) << LEVEL | number,
        }
    }

    pub(super) fn node(&self, inode: u64) -> Option<Node> {
        let (level, number) = (inode >> LEVEL, inode & ((1 << LEVEL) - 1));
        match level {
            0 if inode == 1 => Some(self.root()),
            0 => inode.checked_sub(2).filter(|number| *number < self.count).map(Node::File),
            _ => {
                let there = self.levels.get(level as usize - 1).is_some_and(|count| number < *count);
                there.then_some(Node::Folder { level: level as u32 - 1, number })
            }
        }
    }

    /// Stores everything and a snapshot of it, as if it lay on this device; the snapshot's id.
    pub(super) fn store(&self, device: u64, path: &str, writer: &mut Writer) -> Result<String> {
        let root = self.store_folder(self.root(), device, writer)?;
        writer.snapshot(&snapshot(0, &root, path)?)
    }

    fn store_folder(&self, folder: Node, device: u64, writer: &mut Writer) -> Result<Id> {
        let mut tree = TreeText::new(device);
        for node in (0..).map_while(|place| self.child(folder, place)) {
            let (name, inode) = (node.name(), self.inode(node));
            match node {
                Node::File(number) => {
                    let contents = contents(number);
                    let blob = writer.data(&contents)?;
                    tree.file(&name, inode, contents.len() as u64, [blob].into_iter())?;
                }
                Node::Folder { .. } => {
                    let below = self.store_folder(node, device, writer)?;
                    tree.folder(&name, inode, &below)?;
                }
            }
        }
        writer.tree(&tree.finish())
    }
}

impl Node {
    pub(super) fn name(self) -> String {
        match self {
            Node::File(number) => format!("file-{:03}.txt", number % FILES),
            Node::Folder { number, .. } => format!("folder-{:02}", number % FOLDERS),
        }
    }
}

/// The contents of a file: about a hundred bytes, other ones in each.
pub(super) fn contents(number: u64) -> Vec<u8> {
    let mut noise = noise(Stream::Contents, number);
    let mut bytes = vec![0; noise.within(80..=120) as usize];
    noise.fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// All nodes below `folder`, itself included.
    fn all(files: &Files, folder: Node) -> Vec<Node> {
        let children = (0..).map_while(|place| files.child(folder, place));
        [folder].into_iter().chain(children.flat_map(|child| all(files, child))).collect()
    }

    #[test]
    fn everything_is_found_by_inode_and_by_name() {
        for count in [1, 1000, 1001, 130_000] {
            let files = Files::new(count);
            let nodes = all(&files, files.root());
            assert_eq!(nodes.iter().filter(|node| matches!(node, Node::File(_))).count() as u64, count);
            assert!(nodes.iter().all(|node| files.node(files.inode(*node)) == Some(*node)));
            let inodes: HashSet<u64> = nodes.iter().map(|node| files.inode(*node)).collect();
            assert_eq!(inodes.len(), nodes.len());
        }
        let files = Files::new(1500);
        let second = files.find(files.root(), "folder-01").unwrap();
        assert_eq!(files.find(second, "file-499.txt"), Some(Node::File(1499)));
        assert_eq!(files.find(second, "file-500.txt"), None);
        assert_eq!(files.find(second, "file-0499.txt"), None);
        assert_eq!(files.find(second, "fil-499.txt"), None);
    }
}
