//! What a restore is asked to do, and what it tells.

use crate::filter::{Excludes, Includes, PatternList, Selection};
use tresor_repo::Monitor;

/// How to restore.
#[derive(Debug, Clone, Default)]
pub struct RestoreOptions {
    /// What to do with files that are there already.
    pub overwrite: Overwrite,
    /// Remove what is in a restored directory and not in the snapshot.
    pub delete: bool,
    /// Change nothing: tell what would be done.
    pub dry_run: bool,
    /// Leave holes where new files are zero.
    pub sparse: bool,
    /// Take the owners' names rather than their numbers, where this system knows them.
    pub ownership_by_name: bool,
    /// Leave out what gives power: set-id bits, devices, the system's own attributes, owners.
    pub distrust_metadata: bool,
    /// Which paths of the snapshot.
    pub select: Selector,
    /// Which extended attributes.
    pub xattrs: XattrFilter,
}

/// What to do with files that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overwrite {
    /// Compare the content and write what differs.
    #[default]
    Always,
    /// As always, but a file of equal size and modification time is taken for equal.
    IfChanged,
    /// Leave what is not older than the snapshot's.
    IfNewer,
    /// Leave it.
    Never,
}

/// Which paths of the snapshot are restored.
#[derive(Debug, Clone, Default)]
pub enum Selector {
    /// All.
    #[default]
    Everything,
    /// All but these and what is below them.
    Excludes(Excludes),
    /// Only these.
    Includes(Includes),
}

impl Selector {
    /// What to do with the item at `path`.
    pub fn select(&self, path: &[u8]) -> Selection {
        match self {
            Selector::Everything => Selection { selected: true, descend: true },
            Selector::Excludes(excludes) => {
                let selected = !excludes.rejects(path);
                Selection { selected, descend: selected }
            }
            Selector::Includes(includes) => includes.select(path),
        }
    }
}

/// Which extended attributes are set and removed; the others are left as they are.
#[derive(Debug, Clone, Default)]
pub enum XattrFilter {
    /// All.
    #[default]
    Everything,
    /// All but those whose name matches.
    Excludes(PatternList),
    /// Only those whose name matches.
    Includes(PatternList),
}

impl XattrFilter {
    /// Whether the attribute is one to set and remove.
    pub fn takes(&self, name: &[u8]) -> bool {
        match self {
            XattrFilter::Everything => true,
            XattrFilter::Excludes(names) => !names.matches(name),
            XattrFilter::Includes(names) => names.matches(name),
        }
    }
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It was made anew, or got its metadata (directories).
    Restored,
    /// An existing file was changed where it differed.
    Updated,
    /// It was as it should be, or was to be left alone.
    Unchanged,
    /// It was removed: not in the snapshot.
    Deleted,
}

/// Receives what a restore has to tell; every method may be called from several threads.
pub trait RestoreMonitor: Monitor {
    /// More files and directories (and bytes of files) are to be restored; only while planning.
    fn planned(&self, _items: u64, _bytes: u64) {}
    /// An item is done. Its path is that in the snapshot; of deleted ones the full path on disk.
    /// Only regular files have a size.
    fn item(&self, _action: Action, _path: &[u8], _size: Option<u64>) {}
    /// Bytes of a file were written, or found to be there already in a file that is updated.
    fn restored_bytes(&self, _bytes: u64) {}
    /// Something in the snapshot that this system has no use for; each text once.
    fn warning(&self, _text: &str) {}
}

/// What was done, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RestoreCounts {
    /// Files, directories and others that were to be restored; those left alone do not count.
    pub total_files: u64,
    /// Those that were; parents of selected items count here and not above.
    pub files_restored: u64,
    /// Those found as they should be, or to be left alone.
    pub files_skipped: u64,
    /// Those removed, each file and directory.
    pub files_deleted: u64,
    /// Size of the files that were to be restored.
    pub total_bytes: u64,
    /// Bytes written, or found to be there already in files that were updated.
    pub bytes_restored: u64,
    /// Size of the files that were skipped.
    pub bytes_skipped: u64,
}

/// The outcome of a restore.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RestoreReport {
    /// What was done.
    pub counts: RestoreCounts,
    /// Problems noted, those of the plan with them; with any of them the program exits 1.
    pub problems: u64,
}
