//! Compares what both programs did, and tells it.

use super::case::{Aspect, Case};
use super::sandbox::Seen;
use regex::Regex;
use similar::{ChangeTag, TextDiff};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing differs.
    Same,
    /// What differs has its row in the manual.
    Documented,
    /// Something else differs, or what should differ does not; in words.
    Wrong(String),
}

/// Judges a case by what restic and ours did with it.
pub(super) fn judge(case: &Case, seen: &[Seen; 2], rows: &BTreeSet<String>) -> Verdict {
    if let Some(unknown) = case.differs.iter().find(|difference| !rows.contains(&difference.row)) {
        return Verdict::Wrong(format!("the page on differences has no row {:?}", unknown.row));
    }
    let mut text = String::new();
    let mut documented = false;
    for ((aspect, restic), (_, ours)) in seen[0].iter().zip(&seen[1]) {
        let rows: Vec<_> = case.differs.iter().filter(|difference| difference.aspect == *aspect).collect();
        match (restic == ours, rows.first()) {
            (true, None) => {}
            (false, Some(_)) => documented = true,
            (true, Some(row)) => {
                text += &format!("  {} does not differ any more: {}\n", aspect.word(), row.row);
            }
            (false, None) => text += &difference(*aspect, restic, ours),
        }
    }
    let ours = || seen[1].iter().filter(|(aspect, _)| matches!(aspect, Aspect::Stdout | Aspect::Stderr));
    for pattern in &case.says {
        let fits = Regex::new(pattern)
            .map(|pattern| ours().flat_map(|(_, lines)| lines).any(|line| pattern.is_match(line)));
        if !fits.unwrap_or(false) {
            text += &format!("  no line of ours is like {pattern:?}\n");
            ours().for_each(|(_, lines)| lines.iter().for_each(|line| text += &format!("    + {line}\n")));
        }
    }
    match (text.is_empty(), documented) {
        (false, _) => Verdict::Wrong(text),
        (true, true) => Verdict::Documented,
        (true, false) => Verdict::Same,
    }
}

/// The lines that differ: `-` restic's, `+` ours, with one line around them.
fn difference(aspect: Aspect, restic: &[String], ours: &[String]) -> String {
    let (restic, ours) = (restic.join("\n") + "\n", ours.join("\n") + "\n");
    let diff = TextDiff::from_lines(&restic, &ours);
    let mut text = format!("  {}\n", aspect.word());
    for group in diff.grouped_ops(1) {
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            text += &format!("    {sign} {}", change.value());
        }
    }
    text
}

/// What became of all cases.
#[derive(Debug, Default)]
pub struct Report {
    /// Each case's lines and verdict, in the order of the tables.
    pub verdicts: Vec<(Case, Verdict)>,
    /// What is wrong with the table itself.
    pub complaints: Vec<String>,
}

impl Report {
    /// Whether nothing differs but what the manual says.
    pub fn is_good(&self) -> bool {
        self.complaints.is_empty() && self.wrong().next().is_none()
    }

    fn wrong(&self) -> impl Iterator<Item = (&Case, &str)> {
        self.verdicts.iter().filter_map(|(case, verdict)| match verdict {
            Verdict::Wrong(text) => Some((case, text.as_str())),
            _ => None,
        })
    }
}

impl fmt::Display for Report {
    /// The failing cases with their differences, then a line for each table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (case, text) in self.wrong() {
            writeln!(f, "[{}]", case.name())?;
            for line in &case.lines {
                writeln!(f, "  $ {}", line.shell)?;
            }
            writeln!(f, "{text}")?;
        }
        let mut tables: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
        let mut lines = 0;
        for (case, verdict) in &self.verdicts {
            let counts = tables.entry(&case.table).or_default();
            counts[match verdict {
                Verdict::Same => 0,
                Verdict::Documented => 1,
                Verdict::Wrong(_) => 2,
            }] += 1;
            lines +=
                case.lines.iter().map(|line| line.shell.matches("restic ").count().max(1)).sum::<usize>();
        }
        writeln!(f, "{:<16} {:>6} {:>11} {:>6}", "table", "same", "documented", "wrong")?;
        let mut all = [0; 3];
        for (table, counts) in &tables {
            writeln!(f, "{table:<16} {:>6} {:>11} {:>6}", counts[0], counts[1], counts[2])?;
            (0..3).for_each(|at| all[at] += counts[at]);
        }
        writeln!(f, "{:<16} {:>6} {:>11} {:>6}", "all", all[0], all[1], all[2])?;
        writeln!(f, "{} cases, {lines} command lines", self.verdicts.len())?;
        self.complaints.iter().try_for_each(|complaint| writeln!(f, "{complaint}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(differs: &str) -> Case {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("t.txt"), format!("scene: s\n[a]\n$ x\n{differs}")).unwrap();
        super::super::load(folder.path()).remove(0)
    }

    fn seen(text: &str) -> Seen {
        vec![(Aspect::Stdout, vec!["same".into(), text.into()])]
    }

    #[test]
    fn a_row_excuses_what_differs_and_nothing_else() {
        let rows = BTreeSet::from(["a row".to_owned()]);
        let judge = |case: &Case, ours| judge(case, &[seen("x"), seen(ours)], &rows);
        assert_eq!(judge(&case(""), "x"), Verdict::Same);
        assert_eq!(judge(&case("differs stdout: a row\n"), "y"), Verdict::Documented);
        assert!(matches!(judge(&case("differs stderr: a row\n"), "y"), Verdict::Wrong(_)));
        assert!(matches!(judge(&case("differs stdout: a row\n"), "x"), Verdict::Wrong(_)));
        assert!(matches!(judge(&case("differs stdout: another\n"), "y"), Verdict::Wrong(_)));
        assert_eq!(judge(&case("differs stdout: a row\nsays: ^y$\n"), "y"), Verdict::Documented);
        assert!(matches!(judge(&case("differs stdout: a row\nsays: z\n"), "y"), Verdict::Wrong(_)));
        let Verdict::Wrong(text) = judge(&case(""), "y") else { panic!("that differs") };
        assert_eq!(text, "  stdout\n      same\n    - x\n    + y\n");
    }
}
