//! Include and exclude patterns, in restic's language and with its answers.
//!
//! `glob` matches one component of a path, `pattern` a whole path, `pattern_file` reads the files
//! that hold patterns; here stand the lists, in which the last match wins. Paths are bytes with `/`
//! between components; which path an item has (on disk, or in the snapshot) is the caller's choice.

mod glob;
mod pattern;
mod pattern_file;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

pub use pattern::{BadPattern, Pattern};
pub use pattern_file::parse_pattern_file;

use pattern::with_components;

/// A pattern for one component, to match the names in a folder with.
pub struct Glob(glob::Part);

impl Glob {
    /// Reads a pattern without `/`.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn parse(text: &[u8]) -> Result<Self, BadPattern> {
        glob::Part::parse(text).map(Glob).map_err(|_| BadPattern)
    }

    /// Whether it matches this name.
    pub fn matches(&self, name: &[u8]) -> bool {
        self.0.matches(name)
    }
}

/// Whether a list tells upper from lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// `a` is not `A`.
    Sensitive,
    /// Patterns and paths are compared in lower case.
    Insensitive,
}

/// Patterns in order, of which the last one that matches decides: a plain one yes, a `!` one no.
#[derive(Debug, Clone)]
pub struct PatternList {
    patterns: Vec<Pattern>,
    case: Case,
    negations: bool,
}

/// Patterns that cannot be read, as they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPatterns(pub Vec<Vec<u8>>);

impl std::error::Error for BadPatterns {}

/// One line, and one more for each pattern, as restic prints it.
impl fmt::Display for BadPatterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid pattern(s) provided:")?;
        self.0.iter().try_for_each(|pattern| write!(f, "\n{}", String::from_utf8_lossy(pattern)))
    }
}

impl PatternList {
    /// An empty list, which matches nothing.
    pub fn new(case: Case) -> Self {
        Self { patterns: Vec::new(), case, negations: false }
    }

    /// Appends patterns; empty ones are ignored.
    ///
    /// # Errors
    /// When patterns are malformed; all of them are named, and none is added.
    pub fn add(&mut self, patterns: &[impl AsRef<[u8]>]) -> Result<(), BadPatterns> {
        let mut bad = Vec::new();
        let mut good = Vec::new();
        for text in patterns.iter().map(AsRef::as_ref) {
            // Checked as it was given: that is what restic does, and what the user must see.
            let parsed = Pattern::parse(text).and_then(|pattern| match self.case {
                Case::Sensitive => Ok(pattern),
                Case::Insensitive => Pattern::parse(&lower_case(text)),
            });
            match parsed {
                Ok(pattern) => good.extend(pattern),
                Err(BadPattern) => bad.push(text.to_vec()),
            }
        }
        if !bad.is_empty() {
            return Err(BadPatterns(bad));
        }
        self.negations |= good.iter().any(Pattern::is_negated);
        self.patterns.append(&mut good);
        Ok(())
    }

    /// Whether the list has no pattern at all.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether the list says yes to `path`.
    pub fn matches(&self, path: &[u8]) -> bool {
        !self.is_empty()
            && with_components(&self.folded(path), |components| {
                let deciding =
                    self.patterns.iter().rev().find(|pattern| pattern.matches_components(components));
                deciding.is_some_and(|pattern| !pattern.is_negated())
            })
    }

    /// Whether the list says yes to `path`, and whether it might to something below it.
    ///
    /// The second answer errs on the side of yes.
    pub fn matches_or_below(&self, path: &[u8]) -> Selection {
        let mut selection = Selection::default();
        if self.is_empty() {
            return selection;
        }
        with_components(&self.folded(path), |components| {
            for pattern in &self.patterns {
                let matches = pattern.matches_components(components);
                if pattern.is_negated() {
                    selection.selected &= !matches;
                    selection.descend &= !matches;
                    continue;
                }
                selection.selected |= matches;
                selection.descend |= pattern.reaches_below(components);
                if selection.selected && selection.descend && !self.negations {
                    break;
                }
            }
            selection
        })
    }

    fn folded<'a>(&self, path: &'a [u8]) -> Cow<'a, [u8]> {
        match self.case {
            Case::Sensitive => Cow::Borrowed(path),
            Case::Insensitive => lower_case(path),
        }
    }
}

/// What is kept out: everything that either list matches, and with it all that is below.
#[derive(Debug, Clone)]
pub struct Excludes {
    /// Patterns that tell upper from lower case.
    pub sensitive: PatternList,
    /// Patterns that do not.
    pub insensitive: PatternList,
}

impl Default for Excludes {
    fn default() -> Self {
        Self {
            sensitive: PatternList::new(Case::Sensitive),
            insensitive: PatternList::new(Case::Insensitive),
        }
    }
}

impl Excludes {
    /// Whether nothing is ever rejected.
    pub fn is_empty(&self) -> bool {
        self.sensitive.is_empty() && self.insensitive.is_empty()
    }

    /// Whether `path` is kept out. What is below a rejected directory is not asked about.
    pub fn rejects(&self, path: &[u8]) -> bool {
        self.sensitive.matches(path) || self.insensitive.matches(path)
    }
}

/// What is let in: only what one of the lists matches.
#[derive(Debug, Clone)]
pub struct Includes {
    /// Patterns that tell upper from lower case.
    pub sensitive: PatternList,
    /// Patterns that do not.
    pub insensitive: PatternList,
}

/// What to do with one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Selection {
    /// The item itself is taken.
    pub selected: bool,
    /// If it is a directory, something below may be taken.
    pub descend: bool,
}

impl Default for Includes {
    fn default() -> Self {
        let Excludes { sensitive, insensitive } = Excludes::default();
        Self { sensitive, insensitive }
    }
}

impl Includes {
    /// Whether there is no pattern; then nothing would be selected, which nobody asked for.
    pub fn is_empty(&self) -> bool {
        self.sensitive.is_empty() && self.insensitive.is_empty()
    }

    /// Whether `path` is let in, and whether it pays to look below it.
    pub fn select(&self, path: &[u8]) -> Selection {
        let first = self.sensitive.matches_or_below(path);
        if first.selected && first.descend {
            return first;
        }
        let second = self.insensitive.matches_or_below(path);
        Selection { selected: first.selected || second.selected, descend: first.descend || second.descend }
    }
}

/// Lower case, character by character; what is not UTF-8 becomes U+FFFD, once per byte.
///
/// Go's mapping, which keeps ASCII text and text in lower case as it is. It maps each character to
/// one: the only one for which the standard library knows more is `İ`.
pub(crate) fn lower_case(text: &[u8]) -> Cow<'_, [u8]> {
    if text.is_ascii() {
        return match text.iter().any(u8::is_ascii_uppercase) {
            true => Cow::Owned(text.to_ascii_lowercase()),
            false => Cow::Borrowed(text),
        };
    }
    let mut lower = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        lower.extend(chunk.valid().chars().filter_map(|character| character.to_lowercase().next()));
        lower.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Cow::Owned(lower.into_bytes())
}
