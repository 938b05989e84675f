//! The rows of the manual's page on differences, which alone excuse one.

use super::case::Aspect;
use regex::Regex;
use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

/// The page, below the project's folder.
const PAGE: &str = "docs/src/reference/differences.md";

/// Lines that are left out of every comparison, each with the row that says why.
const LINES: [(Aspect, &str, &str); 8] = [
    (Aspect::Stdout, "^using temporary cache in ", "check, cache"),
    (
        Aspect::Stderr,
        "^(Load|Stat|List|Save|Remove)\\(.* (returned error, retrying after|failed: )",
        "notes on every try",
    ),
    (Aspect::Stdout, "^(This is non-critical|That does no harm)", ADVICE),
    (Aspect::Stderr, "^(The repository index is damaged|The index is damaged)", ADVICE),
    (
        Aspect::Stderr,
        "^(github.com/|main\\.|runtime\\.|\\t(github.com|runtime)/)",
        "where in the code an error arose",
    ),
    (Aspect::Stderr, "The repository (contains damaged pack files|is damaged)", ADVICE),
    (Aspect::Stderr, "(Damaged pack files can be caused by|Copy the damaged packs first)", ADVICE),
    (Aspect::Stderr, "Packs are damaged. What can be saved", ADVICE),
];

/// What to do after a check, in words of our own.
const ADVICE: &str = "check, advice after findings";

/// The lines that rows excuse wherever they appear.
pub(super) struct Excused(Vec<(Aspect, Regex, &'static str, AtomicBool)>);

impl Excused {
    pub(super) fn new() -> Self {
        let line = |(aspect, pattern, row): &(Aspect, &str, &'static str)| {
            let pattern = Regex::new(pattern).expect("a pattern of ours is well-formed");
            (*aspect, pattern, *row, AtomicBool::new(false))
        };
        Excused(LINES.iter().map(line).collect())
    }

    /// Whether a line is one of them.
    pub(super) fn covers(&self, aspect: Aspect, line: &str) -> bool {
        let found = self.0.iter().find(|(of, pattern, ..)| *of == aspect && pattern.is_match(line));
        found.map(|(.., met)| met.store(true, Ordering::Relaxed)).is_some()
    }

    /// The rows of lines that never came.
    pub(super) fn unmet(&self) -> Vec<&'static str> {
        let unmet = self.0.iter().filter(|(.., met)| !met.load(Ordering::Relaxed));
        unmet.map(|(_, _, row, _)| *row).collect()
    }

    /// Every row they name.
    pub(super) fn rows(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(_, _, row, _)| *row)
    }
}

/// The first cells of the page's rows, without backquotes.
pub(super) fn load() -> BTreeSet<String> {
    let path = crate::peers::project().join(PAGE);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()));
    text.lines().filter_map(first_cell).collect()
}

fn first_cell(line: &str) -> Option<String> {
    let cell = line.strip_prefix('|')?.split('|').next()?.replace('`', "");
    let cell = cell.trim();
    (!cell.is_empty() && !cell.starts_with("--")).then(|| cell.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_rows() {
        let rows = load();
        assert!(rows.contains("dump --target"), "{rows:?}");
        assert!(!rows.iter().any(|row| row.starts_with('-')));
    }
}
