//! Command strings split as restic splits them: quotes group, nothing is expanded, no shell runs.

/// Splits a command string; white space and backslashes outside of quotes separate, and so do the quotes themselves.
///
/// No word is empty: `''` is nothing, and `x'y z'` is two words. A quote behind a backslash is a letter.
///
/// # Errors
/// An unfinished quote, or no word at all.
pub(crate) fn split(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut before = '\0';
    for c in text.chars() {
        let is_quote = before != '\\' && quote.map_or(c == '"' || c == '\'', |open| c == open);
        let separates = quote.is_none() && (c == '\\' || c.is_whitespace());
        if is_quote {
            quote = if quote.is_none() { Some(c) } else { None };
        }
        match is_quote || separates {
            true => words.extend(word.take()),
            false => word.get_or_insert_default().push(c),
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
        check(r#"sh -c 'echo "a b"'"#, &["sh", "-c", "echo \"a b\""]);
        // What follows was seen of restic 0.19.1.
        check(r#"a '' b """#, &["a", "b"]);
        check(r#"ssh -o"A B"c"#, &["ssh", "-o", "A B", "c"]);
        check("x''y", &["x", "y"]);
        check(r"a\'b c\'", &["a", "'b", "c", "'"]);
        check(r"'a\'b'", &[r"a\'b"]);
        check(r#"\"a b\""#, &["\"a", "b", "\""]);
        assert!(split(r#""a\\" b"#).is_err() && split(r"'a'\'b'").is_err());
        assert_eq!(split("echo 'x"), Err("single-quoted string not terminated"));
        assert_eq!(split("echo \"x"), Err("double-quoted string not terminated"));
        assert_eq!(split("  "), Err("command string is empty"));
    }
}
