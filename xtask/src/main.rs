//! Development commands: `cargo xtask <command>`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to people")]

mod process;
mod project;
mod sbom;
mod group;

mod bench;
mod scale;
mod life;
mod campaign;
mod fuzz;
mod generate;
mod differential;
mod servers;
mod peers;
mod tidy;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// What a command gives back; the text of an error is for the person who typed it.
type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// Development commands of tresor.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Puts the real programs that tests compare with under `.peers`.
    Peers(peers::Arguments),
    /// Checks the rules of the house: edges, reading order, sizes, words.
    Tidy,
    /// Measures tresor beside every peer it finds, and writes the table to the docs.
    Bench(bench::Arguments),
    /// Measures tresor beside its peers with more and more files, snapshots and cores.
    Scaling(bench::scaling::Arguments),
    /// Measures synthetic repositories of many blobs, served on loopback, beside the peers.
    Scale(scale::Arguments),
    /// Shows where the CPU time of one row of the measurements goes, by `perf`.
    Profile(bench::profile::Arguments),
    /// Long runs that try to break things.
    Campaign(campaign::Arguments),
    /// Feeds every parser inputs that are made to reach new code.
    Fuzz(fuzz::Arguments),
    /// Runs the table of command lines by restic and by tresor, and compares.
    Differential(differential::Arguments),
    /// Writes the reference pages of the manual.
    Generate(generate::Arguments),
    #[command(hide = true)]
    Measure(bench::measure::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Peers(arguments) => peers::run(&arguments),
        Command::Tidy => tidy::run(),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Scaling(arguments) => bench::scaling::run(&arguments),
        Command::Scale(arguments) => scale::run(&arguments),
        Command::Profile(arguments) => bench::profile::run(&arguments),
        Command::Campaign(arguments) => campaign::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Differential(arguments) => differential::run(&arguments),
        Command::Generate(arguments) => generate::run(&arguments),
        Command::Measure(arguments) => bench::measure::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
