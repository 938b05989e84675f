//! Where the password comes from: command, file, variable, prompt, stdin.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use zeroize::Zeroizing;

use crate::args::Global;
use crate::environment::Environment;
use crate::exit::{Failure, Result};
use crate::{shellwords, textfile};

/// A password's bytes, wiped when dropped.
pub(crate) type Secret = Zeroizing<Vec<u8>>;

/// What the flags and variables say about the password, before anybody is asked.
pub(crate) enum Given {
    /// This password.
    Password(Secret),
    /// The empty password, by `--insecure-no-password`.
    Empty,
    /// Nothing: it must be asked for.
    Ask,
}

/// The names of one repository's password settings: the main one's, or the source's of a copy.
pub(crate) struct Sources<'a> {
    /// `--password-command` or its variable.
    pub(crate) command: Option<&'a str>,
    /// `--password-file` or its variable.
    pub(crate) file: Option<&'a Path>,
    /// The password variable.
    pub(crate) variable: Option<Secret>,
    /// `--insecure-no-password`.
    pub(crate) no_password: bool,
}

impl<'a> Sources<'a> {
    /// The settings of the main repository.
    pub(crate) fn of(global: &'a Global, environment: &Environment) -> Self {
        use std::os::unix::ffi::OsStrExt;
        Sources {
            command: global.password_command.as_deref(),
            file: global.password_file.as_deref(),
            variable: environment.setting("PASSWORD").map(|value| Zeroizing::new(value.as_bytes().to_vec())),
            no_password: global.insecure_no_password,
        }
    }

    /// Resolves what is given; an empty result counts as nothing given.
    pub(crate) fn resolve(&self) -> Result<Given> {
        let password = match (self.command, self.file) {
            (Some(_), Some(_)) => {
                return Err(resolving("Fatal: Password file and command are mutually exclusive options"));
            }
            (Some(command), None) => Some(from_command(command)?),
            (None, Some(file)) => Some(Zeroizing::new(
                textfile::read_trimmed(file).map_err(|failure| resolving(&failure.message))?,
            )),
            (None, None) => self.variable.clone(),
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

/// Runs a command, without a shell, and takes its output; its stderr passes through.
fn from_command(command: &str) -> Result<Secret> {
    let words = shellwords::split(command).map_err(resolving)?;
    let output = Command::new(&words[0])
        .args(&words[1..])
        .env_remove(crate::shells::VARIABLE)
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| resolving(&format!("exec: {:?}: {}", words[0], start_failure(&error))))?;
    let printed = Zeroizing::new(output.stdout);
    match output.status.code() {
        Some(0) => Ok(Zeroizing::new(textfile::trim(&printed).to_vec())),
        Some(code) => Err(resolving(&format!("exit status {code}"))),
        None => Err(resolving(&format!("{}", output.status))),
    }
}

/// Why a program could not be started.
fn start_failure(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "executable file not found in $PATH".into(),
        _ => crate::causes::chain(error),
    }
}

/// Asks for a password: on a terminal by a prompt, else it is the first line of stdin.
pub(crate) fn ask(prompt: &str) -> Result<Secret> {
    let password = if std::io::stdin().is_terminal() { prompt_for(prompt)? } else { first_line_of_stdin()? };
    refuse_empty(password)
}

/// Asks for a new password, twice on a terminal.
pub(crate) fn ask_new(prompt: &str, again: &str) -> Result<Secret> {
    let password = ask(prompt)?;
    if std::io::stdin().is_terminal() && prompt_for(again)? != password {
        return Err(Failure::fatal("passwords do not match"));
    }
    Ok(password)
}

/// A new password read from a file.
pub(crate) fn new_from_file(path: &Path) -> Result<Secret> {
    let password = Zeroizing::new(textfile::read_trimmed(path)?);
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
    Ok(Zeroizing::new(password.into_bytes()))
}

fn first_line_of_stdin() -> Result<Secret> {
    if std::io::stdout().is_terminal() {
        let _ = writeln!(std::io::stderr(), "reading repository password from stdin"); // information only
    }
    let mut line = Zeroizing::new(Vec::with_capacity(256));
    std::io::stdin()
        .lock()
        .read_until(b'\n', &mut line)
        .map_err(|error| Failure::fatal(format!("unable to read password from stdin: {error}")))?;
    while matches!(line.last(), Some(b'\n' | b'\r')) {
        line.pop();
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources<'a>(command: Option<&'a str>, variable: &str, no_password: bool) -> Sources<'a> {
        let variable = Some(Zeroizing::new(variable.as_bytes().to_vec()));
        Sources { command, file: None, variable, no_password }
    }

    fn password(sources: &Sources<'_>) -> String {
        match sources.resolve() {
            Ok(Given::Password(password)) => String::from_utf8_lossy(&password).into_owned(),
            Ok(Given::Empty) => "<empty>".into(),
            Ok(Given::Ask) => "<ask>".into(),
            Err(failure) => failure.message,
        }
    }

    #[test]
    fn the_first_source_that_gives_something_counts() {
        assert_eq!(password(&sources(Some("echo ' a b '"), "env", false)), "a b");
        assert_eq!(password(&sources(None, "env ", false)), "env ");
        assert_eq!(password(&sources(None, "", false)), "<ask>");
        assert_eq!(password(&sources(Some("true"), "", true)), "<empty>");
        assert!(password(&sources(None, "env", true)).contains("must not be specified together"));
        assert_eq!(
            password(&sources(Some("sh -c 'exit 3'"), "", false)),
            "Fatal: Resolving password failed: exit status 3"
        );
    }
}
