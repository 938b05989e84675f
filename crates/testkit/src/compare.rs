//! Compares two directory trees: what came back with what went in.

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::CStr;
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// One thing that is not the same in both trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    path: PathBuf,
    what: What,
}

/// What differs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// It is in the first tree only.
    Missing,
    /// It is in the second tree only.
    Added,
    /// Directory, file, link…
    Kind,
    /// Length or bytes of a file.
    Contents,
    /// Where a link points to.
    Target,
    /// Permission bits.
    Mode,
    /// Owner or group.
    Owner,
    /// The time of modification, to the ns.
    Time,
    /// Major and minor number of a device.
    Device,
    /// The extended attribute of this name.
    Xattr(String),
    /// It shares its file with other names than before.
    HardLinks,
}

impl Difference {
    /// The path, relative to the roots.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is not the same there.
    pub fn what(&self) -> &What {
        &self.what
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {:?}", self.path, self.what)
    }
}

/// Compares everything below `first` with everything below `second`, in the order of the paths.
///
/// Contents, kinds, modes, owners, times to the ns, xattrs (with ACLs and capabilities), targets, devices
/// and hard links count. Holes, times of access and change, and sockets do not; nor do the two roots.
pub fn compare_trees(first: &Path, second: &Path) -> Vec<Difference> {
    let (old, new) = (read(first), read(second));
    let paths: BTreeSet<&PathBuf> = old.keys().chain(new.keys()).collect();
    let mut differences = Vec::new();
    for path in paths {
        let mut note = |what| differences.push(Difference { path: path.clone(), what });
        match (old.get(path), new.get(path)) {
            (Some(old), Some(new)) => compare(&first.join(path), old, &second.join(path), new, &mut note),
            (Some(_), None) => note(What::Missing),
            (None, _) => note(What::Added),
        }
    }
    differences
}

/// Panics with every difference unless the two trees are the same.
#[track_caller]
pub fn assert_same(first: &Path, second: &Path) {
    let differences: Vec<_> = compare_trees(first, second).iter().map(ToString::to_string).collect();
    assert!(differences.is_empty(), "{first:?} and {second:?} differ:\n{}", differences.join("\n"));
}

struct Entry {
    metadata: Metadata,
    /// The first path in the tree that names the same file; its own for most.
    first_name: PathBuf,
}

fn read(root: &Path) -> BTreeMap<PathBuf, Entry> {
    let mut entries = BTreeMap::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(folder) = waiting.pop() {
        let full = root.join(&folder);
        let listing = fs::read_dir(&full).unwrap_or_else(|e| panic!("cannot list {full:?}: {e}"));
        for entry in listing {
            let entry = entry.unwrap_or_else(|e| panic!("cannot list {full:?}: {e}"));
            let metadata =
                entry.metadata().unwrap_or_else(|e| panic!("cannot look at {:?}: {e}", entry.path()));
            let path = folder.join(entry.file_name());
            if metadata.is_dir() {
                waiting.push(path.clone());
            }
            if !metadata.file_type().is_socket() {
                entries.insert(path.clone(), Entry { metadata, first_name: path });
            }
        }
    }
    group_hard_links(&mut entries);
    entries
}

fn group_hard_links(entries: &mut BTreeMap<PathBuf, Entry>) {
    let mut first_names = HashMap::new();
    for (path, entry) in entries {
        if !entry.metadata.is_dir() && entry.metadata.nlink() > 1 {
            let file = (entry.metadata.dev(), entry.metadata.ino());
            entry.first_name.clone_from(first_names.entry(file).or_insert_with(|| path.clone()));
        }
    }
}

fn compare(old_path: &Path, old: &Entry, new_path: &Path, new: &Entry, note: &mut dyn FnMut(What)) {
    let (a, b) = (&old.metadata, &new.metadata);
    if a.file_type() != b.file_type() {
        return note(What::Kind);
    }
    if a.is_file() && (a.len() != b.len() || !same_contents(old_path, new_path)) {
        note(What::Contents);
    }
    if a.is_symlink() && fs::read_link(old_path).ok() != fs::read_link(new_path).ok() {
        note(What::Target);
    }
    if (a.file_type().is_char_device() || a.file_type().is_block_device()) && a.rdev() != b.rdev() {
        note(What::Device);
    }
    let facts = [
        (a.mode() != b.mode(), What::Mode),
        ((a.uid(), a.gid()) != (b.uid(), b.gid()), What::Owner),
        ((a.mtime(), a.mtime_nsec()) != (b.mtime(), b.mtime_nsec()), What::Time),
        (old.first_name != new.first_name, What::HardLinks),
    ];
    facts.into_iter().filter(|(differs, _)| *differs).for_each(|(_, what)| note(what));
    let (old_xattrs, new_xattrs) = (xattrs(old_path), xattrs(new_path));
    let names: BTreeSet<&Vec<u8>> = old_xattrs.keys().chain(new_xattrs.keys()).collect();
    for name in names.into_iter().filter(|name| old_xattrs.get(*name) != new_xattrs.get(*name)) {
        note(What::Xattr(String::from_utf8_lossy(name).into_owned()));
    }
}

fn same_contents(first: &Path, second: &Path) -> bool {
    let open = |path: &Path| File::open(path).unwrap_or_else(|e| panic!("cannot open {path:?}: {e}"));
    let (mut first, mut second) = (open(first), open(second));
    let (mut a, mut b) = (Vec::new(), Vec::new());
    loop {
        for (file, buffer) in [(&mut first, &mut a), (&mut second, &mut b)] {
            buffer.clear();
            file.take(1 << 20).read_to_end(buffer).expect("a file of a test can be read");
        }
        if a != b || a.is_empty() {
            return a == b;
        }
    }
}

/// The extended attributes of `path` itself, by name.
pub fn xattrs(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut names = Vec::with_capacity(64 * 1024);
    match rustix::fs::llistxattr(path, spare_capacity(&mut names)) {
        Ok(_) | Err(Errno::NOTSUP) => {}
        Err(e) => panic!("cannot list the xattrs of {path:?}: {e}"),
    }
    let names = names.split_inclusive(|byte| *byte == 0).map(|name| CStr::from_bytes_with_nul(name));
    let names = names.map(|name| name.expect("the system ends names with a zero"));
    names.map(|name| (name.to_bytes().to_vec(), xattr(path, name))).collect()
}

fn xattr(path: &Path, name: &CStr) -> Vec<u8> {
    let mut value = Vec::with_capacity(64 * 1024);
    let got = rustix::fs::lgetxattr(path.as_os_str().as_bytes(), name, spare_capacity(&mut value));
    got.unwrap_or_else(|e| panic!("cannot read the xattr {name:?} of {path:?}: {e}"));
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::oddities;
    use crate::tree::{TestTree, is_root};
    use std::process::Command;

    #[test]
    fn a_faithful_copy_has_no_difference() {
        let folder = tempfile::tempdir().unwrap();
        let tree = oddities(folder.path().join("a"));
        let copy = folder.path().join("b");
        assert!(Command::new("cp").arg("-a").arg(tree.path()).arg(&copy).status().unwrap().success());
        assert_same(tree.path(), &copy);
    }

    fn check(change: impl Fn(TestTree) -> TestTree, expect: &[(&str, What)]) {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let tree =
                TestTree::at(folder.path().join(name)).file("f", "1").hard_link("f", "g").symlink("l", "f");
            tree.fifo("p").time("f", 1, 1).time("l", 1, 1).time("p", 1, 1)
        };
        let (a, b) = (make("a"), change(make("b")));
        let found: Vec<_> = compare_trees(a.path(), b.path());
        let found: Vec<_> = found.iter().map(|d| (d.path().to_str().unwrap(), d.what().clone())).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn every_kind_of_difference_is_found() {
        check(|tree| tree, &[]);
        check(|tree| tree.remove("l").dir("d"), &[("d", What::Added), ("l", What::Missing)]);
        check(|tree| tree.remove("p").file("p", "").mode("p", 0o640), &[("p", What::Kind)]);
        check(|tree| tree.file("f", "2").time("f", 1, 1), &[("f", What::Contents), ("g", What::Contents)]);
        check(|tree| tree.remove("l").symlink("l", "g").time("l", 1, 1), &[("l", What::Target)]);
        check(|tree| tree.time("l", 1, 2), &[("l", What::Time)]);
        check(|tree| tree.mode("p", 0o600), &[("p", What::Mode)]);
        check(|tree| tree.remove("g").file("g", "1").time("g", 1, 1), &[("g", What::HardLinks)]);
        let xattr = || What::Xattr("user.x".to_owned());
        check(|tree| tree.xattr("f", "user.x", b""), &[("f", xattr()), ("g", xattr())]);
        if is_root() {
            check(|tree| tree.owner("l", 7, 7), &[("l", What::Owner)]);
        }
    }
}
