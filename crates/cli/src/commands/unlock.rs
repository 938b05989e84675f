//! `unlock`: remove locks that others left behind.

use tresor_repo::lock::Which;

use crate::exit::Result;
use crate::session::Session;
use crate::ui::changes::{Counts, Told};

/// Remove locks that programs left behind
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Remove all locks, also those of running programs
    #[arg(long)]
    remove_all: bool,
    #[arg(hide = true)]
    ignored: Vec<String>,
}

/// Removes stale locks.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let _ = &args.ignored; // restic ignores them too
    let which = if args.remove_all { Which::All } else { Which::Stale };
    let removed = session.open_unlocked()?.unlock(which, &session.owner())?;
    session.ui.tell(&Told::Summary(Counts { removed_locks: Some(removed), ..Counts::default() }));
    if removed > 0 {
        session.ui.print(&format!("successfully removed {removed} locks"));
    }
    Ok(())
}
