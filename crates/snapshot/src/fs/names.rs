//! The names in a directory, sorted by their bytes: in one buffer, or in a file if very many.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::path::PathBuf;

use tresor_repo::scratch::{Scratch, Window};

/// Bytes of the length in front of a name in a scratch file.
const LENGTH: usize = 2;

/// The names in a directory, without `.` and `..`; made once and filled again for the next directory.
#[derive(Default)]
pub struct Names {
    bytes: Vec<u8>,
    spans: Vec<(usize, u16)>,
    /// Where to put what is too much, and from how many bytes on; nowhere by default.
    spill: Option<(PathBuf, usize)>,
    /// Sorted runs in one file, each from one offset to the next; after sorting, a single one.
    spilled: Option<Spilled>,
}

struct Spilled {
    scratch: Scratch,
    runs: Vec<(u64, u64)>,
}

/// A place among the names.
#[derive(Default)]
pub struct Cursor {
    /// Which of the names; where in the file.
    at: u64,
    window: Window,
}

impl Names {
    /// Room for names that go to a scratch file in `folder` when they take more than `longest` bytes.
    pub fn spilling(folder: PathBuf, longest: usize) -> Names {
        Names { spill: Some((folder, longest)), ..Names::default() }
    }

    /// Room for the names of another directory, which are spilled to the same folder.
    pub fn another(&self) -> Names {
        Names { spill: self.spill.clone(), ..Names::default() }
    }

    /// How many bytes they take in memory.
    fn size(&self) -> usize {
        self.bytes.len() + self.spans.len() * size_of::<(usize, u16)>()
    }

    /// Whether they are too many for memory.
    pub fn are_spilled(&self) -> bool {
        self.spilled.is_some()
    }

    /// The name at `cursor`; none at the end.
    ///
    /// # Errors
    /// Those of reading the scratch file.
    pub fn at<'n>(&'n self, cursor: &'n mut Cursor) -> io::Result<Option<&'n [u8]>> {
        match &self.spilled {
            None => {
                let span = usize::try_from(cursor.at).ok().and_then(|at| self.spans.get(at));
                Ok(span.map(|&span| name(&self.bytes, span)))
            }
            Some(Spilled { scratch, runs }) => match runs.first() {
                Some(&(_, end)) if cursor.at < end => read(scratch, &mut cursor.window, cursor.at).map(Some),
                _ => Ok(None),
            },
        }
    }

    /// Moves on by one name, of which the length is known.
    pub fn advance(&self, cursor: &mut Cursor, length: usize) {
        cursor.at += if self.are_spilled() { (LENGTH + length) as u64 } else { 1 };
    }

    /// Hands over all names in ascending order.
    ///
    /// # Errors
    /// Those of reading the scratch file.
    pub fn for_each(&self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        let mut cursor = Cursor::default();
        while let Some(name) = self.at(&mut cursor)? {
            let length = name.len();
            each(name);
            self.advance(&mut cursor, length);
        }
        Ok(())
    }

    /// Forgets all names.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
        self.spilled = None;
    }

    /// Adds one; names too long for any file system are cut, so they lead to a file that does not exist.
    pub(super) fn push(&mut self, name: &[u8]) -> io::Result<()> {
        if name == b"." || name == b".." {
            return Ok(());
        }
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        self.spans.push((self.bytes.len(), length));
        self.bytes.extend_from_slice(&name[..usize::from(length)]);
        match &self.spill {
            Some((_, longest)) if self.size() > *longest => self.spill_run(),
            _ => Ok(()),
        }
    }

    /// Sorts by bytes; a name listed twice (a directory that changes while it is read) stays once.
    pub(super) fn sort(&mut self) -> io::Result<()> {
        if self.spilled.is_none() {
            self.sort_in_memory();
            return Ok(());
        }
        self.spill_run()?;
        (self.bytes, self.spans) = (Vec::new(), Vec::new());
        let (Some(Spilled { scratch, runs }), Some((folder, _))) = (&self.spilled, &self.spill) else {
            return Ok(());
        };
        let mut merged = Scratch::new(folder).map_err(io::Error::other)?;
        merge(scratch, runs, &mut merged)?;
        let runs = vec![(0, merged.len())];
        self.spilled = Some(Spilled { scratch: merged, runs });
        Ok(())
    }

    fn sort_in_memory(&mut self) {
        let bytes = &self.bytes;
        self.spans.sort_unstable_by(|&a, &b| name(bytes, a).cmp(name(bytes, b)));
        self.spans.dedup_by(|a, b| name(bytes, *a) == name(bytes, *b));
    }

    /// Puts what is in memory into the file, sorted.
    fn spill_run(&mut self) -> io::Result<()> {
        self.sort_in_memory();
        if self.spilled.is_none() {
            let (folder, _) = self.spill.as_ref().expect("only who has a folder spills");
            let scratch = Scratch::new(folder).map_err(io::Error::other)?;
            self.spilled = Some(Spilled { scratch, runs: Vec::new() });
        }
        if let Some(Spilled { scratch, runs }) = &mut self.spilled {
            let start = scratch.len();
            for &span in &self.spans {
                append(scratch, name(&self.bytes, span))?;
            }
            runs.push((start, scratch.len()));
        }
        self.bytes.clear();
        self.spans.clear();
        Ok(())
    }
}

/// Merges sorted runs into one, each name once.
fn merge(scratch: &Scratch, runs: &[(u64, u64)], merged: &mut Scratch) -> io::Result<()> {
    let mut windows: Vec<Window> = runs.iter().map(|_| Window::default()).collect();
    let mut next: Vec<u64> = runs.iter().map(|(start, _)| *start).collect();
    let mut heads: BinaryHeap<Reverse<(Vec<u8>, usize)>> = BinaryHeap::new();
    let mut last: Option<Vec<u8>> = None;
    let mut refill: Vec<usize> = (0..runs.len()).collect();
    loop {
        for run in refill.drain(..) {
            if next[run] < runs[run].1 {
                let name = read(scratch, &mut windows[run], next[run])?.to_vec();
                next[run] += (LENGTH + name.len()) as u64;
                heads.push(Reverse((name, run)));
            }
        }
        let Some(Reverse((name, run))) = heads.pop() else { return Ok(()) };
        if last.as_ref() != Some(&name) {
            append(merged, &name)?;
            last = Some(name);
        }
        refill.push(run);
    }
}

fn append(scratch: &mut Scratch, name: &[u8]) -> io::Result<()> {
    let length = (name.len() as u16).to_le_bytes(); // as it was pushed
    scratch.append(&[&length, name]).map_err(io::Error::other)?;
    Ok(())
}

fn read<'w>(scratch: &Scratch, window: &'w mut Window, at: u64) -> io::Result<&'w [u8]> {
    let length = scratch.read(window, at, LENGTH).map_err(io::Error::other)?;
    let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
    scratch.read(window, at + LENGTH as u64, length).map_err(io::Error::other)
}

fn name(bytes: &[u8], (start, length): (usize, u16)) -> &[u8] {
    &bytes[start..start + usize::from(length)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(longest: usize) -> (bool, Vec<Vec<u8>>) {
        let mut names = Names::spilling(std::env::temp_dir(), longest);
        for number in (0..3000_u32).chain([5, 7, 2999]) {
            let scattered = number.wrapping_mul(2_654_435_761) % 3001;
            names.push(format!("{scattered}-{}", "n".repeat(number as usize % 90)).as_bytes()).unwrap();
        }
        names.sort().unwrap();
        let mut all = Vec::new();
        names.for_each(|name| all.push(name.to_vec())).unwrap();
        (names.are_spilled(), all)
    }

    #[test]
    fn names_are_the_same_in_memory_and_in_a_file() {
        let (spilled, expected) = sorted(usize::MAX);
        assert!(!spilled && expected.is_sorted_by(|a, b| a < b) && expected.len() == 3000);
        for longest in [100, 5000, 100_000] {
            assert!(sorted(longest) == (true, expected.clone()), "{longest}");
        }
    }
}
