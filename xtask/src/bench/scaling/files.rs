//! Small files, as many as wanted: the same names and contents each time, no two of them alike.

use crate::Result;
use crate::bench::data::{self, Source};
use std::fs;
use std::path::{Path, PathBuf};
use tresor_testkit::Random;

/// How many files a folder has.
const IN_A_FOLDER: usize = 1000;
/// How many folders a folder has, as long as there are enough.
const FOLDERS_IN_A_FOLDER: usize = 8;
/// What files are made of.
const LETTERS: &[u8] = b"aaabcdeeeefghiiijklmnooopqrstuuvwxyz      ..\n";

/// Makes `count` files below `dir`.
pub(super) fn prepare(count: usize, dir: &Path) -> Result<Source> {
    let folder = data::empty_folder(dir, "small")?;
    let mut last = None;
    for file in small_files(count) {
        let path = folder.join(&file.folder).join(&file.name);
        if last.as_ref() != Some(&file.folder) {
            fs::create_dir_all(folder.join(&file.folder))?;
            last = Some(file.folder);
        }
        fs::write(path, file.contents)?;
    }
    let first = small_files(1).next().ok_or("one file is the least")?;
    Ok(Source { file: folder.join(first.folder).join(first.name), folder, pattern: "*-1.*" })
}

/// A file to be made.
#[derive(Debug, PartialEq)]
struct SmallFile {
    folder: PathBuf,
    name: String,
    contents: Vec<u8>,
}

/// The first `count` files, folder by folder.
fn small_files(count: usize) -> impl Iterator<Item = SmallFile> {
    let mut random = Random::new(100);
    (0..count).map(move |number| {
        let extension = random.pick(&["txt", "md", "rs", "h", "json"]);
        let name = format!("{:06x}-{number}.{extension}", random.below(1 << 24));
        let length = random.within(80..=120);
        let contents = (0..length).map(|_| *random.pick(LETTERS)).collect();
        SmallFile { folder: folder(number / IN_A_FOLDER), name, contents }
    })
}

/// The path of the folder with this number, which lies in another that has a smaller one.
fn folder(number: usize) -> PathBuf {
    match number {
        0 => PathBuf::new(),
        _ => folder((number - 1) / FOLDERS_IN_A_FOLDER).join(format!("folder-{number}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, HashSet};

    #[test]
    fn files_are_the_same_each_time_and_no_two_are_alike() {
        let files: Vec<SmallFile> = small_files(2500).collect();
        assert_eq!(files, small_files(2500).collect::<Vec<_>>());
        assert_eq!(files[..10], small_files(10).collect::<Vec<_>>());
        let names: HashSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
        let contents: HashSet<&[u8]> = files.iter().map(|file| file.contents.as_slice()).collect();
        assert_eq!((names.len(), contents.len()), (2500, 2500));
        assert!(files.iter().all(|file| (80..=120).contains(&file.contents.len())));
    }

    #[test]
    fn folders_have_a_thousand_files_and_lie_in_each_other() {
        let mut folders = BTreeMap::new();
        for file in small_files(10_001) {
            *folders.entry(file.folder).or_insert(0) += 1;
        }
        let deep = Path::new("folder-1/folder-9");
        assert_eq!(folders.len(), 11);
        assert_eq!(
            (folders[Path::new("")], folders[deep], folders[Path::new("folder-2")]),
            (1000, 1000, 1000)
        );
        assert_eq!(folders[Path::new("folder-1/folder-10")], 1);
    }

    #[test]
    fn the_file_to_ask_for_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let source = prepare(3, dir.path()).unwrap();
        assert!(source.file.is_file());
        assert_eq!(fs::read_dir(source.folder).unwrap().count(), 3);
    }
}
