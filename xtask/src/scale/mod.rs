//! Measures repositories of any size: synthetic ones, served on loopback to tresor and its peers.

mod shape;
mod sealed;
mod packs;
mod tree;
mod forest;
mod files;
mod mounted;
mod made;
mod store;
mod server;
mod row;
mod client;
mod rounds;
mod table;

use crate::bench::report::Report;
use crate::{Result, bench, project};
use client::{Client, Peer};
use files::Files;
use made::Made;
use mounted::Mounted;
use rounds::{Places, Rounds};
use row::Row;
use server::Server;
use shape::Shape;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use store::Store;
use tresor_testkit::fixtures::PASSWORD;

/// The page that keeps the tables.
const PAGE: &str = "docs/src/internals/scale.md";
/// How many MiB the programs have when it is little.
const LITTLE: u64 = 256;
/// From so many blobs on, twice as much is little.
const MANY: u64 = 100_000_000;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many data blobs the repositories have, one after the other; `5e6` is understood.
    #[arg(long, value_delimiter = ',', default_value = "5e6,5e7,1e8", value_parser = parse_number)]
    blobs: Vec<u64>,
    /// How many snapshots a repository has.
    #[arg(long, default_value = "1000", value_parser = parse_number)]
    snapshots: u64,
    /// How many files are backed up and restored, one number after the other.
    #[arg(long, value_delimiter = ',', default_value = "1e6,1e7", value_parser = parse_number)]
    files: Vec<u64>,
    /// The rows to measure; all if not given.
    #[arg(long, value_delimiter = ',')]
    rows: Vec<Row>,
    /// Whom to compare with; a peer that is not there is named and left out.
    #[arg(long, value_delimiter = ',', default_value = "restic,rustic")]
    peers: Vec<Peer>,
    /// How often each row is run by each program.
    #[arg(long, default_value_t = 3)]
    pairs: usize,
    /// The program to measure; built for release if not given.
    #[arg(long)]
    tresor: Option<PathBuf>,
    /// Print the tables only; do not write them to the docs.
    #[arg(long)]
    no_docs: bool,
    /// The work folder, for repositories and caches; what it holds afterwards may be removed.
    #[arg(long, default_value = "target/scale")]
    dir: PathBuf,
    /// Measure nothing, but serve the first repository at this address until interrupted.
    #[arg(long, num_args = 0..=1, default_missing_value = "127.0.0.1:8765")]
    serve: Option<SocketAddr>,
}

/// A number, also as `5e6`.
fn parse_number(text: &str) -> Result<u64, String> {
    let number = text.split_once('e').map_or_else(
        || text.parse().ok(),
        |(digits, zeros)| digits.parse::<u64>().ok()?.checked_mul(10_u64.checked_pow(zeros.parse().ok()?)?),
    );
    number.filter(|number| *number > 0).ok_or_else(|| "this is no number, such as 5000000 or 5e6".to_owned())
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let dir = project::folder().join(&arguments.dir);
    fs::create_dir_all(&dir)?;
    let dir = dir.canonicalize()?;
    if let Some(address) = arguments.serve {
        let shape = Shape::new(arguments.blobs[0], arguments.snapshots);
        return serve(Server::start(Store::new(Made::of_blobs(shape, &dir)?)?, address)?);
    }
    let clients = client::find(bench::program(arguments.tresor.as_deref())?, &arguments.peers, &dir)?;
    let mut failures = Vec::new();
    let (with_blobs, with_files) = (arguments.chosen(Row::OF_BLOBS), arguments.chosen(Row::OF_FILES));
    for blobs in arguments.blobs.iter().copied().filter(|_| !with_blobs.is_empty()) {
        let shape = Shape::new(blobs, arguments.snapshots);
        let place = Place { arguments, clients: &clients, dir: &dir, rows: &with_blobs };
        failures.append(&mut place.measure_blobs(shape)?);
    }
    for files in arguments.files.iter().copied().filter(|_| !with_files.is_empty()) {
        let place = Place { arguments, clients: &clients, dir: &dir, rows: &with_files };
        failures.append(&mut place.measure_files(&Files::new(files))?);
    }
    if failures.is_empty() {
        Ok(())
    } else {
        Err(format!("commands failed:\n{}", failures.join("\n")).into())
    }
}

/// Where, by whom and what is measured.
struct Place<'a> {
    arguments: &'a Arguments,
    clients: &'a [Client],
    dir: &'a Path,
    rows: &'a [Row],
}

impl Place<'_> {
    /// Measures and publishes the table of many blobs; the answer is what failed.
    fn measure_blobs(&self, shape: Shape) -> Result<Vec<String>> {
        let title = format!("{} blobs, {} snapshots", spaced(shape.blobs), spaced(shape.snapshots));
        let memory = if shape.blobs < MANY { LITTLE } else { 2 * LITTLE };
        let told = format!("--blobs {} --snapshots {}", shape.blobs, shape.snapshots);
        let made = Made::of_blobs(shape, self.dir)?;
        self.measure(made, &title, &told, memory, (shape.blobs, "blob"), None)
    }

    /// Measures and publishes the table of many files; the answer is what failed.
    fn measure_files(&self, files: &Files) -> Result<Vec<String>> {
        let path = self.dir.join("files");
        let mounted = Mounted::full(files, &path)?;
        let made = Made::of_files(files, mounted.device()?, &path, self.dir)?;
        let (title, told) = (format!("{} files", spaced(files.count)), format!("--files {}", files.count));
        self.measure(made, &title, &told, LITTLE, (files.count, "file"), Some(files.clone()))
    }

    fn measure(
        &self,
        made: Made,
        title: &str,
        told: &str,
        memory: u64,
        things: (u64, &str),
        files: Option<Files>,
    ) -> Result<Vec<String>> {
        eprintln!("{title}");
        let server = Server::start(Store::new(made)?, ([127, 0, 0, 1], 0).into())?;
        let [few, many, target] = ["source", "files", "target"].map(|name| self.dir.join(name));
        let places = Places { few, many, files, target };
        let mut rounds = Rounds::new(self.clients, &server, self.arguments.pairs, memory, &places);
        rounds.run(self.rows)?;
        let table = table::table(&rounds, self.rows, things);
        let command = self.arguments.command_line(told);
        Report::on(PAGE, title, &command, &table)?.publish(self.arguments.no_docs)?;
        Ok(rounds.failures)
    }
}

impl Arguments {
    /// Those of `rows` that are wanted.
    fn chosen(&self, rows: &[Row]) -> Vec<Row> {
        rows.iter().copied().filter(|row| self.rows.is_empty() || self.rows.contains(row)).collect()
    }

    /// How the table of `what` was made.
    fn command_line(&self, what: &str) -> String {
        let names: Vec<&str> = self.rows.iter().map(|row| row.name()).collect();
        let rows = if names.is_empty() { String::new() } else { format!(" --rows {}", names.join(",")) };
        let peers: Vec<&str> = self.peers.iter().map(|peer| peer.name()).collect();
        format!("scale {what} --pairs {} --peers {}{rows}", self.pairs, peers.join(","))
    }
}

/// The number with commas between the thousands.
fn spaced(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().filter_map(|three| str::from_utf8(three).ok());
    groups.collect::<Vec<_>>().join(",")
}

fn serve(server: Server) -> Result<()> {
    println!("{}", server.location("repository"));
    println!("password: {PASSWORD}; any other name instead of `repository` is another that is alike");
    println!("a small snapshot: {}", server.store.made.facts.snapshot);
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tresor_testkit::Client as Program;

    fn served(blobs: u64, snapshots: u64, dir: &Path) -> Server {
        let made = Made::of_blobs(Shape::new(blobs, snapshots), dir).unwrap();
        Server::start(Store::new(made).unwrap(), ([127, 0, 0, 1], 0).into()).unwrap()
    }

    #[test]
    fn restic_finds_everything_in_order_and_something_to_prune() {
        let dir = tempfile::tempdir().unwrap();
        let server = served(1000, 5, dir.path());
        let restic = Program::restic(server.location("restic"));
        restic.ok(["check"]);
        let ids = restic.ok(["snapshots", "--json"]).json();
        assert_eq!(ids.as_array().unwrap().len(), 6);
        let small = restic.ok(["ls", &server.store.made.facts.snapshot]);
        assert_eq!(small.text().lines().filter(|line| line.starts_with("/file-0")).count(), 3);
        let plan = restic.ok(["prune", "--dry-run", "--max-unused", "0"]);
        assert!(plan.text().contains("this removes:"), "{}", plan.text());
        assert!(server.take_requests() > 20);
    }

    #[test]
    fn what_restic_stores_is_there_for_itself_alone() {
        let dir = tempfile::tempdir().unwrap();
        let server = served(1, 1, dir.path());
        fs::create_dir(dir.path().join("source")).unwrap();
        fs::write(dir.path().join("source/file"), "contents").unwrap();
        let (one, other) =
            (Program::restic(server.location("one")), Program::restic(server.location("other")));
        let source = dir.path().join("source");
        one.ok(["backup".as_ref(), source.as_os_str()]);
        one.ok(["check"]);
        assert_eq!(one.ok(["snapshots", "--json"]).json().as_array().unwrap().len(), 3);
        assert_eq!(other.ok(["snapshots", "--json"]).json().as_array().unwrap().len(), 2);
        let read = one.ok(["dump".as_ref(), "latest".as_ref(), source.join("file").as_os_str()]);
        assert_eq!(read.text(), "contents");
    }

    #[test]
    fn restic_finds_invented_files_unchanged_and_restores_them() {
        let (dir, files) = (tempfile::tempdir().unwrap(), Files::new(1500));
        let [shown, target] = ["shown", "target"].map(|name| dir.path().join(name));
        let mounted = Mounted::full(&files, &shown).unwrap();
        let made = Made::of_files(&files, mounted.device().unwrap(), &shown, dir.path()).unwrap();
        let server = Server::start(Store::new(made).unwrap(), ([127, 0, 0, 1], 0).into()).unwrap();
        let (restic, snapshot) =
            (Program::restic(server.location("restic")), &server.store.made.facts.snapshot);
        restic.ok(["check", "--read-data"]);
        let backup = restic.clone().within(&shown).ok(["backup", "--json", "--parent", snapshot, "."]);
        let summary = backup.message("summary");
        assert_eq!((&summary["files_unmodified"], &summary["data_blobs"]), (&1500.into(), &0.into()));
        assert_eq!((&summary["dirs_unmodified"], &summary["tree_blobs"]), (&2.into(), &0.into()));
        let _discarding = Mounted::discarding(&files, &target).unwrap();
        restic.ok(["restore".as_ref(), snapshot.as_ref(), "--target".as_ref(), target.as_os_str()]);
        assert_eq!(fs::read_dir(target.join("folder-01")).unwrap().count(), 500);
    }

    #[test]
    fn a_table_tells_how_to_make_it_again() {
        use clap::{Args, FromArgMatches};
        let command = Arguments::augment_args(clap::Command::new("scale").no_binary_name(true));
        let words = ["--blobs", "1e5,5e6", "--snapshots", "1e3", "--rows", "ls,prune", "--peers", "restic"];
        let arguments = Arguments::from_arg_matches(&command.get_matches_from(words)).unwrap();
        assert_eq!((&arguments.blobs[..], arguments.snapshots), (&[100_000, 5_000_000][..], 1000));
        assert_eq!(
            arguments.command_line("--blobs 1"),
            "scale --blobs 1 --pairs 3 --peers restic --rows ls,prune"
        );
        assert_eq!(arguments.chosen(Row::OF_BLOBS), [Row::Ls, Row::Prune]);
        assert!(arguments.chosen(Row::OF_FILES).is_empty());
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([1, 1000, 100_000_000].map(spaced), ["1", "1,000", "100,000,000"]);
    }

    #[test]
    fn numbers_may_be_short() {
        assert_eq!([parse_number("5e6"), parse_number("12")], [Ok(5_000_000), Ok(12)]);
        assert!(["", "0", "e", "1e99", "-1", "1.5e3"].iter().all(|text| parse_number(text).is_err()));
    }
}
