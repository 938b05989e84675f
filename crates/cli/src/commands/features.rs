//! `features`: list the feature flags of restic that are understood.

use schemars::JsonSchema;
use serde::Serialize;

use crate::exit::{Failure, Result};
use crate::features::{FLAGS, Flag};
use crate::session::Session;
use crate::ui::table::Table;

/// List the feature flags
#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(hide = true)]
    words: Vec<String>,
}

/// A feature flag as `--json` tells of it.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Message {
    message_type: &'static str,
    #[serde(flatten)]
    flag: Flag,
}

/// Prints the table of flags.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    if !args.words.is_empty() {
        return Err(Failure::fatal("the feature command expects no arguments"));
    }
    if session.ui.json_replaces_text() {
        for flag in FLAGS {
            session.ui.json(&Message { message_type: "feature", flag });
        }
        return Ok(());
    }
    let mut table = Table::new(["Name", "Type", "Default", "Description"]);
    for flag in FLAGS {
        let cells = [flag.name, flag.stage, if flag.default { "true" } else { "false" }, flag.description];
        table.row(cells.iter().map(|cell| vec![(*cell).to_owned()]).collect());
    }
    session.ui.important("All Feature Flags:");
    session.ui.raw(table.render().as_bytes());
    Ok(())
}
