//! The commands: one file a verb, each with its `Args` and a `run` of about a screen.

pub(crate) mod version;

use clap::Subcommand;
use clap::error::{ContextKind, ContextValue};

use crate::exit::Result;
use crate::session::Session;

/// What the program can do.
#[derive(Subcommand)]
pub(crate) enum Verb {
    Version(version::Args),
}

impl Verb {
    /// Carries the command out.
    pub(crate) fn run(self, session: &Session) -> Result<()> {
        match self {
            Verb::Version(args) => version::run(&args, session),
        }
    }

    /// Whether `--json` replaces the text of this command.
    pub(crate) fn speaks_json(&self) -> bool {
        match self {
            Verb::Version(_) => true,
        }
    }
}

/// A parser's complaint in restic's words.
pub(crate) fn usage_message(root: &clap::Command, error: &clap::Error) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let Some(flag) = text(ContextKind::InvalidArg) else {
        return first_line(error);
    };
    match text(ContextKind::InvalidValue) {
        Some(value) => {
            let long = flag.trim_start_matches('-').split([' ', '=']).next().unwrap_or_default();
            let reason = std::error::Error::source(error).map_or_else(|| first_line(error), ToString::to_string);
            format!("invalid argument {value:?} for {:?} flag: {reason}", full_name(root, long))
        }
        None => first_line(error),
    }
}

fn first_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

fn full_name(command: &clap::Command, long: &str) -> String {
    let found = command.get_arguments().find(|flag| flag.get_long() == Some(long));
    let below = || {
        let names = command.get_subcommands().map(|below| full_name(below, long));
        names.filter(|name| !name.is_empty()).next()
    };
    found.map(crate::goflags::flag_name).or_else(below).unwrap_or_default()
}
