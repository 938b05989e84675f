//! A monitor that remembers everything it was told, so that a test can look.

use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tresor_repo::monitor::{Monitor, Note, Phase, Problem};

/// Remembers what an operation told it, in order.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    problems: Vec<Noted>,
    notes: Vec<String>,
    phases: Vec<Counted>,
}

/// A problem as it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// What it was about.
    pub item: String,
    /// What was being done to it.
    pub doing: &'static str,
    /// Why that failed: the causes, outermost first, joined by colons.
    pub cause: String,
}

/// How far a phase came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Which one.
    pub phase: Phase,
    /// How many steps were announced, if any number was.
    pub total: Option<u64>,
    /// How many steps were done.
    pub done: u64,
    /// Whether its end was told.
    pub ended: bool,
}

impl Recorder {
    /// One that has been told nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every problem, in the order in which they were told.
    pub fn problems(&self) -> Vec<Noted> {
        self.told().problems.clone()
    }

    /// Every note in its debug form.
    pub fn notes(&self) -> Vec<String> {
        self.told().notes.clone()
    }

    /// Every phase in the order in which they began.
    pub fn phases(&self) -> Vec<Counted> {
        self.told().phases.clone()
    }

    /// Panics with what it was told if that was any problem.
    #[track_caller]
    pub fn assert_no_problem(&self) {
        let problems = self.problems();
        assert!(problems.is_empty(), "problems were noted: {problems:#?}");
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the latest phase of this kind.
    fn change(&self, phase: Phase, change: impl FnOnce(&mut Counted)) {
        let mut told = self.told();
        let counted = told.phases.iter_mut().rfind(|counted| counted.phase == phase);
        change(counted.unwrap_or_else(|| panic!("{phase:?} goes on, yet it never began")));
    }
}

impl Monitor for Recorder {
    fn problem(&self, problem: &Problem) {
        let causes = std::iter::successors(Some(&*problem.cause as &dyn Error), |error| (*error).source());
        let cause = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        self.told().problems.push(Noted { item: problem.item.clone(), doing: problem.doing, cause });
    }

    fn begin(&self, phase: Phase, total: Option<u64>) {
        self.told().phases.push(Counted { phase, total, done: 0, ended: false });
    }

    fn advance(&self, phase: Phase, steps: u64) {
        self.change(phase, |counted| counted.done += steps);
    }

    fn end(&self, phase: Phase) {
        self.change(phase, |counted| counted.ended = true);
    }

    fn note(&self, note: &Note) {
        self.told().notes.push(format!("{note:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_remembered_in_order() {
        let recorder = Recorder::new();
        recorder.begin(Phase::Index, Some(3));
        recorder.advance(Phase::Index, 2);
        recorder.end(Phase::Index);
        recorder.begin(Phase::Index, None);
        let counted = |total, done, ended| Counted { phase: Phase::Index, total, done, ended };
        assert_eq!(recorder.phases(), [counted(Some(3), 2, true), counted(None, 0, false)]);

        recorder.assert_no_problem();
        let cause = std::io::Error::other("the disk is on fire").into();
        recorder.problem(&Problem { item: "a".into(), doing: "read", cause });
        let expect = Noted { item: "a".into(), doing: "read", cause: "the disk is on fire".into() };
        assert_eq!(recorder.problems(), [expect]);
    }
}
