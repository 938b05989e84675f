//! What servers and programs say, made fit to be shown to people.

/// How much of it is kept, in characters.
const SAID: usize = 256;

/// One line of bounded length without anything that could drive a terminal.
pub(crate) fn escaped(text: &str) -> String {
    let mut line = String::new();
    for (count, c) in text.trim().chars().enumerate() {
        if count == SAID {
            line.push('…');
            break;
        }
        match c {
            ' ' => line.push(' '),
            // Controls and what turns or hides text (bidirectional marks, zero width).
            c if c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}') =>
            {
                line.extend(c.escape_default());
            }
            c => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_short_line_that_cannot_drive_a_terminal() {
        let long = escaped(&"x".repeat(10_000));
        assert_eq!(long.chars().count(), SAID + 1);
        assert_eq!(escaped("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(escaped("  a\x1b]0;x\x07 b\n"), "a\\u{1b}]0;x\\u{7} b");
    }
}
