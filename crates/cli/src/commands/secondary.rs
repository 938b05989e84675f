//! The flags of a second repository, which a command only reads: the source of a copy.

use std::path::PathBuf;
use std::sync::Arc;

use crate::exit::{Failure, Result};
use crate::keeper::Keeper;
use crate::session::Session;

/// Flags that say where the secondary repository is and how it is opened.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct SecondaryFlags {
    /// Use an empty password for the source repository (insecure)
    #[arg(long)]
    from_insecure_no_password: bool,
    /// Try this key file of the source repository first (default: $RESTIC_FROM_KEY_HINT)
    #[arg(long, value_name = "KEY")]
    from_key_hint: Option<String>,
    /// Take the password of the source repository from this command (default: $RESTIC_FROM_PASSWORD_COMMAND)
    #[arg(long, value_name = "COMMAND")]
    from_password_command: Option<String>,
    /// Read the password of the source repository from this file (default: $RESTIC_FROM_PASSWORD_FILE)
    #[arg(long, value_name = "FILE")]
    from_password_file: Option<PathBuf>,
    /// Take the password of the source repository from keyring:NAME or systemd:NAME
    /// (default: $TRESOR_FROM_PASSWORD_FROM)
    #[arg(long, value_name = "KEEPER", value_parser = crate::args::parse_keeper)]
    from_password_from: Option<Keeper>,
    /// Location of the source repository (default: $RESTIC_FROM_REPOSITORY)
    #[arg(long, value_name = "REPOSITORY")]
    from_repo: Option<String>,
    /// Read the location of the source repository from this file (default: $RESTIC_FROM_REPOSITORY_FILE)
    #[arg(long, value_name = "FILE")]
    from_repository_file: Option<PathBuf>,
}

impl SecondaryFlags {
    /// Whether a secondary repository is named, by flag or variable.
    pub(crate) fn are_given(&self, session: &Session) -> bool {
        let variable = |name| session.environment.setting(name).is_some();
        let named = |text: &str| !text.is_empty();
        self.from_repo.as_deref().map_or_else(|| variable("FROM_REPOSITORY"), named)
            || self
                .from_repository_file
                .as_ref()
                .map_or_else(|| variable("FROM_REPOSITORY_FILE"), |file| !file.as_os_str().is_empty())
    }

    /// A session on the secondary repository.
    ///
    /// # Errors
    /// None is named.
    pub(crate) fn session(&self, session: &Session) -> Result<Session> {
        if !self.are_given(session) {
            return Err(Failure::fatal(
                "Please specify a source repository location (--from-repo or --from-repository-file)",
            ));
        }
        let mut global = session.global.clone();
        global.repo.clone_from(&self.from_repo);
        global.repository_file.clone_from(&self.from_repository_file);
        global.password_file.clone_from(&self.from_password_file);
        global.password_command.clone_from(&self.from_password_command);
        global.password_from.clone_from(&self.from_password_from);
        global.key_hint.clone_from(&self.from_key_hint);
        global.insecure_no_password = self.from_insecure_no_password;
        let environment = session.environment.secondary();
        let global = global.settle(&environment)?;
        let (ui, cancel) = (session.ui.clone(), session.cancel.clone());
        let mut source = Session::new(session.program, global, environment, ui, cancel)?;
        source.called = "source repository";
        source.counted = Arc::clone(&session.counted);
        source.gate = session.gate.clone();
        source.starts_programs = session.starts_programs;
        Ok(source)
    }
}
