//! A worker's open directories of the target: few at a time, found by their place in the table.

use crate::restore::items::DirNumber;
use crate::restore::table::Table;
use crate::restore::target::{Dir, Target};
use rustix::io::Result;
use std::sync::Arc;

/// Directories that one worker keeps open.
const AT_ONCE: usize = 32;

/// The directories that a worker used last.
pub(crate) struct OpenDirs<'a> {
    target: &'a Target,
    open: Vec<Open>,
    clock: u64,
}

struct Open {
    number: DirNumber,
    dir: Arc<Dir>,
    used: u64,
}

impl<'a> OpenDirs<'a> {
    pub(crate) fn new(target: &'a Target) -> Self {
        OpenDirs { target, open: Vec::with_capacity(AT_ONCE), clock: 0 }
    }

    /// The directory, opened unless it still is.
    pub(crate) fn get(&mut self, table: &Table, number: DirNumber) -> Result<Arc<Dir>> {
        self.clock += 1;
        if let Some(open) = self.open.iter_mut().find(|open| open.number == number) {
            open.used = self.clock;
            return Ok(Arc::clone(&open.dir));
        }
        let dir = Arc::new(self.target.open_dir(&table.target_path(number))?);
        if self.open.len() == AT_ONCE {
            let oldest = (0..AT_ONCE).min_by_key(|place| self.open[*place].used);
            self.open.swap_remove(oldest.expect("there are some"));
        }
        self.open.push(Open { number, dir: Arc::clone(&dir), used: self.clock });
        Ok(dir)
    }
}
