//! `repair`: mend what is damaged.

use clap::Subcommand;

use super::{repair_index, repair_packs, repair_snapshots};
use crate::exit::Result;
use crate::session::Session;

/// Mend a damaged repository
#[derive(clap::Args)]
#[command(subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[arg(hide = true)]
    ignored: Vec<String>,
}

#[derive(Subcommand)]
enum What {
    Index(repair_index::Args),
    Packs(repair_packs::Args),
    Snapshots(repair_snapshots::Args),
}

/// Mends what was asked for; prints the help if nothing was.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    match &args.what {
        Some(What::Index(args)) => repair_index::run(args, session),
        Some(What::Packs(args)) => repair_packs::run(args, session),
        Some(What::Snapshots(args)) => repair_snapshots::run(args, session),
        None => {
            let _ = &args.ignored; // as restic does
            super::show_help("repair", session);
            Ok(())
        }
    }
}
