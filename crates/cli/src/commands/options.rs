//! `options`: list the extended options of the backends.

use schemars::JsonSchema;
use serde::Serialize;

use crate::exit::Result;
use crate::extended::{KNOWN, Known};
use crate::session::Session;

/// List the extended options
#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(hide = true)]
    ignored: Vec<String>,
}

/// An extended option as `--json` tells of it.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Message {
    message_type: &'static str,
    #[serde(flatten)]
    option: Known,
}

/// Prints one line an option.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let _ = &args.ignored; // restic ignores them too
    if session.ui.json_replaces_text() {
        for option in KNOWN {
            session.ui.json(&Message { message_type: "option", option: *option });
        }
        return Ok(());
    }
    session.ui.important("All Extended Options:");
    let width = KNOWN.iter().map(|option| option.key.len()).max().unwrap_or_default();
    for option in KNOWN {
        session.ui.important(&format!("  {:width$}  {}", option.key, option.description));
    }
    Ok(())
}
