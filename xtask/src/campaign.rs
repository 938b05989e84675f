//! Campaigns: long seeded runs that try to lose a backup.

mod clients;
mod prune;

use crate::{Result, bench, life};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tresor_testkit::broken;
use tresor_testkit::filters::Forest;
use tresor_testkit::policies::Lists;
use tresor_testkit::{Client, Random, Run, Spec, compare_trees, fixtures, generate, mutate};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    campaign: Campaign,
}

#[derive(clap::Subcommand)]
enum Campaign {
    /// Kills backups at seeded moments; earlier snapshots, restic's check and the next backup must not mind.
    Kill {
        /// How many backups are killed.
        #[arg(long, default_value_t = 100)]
        times: u32,
        /// What the moments and the changes of the source follow from.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The program to torment; built for release if not given.
        #[arg(long)]
        tresor: Option<PathBuf>,
    },
    /// Kills prunes of random histories that both programs make, plan and prune in turn; nothing may be lost.
    Prune {
        /// How many prunes are killed.
        #[arg(long, default_value_t = 100)]
        times: u32,
        /// What the histories and the moments follow from.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The program to torment; built for release if not given.
        #[arg(long)]
        tresor: Option<PathBuf>,
    },
    /// Lets restic and tresor forget and prune in turn between backups whose cache stays; nothing may be lost.
    SharedPrune {
        /// How many backups are made, half of them beside an index file that prunes leave.
        #[arg(long, default_value_t = 1000)]
        rounds: u64,
        /// What the source and the visits of the others follow from.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// A whole life of the kernel source in a control group with little memory: from init to restore.
    Life(life::Arguments),
    /// Swaps directories and files for links to the outside while a restore writes; nothing outside may change.
    RestoreEscape {
        /// How many swaps are made.
        #[arg(long, default_value_t = 1_000_000)]
        swaps: u64,
    },
    /// Swaps directories and files for links, and for pipes, while a backup reads; nothing outside may be read.
    ReaderRace {
        /// How many swaps are made.
        #[arg(long, default_value_t = 100_000)]
        swaps: u64,
    },
    /// Shows hostile names, tags and hosts on a terminal by every command; nothing may steer it.
    TtyFuzz {
        /// How many files have such names; each is shown by some twenty commands.
        #[arg(long, default_value_t = 5000)]
        names: u64,
    },
    /// Lets programs by other people drive restic and tresor; they must not notice a difference.
    Clients {
        /// The program to drive; built for release if not given.
        #[arg(long)]
        tresor: Option<PathBuf>,
    },
    /// Lets restic and tresor decide random snapshot lists by random policies; they must agree.
    Policies {
        /// How many lists are decided, 25 by each policy.
        #[arg(long, default_value_t = 1000)]
        lists: usize,
        /// What lists and policies follow from.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The program to compare; built for release if not given.
        #[arg(long)]
        tresor: Option<PathBuf>,
    },
    /// Lets restic and tresor decide random patterns on a tree of provoking names; they must agree.
    Filters {
        /// How many pairs of a list of patterns and a path are decided at least.
        #[arg(long, default_value_t = 20_000)]
        pairs: usize,
        /// What tree and patterns follow from.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The program to compare; built for release if not given.
        #[arg(long)]
        tresor: Option<PathBuf>,
    },
    /// Backs up random histories with and without the files cache; there must be no difference.
    FilesCache {
        /// How many histories of six backups are tried.
        #[arg(long, default_value_t = 10_000)]
        histories: u64,
        /// What the histories follow from: this number and those after it.
        #[arg(long, default_value_t = 1000)]
        seed: u64,
    },
    /// Makes repositories hostile in several ways at once; what is sound must come back, in bounded memory.
    HostileRepositories {
        /// How many.
        #[arg(long, default_value_t = 200)]
        repositories: u64,
        /// What is done to them follows from this number and those after it.
        #[arg(long, default_value_t = 1000)]
        seed: u64,
    },
    /// Breaks repositories in every way and lets restic and tresor repair them; tresor must save as much.
    Broken {
        /// How many repositories are broken in several ways at once, beside those broken in one.
        #[arg(long, default_value_t = 60)]
        mixed: usize,
        /// What the places of the damage follow from.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Only each so-manieth.
        #[arg(long, default_value_t = 1)]
        slice: usize,
        /// How many are repaired at a time.
        #[arg(long, default_value_t = 2)]
        jobs: usize,
        /// The program to compare; built for release if not given.
        #[arg(long)]
        tresor: Option<PathBuf>,
    },
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.campaign {
        Campaign::Kill { times, seed, tresor } => kill(*times, *seed, tresor.as_deref()),
        Campaign::Prune { times, seed, tresor } => prunes(*times, *seed, tresor.as_deref()),
        Campaign::SharedPrune { rounds, seed } => {
            let asked = [("TRESOR_ROUNDS", rounds.div_ceil(2)), ("TRESOR_SEED", *seed)]; // of two tests
            at_length("tresor", "interop", "shared_prune::", &asked)
        }
        Campaign::RestoreEscape { swaps } => {
            at_length("tresor-snapshot", "it", "restore_escape_beside_a_racer", &[("TRESOR_SWAPS", *swaps)])
        }
        Campaign::TtyFuzz { names } => at_length("tresor", "it", "tty_fuzz", &[("TRESOR_TTY_NAMES", *names)]),
        Campaign::ReaderRace { swaps } => {
            at_length("tresor-snapshot", "it", "reader_race", &[("TRESOR_SWAPS", *swaps)])
        }
        Campaign::Life(arguments) => life::run(arguments),
        Campaign::Clients { tresor } => clients::run(&bench::program(tresor.as_deref())?),
        Campaign::Policies { lists, seed, tresor } => policies(*lists, *seed, tresor.as_deref()),
        Campaign::Filters { pairs, seed, tresor } => filters(*pairs, *seed, tresor.as_deref()),
        Campaign::FilesCache { histories, seed } => {
            let test = "files_cache::random_histories_are_the_same_with_and_without";
            let asked = [("TRESOR_HISTORIES", *histories), ("TRESOR_SEED", *seed)];
            at_length("tresor-snapshot", "it", test, &asked)
        }
        Campaign::HostileRepositories { repositories, seed } => {
            let asked = [("TRESOR_ROUNDS", *repositories), ("TRESOR_SEED", *seed)];
            at_length("tresor", "interop", "hostile_repo", &asked)
        }
        Campaign::Broken { mixed, seed, slice, jobs, tresor } => {
            broken(*mixed, *seed, (*slice, *jobs), tresor.as_deref())
        }
    }
}

/// Runs tests whose slice is part of `./test`, and which do more if variables ask them to.
fn at_length(package: &str, target: &str, test: &str, asked: &[(&str, u64)]) -> Result<()> {
    let status = std::process::Command::new("cargo")
        .args(["test", "--package", package, "--test", target, test, "--", "--nocapture"])
        .envs(asked.iter().map(|(variable, number)| (variable, number.to_string())))
        .status()?;
    if status.success() { Ok(()) } else { Err(format!("{test} does not hold: see above").into()) }
}

/// Every round breaks a copy of its own.
fn broken(mixed: usize, seed: u64, (slice, jobs): (usize, usize), tresor: Option<&Path>) -> Result<()> {
    let program = bench::program(tresor)?;
    let scenes = broken::scenes(seed);
    let rounds = broken::rounds(&scenes, seed, mixed);
    let rounds: Vec<_> = rounds.into_iter().enumerate().step_by(slice.max(1)).collect();
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some((number, (scene, damages))) = rounds.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let outcome = scenes[*scene].play(&program, damages, seed + *number as u64);
                    let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                    outcomes.push(outcome);
                    let told = match outcomes.last() {
                        Some(Err(why)) => why,
                        Some(Ok(outcome)) => &outcome.what,
                        None => "",
                    };
                    println!("{}/{}: {told}", outcomes.len(), rounds.len());
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (good, bad): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(std::result::Result::is_ok);
    let good: Vec<_> = good.into_iter().flatten().collect();
    for outcome in good.iter().filter(|outcome| outcome.is_better()) {
        let (restic, ours) = (outcome.restic_files, outcome.tresor_files);
        let end = if outcome.is_restic_clean { "" } else { ", and restic's check is not clean after restic" };
        println!("better: {}: {ours} files for {restic}{end}", outcome.what);
    }
    let more = good.iter().filter(|outcome| outcome.tresor_files > outcome.restic_files).count();
    let unclean = good.iter().filter(|outcome| !outcome.is_restic_clean).count();
    println!(
        "{} broken repositories: {} repaired with restic's check clean and no file lost that restic saves, {more} of them with more files; {unclean} that restic leaves broken; {} failed",
        good.len() + bad.len(),
        good.len(),
        bad.len()
    );
    if bad.is_empty() { Ok(()) } else { Err("some repositories were not repaired as well".into()) }
}

/// All rounds share one tree.
fn filters(pairs: usize, seed: u64, tresor: Option<&Path>) -> Result<()> {
    let program = bench::program(tresor)?;
    let mut random = Random::new(seed);
    let forest = Forest::plant(&mut random);
    let (mut decided, mut lists) = (0, 0);
    while decided < pairs {
        decided += forest.compare(&program, &mut random).map_err(|why| format!("seed {seed}: {why}"))?;
        lists += 1;
    }
    println!("{decided} pairs of {lists} lists and a path are decided alike");
    Ok(())
}

/// Every round has its own lists and its own policy.
fn policies(lists: usize, seed: u64, tresor: Option<&Path>) -> Result<()> {
    let program = bench::program(tresor)?;
    let (mut random, mut decided) = (Random::new(seed), 0);
    while decided < lists {
        let round = Lists::plant(&mut random, 25);
        decided += round.compare(&program, &mut random).map_err(|why| format!("seed {seed}: {why}"))?;
    }
    println!("{decided} lists: the same snapshots are kept, for the same reasons");
    Ok(())
}

fn kill(times: u32, seed: u64, tresor: Option<&Path>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut kill = Kill::begin(&bench::program(tresor)?, folder.path(), seed)?;
    let mut killed = 0;
    for time in 1..=times {
        let hit = kill.once(time).map_err(|e| format!("seed {seed}, kill {time}: {e}"))?;
        killed += u32::from(hit);
        println!("{time}/{times}: {}", if hit { "killed" } else { "it was done before" });
    }
    println!("{killed} of {times} backups were killed while they ran; nothing was lost");
    Ok(())
}

fn prunes(times: u32, seed: u64, tresor: Option<&Path>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut prunes = prune::Prunes::begin(&bench::program(tresor)?, folder.path(), seed)?;
    let mut killed = 0;
    for time in 1..=times {
        let hit = prunes.once(time).map_err(|e| format!("seed {seed}, prune {time}: {e}"))?;
        killed += u32::from(hit);
        println!("{time}/{times}: {}", if hit { "killed" } else { "it was done before" });
    }
    println!("{killed} of {times} prunes were killed while they ran; nothing was lost");
    Ok(())
}

/// A repository, a source that changes, and the first snapshot, which has to survive everything.
struct Kill {
    tresor: Client,
    restic: Client,
    source: PathBuf,
    original: PathBuf,
    first: String,
    folder: PathBuf,
    random: Random,
    /// How long a backup takes that nobody kills.
    whole: Duration,
    _repository: fixtures::Unpacked,
}

impl Kill {
    fn begin(program: &Path, folder: &Path, seed: u64) -> Result<Self> {
        let repository = fixtures::empty_repository();
        let spec = Spec { files: 400, directories: 40, largest: 1 << 20 };
        let (source, original) = (folder.join("source"), folder.join("original"));
        generate(&source, seed, &spec);
        generate(&original, seed, &spec);
        let tresor = Client::tresor(program, &repository.path).within(folder);
        let summary = done(tresor.run(["backup", "--json", "source"]))?.message("summary");
        let mut kill = Kill {
            restic: Client::restic(&repository.path),
            first: summary["snapshot_id"].as_str().unwrap_or_default().to_owned(),
            tresor,
            source,
            original,
            folder: folder.to_owned(),
            random: Random::new(seed),
            whole: Duration::ZERO,
            _repository: repository,
        };
        kill.change();
        let start = Instant::now();
        done(kill.tresor.run(["backup", "source"]))?;
        kill.whole = start.elapsed();
        Ok(kill)
    }

    /// Enough for several packs to be written.
    fn change(&mut self) {
        mutate(&self.source, self.random.word(), 30.0);
        let noise = self.random.bytes(24 << 20);
        std::fs::write(self.source.join("noise"), noise).expect("our own source can be written to");
    }

    /// Kills one backup and looks at everything; whether it was still running.
    fn once(&mut self, time: u32) -> Result<bool> {
        self.change();
        let moment = self.whole.mul_f64(self.random.below(1_100) as f64 / 1_000.0);
        let mut command = self.tresor.command(["backup", "source"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        std::thread::sleep(moment);
        let hit = child.try_wait()?.is_none();
        child.kill()?;
        child.wait()?;
        self.restores(&self.first, &self.original)?;
        done(self.restic.run(["unlock"]))?;
        done(self.restic.run(["check"].iter().chain(time.is_multiple_of(10).then_some(&"--read-data"))))?;
        done(self.tresor.run(["backup", "source"]))?;
        if time.is_multiple_of(10) {
            self.restores("latest", &self.source)?;
        }
        Ok(hit)
    }

    fn restores(&self, snapshot: &str, expect: &Path) -> Result<()> {
        let target = self.folder.join("target");
        done(
            self.tresor
                .run(["restore", snapshot, "--target"].map(Path::new).into_iter().chain([target.as_path()])),
        )?;
        let differences = compare_trees(expect, &target.join("source"));
        std::fs::remove_dir_all(&target)?;
        match differences.first() {
            None => Ok(()),
            Some(first) => {
                Err(format!("snapshot {snapshot} came back with {} differences: {first}", differences.len())
                    .into())
            }
        }
    }
}

fn done(run: Run) -> Result<Run> {
    if run.code == Some(0) { Ok(run) } else { Err(run.to_string().into()) }
}
