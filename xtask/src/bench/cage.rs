//! A memory cgroup, of version 1 or 2: so much memory and no more, page cache included.

use crate::Result;
use std::fs;
use std::path::{Path, PathBuf};

/// Where version 1 keeps memory.
const FIRST: &str = "/sys/fs/cgroup/memory";
/// Where version 2 keeps everything.
const SECOND: &str = "/sys/fs/cgroup";

/// A group that this process is in until it is dropped.
pub(crate) struct Cage {
    folder: PathBuf,
    /// The group that the process was in before.
    before: PathBuf,
}

impl Cage {
    /// Whether this process may make such a group; if not, the reason.
    pub(crate) fn is_possible() -> Result<()> {
        Cage::make("tried").and_then(|folder| Ok(fs::remove_dir(folder)?))
    }

    /// Puts this process, and what it starts from now on, into a group with so many MiB.
    pub(super) fn enter(mebibytes: u64) -> Result<Self> {
        let folder = Cage::make("run")?;
        let cage = Cage { before: current_group()?, folder };
        let limit = (mebibytes << 20).to_string();
        if is_first() {
            fs::write(cage.folder.join("memory.limit_in_bytes"), limit)?;
        } else {
            fs::write(cage.folder.join("memory.max"), limit)?;
            let _ = fs::write(cage.folder.join("memory.swap.max"), "0"); // there may be no swap to forbid
        }
        join(&cage.folder)?;
        Ok(cage)
    }

    /// A new group for this process alone.
    fn make(purpose: &str) -> Result<PathBuf> {
        let name = format!("tresor-{purpose}-{}", std::process::id());
        let folder = root().join(name);
        fs::create_dir(&folder)
            .map_err(|e| format!("no memory cgroup can be made: {}: {e}", folder.display()))?;
        if folder.join("memory.limit_in_bytes").exists() || folder.join("memory.max").exists() {
            return Ok(folder);
        }
        fs::remove_dir(&folder)?;
        Err("no cgroup here limits memory".into())
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        // What cannot be undone now is undone by nobody: an empty group stays behind.
        let _ = join(&self.before);
        let _ = fs::remove_dir(&self.folder);
    }
}

fn is_first() -> bool {
    Path::new(FIRST).join("memory.limit_in_bytes").exists()
}

fn root() -> &'static Path {
    Path::new(if is_first() { FIRST } else { SECOND })
}

fn join(group: &Path) -> Result<()> {
    Ok(fs::write(group.join("cgroup.procs"), std::process::id().to_string())?)
}

/// The group that this process is in.
fn current_group() -> Result<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup")?;
    let own = group_in(&groups, is_first()).ok_or("this process is in no memory cgroup")?;
    Ok(root().join(own.trim_start_matches('/')))
}

/// Finds the memory group in lines such as `4:memory:/some/group` or `0::/some/group`.
fn group_in(groups: &str, first: bool) -> Option<&str> {
    groups.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let wanted = if first { "memory" } else { "" };
        controllers.split(',').any(|controller| controller == wanted).then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_memory_is_found_in_both_versions() {
        let groups = "5:cpu,cpuacct:/a\n4:memory:/b\n0::/c\n";
        assert_eq!((group_in(groups, true), group_in(groups, false)), (Some("/b"), Some("/c")));
        assert_eq!(group_in("1:cpu:/a\n", true), None);
    }
}
