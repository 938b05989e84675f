//! Cases as they are written down: a file a command, a paragraph a case.

use std::fs;
use std::path::Path;

/// What of a case may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Aspect {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The exit code.
    Code,
    /// What the repositories hold.
    Repository,
    /// Files outside of repositories.
    Files,
}

impl Aspect {
    const ALL: [(Aspect, &str); 5] = [
        (Aspect::Stdout, "stdout"),
        (Aspect::Stderr, "stderr"),
        (Aspect::Code, "code"),
        (Aspect::Repository, "repository"),
        (Aspect::Files, "files"),
    ];

    /// The word for it in tables and reports.
    pub fn word(self) -> &'static str {
        Aspect::ALL.iter().find(|(aspect, _)| *aspect == self).expect("every aspect has a word").1
    }
}

/// A shell line, and the exit code restic gives it.
#[derive(Debug, Clone)]
pub struct Line {
    /// For `sh -c`.
    pub shell: String,
    /// What restic must end with, so that a case tests what it means to.
    pub code: i32,
}

/// A difference that the manual's page has a row for.
#[derive(Debug, Clone)]
pub struct Difference {
    /// Where it shows.
    pub aspect: Aspect,
    /// The first cell of the row.
    pub row: String,
}

/// One paragraph of a table.
#[derive(Debug, Clone)]
pub struct Case {
    /// The file's name without ending: the command, mostly.
    pub table: String,
    /// What it is about.
    pub title: String,
    /// What it starts from.
    pub scene: String,
    /// What is run.
    pub lines: Vec<Line>,
    /// Whether lines come in no order.
    pub unordered: bool,
    /// Whether trees differ each time (their own folder's times are in them, say).
    pub unstable: bool,
    /// Patterns whose matches are not compared.
    pub masks: Vec<String>,
    /// Patterns of which each must fit a line of ours.
    pub says: Vec<String>,
    /// What may, and therefore must, differ.
    pub differs: Vec<Difference>,
}

impl Case {
    /// `table: title`, by which `--filter` finds it.
    pub fn name(&self) -> String {
        format!("{}: {}", self.table, self.title)
    }
}

/// Reads every `*.txt` of `folder`, in the order of their names.
///
/// # Panics
/// If a file is not written as the manual's page on the table says.
pub fn load(folder: &Path) -> Vec<Case> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("cannot list {}: {e}", folder.display()));
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    paths.iter().flat_map(|path| read(path)).collect()
}

fn read(path: &Path) -> Vec<Case> {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()));
    let table = path.file_stem().unwrap_or_default().to_string_lossy();
    parse(&table, &text).unwrap_or_else(|(line, what)| panic!("{}:{line}: {what}", path.display()))
}

/// Reads one file; an error is a line's number and what is wrong there.
fn parse(table: &str, text: &str) -> Result<Vec<Case>, (usize, String)> {
    let mut all_cases = blank(table, "");
    let mut cases: Vec<Case> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let unused = cases.iter().all(|case| case.title != title);
            unused.then_some(()).ok_or_else(|| (number + 1, format!("a second case called {title:?}")))?;
            cases.push(Case { title: title.to_owned(), ..all_cases.clone() });
            continue;
        }
        let case = cases.last_mut().unwrap_or(&mut all_cases);
        read_line(case, line).map_err(|what| (number + 1, what))?;
    }
    match cases.iter().find(|case| case.lines.is_empty() || case.scene.is_empty()) {
        Some(case) => Err((0, format!("{:?} has no scene or runs nothing", case.title))),
        None => Ok(cases),
    }
}

fn blank(table: &str, title: &str) -> Case {
    Case {
        table: table.to_owned(),
        title: title.to_owned(),
        scene: String::new(),
        lines: Vec::new(),
        unordered: false,
        unstable: false,
        masks: Vec::new(),
        says: Vec::new(),
        differs: Vec::new(),
    }
}

fn read_line(case: &mut Case, line: &str) -> Result<(), String> {
    if let Some(shell) = line.strip_prefix("$ ") {
        case.lines.push(Line { shell: shell.to_owned(), code: 0 });
        return Ok(());
    }
    if let Some(more) = line.strip_prefix("  ") {
        let last = case.lines.last_mut().ok_or("nothing that this line goes on with")?;
        last.shell = format!("{}\n{more}", last.shell);
        return Ok(());
    }
    let (key, value) = line.split_once(':').unwrap_or((line, ""));
    let value = value.trim();
    match key.split_once(' ') {
        None if key == "scene" => value.clone_into(&mut case.scene),
        None if key == "code" => {
            let last = case.lines.last_mut().ok_or("a code belongs below the line it is of")?;
            last.code = value.parse().map_err(|_| format!("{value:?} is no exit code"))?;
        }
        None if key == "mask" => case.masks.push(value.to_owned()),
        None if key == "says" => case.says.push(value.to_owned()),
        None if key == "unordered" => case.unordered = true,
        None if key == "unstable" => case.unstable = true,
        Some(("differs", word)) => {
            let found = Aspect::ALL.iter().find(|(_, other)| *other == word);
            let (aspect, _) = found.ok_or_else(|| format!("nothing called {word:?} is compared"))?;
            case.differs.push(Difference { aspect: *aspect, row: value.to_owned() });
        }
        _ => return Err(format!("{line:?} means nothing")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_is_a_case() {
        let text = "# about\nscene: tree\n\n[first]\n$ restic a\ncode: 3\n$ cat <<.\n  x\n  .\n\n[second]\n\
                    scene: empty\nunordered\nmask: [0-9]+\ndiffers code: a row: with a colon\n$ true\n";
        let cases = parse("t", text).unwrap();
        assert_eq!((cases[0].name().as_str(), cases[0].scene.as_str()), ("t: first", "tree"));
        assert_eq!((cases[0].lines[0].code, cases[0].lines[1].code), (3, 0));
        assert_eq!(cases[0].lines[1].shell, "cat <<.\nx\n.");
        assert_eq!((cases[1].scene.as_str(), cases[1].unordered), ("empty", true));
        assert_eq!(cases[1].differs[0].row, "a row: with a colon");
        assert_eq!(cases[1].differs[0].aspect, Aspect::Code);
    }

    #[test]
    fn what_means_nothing_is_refused_with_its_line() {
        assert_eq!(parse("t", "scene: a\n[x]\n$ y\nbogus\n").unwrap_err().0, 4);
        assert_eq!(parse("t", "[x]\nscene: a\n").unwrap_err().0, 0);
        assert_eq!(parse("t", "scene: a\n[x]\n$ y\n[x]\n$ y\n").unwrap_err().0, 4);
    }
}
