//! One pattern: an optional `!`, then components that stand for a run of a path's components.

use super::glob::{Malformed, Part};

/// A pattern, prepared for matching many paths.
#[derive(Debug, Clone)]
pub struct Pattern {
    parts: Box<[Part]>,
    /// How many of the parts are `**`.
    any_runs: usize,
    /// The pattern begins with `/`, so its run begins with the path.
    anchored: bool,
    negated: bool,
}

/// The pattern is malformed: it breaks off inside of `[…]` or after `\`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed pattern")]
pub struct BadPattern;

impl Pattern {
    /// Reads a pattern; an empty one is none.
    ///
    /// # Errors
    /// When the pattern is malformed.
    pub fn parse(text: &[u8]) -> Result<Option<Self>, BadPattern> {
        if text.is_empty() {
            return Ok(None);
        }
        let (negated, text) = text.strip_prefix(b"!").map_or((false, text), |rest| (true, rest));
        let parts: Result<Box<[Part]>, Malformed> =
            clean_components(text).into_iter().map(Part::parse).collect();
        let parts = parts.map_err(|Malformed| BadPattern)?;
        let any_runs = parts.iter().filter(|part| **part == Part::AnyRun).count();
        Ok(Some(Self { parts, any_runs, anchored: text.starts_with(b"/"), negated }))
    }

    /// Whether the pattern begins with `!`. The other methods do not mind that.
    pub fn is_negated(&self) -> bool {
        self.negated
    }

    /// Whether `path`, or a directory above it, is what the pattern describes.
    pub fn matches(&self, path: &[u8]) -> bool {
        with_components(path, |components| self.matches_components(components))
    }

    /// Whether something below `path` may match. Relative patterns can match anywhere.
    pub fn may_match_below(&self, path: &[u8]) -> bool {
        with_components(path, |components| self.reaches_below(components))
    }

    pub(super) fn matches_components(&self, path: &[&[u8]]) -> bool {
        // A relative pattern never covers the root.
        let first = usize::from(!self.anchored && path.first() == Some(&ROOT));
        if let ([part], false, 0) = (&*self.parts, self.anchored, self.any_runs) {
            // Most patterns are a single name or suffix: worth a loop of their own.
            return path.iter().skip(first).any(|component| part.matches(component));
        }
        let single_parts = self.parts.len() - self.any_runs;
        if single_parts == 0 {
            // Every run of at least one component will do; see `slack` for the other condition.
            return path.len() > first && path.len() + 1 >= self.any_runs;
        }
        let Some(last) = path.len().checked_sub(single_parts) else { return false };
        let last = if self.anchored { 0 } else { last };
        (first..=last).any(|offset| self.matches_at(path, offset))
    }

    /// Whether the pattern describes a run of components that begins at `offset`.
    fn matches_at(&self, path: &[&[u8]], offset: usize) -> bool {
        if self.any_runs == 0 {
            return fits(&self.parts, &path[offset..]);
        }
        let mut at = offset;
        let mut skipped = 0;
        for (number, segment) in self.parts.split(|part| *part == Part::AnyRun).enumerate() {
            // The first segment stays where it is; before each of the others stands a `**`, which
            // had best take as little as possible.
            let most = if number == 0 { Some(0) } else { self.slack(path.len(), number, skipped) };
            let skip = most.and_then(|most| {
                (0..=most.min(path.len() - at)).find(|skip| fits(segment, &path[at + skip..]))
            });
            let Some(skip) = skip else { return false };
            skipped += skip;
            at += skip + segment.len();
        }
        true
    }

    /// How many components the `**` of this number, from 1, may take after the earlier took `skipped`.
    ///
    /// restic replaces one `**` after the other by so many `*` that the pattern, the remaining `**`
    /// counted as one part each, is no longer than the path. So `/**/a/**` does not match `/a` and
    /// `/b/a`, only what is below; we must give the same answers.
    fn slack(&self, path: usize, number: usize, skipped: usize) -> Option<usize> {
        (path + number).checked_sub(self.parts.len() + skipped)
    }

    pub(super) fn reaches_below(&self, path: &[&[u8]]) -> bool {
        let fixed = self.parts.split(|part| *part == Part::AnyRun).next().unwrap_or_default();
        !self.anchored || fixed.iter().zip(path).all(|(part, component)| part.matches(component))
    }
}

/// Whether `path` begins with what `parts` describe, one component for each.
fn fits(parts: &[Part], path: &[&[u8]]) -> bool {
    parts.len() <= path.len() && parts.iter().zip(path).all(|(part, component)| part.matches(component))
}

/// The component that stands for the root, of paths and of patterns.
const ROOT: &[u8] = b"/";

/// Splits `path` into its components and hands them to `work`, in most cases without allocating.
///
/// An absolute path begins with a component `/`, which is all there is in the root's.
pub(super) fn with_components<R>(path: &[u8], work: impl FnOnce(&[&[u8]]) -> R) -> R {
    const USUAL: usize = 32;
    let mut usual = [ROOT; USUAL];
    let mut count = 0;
    for component in components(path) {
        match usual.get_mut(count) {
            Some(place) => *place = component,
            None => return work(&components(path).collect::<Vec<_>>()),
        }
        count += 1;
    }
    work(&usual[..count])
}

fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (root, rest) = path.strip_prefix(ROOT).map_or((None, path), |rest| (Some(ROOT), rest));
    let below = (!rest.is_empty()).then(|| rest.split(|&byte| byte == b'/'));
    root.into_iter().chain(below.into_iter().flatten())
}

/// The components of a pattern once `.`, `..` and empty ones are resolved by their names alone.
fn clean_components(text: &[u8]) -> Vec<&[u8]> {
    let rooted = text.starts_with(ROOT);
    let mut clean: Vec<&[u8]> = if rooted { vec![ROOT] } else { Vec::new() };
    for component in text.split(|&byte| byte == b'/') {
        match (component, clean.last()) {
            (b"" | b".", _) => {}
            (b"..", Some(&ROOT)) => {} // Above the root is the root.
            (b"..", Some(&last)) if last != b".." => _ = clean.pop(),
            _ => clean.push(component),
        }
    }
    if clean.is_empty() {
        clean.push(b".");
    }
    clean
}
