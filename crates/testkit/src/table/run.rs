//! Runs the table by several workers.

use super::case::{self, Case};
use super::rows::{self, Excused};
use super::sandbox::{Sandbox, Shell};
use super::scene::Scenes;
use super::verdict::{Report, Verdict, judge};
use crate::peers;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::symlink;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Cases of one scene that a worker takes at a time: making a scene costs as much as several cases.
const CHUNK: usize = 20;

/// What to run, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program to compare with restic.
    pub program: PathBuf,
    /// Only cases whose name has this in it.
    pub filter: Option<String>,
    /// Whether it is the second table: what differs under our own name.
    pub own: bool,
    /// Only each so-manieth case, beginning with the first.
    pub slice: usize,
    /// How many cases run at a time; most of their time is spent waiting for locks.
    pub jobs: usize,
}

/// The folder of the tables.
pub(super) fn folder() -> PathBuf {
    peers::project().join("crates/cli/tests/table")
}

/// Runs what the options say.
///
/// # Panics
/// If a table cannot be understood, or a scene cannot be made.
pub fn run(options: &Options) -> Report {
    let all = case::load(&if options.own { folder().join("own") } else { folder() });
    let is_wanted =
        |case: &Case| options.filter.as_ref().is_none_or(|text| case.name().contains(text.as_str()));
    let cases: Vec<Case> = all.iter().filter(|case| is_wanted(case)).cloned().collect();
    let cases: Vec<Case> = cases.into_iter().step_by(options.slice.max(1)).collect();
    let is_whole = cases.len() == all.len() && !options.own;
    let (rows, excused) = (rows::load(), Excused::new());
    let verdicts = play(&cases, options, &rows, &excused);
    let mut report = Report { verdicts: cases.into_iter().zip(verdicts).collect(), complaints: Vec::new() };
    for row in excused.rows().filter(|row| !rows.contains(*row)) {
        report.complaints.push(format!("the page on differences has no row {row:?}"));
    }
    if is_whole {
        let unmet = excused.unmet().into_iter().map(|row| format!("nothing was excused by the row {row:?}"));
        report.complaints.extend(unmet);
    }
    report
}

/// The verdict on each case.
fn play(cases: &[Case], options: &Options, rows: &BTreeSet<String>, excused: &Excused) -> Vec<Verdict> {
    let root = tempfile::Builder::new().prefix("table-").tempdir().expect("a temporary folder can be made");
    let prelude = std::fs::read_to_string(folder().join("prelude.sh")).unwrap_or_default();
    let [restic, ours] = [("theirs", peers::restic()), ("ours", options.program.clone())]
        .map(|(name, program)| Shell::new(&programs(&root.path().join(name), &program), &prelude));
    let queue = Mutex::new(chunks(cases));
    let verdicts = Mutex::new(vec![None; cases.len()]);
    std::thread::scope(|scope| {
        for worker in 0..options.jobs.max(1) {
            let (root, restic, ours, queue, verdicts) = (root.path(), &restic, &ours, &queue, &verdicts);
            scope.spawn(move || {
                let made = root.join(format!("scenes-{worker}"));
                let scenes = Scenes::new(folder().join("scenes"), made);
                let mut sandbox =
                    Sandbox { folder: root.join(worker.to_string()), scenes, restic, ours, excused };
                while let Some(chunk) = next(queue) {
                    for at in chunk {
                        let verdict = verdict(&mut sandbox, &cases[at], rows);
                        verdicts.lock().expect("no worker panics here")[at] = Some(verdict);
                    }
                }
            });
        }
    });
    let verdicts = verdicts.into_inner().expect("no worker panics here");
    verdicts.into_iter().map(|verdict| verdict.expect("every case was in a chunk")).collect()
}

fn next(queue: &Mutex<Vec<Vec<usize>>>) -> Option<Vec<usize>> {
    queue.lock().expect("no worker panics here").pop()
}

/// A case that cannot be run is wrong; it does not stop the others.
fn verdict(sandbox: &mut Sandbox<'_>, case: &Case, rows: &BTreeSet<String>) -> Verdict {
    let seen = catch_unwind(AssertUnwindSafe(|| sandbox.run(case)));
    match seen {
        Ok(Ok(seen)) => judge(case, &seen, rows),
        Ok(Err(what)) => Verdict::Wrong(format!("  {what}\n")),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            Verdict::Wrong(format!("  it could not be run: {}\n", text.unwrap_or_default()))
        }
    }
}

/// Positions of cases that share a scene, the longest chunks last, because they are taken from there.
fn chunks(cases: &[Case]) -> Vec<Vec<usize>> {
    let mut scenes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, case) in cases.iter().enumerate() {
        scenes.entry(&case.scene).or_default().push(at);
    }
    let mut chunks: Vec<Vec<usize>> =
        scenes.values().flat_map(|cases| cases.chunks(CHUNK).map(<[usize]>::to_vec)).collect();
    chunks.sort_by_key(Vec::len);
    chunks
}

/// A folder in which `restic` and `tresor` are the program, and `real` is restic.
fn programs(folder: &Path, program: &Path) -> PathBuf {
    std::fs::create_dir_all(folder).expect("a temporary folder can be made");
    let program = program.canonicalize().unwrap_or_else(|e| panic!("no {}: {e}", program.display()));
    let real = peers::restic().canonicalize().expect("the peers are there");
    for (name, target) in [("restic", &program), ("tresor", &program), ("real", &real)] {
        symlink(target, folder.join(name)).expect("a link can be made in a temporary folder");
    }
    folder.to_owned()
}
