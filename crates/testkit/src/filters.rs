//! Random patterns on a tree of provoking names, decided by restic and by tresor.

use crate::{Client, Random, Run, TestTree, fixtures};
use std::collections::BTreeSet;
use std::path::Path;

/// Names that patterns take for something else, or nearly match.
const NAMES: [&str; 24] = [
    "a", "b", "ab", "A", "aB", "a.b", ".a", "a*", "*", "?", "[", "[a]", "a]", "!a", "-", "a b", "é", "É",
    "ß", "日本", "\\a", "**", "^", "a-c",
];

/// Of what patterns are made besides names.
const PIECES: [&str; 18] = [
    "*", "?", "**", "a", "b", "A", "[a-c]", "[^a]", "\\*", "\\[", "\\", "[", ".", "*a*", "é", "É", "[!a]",
    "a.*",
];

/// A repository with one snapshot of the tree.
pub struct Forest {
    repository: fixtures::Unpacked,
    folder: TestTree,
    /// Everything that has a path in the snapshot.
    paths: BTreeSet<String>,
}

/// How a list of patterns is put to the programs.
#[derive(Debug, Clone, Copy)]
enum Question {
    Find,
    FindIgnoringCase,
    Restore(&'static str),
}

const QUESTIONS: [Question; 6] = [
    Question::Find,
    Question::FindIgnoringCase,
    Question::Restore("--exclude"),
    Question::Restore("--iexclude"),
    Question::Restore("--include"),
    Question::Restore("--iinclude"),
];

impl Forest {
    /// Makes the tree, four folders deep and everywhere else, and backs it up.
    pub fn plant(random: &mut Random) -> Forest {
        let repository = fixtures::empty_repository();
        let mut folder = TestTree::new();
        for name in NAMES {
            folder = folder.dir(format!("tree/{name}"));
        }
        for _ in 0..500 {
            let depth = random.within(2..=4);
            let names: Vec<&str> = (0..depth).map(|_| *random.pick(&NAMES)).collect();
            folder = folder.dir(format!("tree/{}", names.join("/")));
        }
        let tree = folder.path().join("tree");
        let restic = Client::restic(&repository.path).within(&tree);
        restic.ok(["backup", "--quiet", "."]);
        let listed = restic.ok(["ls", "latest", "--json"]).json_lines();
        let paths = listed.iter().filter_map(|node| node["path"].as_str()).map(str::to_owned).collect();
        Forest { repository, folder, paths }
    }

    /// Puts one random list of patterns to both; answers how many pairs of list and path were decided
    /// alike: none where both refuse a pattern.
    ///
    /// # Errors
    /// The question and the paths on which they disagree.
    pub fn compare(&self, tresor: &Path, random: &mut Random) -> Result<usize, String> {
        let question = *random.pick(&QUESTIONS);
        let patterns: Vec<String> =
            (0..random.within(1..=4)).map(|_| self.pattern(random, question)).collect();
        let restic = self.ask(&Client::restic(&self.repository.path), question, &patterns);
        let tresor = self.ask(&Client::tresor(tresor, &self.repository.path), question, &patterns);
        let disagreed = |what: String| Err(format!("{question:?} {patterns:?}: {what}"));
        if restic.code != Some(0) || tresor.code != Some(0) {
            // A malformed pattern that `find` never compares is no error to restic.
            let refused = restic.code == tresor.code || tresor.errors().contains("invalid pattern");
            return if refused { Ok(0) } else { disagreed(format!("{restic}\n{tresor}")) };
        }
        let (restic, tresor) = (self.chosen(&restic, question), self.chosen(&tresor, question));
        if restic == tresor {
            return Ok(self.paths.len());
        }
        let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
            one.difference(other).take(5).cloned().collect::<Vec<_>>()
        };
        disagreed(format!(
            "restic alone: {:?}, tresor alone: {:?}",
            only(&restic, &tresor),
            only(&tresor, &restic)
        ))
    }

    /// A pattern of names and pieces, anchored or not, negated or not; sometimes the end of a path that is there.
    fn pattern(&self, random: &mut Random, question: Question) -> String {
        let mut parts: Vec<String> = Vec::new();
        for _ in 0..random.within(1..=3) {
            parts.push(match random.below(4) {
                0 => (*random.pick(&NAMES)).to_owned(),
                1 => format!("{}{}", random.pick(&PIECES), random.pick(&NAMES)),
                _ => (*random.pick(&PIECES)).to_owned(),
            });
        }
        if random.below(4) == 0 {
            let path = self.paths.iter().nth(random.below(self.paths.len() as u64) as usize);
            parts = path
                .into_iter()
                .flat_map(|path| path.trim_start_matches('/').split('/'))
                .map(str::to_owned)
                .collect();
        }
        let anchor = if random.below(3) == 0 { "/" } else { "" };
        let end = if random.below(10) == 0 { "/" } else { "" };
        let negated = matches!(question, Question::Restore(_)) && random.below(4) == 0;
        format!("{}{anchor}{}{end}", if negated { "!" } else { "" }, parts.join("/"))
    }

    fn ask(&self, client: &Client, question: Question, patterns: &[String]) -> Run {
        let target = self.folder.join("target");
        let mut words: Vec<String> = match question {
            Question::Find => ["find", "--json"].map(str::to_owned).to_vec(),
            Question::FindIgnoringCase => ["find", "--json", "-i"].map(str::to_owned).to_vec(),
            Question::Restore(flag) => {
                let words =
                    ["restore", "latest", "--dry-run", "-vv", "--json", "--target"].map(str::to_owned);
                let flags = patterns.iter().map(|pattern| format!("{flag}={pattern}"));
                words.into_iter().chain([target.display().to_string()]).chain(flags).collect()
            }
        };
        if !matches!(question, Question::Restore(_)) {
            words.push("--".to_owned());
            words.extend_from_slice(patterns);
        }
        client.run(&words)
    }

    /// The paths that the program chose.
    fn chosen(&self, run: &Run, question: Question) -> BTreeSet<String> {
        let lines = run.json_lines();
        let paths: Vec<&serde_json::Value> = match question {
            Question::Restore(_) => lines.iter().map(|line| &line["item"]).collect(),
            _ => lines
                .iter()
                .flat_map(|found| found[0]["matches"].as_array().map_or(&[][..], Vec::as_slice))
                .map(|found| &found["path"])
                .collect(),
        };
        paths.iter().filter_map(|path| path.as_str()).map(str::to_owned).collect()
    }
}
