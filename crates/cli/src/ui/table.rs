//! Tables: columns as wide as their widest cell, between two rules.

use std::borrow::Cow;
use tresor_backend::shown;
use unicode_width::UnicodeWidthStr;

/// A table with a header, rows of cells (several lines each, if need be) and lines below.
#[derive(Default)]
pub(crate) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<Vec<String>>>,
    footer: Vec<String>,
    spaced: bool,
}

impl Table {
    /// A table with these column titles; a title may be padded to make its column wider.
    pub(crate) fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        Table { header: header.into_iter().map(Into::into).collect(), ..Table::default() }
    }

    /// Appends a row; each cell is a list of lines. What would end a line or steer a terminal is escaped.
    pub(crate) fn row(&mut self, mut cells: Vec<Vec<String>>) {
        for text in cells.iter_mut().flatten() {
            if let Cow::Owned(escaped) = shown::line(text) {
                *text = escaped;
            }
        }
        self.rows.push(cells);
    }

    /// Appends a line below the table.
    pub(crate) fn footer(&mut self, line: impl Into<String>) {
        self.footer.push(line.into());
    }

    /// Separates rows by blank lines.
    pub(crate) fn spaced(&mut self, spaced: bool) {
        self.spaced = spaced;
    }

    /// The whole table as text, each line ended.
    pub(crate) fn render(&self) -> String {
        let widths = self.widths();
        let rule = "-".repeat(widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1));
        let mut out = String::new();
        push_line(&mut out, &widths, self.header.iter().map(String::as_str));
        out.push_str(&rule);
        out.push('\n');
        for (nr, row) in self.rows.iter().enumerate() {
            if self.spaced && nr > 0 {
                out.push('\n');
            }
            let height = row.iter().map(Vec::len).max().unwrap_or(0).max(1);
            for line in 0..height {
                push_line(
                    &mut out,
                    &widths,
                    row.iter().map(|cell| cell.get(line).map_or("", String::as_str)),
                );
            }
        }
        out.push_str(&rule);
        out.push('\n');
        for line in &self.footer {
            out.push_str(line);
            out.push('\n');
        }
        out
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.header.iter().map(|title| title.width()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.iter().map(|line| line.width()).fold(*width, usize::max);
            }
        }
        widths
    }
}

fn push_line<'a>(out: &mut String, widths: &[usize], cells: impl Iterator<Item = &'a str>) {
    let mut line = String::new();
    for (nr, (cell, width)) in cells.zip(widths).enumerate() {
        if nr > 0 {
            line.push_str("  ");
        }
        line.push_str(cell);
        line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width())));
    }
    out.push_str(line.trim_end_matches(' '));
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["ID", "Tags      ", "Paths"]);
        let cell = |text: &str| text.split('|').map(str::to_owned).collect::<Vec<_>>();
        table.row(vec![cell("f348be2b"), cell("t1,t2"), cell("/a|/b")]);
        table.row(vec![cell("1"), cell("世界"), cell("")]);
        table.footer("2 snapshots");
        let expect = "\
ID        Tags        Paths
---------------------------
f348be2b  t1,t2       /a
                      /b
1         世界
---------------------------
2 snapshots
";
        assert_eq!(table.render(), expect);
    }

    #[test]
    fn no_cell_pretends_to_be_a_row() {
        let mut table = Table::new(["Tags"]);
        table.row(vec![vec!["a\nb\x1b[2J".to_owned()]]);
        assert_eq!(table.render().lines().nth(2), Some("a\\nb\\x1b[2J"));
        assert_eq!(table.render().lines().count(), 4);
    }
}
