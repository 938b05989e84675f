//! Command strings split as restic splits them: quotes group, nothing is expanded, no shell runs.

/// Splits a command string; white space and backslashes outside of quotes separate.
///
/// # Errors
/// An unfinished quote, or no word at all.
pub(crate) fn split(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut before = '\0';
    for c in text.chars() {
        match quote {
            Some(open) if c == open && before != '\\' => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if (c == '"' || c == '\'') && before != '\\' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c == '\\' || c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
        before = c;
    }
    words.extend(word);
    match quote {
        Some('\'') => Err("single-quoted string not terminated"),
        Some(_) => Err("double-quoted string not terminated"),
        None if words.is_empty() => Err("command string is empty"),
        None => Ok(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_group_and_backslashes_separate() {
        let check = |text: &str, words: &[&str]| {
            assert_eq!(
                split(text).as_deref(),
                Ok(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()[..]),
                "{text}"
            )
        };
        check("echo pw", &["echo", "pw"]);
        check(r"echo a\ b", &["echo", "a", "b"]);
        check(r#"sh -c 'echo "a b"' """#, &["sh", "-c", "echo \"a b\"", ""]);
        check(r#"ssh -o"A B" host"#, &["ssh", "-oA B", "host"]);
        assert_eq!(split("echo 'x"), Err("single-quoted string not terminated"));
        assert_eq!(split("echo \"x"), Err("double-quoted string not terminated"));
        assert_eq!(split("  "), Err("command string is empty"));
    }
}
