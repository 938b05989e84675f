//! Each file says what it is for, and no library does what only the program may.

use super::{Complaints, House, TextFile};
use crate::Result;

/// Module names that say nothing.
const EMPTY_NAMES: &[&str] =
    &["core", "common", "util", "utils", "helper", "helpers", "misc", "types", "manager"];

/// The crates that neither print, nor read the environment, nor parse arguments.
const LIBRARIES: &[&str] = &["backend", "chunker", "repo", "snapshot"];

/// What libraries do not call, and where it may stand all the same.
const FORBIDDEN: &[(&str, &str)] = &[
    ("println!", ""),
    ("eprintln!", ""),
    ("print!", ""),
    ("std::env", ""),
    ("env::var", ""),
    ("SystemTime::now", "crates/repo/src/clock.rs"),
    ("Timestamp::now", "crates/repo/src/clock.rs"),
    ("Zoned::now", "crates/repo/src/clock.rs"),
];

pub(super) fn check(house: &House) -> Result<Complaints> {
    Ok(house.rust().flat_map(check_file).collect())
}

fn check_file(file: &TextFile) -> Complaints {
    let name = file.path.display().to_string();
    let mut complaints = Vec::new();
    match file
        .text
        .lines()
        .next()
        .filter(|first| first.starts_with("//! "))
        .map(|first| first.chars().count())
    {
        None => complaints.push(format!("{name}: the first line is no `//!` line")),
        Some(length @ 101..) => {
            complaints.push(format!("{name}: the first line has {length} characters; 100 are the most"))
        }
        Some(_) => {}
    }
    let names = file.path.iter().map(|part| part.to_string_lossy().trim_end_matches(".rs").to_owned());
    for empty in names.filter(|name| EMPTY_NAMES.contains(&name.as_str())) {
        complaints.push(format!("{name}: {empty:?} says nothing about what is in there"));
    }
    if file.crate_name().is_some_and(|name| LIBRARIES.contains(&name)) && !file.is_test() {
        for (call, home) in FORBIDDEN.iter().filter(|(_, home)| *home != name) {
            if calls(file.without_tests(), call) {
                let hint = if home.is_empty() {
                    "belongs to the program".into()
                } else {
                    format!("belongs to {home}")
                };
                complaints.push(format!("{name}: `{call}` {hint}"));
            }
        }
    }
    complaints
}

/// Whether `call` stands in the code, not in a comment and not as the end of a longer word.
fn calls(code: &str, call: &str) -> bool {
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut hits = lines.flat_map(|line| line.match_indices(call).map(move |(at, _)| &line[..at]));
    hits.any(|before| !before.ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_longer_words_are_no_calls() {
        assert!(calls("    println!(\"x\");", "println!"));
        assert!(!calls("    eprintln!(\"x\");", "println!"));
        assert!(!calls("/// never `println!`", "println!"));
    }
}
