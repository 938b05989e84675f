//! Lists in one argument: values between commas, in quotes where they hold one themselves.

/// A list as it was typed, if it can be [`split`].
///
/// # Errors
/// Those of [`split`].
pub(crate) fn checked(text: &str) -> Result<String, String> {
    split(text).map(|_| text.to_owned())
}

/// The values of a list; an empty text has none.
///
/// # Errors
/// A quote where none may be, worded as Go's CSV reader words it.
pub(crate) fn split(text: &str) -> Result<Vec<String>, String> {
    let text = text.split('\n').next().unwrap_or_default();
    let mut values = Vec::new();
    let mut rest = text;
    while !rest.is_empty() || (!values.is_empty() && text.ends_with(',')) {
        let (value, after) = first(rest).map_err(|(at, what)| {
            format!("parse error on line 1, column {}: {what}", text.len() - rest.len() + at + 1)
        })?;
        values.push(value);
        match after {
            Some(after) => rest = after,
            None => break,
        }
    }
    Ok(values)
}

/// The first value, and what follows its comma; an error is a place and what is wrong there.
fn first(text: &str) -> Result<(String, Option<&str>), (usize, &'static str)> {
    const OPEN: &str = "extraneous or missing \" in quoted-field";
    let Some(mut rest) = text.strip_prefix('"') else {
        let (value, after) = text.split_once(',').map_or((text, None), |(value, after)| (value, Some(after)));
        return match value.find('"') {
            Some(at) => Err((at, "bare \" in non-quoted-field")),
            None => Ok((value.to_owned(), after)),
        };
    };
    let mut value = String::new();
    loop {
        let Some((part, after)) = rest.split_once('"') else { return Err((text.len(), OPEN)) };
        value.push_str(part);
        if let Some(more) = after.strip_prefix('"') {
            value.push('"');
            rest = more;
        } else if after.is_empty() {
            return Ok((value, None));
        } else if let Some(after) = after.strip_prefix(',') {
            return Ok((value, Some(after)));
        } else {
            return Err((text.len() - after.len() - 1, OPEN));
        }
    }
}

/// A list of this one value.
pub(crate) fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_part_values_and_quotes_keep_them() {
        for (text, values) in [
            ("", &[][..]),
            ("a=1,b=2", &["a=1", "b=2"]),
            ("a,,b", &["a", "", "b"]),
            ("a,", &["a", ""]),
            (r#""a,b",c"#, &["a,b", "c"]),
            (r#""a""b""#, &["a\"b"]),
        ] {
            assert_eq!(split(text).unwrap(), values, "{text}");
        }
        assert_eq!(split(&quoted("a\",b")).unwrap(), ["a\",b"]);
    }

    #[test]
    fn quotes_out_of_place_are_refused_in_the_words_of_go() {
        for (text, column, what) in [
            (r#"a="b"#, 3, "bare"),
            (r#""a"#, 3, "extraneous"),
            (r#""a"x"#, 3, "extraneous"),
            (r#""a""b"=1,c"#, 6, "extraneous"),
            (r#"x,a"b"#, 4, "bare"),
        ] {
            let error = split(text).unwrap_err();
            assert!(
                error.starts_with(&format!("parse error on line 1, column {column}: {what}")),
                "{text}: {error}"
            );
        }
    }
}
