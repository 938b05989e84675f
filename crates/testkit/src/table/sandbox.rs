//! Runs one case twice in the same folder: by the real restic, then by ours.

use super::case::{Aspect, Case};
use super::files;
use super::mask::Masks;
use super::repository::{self, Names};
use super::rows::Excused;
use super::scene::Scenes;
use crate::client::Run;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A shell that finds one of the programs under the name `restic`.
pub(super) struct Shell {
    path: OsString,
    prelude: String,
}

impl Shell {
    /// `programs` comes first on the `PATH`; `prelude` is read before each line.
    pub(super) fn new(programs: &Path, prelude: &str) -> Self {
        let mut path = programs.as_os_str().to_owned();
        path.push(":/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
        Shell { path, prelude: prelude.to_owned() }
    }

    /// Runs `line` in `folder`; a minute is more than any needs.
    pub(super) fn run(&self, line: &str, folder: &Path, names: &Names) -> Run {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", "60", "sh", "-c"]).arg(format!("{}\n{line}", self.prelude));
        command.current_dir(folder).env_clear().env("PATH", &self.path);
        command.env("HOME", folder.join("home")).env("TMPDIR", folder.join("tmp"));
        command.env("TZ", "UTC").env("LC_ALL", "C.UTF-8").env("RESTIC_REPOSITORY", folder.join("repo"));
        command.env("RESTIC_PASSWORD", crate::fixtures::PASSWORD);
        // restic has no such rules, and says nothing.
        command.env("TRESOR_ALLOW_WEAK_PASSWORD", "1").env("TRESOR_ALLOW_OPEN_PASSWORD_FILE", "1");
        command.envs(names.variables.iter().map(|(name, value)| (name, value)));
        Run::of(&mut command)
    }
}

/// What one program made of a case.
pub(super) struct Outcome {
    runs: Vec<Run>,
    folder: PathBuf,
}

impl Outcome {
    /// The exit code of each line.
    pub(super) fn codes(&self) -> Vec<Option<i32>> {
        self.runs.iter().map(|run| run.code).collect()
    }
}

/// What is compared of one program's outcome: lines for each aspect.
pub(super) type Seen = Vec<(Aspect, Vec<String>)>;

/// A worker's folder and the shells of both programs.
pub(super) struct Sandbox<'a> {
    pub(super) folder: PathBuf,
    pub(super) scenes: Scenes,
    pub(super) restic: &'a Shell,
    pub(super) ours: &'a Shell,
    pub(super) excused: &'a Excused,
}

impl Sandbox<'_> {
    /// What both programs did; an error if the case is not written well, or restic does not do what it says.
    pub(super) fn run(&mut self, case: &Case) -> Result<[Seen; 2], String> {
        let names = self.scenes.names(&case.scene, &self.folder, self.restic);
        self.scenes.put(&case.scene, &self.folder);
        let source = self.folder.join("src");
        let before = files::stamp(&source);
        let restic = self.play(case, self.restic, &names);
        let expected: Vec<_> = case.lines.iter().map(|line| Some(line.code)).collect();
        if restic.codes() != expected {
            let runs: String = restic.runs.iter().map(Run::to_string).collect();
            return Err(format!("restic ends with {:?}, not {expected:?}\n{runs}", restic.codes()));
        }
        let untouched = files::stamp(&source) == before;
        let masks = Masks::new(&names.ids, untouched && !case.unstable, &case.masks)?;
        let first = self.look(case, &restic, untouched, &masks);
        match untouched {
            true => self.scenes.put_around_source(&case.scene, &self.folder),
            false => self.scenes.put(&case.scene, &self.folder),
        }
        let ours = self.play(case, self.ours, &names);
        Ok([first, self.look(case, &ours, untouched, &masks)])
    }

    fn play(&self, case: &Case, shell: &Shell, names: &Names) -> Outcome {
        let runs = case.lines.iter().map(|line| shell.run(&line.shell, &self.folder, names));
        Outcome { runs: runs.collect(), folder: self.folder.clone() }
    }

    fn look(&self, case: &Case, outcome: &Outcome, untouched: bool, masks: &Masks) -> Seen {
        let output = |aspect: Aspect, bytes: fn(&Run) -> &[u8]| {
            let mut lines = Vec::new();
            for run in &outcome.runs {
                let mut of_run = masks.lines(bytes(run));
                of_run.retain(|line| !self.excused.covers(aspect, line));
                if case.unordered {
                    of_run.iter_mut().for_each(|line| *line = sorted_array(line));
                    of_run.sort();
                }
                lines.append(&mut of_run);
            }
            (aspect, lines)
        };
        let repositories = files::repositories(&outcome.folder);
        let mut without = repositories.clone();
        without.push(outcome.folder.join("home"));
        if untouched {
            without.push(outcome.folder.join("src"));
        }
        let pictures = repositories.iter().flat_map(|path| {
            let name = format!("== {}", path.file_name().unwrap_or_default().display());
            [name].into_iter().chain(repository::picture(path, masks))
        });
        vec![
            output(Aspect::Stdout, |run| &run.stdout),
            output(Aspect::Stderr, |run| &run.stderr),
            (Aspect::Code, outcome.codes().iter().map(|code| format!("{code:?}")).collect()),
            (Aspect::Repository, pictures.collect()),
            (Aspect::Files, files::picture(&outcome.folder, &without, masks)),
        ]
    }
}

/// An array with its values in the order of their text; any other line as it is.
fn sorted_array(line: &str) -> String {
    let Ok(values) = serde_json::from_str::<Vec<serde_json::Value>>(line) else { return line.to_owned() };
    let mut values: Vec<String> = values.iter().map(ToString::to_string).collect();
    values.sort();
    format!("[{}]", values.join(","))
}
