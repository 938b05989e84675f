//! What cases start from: folders that a script fills with the help of the real restic.

use super::repository::{self, Names};
use super::sandbox::Shell;
use crate::fixtures;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The scenes that one worker has made; paths are stored in snapshots, so that no two workers can share one.
pub(super) struct Scenes {
    scripts: PathBuf,
    made: PathBuf,
    names: BTreeMap<String, Names>,
}

impl Scenes {
    /// Scripts come from `scripts`; what they make is kept in `made`.
    pub(super) fn new(scripts: PathBuf, made: PathBuf) -> Self {
        Scenes { scripts, made, names: BTreeMap::new() }
    }

    /// The ids in the repository `repo` of a scene; makes it, at `place`, the first time.
    pub(super) fn names(&mut self, scene: &str, place: &Path, shell: &Shell) -> Names {
        if !self.names.contains_key(scene) {
            self.make(scene, place, shell);
            fs::create_dir_all(&self.made).expect("a temporary folder can be made");
            copy(place, &self.made.join(scene));
            let mut names = repository::names(&place.join("repo"));
            names.ids.extend(repository::names(&place.join("repo2")).ids);
            self.names.insert(scene.to_owned(), names);
        }
        self.names[scene].clone()
    }

    /// Puts a scene that was made to `place`, which is emptied.
    pub(super) fn put(&self, scene: &str, place: &Path) {
        clear(place);
        copy(&self.made.join(scene), place);
    }

    /// As [`put`](Self::put), and leaves the folder `src` as it is.
    pub(super) fn put_around_source(&self, scene: &str, place: &Path) {
        let others = |folder: &Path| {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            entries
                .map(|entry| entry.path())
                .filter(|path| path.file_name().is_some_and(|name| name != "src"))
        };
        others(place).for_each(|path| remove(&path));
        for path in others(&self.made.join(scene)) {
            copy(&path, &place.join(path.file_name().expect("an entry has a name")));
        }
    }

    fn make(&self, scene: &str, place: &Path, shell: &Shell) {
        let path = self.scripts.join(format!("{scene}.sh"));
        let script =
            fs::read_to_string(&path).unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()));
        clear(place);
        begin(&self.scripts, &script, place, shell, scene);
    }
}

/// Does what the first line of a script says, then runs the script itself.
fn begin(scripts: &Path, script: &str, place: &Path, shell: &Shell, scene: &str) {
    let first = script.lines().next().and_then(|line| line.strip_prefix("# from ")).unwrap_or_default();
    match first.split_once(' ').unwrap_or((first, "")) {
        ("scene", other) => {
            let path = scripts.join(format!("{other}.sh"));
            let text =
                fs::read_to_string(&path).unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()));
            begin(scripts, &text, place, shell, other);
        }
        ("fixture", name) => {
            start(place);
            copy(&fixtures::unpack(name).path, &place.join("repo"));
        }
        ("empty", _) => {
            start(place);
            copy(&fixtures::empty_repository().path, &place.join("repo"));
        }
        _ => panic!(
            "scene {scene}: the first line says nothing like `# from scene NAME`, `# from fixture NAME`"
        ),
    }
    let names = repository::names(&place.join("repo"));
    let run = shell.run(&format!("set -eu\n{script}"), place, &names);
    assert_eq!(run.code, Some(0), "scene {scene} could not be made:\n{run}");
}

fn start(place: &Path) {
    for folder in ["home", "tmp", "src"] {
        fs::create_dir_all(place.join(folder)).expect("a temporary folder can be made");
    }
}

/// Empties a folder.
fn clear(folder: &Path) {
    fs::create_dir_all(folder).expect("a temporary folder can be made");
    fs::read_dir(folder).into_iter().flatten().flatten().for_each(|entry| remove(&entry.path()));
}

fn remove(path: &Path) {
    let is_dir = path.is_dir() && !path.is_symlink();
    let removed = if is_dir { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.unwrap_or_else(|e| panic!("cannot remove {}: {e}", path.display()));
}

/// Copies with owners, times, links and holes; into `to` if that is a folder.
fn copy(from: &Path, to: &Path) {
    let from = if from.is_dir() && to.is_dir() { from.join(".") } else { from.to_owned() };
    let status = Command::new("cp").arg("-a").arg("--reflink=auto").arg(&from).arg(to).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "cannot copy {} to {}",
        from.display(),
        to.display()
    );
}
