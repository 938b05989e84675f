//! Measures repositories of any size: synthetic ones, served on loopback to tresor and its peers.

mod shape;
mod sealed;
mod packs;
mod forest;
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
use made::Made;
use rounds::Rounds;
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
        return serve(Server::start(Store::new(Made::find_or_make(shape, &dir)?)?, address)?);
    }
    let clients = client::find(bench::program(arguments.tresor.as_deref())?, &arguments.peers, &dir)?;
    let mut failures = Vec::new();
    for blobs in arguments.blobs.iter().copied() {
        failures.append(&mut measure(Shape::new(blobs, arguments.snapshots), arguments, &clients, &dir)?);
    }
    if failures.is_empty() {
        Ok(())
    } else {
        Err(format!("commands failed:\n{}", failures.join("\n")).into())
    }
}

/// Measures and publishes the table of one repository; the answer is what failed.
fn measure(shape: Shape, arguments: &Arguments, clients: &[Client], dir: &Path) -> Result<Vec<String>> {
    let server = Server::start(Store::new(Made::find_or_make(shape, dir)?)?, ([127, 0, 0, 1], 0).into())?;
    let title = format!("{} blobs, {} snapshots", spaced(shape.blobs), spaced(shape.snapshots));
    eprintln!("{title}");
    let memory = if shape.blobs < MANY { LITTLE } else { 2 * LITTLE };
    let mut rounds = Rounds::new(clients, &server, arguments.pairs, memory, dir.join("source"));
    rounds.run(if arguments.rows.is_empty() { &Row::ALL } else { &arguments.rows })?;
    let table = table::table(&rounds, shape.blobs);
    Report::on(PAGE, &title, &arguments.command_line(shape), &table)?.publish(arguments.no_docs)?;
    Ok(rounds.failures)
}

impl Arguments {
    /// How a table was made.
    fn command_line(&self, shape: Shape) -> String {
        let names: Vec<&str> = self.rows.iter().map(|row| row.name()).collect();
        let rows = if names.is_empty() { String::new() } else { format!(" --rows {}", names.join(",")) };
        let peers: Vec<&str> = self.peers.iter().map(|peer| peer.name()).collect();
        let (blobs, snapshots) = (shape.blobs, shape.snapshots);
        let of_what = format!("--blobs {blobs} --snapshots {snapshots} --pairs {}", self.pairs);
        format!("scale {of_what} --peers {}{rows}", peers.join(","))
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
    println!("a small snapshot: {}", server.store.made.facts.small);
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tresor_testkit::Client as Program;

    fn served(blobs: u64, snapshots: u64, dir: &Path) -> Server {
        let made = Made::find_or_make(Shape::new(blobs, snapshots), dir).unwrap();
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
        let small = restic.ok(["ls", &server.store.made.facts.small]);
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
    fn a_table_tells_how_to_make_it_again() {
        use clap::{Args, FromArgMatches};
        let command = Arguments::augment_args(clap::Command::new("scale").no_binary_name(true));
        let words = ["--blobs", "1e5,5e6", "--snapshots", "1e3", "--rows", "ls,prune", "--peers", "restic"];
        let arguments = Arguments::from_arg_matches(&command.get_matches_from(words)).unwrap();
        let shape = Shape::new(arguments.blobs[1], arguments.snapshots);
        assert_eq!(
            arguments.command_line(shape),
            "scale --blobs 5000000 --snapshots 1000 --pairs 3 --peers restic --rows ls,prune"
        );
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
