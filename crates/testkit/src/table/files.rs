//! Folders in lines: what a case left behind, and whether a source is still what it was.

use crate::table::mask::Masks;
use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Longer files are shown by their hash.
const SHOWN: usize = 4096;

/// Everything below `root` but what lies below `without`, a line a file.
pub(super) fn picture(root: &Path, without: &[PathBuf], masks: &Masks) -> Vec<String> {
    let mut lines = Vec::new();
    for path in below(root, without) {
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let owner = format!("{}:{}", metadata.uid(), metadata.gid());
        let time = time(&metadata);
        let what = if metadata.is_symlink() {
            format!("-> {}", fs::read_link(&path).unwrap_or_default().display())
        } else if metadata.is_file() {
            content(&fs::read(&path).unwrap_or_default(), masks)
        } else {
            String::new()
        };
        lines.push(format!("{} {:o} {owner} {time} {what}", masks.text(&shown), metadata.mode()));
    }
    lines
}

/// When a file was modified; not if that was just now.
fn time(metadata: &fs::Metadata) -> String {
    let age = metadata.modified().ok().and_then(|time| time.elapsed().ok());
    match age.is_none_or(|age| age.as_secs() < 86_400) {
        true => "now".into(),
        false => format!("{}.{:09}", metadata.mtime(), metadata.mtime_nsec()),
    }
}

fn content(bytes: &[u8], masks: &Masks) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.len() <= SHOWN => format!("{:?}", masks.lines(text.as_bytes()).join("\n")),
        _ => Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// Two stamps of a folder are equal if nothing below it was touched.
pub(super) fn stamp(root: &Path) -> Vec<(PathBuf, [i64; 5])> {
    let stamped = below(root, &[]).into_iter().chain([root.to_owned()]);
    let stamped = stamped.filter_map(|path| {
        let metadata = fs::symlink_metadata(&path).ok()?;
        let inode = i64::try_from(metadata.ino()).unwrap_or_default();
        let (change, time) = (metadata.ctime(), metadata.mtime());
        Some((path, [inode, change, metadata.ctime_nsec(), time, metadata.mtime_nsec()]))
    });
    stamped.collect()
}

/// The repositories directly in `root`.
pub(super) fn repositories(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<_> = entries.filter(|path| path.join("keys").is_dir()).collect();
    found.sort();
    found
}

fn below(root: &Path, without: &[PathBuf]) -> Vec<PathBuf> {
    let mut waiting = vec![root.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = waiting.pop() {
        for path in fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if without.contains(&path) {
                continue;
            }
            if path.is_dir() && !path.is_symlink() {
                waiting.push(path.clone());
            }
            found.push(path);
        }
    }
    found.sort();
    found
}
