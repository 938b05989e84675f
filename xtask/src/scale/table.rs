//! A line for each kind of work and program.

use super::rounds::{Outcome, Rounds};
use super::row::Row;
use crate::bench::measure::Sample;
use crate::bench::table::{Table, middle, ratio};

/// The table of what was measured on a repository of so many things of this kind.
pub(super) fn table(rounds: &Rounds<'_>, rows: &[Row], (count, thing): (u64, &str)) -> String {
    let caged = format!("s in {} MiB", rounds.memory);
    let heads = ["work", "program", "s", "CPU s", "anonymous MiB", "resident MiB", "requests", "cache MiB"];
    let heads = heads.map(str::to_owned).into_iter().chain([format!("cache bytes a {thing}"), caged]);
    let mut table = Table::headed(heads.chain(["times tresor's time".to_owned()]));
    for row in rows.iter().copied() {
        let ours = rounds.outcomes.get(&(row, 0));
        for (place, client) in rounds.clients.iter().enumerate() {
            if let Some(outcome) = rounds.outcomes.get(&(row, place)) {
                table.line(line(
                    row,
                    format!("{} {}", client.name, client.version),
                    outcome,
                    ours.filter(|_| place > 0),
                    count,
                ));
            }
        }
    }
    table.text().to_owned()
}

fn line(row: Row, program: String, outcome: &Outcome, ours: Option<&Outcome>, count: u64) -> Vec<String> {
    let mut cells = vec![row.to_string(), program];
    match middle(&outcome.samples) {
        Some(Sample { wall, cpu, peak, anonymous }) => cells.extend([
            format!("{wall:.2}"),
            format!("{cpu:.2}"),
            anonymous.map_or_else(|| "–".to_owned(), |anonymous| format!("{anonymous:.0}")),
            format!("{peak:.0}"),
            outcome.requests.to_string(),
        ]),
        None => cells.extend(["**failed**", "–", "–", "–", "–"].map(str::to_owned)),
    }
    cells.push(format!("{:.0}", outcome.cache as f64 / f64::from(1 << 20)));
    cells.push(format!("{:.1}", outcome.cache as f64 / count as f64));
    cells.push(match &outcome.caged {
        None => "no cgroup".to_owned(),
        Some(Ok(sample)) => format!("{:.2}", sample.wall),
        Some(Err(wrong)) if wrong.contains("SIGKILL") => "**killed**".to_owned(),
        Some(Err(_)) => "**failed**".to_owned(),
    });
    cells.push(ours.map_or_else(|| "–".to_owned(), |ours| ratio(&outcome.samples, &ours.samples)));
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(wall: f64, caged: Option<Result<Sample, String>>) -> Outcome {
        let sample = Sample { wall, cpu: 1.0, peak: 30.0, anonymous: Some(20.0) };
        Outcome { samples: vec![Some(sample)], requests: 5, cache: 10 << 20, caged }
    }

    #[test]
    fn a_line_tells_what_was_measured_and_what_little_memory_did() {
        let killed = Some(Err("error: it ended with signal: 9 (SIGKILL)".to_owned()));
        let (ours, theirs) = (outcome(2.0, None), outcome(4.0, killed));
        let cells = line(Row::Ls, "restic 1".to_owned(), &theirs, Some(&ours), 1 << 20);
        let wanted =
            ["`ls` of 3 files", "restic 1", "4.00", "1.00", "20", "30", "5", "10", "10.0", "**killed**"];
        assert_eq!(cells[..10], wanted);
        assert_eq!(cells[10], "**2.00** (2.00–2.00)");
        let cells = line(Row::Ls, "tresor 1".to_owned(), &ours, None, 1);
        assert_eq!(cells[9..], ["no cgroup", "–"]);
    }

    #[test]
    fn a_failure_has_no_figures() {
        let failed = Outcome { samples: vec![None], ..outcome(1.0, Some(Err("exit status: 1".to_owned()))) };
        let cells = line(Row::Check, "restic 1".to_owned(), &failed, None, 1);
        assert_eq!((cells[2].as_str(), cells[9].as_str(), cells.len()), ("**failed**", "**failed**", 11));
    }
}
