//! A server that is killed in the middle of a backup and started again loses nothing.

use crate::exchange::Pair;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tresor_testkit::Random;
use tresor_testkit::servers::Mortal;

const MIB: u64 = 1 << 20;
/// Small packs, and so slow a way that the server dies while some of them are on it.
const BACKUP: [&str; 6] = ["backup", "--stdin", "--pack-size", "4", "--limit-upload", "8192"];
/// How much is backed up, in MiB, after the server has died, if nobody notices.
const AFTERWARDS: u64 = 64;
/// How long the server stays away after somebody has noticed.
const AWAY: Duration = Duration::from_secs(1);

impl Pair {
    /// tresor backs up while `server`, whose storage is the folder `storage`, dies and comes again; both programs
    /// find everything whole.
    pub(crate) fn outlive(&self, server: &mut dyn Mortal, storage: &Path) {
        let content = self.tresor_outlives(server, storage, &|| {});
        let checked = self.ok(&self.restic, &["check", "--read-data"]);
        assert!(checked.contains("no errors were found") && !checked.contains("not referenced"), "{checked}");
        assert!(self.restic.ok(self.words(&["dump", "latest", "/stdin"])).stdout == content);
    }

    /// The same without restic; `rest` lets the server rest before its last minute. Gives what was backed up.
    pub(crate) fn tresor_outlives(
        &self,
        server: &mut dyn Mortal,
        storage: &Path,
        rest: &dyn Fn(),
    ) -> Vec<u8> {
        self.ok(&self.tresor, &["init"]);
        let mut command = self.tresor.command(self.words(&BACKUP));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let (noticed, lines) = mpsc::channel();
        let errors = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            errors.lines().map_while(Result::ok).try_for_each(|line| noticed.send(line))
        });

        let mut random = Random::new(4);
        let mut content = Vec::new();
        let mut feed = || {
            let piece = random.bytes(MIB as usize);
            let fed = stdin.write_all(&piece);
            content.extend_from_slice(&piece);
            fed.is_ok()
        };
        let grows_by = |size: u64, meanwhile: &mut dyn FnMut()| {
            let until = bytes(storage) + size;
            while bytes(storage) < until {
                meanwhile();
                std::thread::sleep(Duration::from_millis(50));
            }
        };
        grows_by(4 * MIB, &mut || assert!(feed(), "tresor has ended"));
        rest();
        let left = AtomicU64::new(u64::MAX);
        let one_less = |left: u64| left.checked_sub(1);
        let is_left = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok();
        let said = std::thread::scope(|scope| {
            let feeding = scope.spawn(|| while is_left() && feed() {});
            grows_by(MIB, &mut || assert!(!feeding.is_finished(), "tresor has ended"));
            server.kill();
            left.store(AFTERWARDS, Ordering::Relaxed);
            let mut said: Vec<String> = Vec::new();
            while !said.last().is_some_and(|line| line.contains("retrying after")) && !feeding.is_finished() {
                match lines.recv_timeout(Duration::from_millis(50)) {
                    Ok(line) => said.push(line),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => panic!("tresor has ended: {said:#?}"),
                }
            }
            left.store(0, Ordering::Relaxed);
            std::thread::sleep(AWAY);
            server.start_again();
            said
        });
        drop(stdin);
        let said: Vec<String> = said.into_iter().chain(lines).collect();
        assert!(child.wait().unwrap().success(), "{said:#?}");

        let target = TempDir::new().unwrap();
        self.ok(&self.tresor, &["restore", "latest", "--target", target.path().to_str().unwrap()]);
        assert!(std::fs::read(target.path().join("stdin")).unwrap() == content, "another content came back");
        let checked = self.ok(&self.tresor, &["check", "--read-data"]);
        assert!(!checked.contains("not referenced"), "{checked}");
        assert!(self.ok(&self.tresor, &["list", "locks"]).is_empty(), "no lock is left");
        content
    }
}

/// Waits until nothing has been written below a folder for `time`.
pub(crate) fn rest(folder: &Path, time: Duration) {
    let (mut size, mut since) = (bytes(folder), Instant::now());
    while since.elapsed() < time {
        std::thread::sleep(Duration::from_millis(50));
        let now = bytes(folder);
        if now != size {
            (size, since) = (now, Instant::now());
        }
    }
}

/// The size of all files below a folder.
fn bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => bytes(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0, // it was just moved or removed
    });
    sizes.sum()
}
