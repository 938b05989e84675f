//! restic and tresor on one repository, expected to say the same.

use std::path::Path;
use tresor_testkit::fixtures::{self, Unpacked};
use tresor_testkit::{Client, Run};

/// The program under test.
pub(crate) const TRESOR: &str = env!("CARGO_BIN_EXE_tresor");

/// Both programs on one repository.
pub(crate) struct Pair {
    pub(crate) restic: Client,
    pub(crate) tresor: Client,
    pub(crate) _fixtures: Vec<Unpacked>,
}

impl Pair {
    /// On a copy of a fixture, opened with its password.
    pub(crate) fn on(fixture: &str) -> Pair {
        let fixture = fixtures::unpack(fixture);
        let pair = Pair::at(&fixture.path).password(&fixture.facts.password);
        Pair { _fixtures: vec![fixture], ..pair }
    }

    /// Each on a copy of its own, for what changes the repository.
    pub(crate) fn apart(fixture: &str) -> Pair {
        let (first, second) = (fixtures::unpack(fixture), fixtures::unpack(fixture));
        let password = &first.facts.password;
        Pair {
            restic: Client::restic(&first.path).password(password),
            tresor: Client::tresor(TRESOR, &second.path).password(password),
            _fixtures: vec![first, second],
        }
    }

    /// On any repository.
    pub(crate) fn at(repository: &Path) -> Pair {
        Pair {
            restic: Client::restic(repository),
            tresor: Client::tresor(TRESOR, repository),
            _fixtures: Vec::new(),
        }
    }

    pub(crate) fn password(self, password: &str) -> Pair {
        Pair { restic: self.restic.password(password), tresor: self.tresor.password(password), ..self }
    }

    pub(crate) fn variable(self, name: &str, value: &str) -> Pair {
        Pair { restic: self.restic.variable(name, value), tresor: self.tresor.variable(name, value), ..self }
    }

    /// Both within one working folder.
    pub(crate) fn within(self, folder: &Path) -> Pair {
        Pair { restic: self.restic.within(folder), tresor: self.tresor.within(folder), ..self }
    }

    /// tresor under the name restic, which then says what restic says.
    pub(crate) fn stand_in(&self) -> Client {
        self.tresor.clone().called("restic")
    }

    /// Runs a command line, split at blanks, and demands equal output and exit codes.
    #[track_caller]
    pub(crate) fn same(&self, line: &str) -> Run {
        self.same_words(&line.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>())
    }

    /// As [`same`](Self::same), for words with blanks or nothing in them.
    #[track_caller]
    pub(crate) fn same_words(&self, words: &[&str]) -> Run {
        let (restic, tresor) = (self.restic.run(words), self.stand_in().run(words));
        assert_eq!(text(&tresor.stdout), text(&restic.stdout), "{words:?}\n{tresor}\n{restic}");
        assert_eq!(text(&tresor.stderr), text(&restic.stderr), "{words:?}\n{tresor}\n{restic}");
        assert_eq!(tresor.code, restic.code, "{words:?}\n{tresor}\n{restic}");
        tresor
    }

    /// As [`same`](Self::same), where restic prints its lines in no order.
    #[track_caller]
    pub(crate) fn same_lines(&self, line: &str) -> Run {
        let words: Vec<&str> = line.split(' ').collect();
        let (restic, tresor) = (self.restic.run(&words), self.stand_in().run(&words));
        let sorted = |run: &Run| {
            let text = text(&run.stdout);
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&tresor), sorted(&restic), "{line}");
        assert_eq!(tresor.code, restic.code, "{line}\n{tresor}\n{restic}");
        tresor
    }
}

/// Output without what differs on purpose: hints, the name of a temporary folder, restic's notes on every try.
fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let differs = |line: &&str| {
        line.starts_with("hint: ")
            || line.starts_with("using temporary cache in ")
            || line.starts_with("Load(<")
    };
    let ended = if text.ends_with('\n') { "\n" } else { "" };
    text.lines().filter(|line| !differs(line)).collect::<Vec<_>>().join("\n") + ended
}
