//! A memory cgroup, of version 1 or 2, page cache included; it goes away with its value.

use crate::Result;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

/// What the files of a memory controller are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Version {
    fn limit(self) -> &'static str {
        if self == Version::One { "memory.limit_in_bytes" } else { "memory.max" }
    }

    /// The limit of what is swapped out, which version 1 counts together with memory.
    fn swap(self, limit: u64) -> (&'static str, u64) {
        if self == Version::One { ("memory.memsw.limit_in_bytes", limit) } else { ("memory.swap.max", 0) }
    }

    fn peak(self) -> &'static str {
        if self == Version::One { "memory.max_usage_in_bytes" } else { "memory.peak" }
    }

    /// Where `oom_kill` is counted.
    fn events(self) -> &'static str {
        if self == Version::One { "memory.oom_control" } else { "memory.events" }
    }
}

/// A control group that holds no process any more when it is dropped.
pub(crate) struct Group {
    path: PathBuf,
    version: Version,
}

impl Group {
    /// Below the group of this process, or as near to it as the system lets: all within share `limit` bytes.
    pub(crate) fn limited(name: &str, limit: u64) -> Result<Group> {
        let mut refusals = Vec::new();
        for (version, folder) in candidates()? {
            match Group::at(version, &folder, name).and_then(|group| group.limit(limit)) {
                Ok(group) => return Ok(group),
                Err(error) => refusals.push(format!("{}: {error}", folder.display())),
            }
        }
        let why = if refusals.is_empty() { "none is mounted".to_owned() } else { refusals.join("; ") };
        Err(format!("this machine has no memory controller that can be written to: {why}").into())
    }

    /// One of so many MiB, named after this process and what it is for.
    pub(crate) fn of_this_process(purpose: &str, mebibytes: u64) -> Result<Group> {
        Group::limited(&format!("tresor-{purpose}-{}", std::process::id()), mebibytes << 20)
    }

    fn at(version: Version, parent: &Path, name: &str) -> io::Result<Group> {
        if version == Version::Two {
            fs::write(parent.join("cgroup.subtree_control"), "+memory")?;
        }
        let path = parent.join(name);
        fs::create_dir(&path)?;
        Ok(Group { path, version })
    }

    fn limit(self, limit: u64) -> io::Result<Group> {
        fs::write(self.path.join(self.version.limit()), limit.to_string())?;
        let (swap, most) = self.version.swap(limit);
        if self.path.join(swap).exists() {
            fs::write(self.path.join(swap), most.to_string())?;
        }
        Ok(self)
    }

    /// A group within this one, which counts for itself.
    pub(crate) fn within(&self, name: &str) -> io::Result<Group> {
        Group::at(self.version, &self.path, name)
    }

    /// `command`, with all it starts, in this group from its first instruction.
    pub(crate) fn holding(&self, command: &Command) -> Command {
        let mut held = Command::new("sh");
        held.args(["-c", r#"echo $$ > "$0" && exec "$@""#]).arg(self.path.join("cgroup.procs"));
        held.arg(command.get_program()).args(command.get_args());
        held.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(folder) = command.get_current_dir() {
            held.current_dir(folder);
        }
        held
    }

    /// The most bytes that it held, with the page cache; none if the system does not say.
    pub(crate) fn peak(&self) -> Option<u64> {
        fs::read_to_string(self.path.join(self.version.peak())).ok()?.trim().parse().ok()
    }

    /// How many processes the system killed in it for want of memory.
    pub(crate) fn killed(&self) -> Result<u64> {
        let events = fs::read_to_string(self.path.join(self.version.events()))?;
        Ok(number_after(&events, "oom_kill ").ok_or("the system does not count what it kills")?)
    }

    /// Puts this process into it, until the answer is dropped.
    pub(crate) fn enter(self) -> Result<Entered> {
        let own = candidates()?.into_iter().find(|(version, _)| *version == self.version);
        let (_, before) = own.ok_or("this process is in no memory cgroup")?;
        let entered = Entered { group: self, before };
        join(&entered.group.path)?;
        Ok(entered)
    }
}

/// A group that this process, and what it starts, is in.
pub(crate) struct Entered {
    group: Group,
    /// The group that the process was in before.
    before: PathBuf,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let _ = join(&self.before); // what cannot be undone now is undone by nobody: a group stays behind
    }
}

fn join(group: &Path) -> io::Result<()> {
    fs::write(group.join("cgroup.procs"), std::process::id().to_string())
}

impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..50 {
            match fs::remove_dir(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    thread::sleep(Duration::from_millis(20)); // the last process is still being taken down
                }
                _ => return,
            }
        }
    }
}

/// The groups that a new one could be made in: of each memory controller that of this process, and those above.
fn candidates() -> Result<Vec<(Version, PathBuf)>> {
    let (mounts, own) = (fs::read_to_string("/proc/self/mounts")?, fs::read_to_string("/proc/self/cgroup")?);
    let mut found = Vec::new();
    for (version, root) in controllers(&mounts) {
        if version == Version::Two {
            let offered = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
            if !offered.split_whitespace().any(|controller| controller == "memory") {
                continue;
            }
        }
        let within = own_group(&own, version).unwrap_or_default();
        let groups = Path::new(within.trim_start_matches('/')).ancestors();
        found.extend(groups.map(|group| (version, root.join(group))).filter(|(_, folder)| folder.is_dir()));
    }
    Ok(found)
}

/// Where the system shows memory controllers, by its list of mounts.
fn controllers(mounts: &str) -> Vec<(Version, PathBuf)> {
    let of_line = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (place, kind, options) = (words.next()?, words.next()?, words.next()?);
        let has_memory = options.split(',').any(|option| option == "memory");
        match kind {
            "cgroup2" => Some((Version::Two, place.into())),
            "cgroup" if has_memory => Some((Version::One, place.into())),
            _ => None,
        }
    };
    mounts.lines().filter_map(of_line).collect()
}

/// The group of a process, by what the system says of it.
fn own_group(groups: &str, version: Version) -> Option<&str> {
    groups.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let is_it = match version {
            Version::One => controllers.split(',').any(|controller| controller == "memory"),
            Version::Two => controllers.is_empty(),
        };
        is_it.then_some(path)
    })
}

/// The number that follows `word` at the beginning of a line.
pub(crate) fn number_after(text: &str, word: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(word))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_found_among_mounts_and_groups() {
        let mounts = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
            cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0\n\
            cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n\
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let [one, two] = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"].map(PathBuf::from);
        assert_eq!(controllers(mounts), [(Version::One, one), (Version::Two, two)]);
        let groups = "5:cpu,cpuacct:/\n4:memory:/below/it\n0::/user.slice\n";
        assert_eq!(own_group(groups, Version::One), Some("/below/it"));
        assert_eq!(own_group(groups, Version::Two), Some("/user.slice"));
        assert_eq!(own_group("5:cpu:/\n", Version::One), None);
    }

    #[test]
    fn numbers_are_read_from_files_of_the_system() {
        assert_eq!(number_after("under_oom 0\noom_kill 3\n", "oom_kill "), Some(3));
        assert_eq!(number_after("VmRSS:\t 9 kB\nRssAnon:\t     128 kB\n", "RssAnon:"), Some(128));
        assert_eq!(number_after("oom 1\n", "oom_kill "), None);
    }
}
