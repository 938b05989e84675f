//! Runs one command in a process of its own, which tells its CPU time and peak memory apart.

use crate::Result;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fmt;
use std::process::{Command, Stdio};
use std::time::Instant;

/// What a command cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Sample {
    /// From start to end, in seconds.
    pub(super) wall: f64,
    /// User and system time of it and its children, in seconds.
    pub(super) cpu: f64,
    /// The largest resident memory of one process, in MiB.
    pub(super) peak: f64,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} / {:.2} / {:.0}", self.wall, self.cpu, self.peak)
    }
}

/// The hidden command that runs another and prints a [`Sample`] as JSON.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Runs the command, with its output thrown away and its errors passed on.
///
/// The system counts the usage of children that have ended; this process has only one.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut command = Command::new(&arguments.command[0]);
    command.args(&arguments.command[1..]).stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    let status = command.status().map_err(|e| format!("cannot run {command:?}: {e}"))?;
    let wall = start.elapsed().as_secs_f64();
    if !status.success() {
        return Err(format!("it ended with {status}").into());
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cpu = (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6;
    let sample = Sample { wall, cpu, peak: usage.max_rss() as f64 / 1024.0 };
    println!("{}", serde_json::to_string(&sample)?);
    Ok(())
}

/// What `command` cost, or what it said when it failed.
pub(super) fn measure(command: &mut Command) -> Result<Result<Sample, String>> {
    let mut measured = Command::new(std::env::current_exe()?);
    measured.args(["measure", "--"]).arg(command.get_program()).args(command.get_args());
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
