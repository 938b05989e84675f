//! Whole source trees from a seed, and seeded changes to them.

use crate::Random;
use crate::tree::{TestTree, is_root, name};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// How large a generated tree is.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Regular files.
    pub files: usize,
    /// Directories to spread them over.
    pub directories: usize,
    /// The largest file, in bytes; most are much smaller.
    pub largest: usize,
}

impl Default for Spec {
    fn default() -> Self {
        Spec { files: 100, directories: 12, largest: 64 * 1024 }
    }
}

/// Fills `root` with ordinary files and directories; the same seed and spec give the same names, contents,
/// modes and times.
pub fn generate(root: impl Into<PathBuf>, seed: u64, spec: &Spec) -> TestTree {
    let mut random = Random::new(seed);
    let mut tree = TestTree::at(root);
    let mut directories = vec![PathBuf::new()];
    for number in 0..spec.directories {
        let parent: &PathBuf = random.pick(&directories);
        directories.push(parent.join(format!("dir-{number}")));
    }
    for number in 0..spec.files {
        let path =
            random.pick(&directories).join(format!("file-{number}.{}", random.pick(&["txt", "bin", "rs"])));
        let contents = contents(&mut random, spec.largest);
        let mode = *random.pick(&[0o600, 0o640, 0o644, 0o755]);
        tree = tree.file(&path, contents).mode(&path, mode);
        tree = tree.time(&path, random.within(0..=2_000_000_000) as i64, random.below(1_000_000_000) as i64);
    }
    for (number, path) in directories.iter().enumerate().rev() {
        tree = tree.dir(path).time(path, 1_500_000_000 + number as i64, 1);
    }
    tree
}

/// Text, noise or zeros; small ones more often than large ones.
fn contents(random: &mut Random, largest: usize) -> Vec<u8> {
    let length = largest >> random.below(8);
    let length = random.within(0..=length as u64) as usize;
    match random.below(4) {
        0 => random.bytes(length),
        1 => vec![0; length],
        _ => {
            let words = ["backup", "restore", "blob", "tree", "pack", "index", "\n"];
            let mut text = String::new();
            while text.len() < length {
                text.push_str(random.pick::<&str>(&words));
                text.push(' ');
            }
            text.truncate(length);
            text.into_bytes()
        }
    }
}

/// Changes at least one and about `percent` % of the regular files below `root`: appends to some, overwrites
/// others in the middle. Returns their paths. Which ones, and how, follows from `seed`.
pub fn mutate(root: impl AsRef<Path>, seed: u64, percent: f64) -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(root.as_ref(), &mut files);
    files.sort();
    let wanted = ((files.len() as f64 * percent / 100.0).ceil() as usize).min(files.len());
    let mut random = Random::new(seed);
    random.shuffle(&mut files);
    files.truncate(wanted);
    for path in &files {
        change(path, &mut random).unwrap_or_else(|e| panic!("cannot change {path:?}: {e}"));
    }
    files
}

fn change(path: &Path, random: &mut Random) -> std::io::Result<()> {
    let length = fs::metadata(path)?.len();
    let mut file = OpenOptions::new().write(true).open(path)?;
    let line = format!("changed {:016x}\n", random.word());
    let offset = if random.below(2) == 0 { length } else { random.within(0..=length) };
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(offset))?;
    file.write_all(line.as_bytes())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("cannot list {folder:?}: {e}"));
    for entry in entries.map(|entry| entry.expect("a listing of our own tree goes on")) {
        let kind = entry.file_type().expect("the kind of an entry of our own tree is known");
        if kind.is_dir() {
            collect(&entry.path(), files);
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
}

/// Names that break careless programs.
pub const ODD_NAMES: &[&[u8]] = &[
    b"\xff\xfe\x80",
    b"latin-\xe9",
    b"surrogate-\xed\xa0\x80",
    b"<html> & \"quotes\" 'single'",
    b"back\\slash",
    b"tab\tnewline\nreturn\r",
    b"bell\x07escape\x1bdelete\x7f",
    "unicode-\u{f6}\u{4f60}\u{1f600}".as_bytes(),
    "separators-\u{2028}\u{2029}\u{a0}\u{feff}\u{fffd}".as_bytes(),
    b"nfc-\xc3\xa9",
    b"nfd-e\xcc\x81",
    b" spaces at both ends ",
    b"-looks-like-a-flag",
    b".hidden",
    b"*glob?[x]",
    b"...",
    &[b'x'; 255],
];

/// A tree with everything a backup has to keep; what only root can make is left out for others.
pub fn oddities(root: impl Into<PathBuf>) -> TestTree {
    let mut tree = TestTree::at(root)
        .dir("empty-dir")
        .file("empty-file", "")
        .file("links/a", "one file, three names\n")
        .hard_link("links/a", "links/b")
        .hard_link("links/a", "elsewhere/c")
        .symlink("link-relative", "links/a")
        .symlink("link-nowhere", "/nonexistent/target")
        .symlink("link-raw", name(b"raw\xff\xfe<&>\"\\target"))
        .fifo("fifo")
        .socket("socket")
        .sparse("sparse", 5 * 1024 * 1024 + 17, &[(1024 * 1024, b"island"), (5 * 1024 * 1024, b"end")])
        .sparse("hole", 2 * 1024 * 1024 + 17, &[])
        .file("xattrs", "x")
        .xattr("xattrs", "user.zeta", b"\x00\xff\x01")
        .xattr("xattrs", "user.alpha", b"")
        .xattr("xattrs", "user.<html>&", b"v")
        .dir("xattr-dir")
        .xattr("xattr-dir", "user.dir", b"d")
        .file("acl", "readable by one more")
        .acl("acl", 1234)
        .file("several-chunks", Random::new(1).bytes(9 * 1024 * 1024))
        .file("text", "a line that repeats itself\n".repeat(20_000));
    tree = names_and_modes(tree);
    tree = if is_root() { only_root(tree) } else { tree };
    times(tree)
}

fn names_and_modes(mut tree: TestTree) -> TestTree {
    for odd in ODD_NAMES {
        tree = tree.file(Path::new("names").join(name(odd)), "odd");
    }
    let deep: PathBuf = (0..100).map(|level| format!("level-{level}")).collect();
    tree = tree.file(Path::new("deep").join(deep).join("leaf"), "deep\n");
    for mode in [0o4755, 0o2755, 0o600, 0o777, 0o444] {
        let path = format!("modes/{mode:04o}");
        tree = tree.file(&path, "mode").mode(&path, mode);
    }
    tree.dir("modes/sticky").mode("modes/sticky", 0o1777).dir("modes/private").mode("modes/private", 0o700)
}

fn only_root(tree: TestTree) -> TestTree {
    tree.char_device("char-device", 1, 3)
        .block_device("block-device", 259, 300)
        .file("modes/0000", "unreadable for others")
        .mode("modes/0000", 0)
        .file("owned", "o")
        .owner("owned", 54321, 54322)
        .symlink("owned-link", "owned")
        .owner("owned-link", 1, 1)
        .file("capability", "c")
        .capability("capability")
        .xattr("xattrs", "trusted.t", b"1")
        .xattr("link-relative", "trusted.on-link", b"L")
}

fn times(mut tree: TestTree) -> TestTree {
    let times = [(-1, 0), (-2_147_483_648, 0), (0, 0), (1_700_000_000, 123_456_789), (2_147_483_648, 1)];
    for (seconds, nanoseconds) in times {
        let path = format!("times/{seconds}");
        tree = tree.file(&path, "time").time(&path, seconds, nanoseconds);
    }
    // Beyond what 64 bits of ns since 1970 can say (2262), yet within ext4's range (2446).
    tree = tree.file("times/2400", "time").time("times/2400", 13_569_465_600, 999_999_999);
    tree.time("link-nowhere", 1_000_000_000, 5).time("times", 1_234_567_890, 987_654_321)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Difference, assert_same, compare_trees};

    #[test]
    fn one_seed_gives_one_tree() {
        let folder = tempfile::tempdir().unwrap();
        let spec = Spec { files: 40, ..Spec::default() };
        let one = generate(folder.path().join("one"), 5, &spec);
        let two = generate(folder.path().join("two"), 5, &spec);
        assert_same(one.path(), two.path());
        let other = generate(folder.path().join("other"), 6, &spec);
        assert!(!compare_trees(one.path(), other.path()).is_empty());
    }

    #[test]
    fn a_mutation_changes_just_the_files_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let spec = Spec { files: 100, ..Spec::default() };
        let (before, after) =
            (generate(folder.path().join("a"), 1, &spec), generate(folder.path().join("b"), 1, &spec));
        let changed = mutate(after.path(), 9, 5.0);
        assert_eq!(changed.len(), 5);
        let mut changed: Vec<_> =
            changed.iter().map(|path| path.strip_prefix(after.path()).unwrap()).collect();
        changed.sort();
        let differences = compare_trees(before.path(), after.path());
        let mut differing: Vec<_> = differences.iter().map(Difference::path).collect();
        differing.dedup();
        assert_eq!(differing, changed);
    }
}
