//! The rules of the house, each in a file of its own; `cargo test -p xtask` checks the same ones.

mod changelog;
mod edges;
mod order;
mod sizes;
mod source;
mod supply;
mod threats;
mod words;

use crate::{Result, project};
use std::fs;
use std::path::{Path, PathBuf};

/// What a rule found: the file and what is wrong with it, in a line.
type Complaints = Vec<String>;
/// A rule of the house.
type Rule = fn(&House) -> Result<Complaints>;

const RULES: &[(&str, Rule)] = &[
    ("edges between crates", edges::check),
    ("reading order of modules", order::check),
    ("sizes", sizes::check),
    ("first lines, names and forbidden calls", source::check),
    ("words that must not be in the project", words::check),
    ("changelog fragments", changelog::check),
    ("threats and their tests", threats::check),
    ("what others wrote", supply::check),
];

/// Checks every rule and prints what is wrong.
pub(crate) fn run() -> Result<()> {
    let house = House::read()?;
    let mut count = 0;
    for (name, rule) in RULES {
        for complaint in rule(&house)? {
            println!("{name}: {complaint}");
            count += 1;
        }
    }
    if count == 0 { Ok(()) } else { Err(format!("{count} things are not tidy").into()) }
}

/// Every text file of the project.
struct House {
    files: Vec<TextFile>,
}

/// A file's path below the project's folder, and its text.
struct TextFile {
    path: PathBuf,
    text: String,
}

impl House {
    fn read() -> Result<Self> {
        let mut files = Vec::new();
        for path in project::files()? {
            if let Ok(text) = String::from_utf8(fs::read(project::folder().join(&path))?) {
                files.push(TextFile { path, text });
            }
        }
        Ok(House { files })
    }

    fn rust(&self) -> impl Iterator<Item = &TextFile> {
        self.files.iter().filter(|file| file.path.extension().is_some_and(|extension| extension == "rs"))
    }

    fn find(&self, path: &str) -> Option<&TextFile> {
        self.files.iter().find(|file| file.path == Path::new(path))
    }
}

impl TextFile {
    /// The text before the inline tests, which end a file.
    fn without_tests(&self) -> &str {
        let end = self.text.find("#[cfg(test)]\nmod tests {");
        &self.text[..end.unwrap_or(self.text.len())]
    }

    /// Whether the file is no part of what is shipped: tests, examples, benchmarks.
    fn is_test(&self) -> bool {
        let names = ["tests", "tests.rs", "testing.rs", "examples", "benches"];
        self.path.iter().any(|part| names.iter().any(|name| part == *name))
    }

    /// The crate's folder below `crates/`, if the file lies in one.
    fn crate_name(&self) -> Option<&str> {
        self.path.strip_prefix("crates").ok()?.iter().next()?.to_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str) {
        let (_, rule) = RULES.iter().find(|(other, _)| *other == name).unwrap();
        let complaints = rule(&House::read().unwrap()).unwrap();
        assert!(complaints.is_empty(), "{name}:\n{}", complaints.join("\n"));
    }

    #[test]
    fn edges_are_those_of_the_map() {
        check("edges between crates");
    }

    #[test]
    fn modules_import_upward_only() {
        check("reading order of modules");
    }

    #[test]
    fn files_are_of_a_size_to_be_read() {
        check("sizes");
    }

    #[test]
    fn files_say_what_they_are_for_and_keep_to_their_storey() {
        check("first lines, names and forbidden calls");
    }

    #[test]
    fn nothing_names_a_place_outside_of_the_project() {
        check("words that must not be in the project");
    }

    #[test]
    fn what_others_wrote_is_agreed_and_in_the_bill() {
        check("what others wrote");
    }

    #[test]
    fn every_threat_has_its_tests() {
        check("threats and their tests");
    }

    #[test]
    fn changelog_fragments_have_the_form_of_their_template() {
        check("changelog fragments");
    }
}
