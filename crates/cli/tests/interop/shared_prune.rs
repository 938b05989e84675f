//! Between our backups others forget and prune: no backup relies on what its cache still remembers.

use crate::scene::{Scene, TRESOR};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tresor_testkit::{Client, Random, asked, fixtures::noise};

/// How many folders the source has, and how many names there are in each.
const FOLDERS: u64 = 6;
const NAMES: u64 = 8;
/// How many contents all these files share: few, so that a blob that was pruned is soon needed again.
const CONTENTS: u64 = 60;

/// More blobs than an index file holds that is not yet full.
const FULL: u64 = 51_000;

/// What a prune is told; some of it replaces every index file, some of it only a few or none.
const LIMITS: [&[&str]; 6] = [
    &["--max-unused", "0"],
    &["--max-unused", "unlimited"],
    &["--max-unused", "20%"],
    &["--repack-smaller-than", "1m"],
    &["--max-unused", "0", "--max-repack-size", "200k"],
    &["--repack-cacheable-only"],
];

/// What we are told: which of its memories a backup asks depends on it.
const FLAGS: [&[&str]; 4] = [&[], &[], &["--force"], &["--no-files-cache"]];

/// Every prune replaces all index files, for none is full.
#[test]
fn others_forget_and_prune_between_our_backups() {
    play(Shared::new);
}

/// Prunes leave what is full, and replace the rest: what the cache remembers is right in part.
#[test]
fn others_forget_and_prune_beside_a_full_index_file() {
    play(Shared::beside_a_full_index_file);
}

/// A campaign asks for more rounds than `./test`, and for other ones.
fn play(begin: impl Fn(u64) -> Shared) {
    let (rounds, seed) = (asked("TRESOR_ROUNDS", 8), asked("TRESOR_SEED", 1));
    let mut shared = begin(seed);
    for round in 1..=rounds {
        tell(&format!("seed {seed}, round {round} of {rounds}"));
        shared.back_up();
        shared.look(round, round == rounds);
        if round < rounds {
            shared.others(round);
        }
    }
}

/// Seen with `--nocapture`, and when the test fails.
#[allow(clippy::print_stdout, reason = "the way to a failure is half of its report")]
fn tell(what: &str) {
    println!("{what}");
}

/// A repository with several users, and the source of one of them, whose cache is never emptied.
struct Shared {
    scene: Scene,
    /// tresor with a cache of its own, which tidies up by turns with restic.
    other: Client,
    source: Source,
    random: Random,
}

impl Shared {
    fn new(seed: u64) -> Shared {
        let scene = Scene::new();
        let other = Client::tresor(TRESOR, scene.repository()).within(scene.join(""));
        let source = Source::new(&scene.join("source"), &scene.join("parked"), seed);
        fs::create_dir(scene.join("elsewhere")).unwrap();
        Shared { scene, other, source, random: Random::new(seed ^ 0x5eed) }
    }

    /// With a snapshot of more blobs than one index file holds, which is never forgotten.
    ///
    /// Others have backed up our source as well: what we remember from the start is from a file that stays and from
    /// one that goes. The many packs see to it that we do not write it anew whenever some are gone.
    fn beside_a_full_index_file(seed: u64) -> Shared {
        let shared = Shared::new(seed);
        for number in 0..FULL {
            let folder = shared.scene.join(format!("ballast/{}", number / 1000));
            if number.is_multiple_of(1000) {
                fs::create_dir_all(&folder).unwrap();
            }
            fs::write(folder.join(number.to_string()), number.to_le_bytes()).unwrap();
        }
        fs::write(shared.scene.join("ballast/noise"), noise(FULL, 32 << 20)).unwrap();
        let ballast = ["backup", "-q", "--pack-size", "4", "--tag", "ballast", "ballast"];
        shared.run(&shared.other, "tresor", &ballast);
        shared.run(&shared.scene.restic, "restic", &["backup", "-q", "source"]);
        fs::remove_dir_all(shared.scene.join("ballast")).unwrap();
        shared
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.random.below(many) == 0
    }

    /// Our next backup, of a source that was changed or not.
    fn back_up(&mut self) {
        if !self.one_in(5) {
            self.source.change();
        }
        let flags = *self.random.pick(&FLAGS);
        self.run(&self.scene.tresor, "we", &[&["backup", "-q", "source"], flags].concat());
    }

    /// The structure each time, all data and the newest snapshot now and then.
    fn look(&self, round: u64, is_last: bool) {
        let every = |so_many: u64| is_last || round.is_multiple_of(so_many);
        let data = if every(10) { &["--read-data"][..] } else { &[] };
        self.scene.restic.ok([&["check", "--no-cache"], data].concat());
        if every(20) {
            self.scene.restores(&self.scene.restic, "latest", &self.source.folder);
        }
    }

    /// What happens to the repository while we are away: often a visit, sometimes none or two.
    fn others(&mut self, round: u64) {
        let visits = *self.random.pick(&[0, 1, 1, 1, 1, 2]);
        for visit in 0..visits {
            let is_restic = (round + visit).is_multiple_of(2);
            let (name, mut visitor) = match is_restic {
                true => ("restic", self.scene.restic.clone()),
                false => ("tresor", self.other.clone()),
            };
            if self.one_in(3) {
                let ours = self.scene.tresor.home().join("cache");
                visitor = visitor.variable("RESTIC_CACHE_DIR", ours);
                tell("on our cache:");
            }
            self.visit(&visitor, name);
        }
    }

    fn visit(&mut self, visitor: &Client, name: &str) {
        if self.one_in(4) {
            let number = self.random.below(CONTENTS);
            fs::write(self.scene.join("elsewhere/file"), contents(number)).unwrap();
            let what = *self.random.pick(&["elsewhere", "source"]);
            self.run(visitor, name, &["backup", "-q", what]);
        }
        self.forget(visitor, name);
        if self.one_in(5) {
            return; // it is for somebody else to prune
        }
        if self.one_in(5) {
            self.run(visitor, name, &["repair", "index"]);
        }
        for _ in 0..*self.random.pick(&[1, 1, 1, 2]) {
            let limits = *self.random.pick(&LIMITS);
            self.run(visitor, name, &[&["prune", "-q"], limits].concat());
        }
        if self.one_in(5) {
            self.run(visitor, name, &["repair", "index", "--read-all-packs"]);
        }
    }

    /// All snapshots, any one, or all but the newest; what others need stays.
    fn forget(&mut self, visitor: &Client, name: &str) {
        let mut ids = self.snapshots();
        match self.random.below(6) {
            _ if ids.is_empty() => {}
            0 => {
                let ids = ids.iter().map(String::as_str);
                self.run(visitor, name, &["forget", "-q"].into_iter().chain(ids).collect::<Vec<_>>());
            }
            1 => {
                self.random.shuffle(&mut ids);
                self.run(visitor, name, &["forget", "-q", &ids[0]]);
            }
            kept => {
                let kept = kept.div_ceil(2).to_string();
                let policy = ["--group-by", "", "--keep-tag", "ballast", "--keep-last", &kept];
                self.run(visitor, name, &[&["forget", "-q"], &policy[..]].concat());
            }
        }
    }

    /// The ids of the snapshots that may be forgotten, in no order.
    fn snapshots(&self) -> Vec<String> {
        let listed = self.scene.restic.ok(["snapshots", "--json"]).json();
        let may_go = |snapshot: &&Value| snapshot["tags"].is_null();
        let ids = listed.as_array().unwrap().iter().filter(may_go);
        ids.map(|snapshot| snapshot["id"].as_str().unwrap().to_owned()).collect()
    }

    fn run(&self, client: &Client, name: &str, words: &[&str]) {
        tell(&format!("  {name}: {}", words.join(" ")));
        client.ok(words);
    }
}

/// A folder of files that come, change, go, and come again just as they were.
struct Source {
    folder: PathBuf,
    /// Where folders of the source are while they are not in it.
    parked: PathBuf,
    random: Random,
}

impl Source {
    fn new(folder: &Path, parked: &Path, seed: u64) -> Source {
        fs::create_dir_all(parked).unwrap();
        for number in 0..FOLDERS {
            fs::create_dir_all(folder.join(format!("folder-{number}"))).unwrap();
        }
        // Never touched: a backup soon knows it without reading it.
        fs::create_dir(folder.join("still")).unwrap();
        for number in 0..NAMES {
            fs::write(folder.join(format!("still/file-{number}")), contents(CONTENTS + number)).unwrap();
        }
        let mut source =
            Source { folder: folder.to_owned(), parked: parked.to_owned(), random: Random::new(seed) };
        for _ in 0..FOLDERS * NAMES / 2 {
            source.write();
        }
        source
    }

    fn change(&mut self) {
        for _ in 0..self.random.within(1..=6) {
            match self.random.below(5) {
                0 => self.park(),
                1 => drop(fs::remove_file(self.some_file())),
                _ => self.write(),
            }
        }
    }

    fn some_file(&mut self) -> PathBuf {
        let (folder, name) = (self.random.below(FOLDERS), self.random.below(NAMES));
        self.folder.join(format!("folder-{folder}/file-{name}"))
    }

    /// Nothing, if the folder is not there just now.
    fn write(&mut self) {
        let (file, number) = (self.some_file(), self.random.below(CONTENTS));
        if file.parent().unwrap().is_dir() {
            fs::write(file, contents(number)).unwrap();
        }
    }

    /// Takes a folder away or brings it back, with all its times: its tree comes back as well.
    fn park(&mut self) {
        let name = format!("folder-{}", self.random.below(FOLDERS));
        let (here, there) = (self.folder.join(&name), self.parked.join(&name));
        let (from, to) = if here.is_dir() { (here, there) } else { (there, here) };
        fs::rename(from, to).unwrap();
    }
}

/// The same number, the same bytes: most of it small, some of several chunks.
fn contents(number: u64) -> Vec<u8> {
    let length = if number.is_multiple_of(20) { 2 << 20 } else { 100 << (number % 9) };
    noise(number, length)
}
