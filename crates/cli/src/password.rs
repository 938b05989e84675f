//! Where the password comes from: command, file, keeper, variable, prompt, stdin.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use tresor_secmem::SecretBytes;
use zeroize::Zeroizing;

use crate::args::Global;
use crate::compat::LENT_CREDENTIALS;
use crate::environment::Environment;
use crate::exit::{Failure, Result};
use crate::keeper::Keeper;
use crate::printer::{self, Surroundings};
use crate::{passwordfile, shellwords, textfile};

/// A password's bytes, in secret memory.
pub(crate) type Secret = SecretBytes;

/// What the flags and variables say about the password, before anybody is asked.
pub(crate) enum Given {
    /// This password.
    Password(Secret),
    /// The empty password, by `--insecure-no-password`.
    Empty,
    /// Nothing: it must be asked for.
    Ask,
}

/// What a password's source needs to know of us, and who decides in doubt.
pub(crate) struct Ways<'a> {
    /// For programs that print a password.
    pub(crate) around: Surroundings<'a>,
    /// The folder of systemd's credentials.
    pub(crate) credentials: Option<&'a Path>,
    /// The users whose files are ours.
    pub(crate) trusted: Vec<u32>,
    /// Told why others can read a password file; its error stands.
    pub(crate) on_exposed: &'a dyn Fn(&str) -> Result<()>,
}

impl Ways<'_> {
    /// The password in a file, trimmed.
    fn file(&self, path: &Path) -> Result<Secret> {
        let read = passwordfile::read(path, &self.trusted)?;
        read.exposed.map_or(Ok(()), |reason| (self.on_exposed)(&reason))?;
        Ok(read.password)
    }

    /// What a command prints, run without a shell.
    fn command(&self, command: &str) -> Result<Secret> {
        let words = shellwords::split(command).map_err(resolving)?;
        let printed = printer::output(&words, &self.around).map_err(|reason| {
            let failure = resolving(&reason);
            if self.around.withheld.is_empty() { failure } else { failure.hint(LENT_CREDENTIALS.hint) }
        })?;
        Ok(textfile::trim_secret(printed))
    }

    /// What a keeper has.
    fn keeper(&self, keeper: &Keeper) -> Result<Secret> {
        keeper.ask(&self.around, self.credentials).map_err(|reason| resolving(&reason))
    }
}

/// The names of one repository's password settings: the main one's, or the source's of a copy.
pub(crate) struct Sources<'a> {
    /// `--password-command` or its variable.
    pub(crate) command: Option<&'a str>,
    /// `--password-file` or its variable.
    pub(crate) file: Option<&'a Path>,
    /// `--password-from` or its variable.
    pub(crate) keeper: Option<&'a Keeper>,
    /// The password variable.
    pub(crate) variable: Option<Arc<Secret>>,
    /// `--insecure-no-password`.
    pub(crate) no_password: bool,
}

impl<'a> Sources<'a> {
    /// The settings of the main repository.
    pub(crate) fn of(global: &'a Global, environment: &Environment) -> Self {
        Sources {
            command: global.password_command.as_deref(),
            file: global.password_file.as_deref(),
            keeper: global.password_from.as_ref(),
            variable: environment.password(),
            no_password: global.insecure_no_password,
        }
    }

    /// Resolves what is given; an empty result counts as nothing given.
    pub(crate) fn resolve(self, ways: &Ways<'_>) -> Result<Given> {
        let password = match (self.command, self.file, self.keeper) {
            (Some(_), Some(_), _) => {
                return Err(resolving("Fatal: Password file and command are mutually exclusive options"));
            }
            (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
                return Err(resolving(
                    "--password-from, --password-file and --password-command exclude each other",
                ));
            }
            (Some(command), None, None) => Some(ways.command(command)?),
            (None, Some(file), None) => Some(ways.file(file).map_err(while_resolving)?),
            (None, None, Some(keeper)) => Some(ways.keeper(keeper)?),
            (None, None, None) => self.variable.as_deref().map(|variable| SecretBytes::copied(variable)),
        };
        match password.filter(|password| !password.is_empty()) {
            Some(_) if self.no_password => Err(Failure::fatal(
                "--insecure-no-password must not be specified together with providing a password via a cli option or environment variable",
            )),
            Some(password) => Ok(Given::Password(password)),
            None if self.no_password => Ok(Given::Empty),
            None => Ok(Given::Ask),
        }
    }
}

fn resolving(reason: &str) -> Failure {
    Failure::fatal(format!("Resolving password failed: {reason}"))
}

/// The same, of a failure that has its code and hint: restic repeats what is fatal.
fn while_resolving(failure: Failure) -> Failure {
    Failure { message: resolving(&failure.message).message, ..failure }
}

/// Asks for a password: on a terminal by a prompt, else it is the first line of stdin.
pub(crate) fn ask(prompt: &str) -> Result<Secret> {
    let password = if std::io::stdin().is_terminal() { prompt_for(prompt)? } else { first_line_of_stdin()? };
    refuse_empty(password)
}

/// Asks for a new password, twice on a terminal.
pub(crate) fn ask_new(prompt: &str, again: &str) -> Result<Secret> {
    let password = ask(prompt)?;
    if std::io::stdin().is_terminal() && prompt_for(again)?[..] != password[..] {
        return Err(Failure::fatal("passwords do not match"));
    }
    Ok(password)
}

/// A new password read from a file.
pub(crate) fn new_from_file(path: &Path, ways: &Ways<'_>) -> Result<Secret> {
    let password = ways.file(path)?;
    if password.is_empty() {
        return Err(Failure::plain(
            "an empty password is not allowed by default. Pass the flag `--new-insecure-no-password` to restic to disable this check",
        ));
    }
    Ok(password)
}

fn refuse_empty(password: Secret) -> Result<Secret> {
    if password.is_empty() {
        return Err(Failure::fatal(
            "an empty password is not allowed by default. Pass the flag `--insecure-no-password` to restic to disable this check",
        ));
    }
    Ok(password)
}

fn prompt_for(prompt: &str) -> Result<Secret> {
    let password = rpassword::prompt_password(prompt)
        .map_err(|error| Failure::fatal(format!("unable to read password: {error}")))?;
    Ok(SecretBytes::copied(Zeroizing::new(password.into_bytes()).as_slice()))
}

fn first_line_of_stdin() -> Result<Secret> {
    if std::io::stdout().is_terminal() {
        let _ = writeln!(std::io::stderr(), "reading repository password from stdin"); // information only
    }
    // Byte by byte and past the standard library's buffer, where a copy would stay.
    let (mut line, mut byte) = (SecretBytes::with_capacity(256), [0]);
    loop {
        match rustix::io::read(std::io::stdin(), &mut byte) {
            Ok(0) => break,
            Ok(_) if byte == *b"\n" => break,
            Ok(_) => line.extend_from_slice(&byte),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Failure::fatal(format!("unable to read password from stdin: {error}"))),
        }
    }
    let length = line.iter().rposition(|&byte| byte != b'\r').map_or(0, |at| at + 1);
    line.keep(0..length);
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources<'a>(command: Option<&'a str>, variable: &str, no_password: bool) -> Sources<'a> {
        let variable = Some(Arc::new(SecretBytes::copied(variable.as_bytes())));
        Sources { command, file: None, keeper: None, variable, no_password }
    }

    fn password(sources: Sources<'_>) -> String {
        let ways = Ways {
            around: Surroundings { path: Some(std::ffi::OsStr::new("/usr/bin:/bin")), withheld: &[] },
            credentials: None,
            trusted: vec![],
            on_exposed: &|reason| Err(Failure::fatal(reason)),
        };
        match sources.resolve(&ways) {
            Ok(Given::Password(password)) => String::from_utf8_lossy(&password).into_owned(),
            Ok(Given::Empty) => "<empty>".into(),
            Ok(Given::Ask) => "<ask>".into(),
            Err(failure) => failure.message,
        }
    }

    #[test]
    fn the_first_source_that_gives_something_counts() {
        assert_eq!(password(sources(Some("echo ' a b '"), "env", false)), "a b");
        assert_eq!(password(sources(None, "env ", false)), "env ");
        assert_eq!(password(sources(None, "", false)), "<ask>");
        assert_eq!(password(sources(Some("true"), "", true)), "<empty>");
        assert!(password(sources(None, "env", true)).contains("must not be specified together"));
        assert_eq!(
            password(sources(Some("sh -c 'exit 3'"), "", false)),
            "Fatal: Resolving password failed: exit status 3"
        );
        let keeper = Keeper::Systemd("x".into());
        let both = Sources { keeper: Some(&keeper), ..sources(Some("true"), "", false) };
        assert!(password(both).contains("exclude each other"));
    }
}
