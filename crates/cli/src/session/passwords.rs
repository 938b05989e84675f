//! The passwords of a session: the repository's own, and new ones, which must be hard to guess.

use std::io::IsTerminal;
use std::path::Path;
use tresor_repo::keyfile::Password;
use tresor_secmem::SecretBytes;

use super::Session;
use crate::compat::{OPEN_PASSWORD_FILE, WEAK_PASSWORD};
use crate::environment::secrets_of_service;
use crate::exit::Result;
use crate::password::{self, Given, Sources, Ways};
use crate::passwordfile;
use crate::printer::Surroundings;
use crate::strength::{self, Strength};

impl Session {
    /// What the flags and variables say about the password. It is looked for once: a pipe gives it but once.
    pub(super) fn given(&self) -> Result<&Given> {
        if let Some(given) = self.given.get() {
            return Ok(given);
        }
        let sources = Sources::of(&self.global, &self.environment);
        let given = self.with_ways(|ways| sources.resolve(ways))?;
        Ok(self.given.get_or_init(|| given))
    }

    /// The password that is given, or typed now.
    pub(super) fn password(&self, given: &Given) -> Result<Password> {
        Ok(match given {
            Given::Password(bytes) => Password::from(SecretBytes::copied(bytes)),
            Given::Empty => Password::new(Vec::new()),
            Given::Ask => Password::from(password::ask(&format!("enter password for {}: ", self.called))?),
        })
    }

    /// Whether the password comes from a flag or variable, so that stdin is free for data.
    pub(crate) fn password_is_given(&self) -> Result<bool> {
        Ok(!matches!(self.given()?, Given::Ask) || std::io::stdin().is_terminal())
    }

    /// Whether the password is at hand without anybody typing it.
    pub(crate) fn password_needs_nobody(&self) -> bool {
        matches!(self.given(), Ok(Given::Password(_) | Given::Empty))
    }

    /// A password for a repository that is to be made.
    ///
    /// # Errors
    /// None is given; it is too weak.
    pub(crate) fn new_password(&self) -> Result<Password> {
        match self.given()? {
            Given::Password(bytes) => self.strong(bytes, &[]),
            Given::Empty => Ok(Password::new(Vec::new())),
            Given::Ask => {
                let typed =
                    password::ask_new("enter password for new repository: ", "enter password again: ")?;
                self.strong(&typed, &[])
            }
        }
    }

    /// A new password for a repository that there is: from a file, or typed. `names` stand in its key file.
    ///
    /// # Errors
    /// None is given; it is too weak; the file cannot be read, or is open to others.
    pub(crate) fn another_password(&self, file: Option<&Path>, names: &[&str]) -> Result<Password> {
        let password = match file {
            Some(file) => self.with_ways(|ways| password::new_from_file(file, ways))?,
            None => password::ask_new("enter new password: ", "enter password again: ")?,
        };
        self.strong(&password, names)
    }

    /// A new password, if it is strong enough or may be weak.
    fn strong(&self, password: &[u8], names: &[&str]) -> Result<Password> {
        if !self.global.allow_weak_password {
            self.judge(password, names)?;
        }
        Ok(Password::from(SecretBytes::copied(password)))
    }

    fn judge(&self, password: &[u8], names: &[&str]) -> Result<()> {
        let owner = self.owner();
        let location = self.location_text().unwrap_or_default();
        let location = String::from_utf8_lossy(&location);
        let surroundings = [&[&owner.username, &owner.hostname, &*location], names].concat();
        match strength::judge(password, &surroundings) {
            Strength::Weak { digits } => {
                let what = format!("the new password is weak: some 10^{digits} guesses find it");
                self.weigh(&WEAK_PASSWORD, false, &what)?;
            }
            Strength::Fair if std::io::stderr().is_terminal() && !self.program.is_restic() => self.ui.error(
                "warning: the new password could be stronger; `tresor key generate` prints one that nobody guesses",
            ),
            Strength::Fair | Strength::Good => {}
        }
        Ok(())
    }

    /// Hands out what sources of passwords need.
    fn with_ways<T>(&self, use_them: impl FnOnce(&Ways<'_>) -> Result<T>) -> Result<T> {
        let environment = &self.environment;
        let lends = self.program.goes_on(self.global.lend_credentials);
        let scheme = self.location().map_or("", |location| location.scheme());
        let secrets = secrets_of_service(scheme).iter().copied();
        let withheld: Vec<_> = secrets.filter(|name| !lends && environment.get(name).is_some()).collect();
        let allowed = self.global.allow_open_password_file;
        use_them(&Ways {
            around: Surroundings { path: environment.get("PATH"), withheld: &withheld },
            credentials: environment.get("CREDENTIALS_DIRECTORY").map(Path::new),
            trusted: passwordfile::trusted(environment),
            on_exposed: &|reason| self.weigh(&OPEN_PASSWORD_FILE, allowed, reason),
        })
    }
}
