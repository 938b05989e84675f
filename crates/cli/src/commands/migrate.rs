//! `migrate`: bring a repository to a newer version of its format.

use schemars::JsonSchema;
use serde::Serialize;
use std::fs;
use tresor_backend::Full;
use tresor_repo::Repository;
use tresor_repo::lock::ExclusiveLock;
use tresor_repo::upgrade::NotUpgraded;

use super::check;
use crate::causes::chain;
use crate::exit::{Failure, Result};
use crate::session::Session;
use crate::ui::repair::Teller;

/// The only migration there is.
const UPGRADE: &str = "upgrade_repo_v2";
/// What it does.
const DESCRIPTION: &str = "upgrade a repository to version 2";

/// Bring the repository to a newer version of its format
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Apply a migration even if it does not fit
    #[arg(short, long)]
    force: bool,
    /// Names of migrations (default: list those that fit)
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// A migration that fits or was applied, for programs.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Migration {
    message_type: &'static str,
    name: &'static str,
    description: &'static str,
    applied: bool,
}

/// Lists the migrations that fit, or applies those named.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let opened = session.open_to_repair()?;
    let migrating = Migrating { session, repository: &opened.repository, lock: &opened.lock };
    let ended = if args.names.is_empty() { migrating.list() } else { migrating.apply_all(args) };
    opened.close(session);
    ended
}

/// A repository that is to be migrated.
struct Migrating<'a> {
    session: &'a Session,
    repository: &'a Repository<Full>,
    lock: &'a ExclusiveLock,
}

impl Migrating<'_> {
    fn list(&self) -> Result<()> {
        let ui = &self.session.ui;
        ui.print("available migrations:");
        match self.repository.config().version {
            1 => {
                ui.print(&format!("  {UPGRADE}\t{DESCRIPTION}"));
                self.message(false);
            }
            _ => ui.print("no migrations found"),
        }
        Ok(())
    }

    /// Applies what was named, one after the other; answers with the first failure.
    fn apply_all(&self, args: &Args) -> Result<()> {
        let (ui, teller) = (&self.session.ui, Teller::new(&self.session.ui, "migrate"));
        // The repository that is open says what it said when it was opened.
        let (mut version, mut ended) = (self.repository.config().version, Ok(()));
        for name in &args.names {
            if name != UPGRADE {
                teller.tell(name, &format!("unknown migration {name}"));
                continue;
            }
            if version != 1 && !args.force {
                teller.tell(name, &format!(
                    "migration {name} cannot be applied: repository is already upgraded to version 2\nIf you want to apply this migration anyway, re-run with option --force"
                ));
                continue;
            }
            if version != 1 {
                teller.tell(name, &format!("check for migration {name} failed, continuing anyway"));
            }
            ui.print("checking repository integrity...");
            check::run_locked(self.session, self.repository)?;
            ui.print(&format!("applying migration {name}..."));
            match self.upgrade(version) {
                Ok(()) => {
                    ui.print(&format!("migration {name}: success"));
                    self.message(true);
                    version = 2;
                }
                Err(failure) => {
                    teller.tell(name, &format!("migration {name} failed: {}", failure.message));
                    ended = ended.and(Err(failure));
                }
            }
        }
        ended
    }

    /// Replaces the config, with a copy of the old one beside as long as it is not sure that there is one.
    fn upgrade(&self, version: u32) -> Result<()> {
        if version != 1 {
            let why = format!("repository has version {version}, only upgrades from version 1 are supported");
            return Err(Failure::plain(why));
        }
        let stored = self.repository.stored_config()?;
        let prefix = format!("{}-migrate-{UPGRADE}-", self.session.program.name());
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir_in(self.session.temporary_folder());
        let folder = folder
            .map_err(|error| Failure::plain(format!("cannot make a temporary folder: {}", chain(&error))))?;
        let copy = folder.path().join("config");
        let written = fs::write(&copy, &stored).and_then(|()| fs::File::open(&copy)?.sync_all());
        written
            .map_err(|error| Failure::plain(format!("cannot write {}: {}", copy.display(), chain(&error))))?;
        self.repository.upgrade(&stored, self.lock).map_err(|NotUpgraded { cause, not_restored }| {
            let why = format!("the config could not be replaced: {}", chain(&*cause));
            let Some(error) = not_restored else {
                return Failure::plain(format!("{why}; the old one is in place"));
            };
            let kept = folder.keep().join("config");
            Failure::plain(format!(
                "{why}; the old one could not be stored again either: {}; copy it into the repository from {}",
                chain(&*error),
                kept.display()
            ))
        })
    }

    fn message(&self, applied: bool) {
        let ui = &self.session.ui;
        if ui.json_replaces_text() {
            ui.json(&Migration {
                message_type: "migration",
                name: UPGRADE,
                description: DESCRIPTION,
                applied,
            });
        }
    }
}
