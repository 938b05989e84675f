//! Empties the page cache, so that what is read next comes from the disk.

use crate::Result;
use std::fs;

/// Where the system is told to.
const SWITCH: &str = "/proc/sys/vm/drop_caches";

/// Drops what the system holds in memory of files and folders, as far as it is on the disk.
pub(super) fn drop_page_cache() -> Result<()> {
    let told = fs::write(SWITCH, "3");
    told.map_err(|e| format!("cold rows empty the page cache, which only root may: {SWITCH}: {e}").into())
}
