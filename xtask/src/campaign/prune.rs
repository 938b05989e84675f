//! Kills prunes of random histories, made and pruned by both programs in turn.

use super::done;
use crate::Result;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tresor_testkit::{Client, Random, Spec, compare_trees, fixtures, generate, mutate};

/// A repository that grows and shrinks, and the source of its newest snapshot.
pub(super) struct Prunes {
    tresor: Client,
    restic: Client,
    source: PathBuf,
    target: PathBuf,
    random: Random,
    /// How long the last whole prune took.
    whole: Duration,
    _repository: fixtures::Unpacked,
}

/// What a prune is told, by turns.
const LIMITS: [&[&str]; 4] = [
    &["--max-unused", "0"],
    &["--max-unused", "10%"],
    &["--max-unused", "0", "--max-repack-size", "5m"],
    &["--repack-smaller-than", "1m", "--repack-uncompressed"],
];

impl Prunes {
    pub(super) fn begin(program: &Path, folder: &Path, seed: u64) -> Result<Self> {
        let repository = fixtures::empty_repository();
        let source = folder.join("source");
        generate(&source, seed, &Spec { files: 200, directories: 20, largest: 1 << 20 });
        Ok(Prunes {
            tresor: Client::tresor(program, &repository.path).within(folder),
            restic: Client::restic(&repository.path).within(folder),
            source,
            target: folder.join("target"),
            random: Random::new(seed),
            whole: Duration::from_millis(500),
            _repository: repository,
        })
    }

    /// Backs up, forgets, compares the plans, kills a prune, looks at everything and lets another prune end;
    /// whether the first was still running.
    pub(super) fn once(&mut self, time: u32) -> Result<bool> {
        for turn in 0..3 {
            mutate(&self.source, self.random.word(), 15.0);
            fs::write(self.source.join(format!("noise{turn}")), self.random.bytes(2 << 20))?;
            done(self.either(time + turn).run(["backup", "-q", "source"]))?;
        }
        done(self.either(time).run(["forget", "-q", "--keep-last", "3"]))?;
        let limits = LIMITS[time as usize % LIMITS.len()];
        self.plans_agree(limits)?;
        let hit = self.kill(limits)?;
        done(self.restic.run(["unlock"]))?;
        done(self.restic.run(["check", "--read-data"]))?;
        self.newest_comes_back()?;
        let start = Instant::now();
        done(self.either(time + 1).run([&["prune", "-q"], limits].concat()))?;
        if !time.is_multiple_of(2) {
            self.whole = start.elapsed();
        }
        done(self.restic.run(["check", "--read-data"]))?;
        Ok(hit)
    }

    fn either(&self, turn: u32) -> &Client {
        if turn.is_multiple_of(2) { &self.tresor } else { &self.restic }
    }

    /// With a limit of repacking, which of equal packs are chosen is left to chance.
    fn plans_agree(&self, limits: &[&str]) -> Result<()> {
        let words = [&["prune", "-n", "-vv"], limits].concat();
        let (ours, theirs) = (done(self.tresor.run(&words))?, done(self.restic.run(&words))?);
        let is_chance = limits.contains(&"--max-repack-size") || theirs.text().contains("duplicates:");
        match is_chance || lines(&ours.text()) == lines(&theirs.text()) {
            true => Ok(()),
            false => Err(format!("the plans differ:\n{ours}\n{theirs}").into()),
        }
    }

    fn kill(&mut self, limits: &[&str]) -> Result<bool> {
        let moment = self.whole.mul_f64(self.random.below(1_100) as f64 / 1_000.0);
        let mut command = self.tresor.command([&["prune", "-q"], limits].concat());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        std::thread::sleep(moment);
        let hit = child.try_wait()?.is_none();
        child.kill()?;
        child.wait()?;
        Ok(hit)
    }

    fn newest_comes_back(&self) -> Result<()> {
        let words = ["restore", "-q", "latest", "--target"].map(Path::new);
        done(self.tresor.run(words.into_iter().chain([self.target.as_path()])))?;
        let differences = compare_trees(&self.source, &self.target.join("source"));
        fs::remove_dir_all(&self.target)?;
        match differences.first() {
            None => Ok(()),
            Some(first) => {
                let count = differences.len();
                Err(format!("the newest snapshot came back with {count} differences: {first}").into())
            }
        }
    }
}

/// Packs are looked at in no order.
fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}
