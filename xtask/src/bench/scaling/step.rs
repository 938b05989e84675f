//! The steps of a scale as a table, and what a file more costs.

use super::Scale;
use crate::bench::contender::Contender;
use crate::bench::rounds::Bench;
use crate::bench::row::Row;
use crate::bench::table::{Table, middle};
use std::cmp::Reverse;

/// What was measured with so much of it.
pub(super) struct Step<'a> {
    /// In words.
    pub(super) subject: String,
    /// How much of that of which there is more from step to step.
    pub(super) count: usize,
    pub(super) bench: Bench<'a>,
}

/// A line for each row and step, those with more cores first.
pub(super) fn table(scale: Scale, contenders: &[Contender], steps: &[Step<'_>]) -> String {
    let mut table = Table::new(contenders, (scale == Scale::Files).then_some("µs a file more"));
    let mut ordered: Vec<&Step<'_>> = steps.iter().collect();
    ordered.sort_by_key(|step| Reverse(step.bench.around.cores));
    let rows = steps.first().map_or(&[][..], |step| step.bench.rows.as_slice());
    let places = 0..contenders.len();
    for row in rows.iter().copied() {
        for step in &ordered {
            let samples: Vec<_> = places.clone().map(|place| step.bench.samples(row, place)).collect();
            let beside: Vec<String> = match scale {
                Scale::Files => places.clone().map(|place| per_file(steps, step, row, place)).collect(),
                Scale::Snapshots | Scale::Cores => Vec::new(),
            };
            table.measured(&format!("{row}: {}", step.subject), &samples, &beside);
        }
    }
    table.text().to_owned()
}

/// What a file costs on top of the run over the fewest files on as many cores.
fn per_file(steps: &[Step<'_>], step: &Step<'_>, row: Row, place: usize) -> String {
    let point = |step: &Step<'_>| Some((step.count, middle(step.bench.samples(row, place))?.wall));
    let alike = steps.iter().filter(|other| other.bench.around.cores == step.bench.around.cores);
    let fewest = alike.min_by_key(|other| other.count).and_then(point);
    fewest.zip(point(step)).and_then(|(fewest, this)| slope(fewest, this)).unwrap_or_else(|| "–".to_owned())
}

/// The µs for each file that `this` has more than `fewest`; both are a number of files and the seconds they took.
fn slope(fewest: (usize, f64), this: (usize, f64)) -> Option<String> {
    let more = this.0.checked_sub(fewest.0).filter(|more| *more > 0)?;
    Some(format!("{:.1}", (this.1 - fewest.1) * 1e6 / more as f64))
}

/// So many, with commas between the thousands: `1 file`, `10,000 files`.
pub(super) fn many(count: usize, noun: &str) -> String {
    let digits = count.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|three| str::from_utf8(three).ok()).collect();
    format!("{} {noun}{}", groups.join(","), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::data::Source;
    use crate::bench::measure::Sample;
    use std::path::{Path, PathBuf};

    /// A step whose only contender took `wall` seconds, each time.
    fn step(count: usize, cores: usize, wall: f64) -> Step<'static> {
        let source = Source { folder: PathBuf::new(), pattern: "", file: PathBuf::new() };
        let mut bench = Bench::new(&[], vec![Row::NoChange], source, Path::new(""));
        bench.around.cores = Some(cores);
        bench
            .samples
            .insert((Row::NoChange, 0), vec![Some(Sample { wall, cpu: 0.0, peak: 0.0, anonymous: None }); 3]);
        Step { subject: format!("{count} on {cores}"), count, bench }
    }

    #[test]
    fn a_file_costs_what_comes_on_top_of_the_fewest_on_as_many_cores() {
        let steps = [step(1000, 2, 1.0), step(1000, 1, 1.5), step(3000, 2, 1.25), step(3000, 1, 2.5)];
        let costs: Vec<String> = steps.iter().map(|step| per_file(&steps, step, Row::NoChange, 0)).collect();
        assert_eq!(costs, ["–", "–", "125.0", "500.0"]);
        assert_eq!(per_file(&steps, &steps[2], Row::Backup, 0), "–");
    }

    #[test]
    fn a_table_has_a_line_for_each_step_and_begins_with_most_cores() {
        let table = table(Scale::Files, &[], &[step(1000, 1, 1.0), step(1000, 2, 1.0)]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines, ["| work |", "| --- |", "| no change: 1000 on 2 |", "| no change: 1000 on 1 |"]);
    }

    #[test]
    fn thousands_are_set_apart() {
        let told = [1, 999, 1000, 1_234_567].map(|count| many(count, "file"));
        assert_eq!(told, ["1 file", "999 files", "1,000 files", "1,234,567 files"]);
    }
}
