//! `mount`: what restic's mount shows of the same repository, and nothing left afterwards.

use crate::pair::Pair;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Child;
use tempfile::TempDir;
use tresor_testkit::generate::oddities;
use tresor_testkit::{Client, TestTree, fixtures};

/// A mount by one of the programs, ended when dropped.
struct Mount {
    child: Option<Child>,
    said: String,
    folder: TempDir,
}

impl Mount {
    /// Mounts, and waits until the program says that it has.
    fn new(client: &Client, words: &[&str]) -> Mount {
        let folder = tempfile::tempdir().unwrap();
        let words: Vec<OsString> =
            ["mount"].iter().chain(words).map(Into::into).chain([folder.path().into()]).collect();
        let mut child = client.start(words);
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap());
        let mut said = String::new();
        while !said.contains("quit with Ctrl-c") && !said.contains("\"mounted\"") {
            if lines.read_line(&mut said).unwrap() == 0 {
                let mut errors = String::new();
                child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
                panic!("{said}{errors}");
            }
        }
        Mount { child: Some(child), said, folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn is_mounted(&self) -> bool {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        mounts.lines().any(|line| line.split(' ').nth(1) == self.path().to_str())
    }

    fn line(&self) -> String {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let line = mounts.lines().find(|line| line.split(' ').nth(1) == self.path().to_str()).unwrap();
        line.replace(self.path().to_str().unwrap(), "MOUNT")
    }

    /// Sends a signal; answers with the exit code and what was said on stderr.
    fn end(mut self, signal: Signal) -> (Option<i32>, String, Mount) {
        let mut child = self.child.take().unwrap();
        kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
        let code = child.wait().unwrap().code();
        let mut errors = String::new();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (code, errors, self)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT);
            let _ = child.wait();
        }
        if self.is_mounted() {
            let _ = nix::mount::umount2(self.path(), nix::mount::MntFlags::MNT_DETACH);
        }
    }
}

/// All that can be seen of what is below a folder, by path.
fn seen(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut seen = BTreeMap::new();
    let mut inodes: BTreeMap<(PathBuf, u64), PathBuf> = BTreeMap::new();
    let mut folders = vec![(root.to_owned(), root.to_owned(), 1)];
    while let Some((folder, snapshot, links)) = folders.pop() {
        let mut names: Vec<OsString> =
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        for name in names {
            let path = folder.join(name);
            let facts = std::fs::symlink_metadata(&path).unwrap();
            let below = path.strip_prefix(root).unwrap().to_owned();
            // Names of one file have one number, of which only this is compared: in restic's mount other
            // snapshots have it too.
            let first = inodes.entry((snapshot.clone(), facts.ino())).or_insert_with(|| below.clone());
            let several = facts.is_file() && facts.nlink() > 1;
            let same_as = if several { first.display().to_string() } else { String::new() };
            let (stat, target) = (stat(&facts), target(&path));
            let text = format!("{stat} {same_as} {target} {} {}", attributes(&path), content(&path));
            if facts.is_dir() {
                // A snapshot begins where folders of ours, which have one link, end.
                let begins = links == 1 && facts.nlink() > 1;
                folders.push((path.clone(), if begins { path } else { snapshot.clone() }, facts.nlink()));
            }
            seen.insert(below, text);
        }
    }
    seen
}

fn stat(facts: &std::fs::Metadata) -> String {
    // Folders above the snapshots are as old as the mount.
    let ours = facts.is_dir() && facts.nlink() == 1;
    let times = [facts.mtime(), facts.mtime_nsec(), facts.atime(), facts.ctime(), facts.ctime_nsec()];
    format!(
        "{:o} {}:{} {} {} {} {} {:?}",
        facts.mode(),
        facts.uid(),
        facts.gid(),
        // A pipe has no name in restic's mount, and a device stands for none: see below.
        facts.nlink().max(1),
        facts.size(),
        facts.blocks(),
        facts.blksize(),
        if ours { [0; 5] } else { times },
    )
}

fn target(path: &Path) -> String {
    std::fs::read_link(path).map_or_else(|_| String::new(), |target| format!("{target:?}"))
}

fn attributes(path: &Path) -> String {
    let mut names = vec![0; 4096];
    match rustix::fs::llistxattr(path, &mut names) {
        Err(error) => error.to_string(),
        Ok(length) => {
            let value = |name: &[u8]| {
                let mut value = vec![0; 4096];
                let length = rustix::fs::lgetxattr(path, name, &mut value).unwrap();
                format!("{:?}={:?}", String::from_utf8_lossy(name), &value[..length])
            };
            let names = names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
            names.map(value).collect::<Vec<_>>().join(" ")
        }
    }
}

fn content(path: &Path) -> String {
    let is_file = std::fs::symlink_metadata(path).is_ok_and(|facts| facts.is_file());
    if !is_file {
        return String::new();
    }
    std::fs::read(path)
        .map_or_else(|error| error.to_string(), |bytes| format!("{:x?}", Sha256::digest(bytes).as_slice()))
}

/// A repository with some snapshots of different hosts, tags, times and zones.
fn repository() -> (fixtures::Unpacked, TestTree, Pair) {
    let repository = fixtures::empty_repository();
    let tree = oddities(repository.path.with_extension("source").join("source"))
        .file("large", fixtures::noise(1, 3 << 20))
        .file("owned", "y")
        .mode("owned", 0o6751)
        // restic shows times beyond 2262 wrongly.
        .remove("times/2400");
    let pair = Pair::at(&repository.path).within(tree.path().parent().unwrap());
    let backup = |zone: &str, words: &[&str]| {
        pair.restic.clone().variable("TZ", zone).ok(["backup", "source"].iter().chain(words));
    };
    backup("UTC", &["--host", "one", "--tag", "a,b/c", "--time", "2024-02-03 04:05:06"]);
    backup("Asia/Kolkata", &["--host", "one", "--tag", "a", "--time", "2024-02-03 04:05:06"]);
    backup("UTC", &["--host", "two/half", "--tag", "x/y", "--time", "2024-02-03 04:05:06"]);
    backup("UTC", &["--host", "two", "--time", "1999-12-31 23:59:59"]);
    (repository, tree, pair)
}

/// Mounts with both and demands that both show the same.
#[track_caller]
fn same(pair: &Pair, words: &[&str]) -> BTreeMap<PathBuf, String> {
    let (restic, tresor) = (Mount::new(&pair.restic, words), Mount::new(&pair.tresor, words));
    let (expect, found) = (seen(restic.path()), seen(tresor.path()));
    for (path, what) in &expect {
        assert_eq!(found.get(path), Some(what), "{}", path.display());
    }
    assert_eq!(found.len(), expect.len(), "{:?}", found.keys().filter(|path| !expect.contains_key(*path)));
    found
}

#[test]
fn everything_looks_as_it_does_in_restics_mount() {
    let (_repository, _tree, pair) = repository();
    let found = same(&pair, &[]);
    assert!(
        found.contains_key(Path::new("hosts/two/half/latest")) && found.len() > 100,
        "{:?}",
        found.keys()
    );
}

#[test]
fn devices_and_pipes_are_what_they_were() {
    let repository = fixtures::empty_repository();
    let tree = TestTree::new().char_device("null", 1, 3).block_device("disk", 259, 70_000).fifo("pipe");
    let pair = Pair::at(&repository.path).within(tree.path());
    pair.restic.ok(["backup", "."]);
    let mount = Mount::new(&pair.tresor, &[]);
    for name in ["null", "disk", "pipe"] {
        let facts = |root: &Path| std::fs::symlink_metadata(root.join(name)).unwrap();
        let (expect, found) = (facts(tree.path()), facts(&mount.path().join("snapshots/latest")));
        assert_eq!((found.rdev(), found.nlink(), found.mode()), (expect.rdev(), 1, expect.mode()), "{name}");
    }
}

#[test]
fn templates_and_filters_choose_names_and_snapshots_as_restic_does() {
    let pair = Pair::on("v2-multi");
    for words in [
        &["--path-template", "%h/%u/%T", "--path-template", "x%%y/%I", "--path-template", "by/%t-%T"][..],
        &[
            "--time-template",
            "2006/01/Mon_2 15h04 MST",
            "--path-template",
            "t/%T",
            "--path-template",
            "%T/%h/here",
        ],
        &["--time-template", "Jan", "--path-template", "months/%T", "--path-template", "none"],
        &["--host", "nobody", "--path-template", "a/b/%i/c", "--owner-root"],
        &["--snapshot-template", "2006", "--owner-root"],
        &["--tag", "", "--path", "/"],
    ] {
        same(&pair, words);
    }
}

#[test]
fn a_signal_ends_it_and_leaves_nothing() {
    let pair = Pair::on("v2-multi");
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mount = Mount::new(&pair.tresor, &["--allow-other"]);
        let restic = Mount::new(&pair.restic, &["--allow-other"]);
        let shown = |mount: &Mount| mount.said.replace(mount.path().to_str().unwrap(), "MOUNT");
        assert_eq!(shown(&mount), shown(&restic));
        assert_eq!(mount.line().replace("tresor:", "restic:"), restic.line());
        assert_eq!(pair.tresor.ok(["list", "locks"]).text().lines().count(), 2);
        let (code, errors, restic) = restic.end(signal);
        assert_eq!(code, Some(0), "{errors}");
        let (ours, said, mount) = mount.end(signal);
        assert_eq!((ours, said), (code, errors));
        assert!(!mount.is_mounted() && !restic.is_mounted());
        assert_eq!(pair.tresor.ok(["list", "locks"]).text(), "");
    }
}

#[test]
fn somebody_else_may_unmount_it() {
    let pair = Pair::on("v2-multi");
    let mut mount = Mount::new(&pair.tresor, &["--no-lock"]);
    assert_eq!(pair.tresor.ok(["list", "locks"]).text(), "");
    nix::mount::umount(mount.path()).unwrap();
    assert_eq!(mount.child.take().unwrap().wait().unwrap().code(), Some(0));
    assert!(!mount.is_mounted());
}

#[test]
fn a_mount_in_use_goes_out_of_sight_and_no_dead_one_stays() {
    let pair = Pair::on("v2-multi");
    let mount = Mount::new(&pair.tresor, &[]);
    let used = std::fs::File::open(mount.path().join("ids")).unwrap();
    let (code, errors, mount) = mount.end(Signal::SIGINT);
    assert_eq!(code, Some(0), "{errors}");
    assert!(errors.contains("unable to umount (maybe already umounted or still in use?): "), "{errors}");
    assert!(!mount.is_mounted());
    assert_eq!(std::fs::read_dir(mount.path()).unwrap().count(), 0, "the folder itself is back");
    assert_eq!(pair.tresor.ok(["list", "locks"]).text(), "");
    drop(used);
}

#[test]
fn json_says_when_the_mount_is_there() {
    let pair = Pair::on("v2-multi");
    let mount = Mount::new(&pair.tresor, &["--json"]);
    let said: serde_json::Value = serde_json::from_str(&mount.said).unwrap();
    let path = mount.path().to_str().unwrap();
    assert_eq!(said, serde_json::json!({"message_type": "mounted", "mountpoint": path}));
}

#[test]
fn any_part_of_a_file_can_be_read_from_several_threads() {
    let repository = fixtures::empty_repository();
    let content = fixtures::noise(3, 24 << 20);
    let tree = TestTree::new().file("large", &content);
    let pair = Pair::at(&repository.path).within(tree.path());
    pair.restic.ok(["backup", "."]);
    let mount = Mount::new(&pair.tresor, &[]);
    let path = mount.path().join("snapshots/latest/large");
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (path, content) = (&path, &content);
            scope.spawn(move || {
                let file = std::fs::File::open(path).unwrap();
                let mut part = vec![0; 70_000];
                for step in 0..60u64 {
                    let at = (step * 7_919_333 + thread * 1_234_577) % (content.len() as u64 + 1000);
                    let read = file.read_at(&mut part, at).unwrap();
                    let at = (at as usize).min(content.len());
                    assert!(part[..read] == content[at..at + read], "at {at}");
                    assert!(read > 0 || at == content.len());
                }
            });
        }
    });
    assert!(std::fs::read(&path).unwrap() == content);
    assert_eq!(std::fs::File::create(&path).unwrap_err().raw_os_error(), Some(nix::libc::EROFS));
}
