//! A table in Markdown: for each kind of work the medians of all, and tresor's ratio to each peer.

use super::contender::Contender;
use super::measure::Sample;
use std::iter;

/// Wall s / CPU s / peak MiB of each contender, then the ratio of the wall times to each peer.
pub(crate) struct Table {
    text: String,
}

impl Table {
    /// A table without lines; with `beside`, a column of that name stands beside each contender's.
    pub(in crate::bench) fn new(contenders: &[Contender], beside: Option<&str>) -> Self {
        let heads =
            contenders.iter().map(|contender| format!("{} {}", contender.name(), contender.version()));
        let heads = heads.flat_map(|head| iter::once(head).chain(beside.map(str::to_owned)));
        let ratios = contenders.iter().skip(1).map(|peer| format!("ratio to {}", peer.name()));
        Table::headed(iter::once("work".to_owned()).chain(heads).chain(ratios))
    }

    /// A table without lines, of columns with these heads.
    pub(crate) fn headed(heads: impl IntoIterator<Item = String>) -> Self {
        let heads: Vec<String> = heads.into_iter().collect();
        Table { text: format!("| {} |\n|{}\n", heads.join(" | "), " --- |".repeat(heads.len())) }
    }

    /// Adds a line of what was measured: of each contender its samples, and what stands beside them.
    pub(crate) fn measured(&mut self, label: &str, samples: &[&[Option<Sample>]], beside: &[String]) {
        let cells = samples.iter().enumerate().map(|(place, samples)| (cell(samples), beside.get(place)));
        let cells = cells.flat_map(|(cell, beside)| iter::once(cell).chain(beside.cloned()));
        let ratios = samples.iter().skip(1).map(|theirs| ratio(samples[0], theirs));
        self.line(iter::once(label.to_owned()).chain(cells).chain(ratios));
    }

    /// Adds a line of any cells.
    pub(crate) fn line(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().collect();
        self.text += &format!("| {} |\n", cells.join(" | "));
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// The medians, or that it failed, or that there is no such command.
fn cell(samples: &[Option<Sample>]) -> String {
    if samples.is_empty() {
        return "–".to_owned();
    }
    middle(samples).map_or_else(|| "**failed**".to_owned(), |middle| middle.to_string())
}

/// The median of each figure, if there are samples and none failed.
pub(crate) fn middle(samples: &[Option<Sample>]) -> Option<Sample> {
    let good = samples.iter().copied().collect::<Option<Vec<_>>>().filter(|good| !good.is_empty())?;
    let of = |value: fn(&Sample) -> f64| median(good.iter().map(value).collect());
    Some(Sample {
        wall: of(|sample| sample.wall),
        cpu: of(|sample| sample.cpu),
        peak: of(|sample| sample.peak),
        anonymous: good.iter().map(|sample| sample.anonymous).collect::<Option<_>>().map(median),
    })
}

/// The median of the ratios within each round, with the smallest and the largest.
pub(crate) fn ratio(ours: &[Option<Sample>], theirs: &[Option<Sample>]) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(walls: &[f64]) -> Vec<Option<Sample>> {
        walls.iter().map(|wall| Some(Sample { wall: *wall, cpu: 2.0, peak: 3.0, anonymous: None })).collect()
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
    fn what_stands_beside_a_figure_follows_it() {
        let mut table = Table::headed(["work", "ours", "µs", "theirs", "µs", "ratio"].map(str::to_owned));
        let (ours, theirs) = (samples(&[1.0]), samples(&[2.0]));
        table.measured("ls", &[&ours, &theirs], &["3".to_owned(), "4".to_owned()]);
        let lines: Vec<&str> = table.text().lines().collect();
        assert_eq!(
            lines,
            [
                "| work | ours | µs | theirs | µs | ratio |",
                "| --- | --- | --- | --- | --- | --- |",
                "| ls | 1.00 / 2.00 / 3 | 3 | 2.00 / 2.00 / 3 | 4 | **0.50** (0.50–0.50) |",
            ]
        );
    }
}
