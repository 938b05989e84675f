//! The commands: one file a verb, each with its `Args` and a `run` of about a screen.

pub(crate) mod backup;
pub(crate) mod cache;
pub(crate) mod cat;
pub(crate) mod check;
pub(crate) mod copy;
pub(crate) mod diff;
pub(crate) mod dump;
pub(crate) mod explain;
pub(crate) mod features;
pub(crate) mod find;
pub(crate) mod forget;
pub(crate) mod generate;
pub(crate) mod help;
pub(crate) mod init;
pub(crate) mod key;
pub(crate) mod list;
pub(crate) mod ls;
pub(crate) mod migrate;
pub(crate) mod mount;
pub(crate) mod options;
mod patterns;
pub(crate) mod prune;
pub(crate) mod recover;
pub(crate) mod reference;
mod removal;
pub(crate) mod repair;
pub(crate) mod repair_index;
pub(crate) mod repair_packs;
mod repair_snapshots;
pub(crate) mod restore;
pub(crate) mod rewrite;
mod rewriting;
mod secondary;
pub(crate) mod selection;
pub(crate) mod snapshots;
pub(crate) mod stats;
pub(crate) mod tag;
pub(crate) mod tls;
pub(crate) mod trust;
pub(crate) mod unlock;
pub(crate) mod version;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, Subcommand};

use crate::compat::Program;
use crate::exit::{Failure, Result};
use crate::session::Session;

/// What the program can do.
#[derive(Subcommand)]
pub(crate) enum Verb {
    Backup(backup::Args),
    Cache(cache::Args),
    Cat(cat::Args),
    Check(check::Args),
    Copy(copy::Args),
    Diff(diff::Args),
    Dump(dump::Args),
    Explain(explain::Args),
    Features(features::Args),
    Find(find::Args),
    Forget(forget::Args),
    Generate(generate::Args),
    Help(help::Args),
    Init(init::Args),
    Key(key::Args),
    List(list::Args),
    Ls(ls::Args),
    Migrate(migrate::Args),
    Mount(mount::Args),
    Options(options::Args),
    Prune(prune::Args),
    #[command(hide = true)]
    RebuildIndex(repair_index::Args),
    Recover(recover::Args),
    #[command(hide = true)]
    Reference(reference::Args),
    Repair(repair::Args),
    Restore(restore::Args),
    Rewrite(rewrite::Args),
    Snapshots(snapshots::Args),
    Stats(stats::Args),
    Tag(tag::Args),
    Tls(tls::Args),
    Trust(trust::Args),
    Unlock(unlock::Args),
    Version(version::Args),
}

impl Verb {
    /// Carries the command out.
    pub(crate) fn run(self, session: &Session) -> Result<()> {
        match self {
            Verb::Backup(args) => backup::run(&args, session),
            Verb::Reference(args) => reference::run(&args, crate::command_line(), session),
            Verb::Repair(args) => repair::run(&args, session),
            Verb::Restore(args) => restore::run(&args, session),
            Verb::Rewrite(args) => rewrite::run(&args, session),
            Verb::Cache(args) => cache::run(&args, session),
            Verb::Cat(args) => cat::run(&args, session),
            Verb::Check(args) => check::run(&args, session),
            Verb::Copy(args) => copy::run(&args, session),
            Verb::Diff(args) => diff::run(&args, session),
            Verb::Dump(args) => dump::run(&args, session),
            Verb::Explain(args) => explain::run(&args, session),
            Verb::Features(args) => features::run(&args, session),
            Verb::Find(args) => find::run(&args, session),
            Verb::Forget(args) => forget::run(&args, session),
            Verb::Generate(args) => generate::run(&args, crate::command_line(), session),
            // It was shown before a session was begun.
            Verb::Help(_) => Ok(()),
            Verb::Init(args) => init::run(&args, session),
            Verb::Key(args) => key::run(&args, session),
            Verb::List(args) => list::run(&args, session),
            Verb::Ls(args) => ls::run(&args, session),
            Verb::Mount(args) => mount::run(&args, session),
            Verb::Migrate(args) => migrate::run(&args, session),
            Verb::RebuildIndex(args) => {
                session.ui.error("Command \"rebuild-index\" is deprecated, Use \"repair index\" instead");
                repair_index::run(&args, session)
            }
            Verb::Recover(args) => recover::run(&args, session),
            Verb::Options(args) => options::run(&args, session),
            Verb::Prune(args) => prune::run(&args, session),
            Verb::Snapshots(args) => snapshots::run(args, session),
            Verb::Stats(args) => stats::run(&args, session),
            Verb::Tag(args) => tag::run(&args, session),
            Verb::Tls(args) => tls::run(&args, session),
            Verb::Trust(args) => trust::run(&args, session),
            Verb::Unlock(args) => unlock::run(&args, session),
            Verb::Version(args) => version::run(&args, session),
        }
    }

    /// Whether it starts programs that may need more rights than ours (`sudo`, `fusermount3`) after a repository is open:
    /// to mount, for what it stores, or to get the password of another repository.
    pub(crate) fn starts_programs(&self) -> bool {
        match self {
            Verb::Backup(args) => args.starts_program(),
            Verb::Copy(_) | Verb::Init(_) | Verb::Mount(_) => true,
            _ => false,
        }
    }

    /// Whether `--json` replaces the text of this command: under our own name of every one, as restic only of some.
    pub(crate) fn speaks_json(&self, program: Program) -> bool {
        if !program.is_restic() {
            return true;
        }
        match self {
            Verb::Cat(_) | Verb::Copy(_) | Verb::Dump(_) | Verb::List(_) | Verb::Reference(_) => false,
            Verb::Migrate(_) | Verb::RebuildIndex(_) | Verb::Recover(_) => false,
            Verb::Repair(_) | Verb::Rewrite(_) => false,
            Verb::Cache(_) | Verb::Features(_) | Verb::Mount(_) | Verb::Options(_) | Verb::Prune(_) => false,
            Verb::Key(args) => args.speaks_json(),
            Verb::Backup(_)
            | Verb::Check(_)
            | Verb::Diff(_)
            | Verb::Explain(_)
            | Verb::Find(_)
            | Verb::Forget(_)
            | Verb::Generate(_)
            | Verb::Help(_)
            | Verb::Init(_)
            | Verb::Ls(_)
            | Verb::Restore(_)
            | Verb::Snapshots(_)
            | Verb::Stats(_)
            | Verb::Tag(_)
            | Verb::Tls(_)
            | Verb::Trust(_)
            | Verb::Unlock(_)
            | Verb::Version(_) => true,
        }
    }
}

/// Refuses words that a command has no use for.
///
/// # Errors
/// There are any.
fn refuse_arguments(session: &Session, command: &str, words: &[String]) -> Result<()> {
    if words.is_empty() {
        return Ok(());
    }
    let program = session.program.name();
    let message = format!(
        "the {command} command expects no arguments, only options - please see `{program} help {command}` for usage and flags"
    );
    // As in restic, those of `key` do not call it fatal.
    Err(if command.starts_with("key ") { Failure::plain(message) } else { Failure::fatal(message) })
}

/// Prints the help of a command that has commands of its own, where none of them was named: restic is content with that.
fn show_help(name: &str, session: &Session) {
    let mut root = crate::CommandLine::command().name(session.program.name());
    root.build();
    let help = root.find_subcommand_mut(name).map(|command| command.render_help());
    session.ui.text(help.map(|help| help.to_string()).unwrap_or_default().as_bytes());
}

/// A parser's complaint in restic's words.
pub(crate) fn usage_message(root: &clap::Command, error: &clap::Error) -> String {
    let Some((flag, value)) = bad_flag(error) else { return first_line(error) };
    let long = flag.trim_start_matches('-').split([' ', '=']).next().unwrap_or_default();
    let reason = std::error::Error::source(error).map_or_else(|| first_line(error), ToString::to_string);
    format!("invalid argument {value:?} for {:?} flag: {reason}", full_name(root, long))
}

/// The flag and the value of it that a parser complains about.
pub(crate) fn bad_flag(error: &clap::Error) -> Option<(String, String)> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    text(ContextKind::InvalidArg).zip(text(ContextKind::InvalidValue))
}

fn first_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

fn full_name(command: &clap::Command, long: &str) -> String {
    let found = command.get_arguments().find(|flag| flag.get_long() == Some(long));
    let below = || {
        let mut names = command.get_subcommands().map(|below| full_name(below, long));
        names.find(|name| !name.is_empty())
    };
    found.map(crate::goflags::flag_name).or_else(below).unwrap_or_default()
}
