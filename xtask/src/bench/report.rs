//! The table: medians, ratios, and under which circumstances they were measured.

use super::contender::Contender;
use super::measure::Sample;
use super::{Arguments, Bench, Key, data};
use crate::{Result, process, project};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The page that keeps the tables.
const PAGE: &str = "docs/src/internals/performance.md";
/// What ends a table of ours on that page.
const END: &str = "<!-- end of bench -->";

/// One data set's table, as a section of the page.
pub(super) struct Report {
    marker: String,
    section: String,
}

impl Report {
    pub(super) fn new(bench: &Bench<'_>, set: data::Set, arguments: &Arguments) -> Result<Self> {
        let place = file_system(&bench.source)?;
        let key = if bench.key == Key::Cheap { ", cheap key" } else { "" };
        let server = arguments.place().map_or_else(String::new, |server| format!(", repositories {server}"));
        let title = format!("{} on {place}{server}{key}", set.name());
        let mut section = format!("### {title}\n\n");
        writeln!(section, "`{}`, {}, {}.\n", command_line(set, arguments, &place), date()?, machine()?)?;
        section += &table(bench);
        Ok(Report { marker: format!("<!-- bench: {title} -->"), section })
    }

    pub(super) fn text(&self) -> &str {
        &self.section
    }

    /// Puts the section where the page has one of the same title, or at its end.
    pub(super) fn write(&self) -> Result<()> {
        let path = project::folder().join(PAGE);
        let page = fs::read_to_string(&path).map_err(|e| format!("cannot read {PAGE}: {e}"))?;
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

/// A row for each kind of work; wall s / CPU s / peak MiB, then the ratio of the wall times to each peer.
fn table(bench: &Bench<'_>) -> String {
    let (ours, peers) = bench.contenders.split_first().expect("tresor itself is always measured");
    let heads =
        bench.contenders.iter().map(|contender| format!("{} {}", contender.name(), contender.version()));
    let ratios = peers.iter().map(|peer| format!("ratio to {}", peer.name()));
    let heads: Vec<String> = std::iter::once("work".to_owned()).chain(heads).chain(ratios).collect();
    let mut table = format!("| {} |\n|{}\n", heads.join(" | "), " --- |".repeat(heads.len()));
    for row in &bench.rows {
        let samples = |place| bench.samples.get(&(*row, place)).map_or(&[][..], Vec::as_slice);
        let cells = (0..bench.contenders.len()).map(|place| cell(samples(place)));
        let ratios = (1..bench.contenders.len()).map(|place| ratio(samples(0), samples(place)));
        let cells: Vec<String> = std::iter::once(row.to_string()).chain(cells).chain(ratios).collect();
        table += &format!("| {} |\n", cells.join(" | "));
    }
    if ours.repository_bytes() == 0 {
        return table; // a server has it in memory
    }
    let or_nothing = |peer: &Contender, text: String| if peer.is_a_peer() { text } else { "–".to_owned() };
    let sizes = bench.contenders.iter().map(|peer| or_nothing(peer, format!("{:.1}", mebibytes(peer))));
    let ratios =
        peers.iter().map(|peer| or_nothing(peer, format!("{:.3}", mebibytes(ours) / mebibytes(peer))));
    let cells: Vec<String> =
        std::iter::once("repository, MiB".to_owned()).chain(sizes).chain(ratios).collect();
    table + &format!("| {} |\n", cells.join(" | "))
}

fn mebibytes(contender: &Contender) -> f64 {
    contender.repository_bytes() as f64 / f64::from(1 << 20)
}

/// The medians, or that it failed, or that there is no such command.
fn cell(samples: &[Option<Sample>]) -> String {
    if samples.is_empty() {
        return "–".to_owned();
    }
    let Some(good) = samples.iter().copied().collect::<Option<Vec<_>>>() else {
        return "**failed**".to_owned();
    };
    let of = |value: fn(&Sample) -> f64| median(good.iter().map(value).collect());
    let middle = Sample {
        wall: of(|sample| sample.wall),
        cpu: of(|sample| sample.cpu),
        peak: of(|sample| sample.peak),
    };
    middle.to_string()
}

/// The median of the ratios within each round, with the smallest and the largest.
fn ratio(ours: &[Option<Sample>], theirs: &[Option<Sample>]) -> String {
    let rounds =
        ours.iter().zip(theirs).map(|(ours, theirs)| Some(ours.as_ref()?.wall / theirs.as_ref()?.wall));
    let Some(mut ratios) = rounds.collect::<Option<Vec<f64>>>().filter(|ratios| !ratios.is_empty()) else {
        return "–".to_owned();
    };
    ratios.sort_by(f64::total_cmp);
    format!("**{:.2}** ({:.2}–{:.2})", median(ratios.clone()), ratios[0], ratios[ratios.len() - 1])
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

fn command_line(set: data::Set, arguments: &Arguments, place: &str) -> String {
    let dir = if place == "tmpfs" { " --dir DIR-ON-TMPFS" } else { "" };
    let key = if arguments.key == Key::Cheap { " --key cheap" } else { "" };
    let server = arguments.place().map_or_else(String::new, |place| match place.round_trip.as_millis() {
        0 => format!(" --server {}", place.kind),
        away => format!(" --server {} --delay {away}", place.kind),
    });
    let rows = match &arguments.rows[..] {
        [] => String::new(),
        rows => format!(" --rows {}", rows.iter().map(|row| row.name()).collect::<Vec<_>>().join(",")),
    };
    format!("cargo xtask bench --data {} --pairs {}{server}{rows}{dir}{key}", set.name(), arguments.pairs)
}

fn file_system(path: &Path) -> Result<String> {
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

    fn samples(walls: &[f64]) -> Vec<Option<Sample>> {
        walls.iter().map(|wall| Some(Sample { wall: *wall, cpu: 2.0, peak: 3.0 })).collect()
    }

    #[test]
    fn ratios_are_taken_within_rounds() {
        let (ours, theirs) = (samples(&[1.0, 4.0, 2.0]), samples(&[2.0, 4.0, 8.0]));
        assert_eq!(ratio(&ours, &theirs), "**0.50** (0.25–1.00)");
        assert_eq!(cell(&ours), "2.00 / 2.00 / 3");
    }

    #[test]
    fn one_failure_fails_the_cell() {
        let mut ours = samples(&[1.0]);
        ours.push(None);
        assert_eq!(cell(&ours), "**failed**");
        assert_eq!(ratio(&ours, &samples(&[1.0, 1.0])), "–");
    }

    #[test]
    fn a_row_that_a_peer_cannot_do_stays_empty() {
        assert_eq!(cell(&[]), "–");
        assert_eq!(ratio(&samples(&[1.0]), &[]), "–");
    }

    #[test]
    fn a_section_replaces_the_one_before_it() {
        let report = |text: &str| Report { marker: "<!-- bench: x -->".into(), section: text.into() };
        let once = report("old\n").placed_in("# Page\n");
        assert_eq!(once, "# Page\n\n<!-- bench: x -->\n\nold\n\n<!-- end of bench -->\n");
        let page = format!("{once}\nmore\n");
        assert_eq!(report("new\n").placed_in(&page), page.replace("old", "new"));
    }
}
