//! Where the CPU time of one row goes: samples by `perf record`, by group, place and symbol.

mod groups;
mod shares;

use super::complain;
use super::contender;
use super::data::{self, Set};
use super::report::{self, Report};
use super::rounds::Bench;
use super::row::Row;
use super::setup::Setup;
use super::table::{Table, middle};
use super::template::Template;
use crate::{Result, process};
use shares::Shares;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The data set.
    #[arg(long, default_value = "rand")]
    data: Set,
    /// The row to look into; what it stands on is run before it.
    #[arg(long, default_value = "backup")]
    row: Row,
    /// How many symbols to show.
    #[arg(long, default_value_t = 25)]
    top: usize,
    /// Records who called whom as well, in this way of `perf` (`fp`, `dwarf`); seen by `perf report` only.
    #[arg(long)]
    call_graph: Option<String>,
    #[command(flatten)]
    setup: Setup,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let perf = find_perf()?;
    let dir = arguments.setup.folder()?;
    let contenders = contender::find(&[], arguments.setup.program()?, None, &dir)?;
    let template = Template::empty(arguments.setup.key, &dir)?;
    let recording = dir.join("profile.data");
    let source = data::prepare(arguments.data, &dir)?;
    let mut bench = Bench::new(&contenders, vec![arguments.row], source, &dir);
    bench.around.wrapper = record(&perf, &recording, arguments.call_graph.as_deref());
    bench.run(Row::all(), 1, &template)?;
    fs::remove_dir_all(&bench.source.folder)?;
    complain(&bench.failures)?;
    let cost = middle(bench.samples(arguments.row, 0)).ok_or("nothing was run")?;
    let shares = Shares::parse(&process::output(&mut read(&perf, &recording))?)?;
    let text = format!(
        "tresor {}: {cost} (wall s / CPU s / peak MiB, `perf record` included), {} samples.\n\n{}",
        contenders[0].version(),
        shares.samples(),
        tables(&shares, cost.cpu, arguments.top)
    );
    let place = report::file_system(&dir)?;
    let what = format!("profile of {}, {} on {place}", arguments.row, arguments.data.name());
    let command = format!("profile --data {} --row {}", arguments.data.name(), arguments.row.name());
    println!("{}", Report::new(&what, &place, &arguments.setup, &command, &text)?.text());
    println!("More of it: perf report --no-children -i {}", recording.display());
    Ok(())
}

fn find_perf() -> Result<PathBuf> {
    let perf = tresor_testkit::peers::find("perf");
    perf.ok_or_else(|| "perf is missing: run `apt-get install --no-install-recommends linux-perf`".into())
}

/// What records a command that follows it.
fn record(perf: &Path, recording: &Path, call_graph: Option<&str>) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec![perf.into(), "record".into(), "--quiet".into()];
    words.extend(["--no-buildid-cache".into(), "--output".into(), recording.into()]);
    words.extend(call_graph.map(|way| format!("--call-graph={way}").into()));
    words.push("--".into());
    words
}

/// What prints the samples of a recording, a line for each symbol.
fn read(perf: &Path, recording: &Path) -> Command {
    let mut command = Command::new(perf);
    command.args(["report", "--stdio", "--quiet", "--no-children", "--call-graph=none", "--percent-limit=0"]);
    command.args(["--fields=period,sample,dso,symbol", "--field-separator=\t", "--input"]).arg(recording);
    command
}

/// By group, by program or library, and the largest symbols, with `cpu` seconds in all.
fn tables(shares: &Shares, cpu: f64, top: usize) -> String {
    let cells = |share: f64| [format!("{:.1} %", 100.0 * share), format!("{:.2}", share * cpu)];
    let table = |head: &str, shares: Vec<(String, f64)>| {
        let mut table = Table::headed([head, "share", "CPU s"].map(str::to_owned));
        for (name, share) in shares {
            table.line([name].into_iter().chain(cells(share)));
        }
        table.text().to_owned()
    };
    let mut symbols = Table::headed(["symbol", "share", "CPU s", "group", "in"].map(str::to_owned));
    for symbol in shares.largest(top) {
        let name = [format!("`{}`", symbol.name)];
        let home = [symbol.group.to_owned(), symbol.object.clone()];
        symbols.line(name.into_iter().chain(cells(shares.of(symbol))).chain(home));
    }
    let tables =
        [table("group", shares.by_group()), table("in", shares.by_object()), symbols.text().to_owned()];
    tables.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_has_no_callers_unless_asked_for() {
        let words = |way| record(Path::new("perf"), Path::new("file"), way).join(" ".as_ref());
        assert_eq!(words(None), "perf record --quiet --no-buildid-cache --output file --");
        assert!(words(Some("fp")).to_string_lossy().ends_with("file --call-graph=fp --"));
    }

    #[test]
    fn groups_come_first_and_symbols_last() {
        let shares =
            Shares::parse("3000\t3\ttresor\t[.] sha2::x\n1000\t1\t[kernel.kallsyms]\t[k] copy").unwrap();
        let text = tables(&shares, 2.0, 1);
        let lines: Vec<&str> = text.lines().filter(|line| !line.contains("---")).collect();
        assert_eq!(
            lines,
            [
                "| group | share | CPU s |",
                "| SHA-256 | 75.0 % | 1.50 |",
                "| kernel | 25.0 % | 0.50 |",
                "",
                "| in | share | CPU s |",
                "| tresor | 75.0 % | 1.50 |",
                "| [kernel.kallsyms] | 25.0 % | 0.50 |",
                "",
                "| symbol | share | CPU s | group | in |",
                "| `sha2::x` | 75.0 % | 1.50 | SHA-256 | tresor |",
            ]
        );
    }
}
