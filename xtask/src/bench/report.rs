//! A section of the page: a table, and under which circumstances it was measured.

use super::contender::Contender;
use super::rounds::Bench;
use super::setup::Setup;
use super::table::Table;
use super::{Arguments, data};
use crate::{Result, process, project};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The page that keeps the tables.
const PAGE: &str = "docs/src/internals/performance.md";
/// What ends a table of ours on that page.
const END: &str = "<!-- end of bench -->";

/// A table, as a section of the page.
pub(crate) struct Report {
    page: &'static str,
    marker: String,
    section: String,
}

impl Report {
    /// A section with `text`, which was measured on a file system of the kind `place` by `command`.
    pub(super) fn new(what: &str, place: &str, setup: &Setup, command: &str, text: &str) -> Result<Self> {
        let title = format!("{what}{}", setup.key_in_title());
        Report::on(PAGE, &title, &format!("{command}{}", setup.options(place)), text)
    }

    /// A section of this page with `text`, which was measured by `command`.
    pub(crate) fn on(page: &'static str, title: &str, command: &str, text: &str) -> Result<Self> {
        let told = format!("`cargo xtask {command}`, {}, {}", date()?, machine()?);
        let section = format!("### {title}\n\n{told}.\n\n{text}");
        Ok(Report { page, marker: format!("<!-- bench: {title} -->"), section })
    }

    /// One data set's table.
    pub(super) fn of_set(bench: &Bench<'_>, set: data::Set, arguments: &Arguments) -> Result<Self> {
        let place = file_system(&bench.source.folder)?;
        let server = arguments.place().map_or_else(String::new, |server| format!(", repositories {server}"));
        let what = format!("{} on {place}{server}", set.name());
        Report::new(&what, &place, &arguments.setup, &command_line(set, arguments), &table(bench))
    }

    pub(super) fn text(&self) -> &str {
        &self.section
    }

    /// Prints the section, and writes it to the page if it is to be kept.
    pub(crate) fn publish(&self, no_docs: bool) -> Result<()> {
        println!("\n{}", self.section);
        if no_docs { Ok(()) } else { self.write() }
    }

    /// Puts the section where the page has one of the same title, or at its end.
    fn write(&self) -> Result<()> {
        let path = project::folder().join(self.page);
        let page = fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", self.page))?;
        Ok(fs::write(&path, self.placed_in(&page))?)
    }

    fn placed_in(&self, page: &str) -> String {
        let new = format!("{}\n\n{}\n{END}", self.marker, self.section);
        match page.split_once(&self.marker) {
            Some((before, rest)) => {
                format!("{before}{new}{}", rest.split_once(END).map_or("\n", |(_, after)| after))
            }
            None => format!("{}\n\n{new}\n", page.trim_end()),
        }
    }
}

/// A line for each kind of work, and one for the sizes of the repositories.
fn table(bench: &Bench<'_>) -> String {
    let mut table = Table::new(bench.contenders, None);
    for row in &bench.rows {
        let samples: Vec<_> = (0..bench.contenders.len()).map(|place| bench.samples(*row, place)).collect();
        table.measured(&row.to_string(), &samples, &[]);
    }
    let (ours, peers) = bench.contenders.split_first().expect("tresor itself is always measured");
    if ours.repository_bytes() > 0 {
        // else a server has it in memory
        let or_nothing =
            |peer: &Contender, text: String| if peer.is_a_peer() { text } else { "–".to_owned() };
        let sizes = bench.contenders.iter().map(|peer| or_nothing(peer, format!("{:.1}", mebibytes(peer))));
        let ratios =
            peers.iter().map(|peer| or_nothing(peer, format!("{:.3}", mebibytes(ours) / mebibytes(peer))));
        table.line(std::iter::once("repository, MiB".to_owned()).chain(sizes).chain(ratios));
    }
    table.text().to_owned()
}

fn mebibytes(contender: &Contender) -> f64 {
    contender.repository_bytes() as f64 / f64::from(1 << 20)
}

fn command_line(set: data::Set, arguments: &Arguments) -> String {
    let server = arguments.place().map_or_else(String::new, |place| match place.round_trip.as_millis() {
        0 => format!(" --server {}", place.kind),
        away => format!(" --server {} --delay {away}", place.kind),
    });
    let rows = match &arguments.rows[..] {
        [] => String::new(),
        rows => format!(" --rows {}", rows.iter().map(|row| row.name()).collect::<Vec<_>>().join(",")),
    };
    format!("bench --data {} --pairs {}{server}{rows}", set.name(), arguments.comparison.pairs)
}

/// What kind of file system has `path`.
pub(super) fn file_system(path: &Path) -> Result<String> {
    let kind = process::output(Command::new("stat").args(["--file-system", "--format=%T"]).arg(path))?;
    Ok(match kind.trim() {
        "ext2/ext3" => "ext4".to_owned(),
        other => other.to_owned(),
    })
}

fn date() -> Result<String> {
    Ok(process::output(Command::new("date").args(["--utc", "+%Y-%m-%d"]))?.trim().to_owned())
}

/// Processor, memory and kernel.
fn machine() -> Result<String> {
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let processor =
        field(&fs::read_to_string("/proc/cpuinfo")?, "model name").unwrap_or_else(|| "unknown CPU".into());
    let memory = field(&fs::read_to_string("/proc/meminfo")?, "MemTotal").unwrap_or_default();
    let kilobytes: f64 = memory.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0);
    let cores = std::thread::available_parallelism()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let kernel = kernel.split(['-', '\n']).next().unwrap_or_default();
    let gibibytes = kilobytes / f64::from(1 << 20);
    Ok(format!("{cores} cores ({processor}), {gibibytes:.0} GiB, Linux {kernel}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_replaces_the_one_before_it() {
        let report =
            |text: &str| Report { page: PAGE, marker: "<!-- bench: x -->".into(), section: text.into() };
        let once = report("old\n").placed_in("# Page\n");
        assert_eq!(once, "# Page\n\n<!-- bench: x -->\n\nold\n\n<!-- end of bench -->\n");
        let page = format!("{once}\nmore\n");
        assert_eq!(report("new\n").placed_in(&page), page.replace("old", "new"));
    }
}
