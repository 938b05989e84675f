//! Runs a program of restic's command line: restic itself or tresor, in an environment of its own.

use crate::peers;
use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

/// A program, a repository and a password; the same for restic and for tresor, so that roles can be exchanged.
///
/// Nothing of the caller's environment gets through except `PATH` and `TMPDIR`: home, cache and
/// configuration are temporary folders, the time zone is UTC. Cloning shares them. New repositories may have the
/// weak password of the fixtures; a test of that rule sets `TRESOR_ALLOW_WEAK_PASSWORD` to nothing.
#[derive(Debug, Clone)]
pub struct Client {
    program: PathBuf,
    name: Option<String>,
    repository: PathBuf,
    password: String,
    folder: PathBuf,
    variables: Vec<(OsString, OsString)>,
    home: Arc<TempDir>,
}

impl Client {
    /// The newest restic on `repository`.
    pub fn restic(repository: impl AsRef<Path>) -> Self {
        Client::new(peers::restic(), repository)
    }

    /// This release's restic on `repository`.
    pub fn restic_old(repository: impl AsRef<Path>) -> Self {
        Client::new(peers::restic_old(), repository)
    }

    /// tresor on `repository`; `program` is the caller's `env!("CARGO_BIN_EXE_tresor")`.
    pub fn tresor(program: impl AsRef<Path>, repository: impl AsRef<Path>) -> Self {
        Client::new(program.as_ref().to_owned(), repository)
    }

    fn new(program: PathBuf, repository: impl AsRef<Path>) -> Self {
        let home = Arc::new(tempfile::tempdir().expect("a temporary folder can be made"));
        let folder = home.path().to_owned();
        let cache = folder.join("cache");
        let client = Client {
            program,
            name: None,
            repository: repository.as_ref().to_owned(),
            password: crate::fixtures::PASSWORD.to_owned(),
            folder: folder.clone(),
            variables: Vec::new(),
            home,
        };
        let client = client.variable("HOME", folder).variable("XDG_CACHE_HOME", &cache);
        let client = client.variable("RESTIC_CACHE_DIR", cache).variable("TRESOR_ALLOW_WEAK_PASSWORD", "1");
        client.variable("TZ", "UTC").variable("LC_ALL", "C.UTF-8")
    }

    /// The same with another password.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        password.clone_into(&mut self.password);
        self
    }

    /// The same in another working folder (at first: the temporary home).
    #[must_use]
    pub fn within(mut self, folder: impl AsRef<Path>) -> Self {
        folder.as_ref().clone_into(&mut self.folder);
        self
    }

    /// The same with a variable of the environment set.
    #[must_use]
    pub fn variable(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.variables.retain(|(other, _)| other != name.as_ref());
        self.variables.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The same started under another name, by which a program may know its part.
    #[must_use]
    pub fn called(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// The repository's path.
    pub fn repository(&self) -> &Path {
        &self.repository
    }

    /// The temporary home, which holds the folder `cache`.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The prepared command, for what the methods below do not offer.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(name) = &self.name {
            command.arg0(name);
        }
        command.args(arguments).current_dir(&self.folder).env_clear();
        for name in ["PATH", "TMPDIR"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.env("RESTIC_REPOSITORY", &self.repository).env("RESTIC_PASSWORD", &self.password);
        command
    }

    /// Runs to the end, whatever the outcome.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Run {
        Run::of(&mut self.command(arguments))
    }

    /// Runs to the end with `input` on standard input.
    pub fn run_with_input<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        input: &[u8],
    ) -> Run {
        Run::with_input(&mut self.command(arguments), input)
    }

    /// Runs and panics unless the exit code is 0.
    #[track_caller]
    pub fn ok<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Run {
        self.run(arguments).ok()
    }

    /// Starts without waiting; standard output and error are piped.
    pub fn start<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Child {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap_or_else(|e| panic!("cannot run {}: {e}", self.program.display()))
    }
}

/// Writes a file for nobody but its owner, as a password file must be.
pub fn secret_file(path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
    let path = path.as_ref();
    let written = std::fs::write(path, content)
        .and_then(|()| std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)));
    written.unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
}

/// What a program did: exit code and output.
#[derive(Debug, Clone)]
pub struct Run {
    command: String,
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl Run {
    /// Runs `command` with nothing on standard input.
    pub fn of(command: &mut Command) -> Self {
        Run::with_input(command, &[])
    }

    /// Runs `command` with `input` on standard input; a program that does not read it is none the worse.
    pub fn with_input(command: &mut Command, input: &[u8]) -> Self {
        let told = format!("{command:?}");
        let stdin = if input.is_empty() { Stdio::null() } else { Stdio::piped() };
        let spawned = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|e| panic!("cannot run {told}: {e}"));
        let stdin = child.stdin.take();
        std::thread::scope(|scope| {
            scope.spawn(move || stdin.map(|mut pipe| pipe.write_all(input)));
            let output = child.wait_with_output().unwrap_or_else(|e| panic!("cannot wait for {told}: {e}"));
            Run { command: told, code: output.status.code(), stdout: output.stdout, stderr: output.stderr }
        })
    }

    /// Itself; panics with everything printed unless the exit code is 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// Itself; panics with everything printed unless the exit code is `code`.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub fn errors(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|e| panic!("no JSON ({e}): {self}"))
    }

    /// Standard output as JSON values, one a line.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let text = self.text();
        let lines = text.lines().filter(|line| !line.is_empty());
        lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("no JSON ({e}): {line}")))
            .collect()
    }

    /// The last JSON line whose `message_type` is `kind` (a backup's `summary`, say).
    #[track_caller]
    pub fn message(&self, kind: &str) -> Value {
        let found = self.json_lines().into_iter().rfind(|line| line["message_type"] == kind);
        found.unwrap_or_else(|| panic!("no message of type {kind:?}: {self}"))
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (text, errors) = (self.text(), self.errors());
        write!(f, "{}\nexit code {:?}\n--- stdout\n{text}\n--- stderr\n{errors}", self.command, self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn restic_lists_a_fixture() {
        let fixture = fixtures::unpack("v2-multi");
        let snapshots = Client::restic(&fixture.path).ok(["snapshots", "--json"]).json();
        assert_eq!(snapshots.as_array().unwrap().len(), fixture.facts.snapshots.len());
    }

    #[test]
    fn input_reaches_a_backup_and_its_summary_is_found() {
        let empty = fixtures::empty_repository();
        let restic = Client::restic(&empty.path);
        let run = restic.run_with_input(["backup", "--stdin", "--json"], b"piped").ok();
        assert_eq!(run.message("summary")["total_bytes_processed"], 5);
        restic.run(["cat", "blob", "ffffffff"]).exits(1);
        restic.password("wrong").run(["list", "keys"]).exits(12);
    }
}
