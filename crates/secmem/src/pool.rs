//! Hands out parts of a few pages, and wipes what comes back.
#![allow(unsafe_code, reason = "writes to memory taken by hand")]

use crate::pages::Pages;
use std::alloc::{Layout, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

/// Bytes of pages taken at once: the keys of a command fit.
const REGION: usize = 32 * 1024;
/// The smallest part; every part begins at a multiple of it.
pub(crate) const SLOT: usize = 64;

static POOL: Mutex<Vec<Region>> = Mutex::new(Vec::new());

struct Region {
    pages: Pages,
    used: [bool; REGION / SLOT],
}

impl Region {
    /// Marks the first run of so many free slots as used.
    fn reserve(&mut self, slots: usize) -> Option<NonNull<u8>> {
        let free = |start: &usize| self.used[*start..start + slots].iter().all(|used| !used);
        let start = (0..=self.used.len().checked_sub(slots)?).find(free)?;
        self.used[start..start + slots].fill(true);
        // SAFETY: the slot lies in the pages, which are at least as long as there are slots.
        Some(unsafe { self.pages.start().byte_add(start * SLOT) })
    }

    /// Marks the slots of a part as free again, if it is one of this region.
    fn release(&mut self, part: NonNull<u8>, slots: usize) -> bool {
        let Some(offset) = part.addr().get().checked_sub(self.pages.start().addr().get()) else {
            return false;
        };
        let start = offset / SLOT;
        self.used.get_mut(start..start + slots).is_some_and(|used| {
            used.fill(false);
            true
        })
    }
}

fn take_pages(bytes: usize) -> Pages {
    let layout = || Layout::from_size_align(bytes, SLOT).unwrap_or(Layout::new::<u64>());
    Pages::take(bytes).unwrap_or_else(|_| handle_alloc_error(layout()))
}

/// A part of secret pages that nobody else has; zero when it is taken, wiped and given back on drop.
pub(crate) struct Part {
    start: NonNull<u8>,
    length: usize,
    /// Its own pages, if it is too long for shared ones.
    own: Option<Pages>,
}

// SAFETY: nobody else has these bytes, and they are bound to no thread.
unsafe impl Send for Part {}
// SAFETY: through a shared reference nothing is written but by whoever wraps it, by Rust's own rules.
unsafe impl Sync for Part {}

impl Part {
    /// Takes at least so many bytes, aligned to [`SLOT`]. A system without memory ends the process, as for a `Box`.
    pub(crate) fn take(bytes: usize) -> Self {
        let slots = bytes.div_ceil(SLOT).max(1);
        let length = slots * SLOT;
        if length > REGION {
            let pages = take_pages(length);
            return Part { start: pages.start(), length, own: Some(pages) };
        }
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(start) = pool.iter_mut().find_map(|region| region.reserve(slots)) {
            return Part { start, length, own: None };
        }
        let mut region = Region { pages: take_pages(REGION), used: [false; REGION / SLOT] };
        region.used[..slots].fill(true);
        let start = region.pages.start();
        pool.push(region);
        Part { start, length, own: None }
    }

    /// Where it begins.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// How long it is.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    fn wipe(&mut self) {
        for at in 0..self.length / 8 {
            // SAFETY: the part is this long, aligned to 64, and ours; that it is volatile keeps the store.
            unsafe { self.start.cast::<u64>().add(at).write_volatile(0) };
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.wipe();
        if self.own.is_none() {
            let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
            pool.iter_mut().any(|region| region.release(self.start, self.length / SLOT));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_overlap_and_come_back_wiped() {
        let mut parts: Vec<Part> = (0..400).map(|number| Part::take(number * 7 % 900)).collect();
        for round in 0..3 {
            let mut ranges: Vec<_> =
                parts.iter().map(|part| (part.start().addr().get(), part.length())).collect();
            ranges.sort_unstable();
            assert!(ranges.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0));
            for part in &parts {
                // SAFETY: the part is ours and this long.
                let bytes = unsafe { std::slice::from_raw_parts_mut(part.start().as_ptr(), part.length()) };
                assert!(bytes.iter().all(|byte| *byte == 0 || round > 0));
                bytes.fill(7);
            }
            parts.truncate(300 - round * 100);
            let new = (0..50).map(|number| Part::take(number * 13));
            let new: Vec<Part> = new.collect();
            for part in &new {
                // SAFETY: as above.
                let bytes = unsafe { std::slice::from_raw_parts(part.start().as_ptr(), part.length()) };
                assert!(bytes.iter().all(|byte| *byte == 0));
            }
        }
    }

    #[test]
    fn what_is_too_long_has_pages_of_its_own() {
        let part = Part::take(REGION + 1);
        assert!(part.own.is_some() && part.length() > REGION);
    }
}
