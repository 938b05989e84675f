//! Runs one command in a process of its own, which tells its CPU time and peak memory apart.

use super::anonymous;
use crate::Result;
use crate::group::Group;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fmt;
use std::process::{Command, Stdio};
use std::time::Instant;

/// What a command cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// From start to end, in seconds.
    pub(crate) wall: f64,
    /// User and system time of it and its children, in seconds.
    pub(crate) cpu: f64,
    /// The largest resident memory of one process, in MiB.
    pub(crate) peak: f64,
    /// The largest anonymous memory of it and its children, in MiB, if that was looked at.
    pub(crate) anonymous: Option<f64>,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} / {:.2} / {:.0}", self.wall, self.cpu, self.peak)
    }
}

/// What is put around a command that is measured.
#[derive(Debug, Default)]
pub(crate) struct Around {
    /// On how many cores it may run; on all of them if not given.
    pub(crate) cores: Option<usize>,
    /// A program and its arguments, which runs the command.
    pub(crate) wrapper: Vec<OsString>,
    /// Look at its anonymous memory, too.
    pub(crate) anonymous: bool,
    /// How many MiB of memory it may have, page cache included.
    pub(crate) memory: Option<u64>,
}

/// The hidden command that runs another and prints a [`Sample`] as JSON.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// On how many of the cores that this process may use the command may run.
    #[arg(long)]
    cores: Option<usize>,
    /// Look every few milliseconds at how much anonymous memory it has.
    #[arg(long)]
    anonymous: bool,
    /// How many MiB of memory it may have, page cache included.
    #[arg(long)]
    memory: Option<u64>,
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Runs the command, with its output thrown away and its errors passed on.
///
/// The system counts the usage of children that have ended; this process has only one.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut command = Command::new(&arguments.command[0]);
    command.args(&arguments.command[1..]).stdin(Stdio::null()).stdout(Stdio::null());
    if let Some(cores) = arguments.cores {
        keep_to(cores)?; // the child inherits it
    }
    let group = |mebibytes| Group::of_this_process("run", mebibytes)?.enter();
    let _entered = arguments.memory.map(group).transpose()?; // the child is in it as well
    let start = Instant::now();
    let mut child = command.spawn().map_err(|e| format!("cannot run {command:?}: {e}"))?;
    let watch = arguments.anonymous.then(|| anonymous::Watch::start(child.id()));
    let status = child.wait()?;
    let wall = start.elapsed().as_secs_f64();
    let anonymous = watch.map(anonymous::Watch::end);
    if !status.success() {
        return Err(format!("it ended with {status}").into());
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cpu = (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6;
    let sample = Sample { wall, cpu, peak: usage.max_rss() as f64 / 1024.0, anonymous };
    println!("{}", serde_json::to_string(&sample)?);
    Ok(())
}

/// Keeps this thread, and what it starts, to the first `cores` of the cores that it may use.
fn keep_to(cores: usize) -> Result<()> {
    let allowed = sched_getaffinity(None)?;
    let mut kept = CpuSet::new();
    let first = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).take(cores);
    first.for_each(|core| kept.set(core));
    if cores == 0 || kept.count() as usize != cores {
        return Err(format!("{cores} cores are wanted, and {} can be used", allowed.count()).into());
    }
    Ok(sched_setaffinity(None, &kept)?)
}

/// What `command` cost, or what it said when it failed.
pub(crate) fn measure(command: &mut Command, around: &Around) -> Result<Result<Sample, String>> {
    let mut measured = Command::new(std::env::current_exe()?);
    measured.arg("measure").args(around.cores.map(|cores| format!("--cores={cores}")));
    measured.args(around.memory.map(|memory| format!("--memory={memory}")));
    measured.args(around.anonymous.then_some("--anonymous"));
    measured.arg("--").args(&around.wrapper).arg(command.get_program()).args(command.get_args());
    measured.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = command.get_current_dir() {
        measured.current_dir(folder);
    }
    let output = measured.output()?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let last = errors.lines().rev().filter(|line| !line.trim().is_empty()).take(3).collect::<Vec<_>>();
        return Ok(Err(last.into_iter().rev().collect::<Vec<_>>().join("; ")));
    }
    Ok(Ok(serde_json::from_slice(&output.stdout)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_thread_keeps_to_the_cores_it_is_told() {
        let kept = thread::spawn(|| {
            keep_to(1).unwrap();
            (sched_getaffinity(None).unwrap().count(), thread::available_parallelism().unwrap().get())
        });
        assert_eq!(kept.join().unwrap(), (1, 1));
        assert!(keep_to(0).is_err());
        assert!(keep_to(CpuSet::MAX_CPU + 1).is_err());
    }
}
