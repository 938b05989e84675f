//! What the kernel knows of: entries by number until it forgets them, and what it has opened.

use hashbrown::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tresor_snapshot::vfs::{Entry, Item, OpenFile};

/// Entries by number, each with how often the kernel was told of it.
pub(crate) struct Known {
    root: Item,
    items: Mutex<HashMap<u64, (Item, u64)>>,
}

impl Known {
    pub(crate) fn new(root: Item) -> Self {
        Known { root, items: Mutex::default() }
    }

    /// The entry of a number that the kernel was told of.
    pub(crate) fn get(&self, inode: u64) -> Option<Item> {
        if inode == self.root.inode() {
            return Some(self.root.clone());
        }
        self.items().get(&inode).map(|(item, _)| item.clone())
    }

    /// Notes that the kernel is told of an entry once more.
    pub(crate) fn tell(&self, item: &Item) {
        if item.inode() != self.root.inode() {
            self.items().entry(item.inode()).or_insert_with(|| (item.clone(), 0)).1 += 1;
        }
    }

    /// Notes that the kernel forgets what it was told so often.
    pub(crate) fn forget(&self, inode: u64, times: u64) {
        let mut items = self.items();
        if let Some((_, told)) = items.get_mut(&inode) {
            *told = told.saturating_sub(times);
            if *told == 0 {
                items.remove(&inode);
            }
        }
    }

    fn items(&self) -> MutexGuard<'_, HashMap<u64, (Item, u64)>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is open, by number.
pub(crate) struct Open<T> {
    next: AtomicU64,
    open: Mutex<HashMap<u64, Arc<T>>>,
}

/// A file in reading.
pub(crate) type Files = Open<OpenFile>;
/// A folder's entries as they were when it was opened.
pub(crate) type Folders = Open<Vec<Entry>>;

impl<T> Open<T> {
    pub(crate) fn new() -> Self {
        Open { next: AtomicU64::new(1), open: Mutex::default() }
    }

    pub(crate) fn insert(&self, opened: T) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.open().insert(number, Arc::new(opened));
        number
    }

    pub(crate) fn get(&self, number: u64) -> Option<Arc<T>> {
        self.open().get(&number).cloned()
    }

    pub(crate) fn remove(&self, number: u64) {
        self.open().remove(&number);
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<T>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
