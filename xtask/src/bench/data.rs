//! The data sets that are backed up.

use crate::{Result, process};
use std::cmp::Reverse;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use tresor_testkit::Random;

/// What to back up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Set {
    /// Debian's kernel source 6.1: many small files of text.
    Linux,
    /// Four random files of 512 MiB: nothing to compress, nothing to deduplicate.
    Rand,
    /// Two random files of 512 MiB.
    Gib,
    /// One random file of 8 GiB.
    OneRand,
    /// One file of 8 GiB of text: it compresses to a third, and no chunk of it comes twice.
    OneText,
}

impl Set {
    /// Its name in commands and tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Set::Linux => "linux",
            Set::Rand => "rand",
            Set::Gib => "gib",
            Set::OneRand => "one-rand",
            Set::OneText => "one-text",
        }
    }

    /// What matches a handful of its names, at most.
    fn pattern(self) -> &'static str {
        match self {
            Set::Linux => "*printk.h",
            Set::Rand | Set::Gib => "*-2.bin",
            Set::OneRand => "*-1.bin",
            Set::OneText => "*.txt",
        }
    }
}

/// Data to back up, and what of it to ask for.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) folder: PathBuf,
    /// What matches a handful of its names, at most.
    pub(super) pattern: &'static str,
    /// The file that is dumped.
    pub(super) file: PathBuf,
}

/// How long the file is in sets of one.
const ONE: usize = 8 << 30;
/// What is made and written at once.
const PART: usize = 1 << 20;

/// Where Debian's package `linux-source-6.1` puts the source.
const KERNEL: &str = "/usr/src/linux-source-6.1.tar.xz";

/// Makes the set below `dir`, from its origin.
pub(super) fn prepare(set: Set, dir: &Path) -> Result<Source> {
    let folder = empty_folder(dir, set.name())?;
    match set {
        Set::Linux => unpack_kernel(&folder)?,
        Set::Rand => make_random(&folder, 4, 512 << 20)?,
        Set::Gib => make_random(&folder, 2, 512 << 20)?,
        Set::OneRand => make_random(&folder, 1, ONE)?,
        Set::OneText => make_text(&folder)?,
    }
    Ok(Source { file: largest_file(&folder)?, pattern: set.pattern(), folder })
}

/// The folder for the data called `name`, with nothing in it.
pub(super) fn empty_folder(dir: &Path, name: &str) -> Result<PathBuf> {
    let folder = dir.join("data").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    eprintln!("preparing {}", folder.display());
    Ok(folder)
}

/// The largest file below `folder`, the first of them by name.
fn largest_file(folder: &Path) -> Result<PathBuf> {
    let mut largest = None;
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (metadata, path) = (entry.metadata()?, entry.path());
            if metadata.is_dir() {
                waiting.push(path);
            } else if metadata.is_file() {
                largest = largest.max(Some((metadata.len(), Reverse(path))));
            }
        }
    }
    Ok(largest.ok_or("the set has no files")?.1.0)
}

/// Puts the kernel source into `folder`, which is empty.
pub(crate) fn unpack_kernel(folder: &Path) -> Result<()> {
    if !Path::new(KERNEL).is_file() {
        return Err(format!(
            "{KERNEL} is missing: run `apt-get install --no-install-recommends linux-source-6.1`"
        )
        .into());
    }
    process::run(Command::new("tar").args(["--strip-components=1", "-xf", KERNEL, "-C"]).arg(folder))
}

fn make_random(folder: &Path, files: usize, length: usize) -> Result<()> {
    let mut random = Random::new(512);
    let mut part = vec![0; PART];
    for number in 1..=files {
        let mut file = File::create(folder.join(format!("random-{number}.bin")))?;
        for _ in 0..length / PART {
            random.fill(&mut part);
            file.write_all(&part)?;
        }
    }
    Ok(())
}

fn make_text(folder: &Path) -> Result<()> {
    let mut text = Text::new(8);
    let mut file = File::create(folder.join("text.txt"))?;
    for _ in 0..ONE / PART {
        file.write_all(text.part())?;
    }
    Ok(())
}

/// Words in no order.
struct Text {
    random: Random,
    vocabulary: Vec<Vec<u8>>,
    part: Vec<u8>,
}

impl Text {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let vocabulary = (0..4096).map(|_| a_word(&mut random)).collect();
        Text { random, vocabulary, part: Vec::with_capacity(PART + 16) }
    }

    /// The next [`PART`] bytes.
    fn part(&mut self) -> &[u8] {
        self.part.clear();
        while self.part.len() < PART {
            let word: &Vec<u8> = self.random.pick(&self.vocabulary);
            self.part.extend_from_slice(word);
        }
        &self.part[..PART]
    }
}

/// A few letters and what divides them from the next word.
fn a_word(random: &mut Random) -> Vec<u8> {
    let letters = random.within(2..=10);
    let mut word: Vec<u8> = (0..letters).map(|_| *random.pick(b"abcdefghijklmnopqrstuvwxyz")).collect();
    word.extend_from_slice(random.pick(&[" ", " ", " ", " ", " ", " ", ", ", ".\n"]).as_bytes());
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn text_is_the_same_each_time_and_never_repeats_itself() {
        let (mut first, mut again) = (Text::new(1), Text::new(1));
        let parts: Vec<Vec<u8>> = (0..3).map(|_| first.part().to_vec()).collect();
        assert!(parts.iter().all(|part| part.len() == PART && part == again.part()));
        let slices: Vec<&[u8]> = parts.iter().flat_map(|part| part.chunks(64)).collect();
        let different: HashSet<&[u8]> = slices.iter().copied().collect();
        assert_eq!(different.len(), slices.len());
    }

    #[test]
    fn the_largest_file_is_found_below() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("below")).unwrap();
        for (name, length) in [("a", 2), ("below/b", 5), ("below/c", 5)] {
            fs::write(folder.path().join(name), vec![0; length]).unwrap();
        }
        assert_eq!(largest_file(folder.path()).unwrap(), folder.path().join("below/b"));
    }
}
