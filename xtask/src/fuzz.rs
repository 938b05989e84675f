//! `fuzz`: feeds the parsers inputs that are made to reach new code, for as long as is asked.

use crate::{Result, process, project};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What makes the compiler count the edges that an input takes, and stop where arithmetic goes wrong. The engine is
/// linked without a sanitizer: all code of ours but what is marked `unsafe` is checked by the compiler.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks";
/// The machine to compile for: named, so that the flags are not for build scripts and macros.
const MACHINE: &str = "x86_64-unknown-linux-gnu";
/// No input is longer: long ones take time and find little.
const LONGEST: usize = 8192;
/// So many inputs are kept in the repository for a target at most, the shortest first.
const KEPT: usize = 32;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The targets to feed (default: all).
    targets: Vec<String>,
    /// Seconds for each target.
    #[arg(long, default_value_t = 900)]
    seconds: u64,
    /// How many targets are fed at a time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Keep the shortest inputs that reach all that was reached, for `./test`.
    #[arg(long)]
    keep: bool,
}

/// What feeding one target came to.
struct Outcome {
    name: String,
    executions: u64,
    inputs: usize,
    /// The end of what the engine said, if it found something.
    finding: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let work = work_folder()?;
    let all = names(&work)?;
    if let Some(name) = arguments.targets.iter().find(|name| !all.contains(name)) {
        return Err(format!("there is no target {name}; these are: {}", all.join(", ")).into());
    }
    let asked = if arguments.targets.is_empty() { &all } else { &arguments.targets };
    let engine = build(&work)?;
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| {
                while let Some(target) = asked.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = feed(&engine, &work, target, arguments);
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                }
            });
        }
    });
    tell(outcomes.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Where the engine and what it finds lie: beside other things that are built.
fn work_folder() -> Result<PathBuf> {
    let metadata = cargo_metadata::MetadataCommand::new().no_deps().exec()?;
    Ok(metadata.target_directory.join("fuzz").into())
}

/// The names of all targets; the seeds of each are put into its corpus.
fn names(work: &Path) -> Result<Vec<String>> {
    let mut seeds = Command::new("cargo");
    seeds.args(["run", "--quiet", "--package", "tresor-fuzz", "--bin", "seeds"]).arg(work.join("corpora"));
    Ok(process::output(&mut seeds)?.lines().map(str::to_owned).collect())
}

fn build(work: &Path) -> Result<PathBuf> {
    let status = Command::new("cargo")
        .args(["build", "--release", "--package", "tresor-fuzz", "--bin", "fuzz", "--features", "libfuzzer"])
        .args(["--target", MACHINE, "--target-dir"])
        .arg(work)
        .env("RUSTFLAGS", FLAGS)
        .status()?;
    match status.success() {
        true => Ok(work.join(MACHINE).join("release/fuzz")),
        false => Err("the engine cannot be built: it needs a C++ compiler (Debian: g++)".into()),
    }
}

fn feed(engine: &Path, work: &Path, target: &str, arguments: &Arguments) -> Result<Outcome> {
    let folder = work.join("corpora").join(target);
    let findings = work.join("findings").join(target);
    fs::create_dir_all(&findings)?;
    let mut command = Command::new(engine);
    command.env("TRESOR_FUZZ_TARGET", target);
    command.arg(format!("-max_total_time={}", arguments.seconds)).arg(format!("-max_len={LONGEST}"));
    command.args([
        "-rss_limit_mb=1024",
        "-timeout=10",
        "-print_final_stats=1",
        "-verbosity=0",
        "-use_value_profile=1",
    ]);
    command.arg(format!("-artifact_prefix={}/", findings.display()));
    command.arg(&folder);
    let kept = corpus_of(target);
    if kept.is_dir() {
        command.arg(&kept);
    }
    let ended = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&ended.stderr);
    let executions = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let executions = executions.and_then(|number| number.trim().parse().ok()).unwrap_or(0);
    let last: Vec<_> = said.lines().rev().take(40).collect();
    let finding = (!ended.status.success()).then(|| last.into_iter().rev().collect::<Vec<_>>().join("\n"));
    if arguments.keep && finding.is_none() {
        keep(engine, target, &folder)?;
    }
    Ok(Outcome { name: target.to_owned(), executions, inputs: fs::read_dir(&folder)?.count(), finding })
}

/// Puts the shortest inputs that together reach the same code beside the sources.
fn keep(engine: &Path, target: &str, folder: &Path) -> Result<()> {
    let merged = tempfile::tempdir()?;
    let status = Command::new(engine)
        .env("TRESOR_FUZZ_TARGET", target)
        .arg("-merge=1")
        .args([merged.path(), folder])
        .stderr(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(format!("the inputs of {target} cannot be merged").into());
    }
    let paths: std::io::Result<Vec<PathBuf>> =
        fs::read_dir(merged.path())?.map(|entry| Ok(entry?.path())).collect();
    let mut inputs =
        paths?.iter().map(|path| Ok((fs::read(path)?, path.clone()))).collect::<Result<Vec<_>>>()?;
    inputs.sort_by_key(|(bytes, _)| bytes.len());
    let kept = corpus_of(target);
    fs::create_dir_all(&kept)?;
    for (_, path) in inputs.iter().take(KEPT) {
        fs::copy(path, kept.join(path.file_name().unwrap_or_default()))?;
    }
    Ok(())
}

fn tell(outcomes: Vec<Result<Outcome>>) -> Result<()> {
    let mut outcomes = outcomes.into_iter().collect::<Result<Vec<_>>>()?;
    outcomes.sort_by(|a, b| a.name.cmp(&b.name));
    let mut executions = 0;
    for outcome in &outcomes {
        let end = if outcome.finding.is_some() { ", and a finding" } else { "" };
        println!("{}: {} executions, {} inputs{end}", outcome.name, outcome.executions, outcome.inputs);
        executions += outcome.executions;
    }
    println!("{} targets, {executions} executions", outcomes.len());
    let findings: Vec<_> =
        outcomes.iter().filter_map(|outcome| Some((&outcome.name, outcome.finding.as_ref()?))).collect();
    for (name, finding) in &findings {
        println!("\n== {name}\n{finding}");
    }
    match findings.is_empty() {
        true => Ok(()),
        false => {
            Err("there are findings: put each input, by a telling name, into `fuzz/corpora`, and mend".into())
        }
    }
}

/// Where the inputs of a target are kept, which need not be there.
fn corpus_of(target: &str) -> PathBuf {
    project::folder().join("fuzz/corpora").join(target)
}
