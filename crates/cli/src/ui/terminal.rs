//! A terminal that can redraw lines.

use std::io::IsTerminal;
use tresor_backend::shown::is_steering;
use tresor_snapshot::quote::quoted;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The terminal on stdout.
pub(crate) struct Terminal {
    fixed_width: Option<usize>,
}

impl Terminal {
    /// The terminal on stdout if it is one and `term` (the variable) says that it can move its cursor.
    pub(crate) fn on_stdout(term: Option<&str>) -> Option<Self> {
        let able = term.is_some_and(|term| term != "dumb");
        (able && std::io::stdout().is_terminal()).then_some(Terminal { fixed_width: None })
    }

    /// Columns; asked anew each time, since people resize windows.
    fn width(&self) -> usize {
        let asked =
            || rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col));
        self.fixed_width.or_else(asked).filter(|&width| width > 0).unwrap_or(80)
    }

    /// The line cut to the width, and made safe to print: control characters are escaped.
    pub(crate) fn fit(&self, line: &str) -> String {
        let line = printable(line);
        let room = self.width().saturating_sub(2);
        if line.width() <= room {
            return line;
        }
        let mut used = 0;
        line.chars()
            .take_while(|c| {
                used += c.width().unwrap_or(0);
                used <= room
            })
            .collect()
    }

    /// Moves to the first of `lines` status lines and clears them.
    pub(crate) fn clear(&self, lines: usize) -> String {
        match lines {
            0 => String::new(),
            _ => format!("\r\x1b[2K{}", "\x1b[1A\x1b[2K".repeat(lines - 1)),
        }
    }

    /// Draws the status lines, the cursor left at the end of the last.
    pub(crate) fn draw(&self, lines: &[String]) -> String {
        lines.join("\n")
    }
}

/// `text` as it is if nothing in it steers a terminal, else escaped, in quotes.
pub(crate) fn printable(text: &str) -> String {
    if text.chars().any(is_steering) { quoted(text.as_bytes()) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_and_made_safe() {
        let terminal = Terminal { fixed_width: Some(12) };
        assert_eq!(terminal.fit("0123456789abc"), "0123456789");
        assert_eq!(terminal.fit("世界世界世界"), "世界世界世");
        assert_eq!(terminal.fit("a\x1b[2J"), "\"a\\x1b[2J\"");
    }
}
