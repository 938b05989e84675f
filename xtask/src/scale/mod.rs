//! Measures repositories of any size: synthetic ones, served on loopback to tresor and its peers.

mod shape;
mod sealed;
mod packs;
mod forest;
mod made;
mod store;
mod server;

use crate::{Result, project};
use made::Made;
use server::Server;
use shape::Shape;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use store::Store;
use tresor_testkit::fixtures::PASSWORD;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many data blobs the repositories have, one after the other; `5e6` is understood.
    #[arg(long, value_delimiter = ',', default_value = "5e6,5e7,1e8", value_parser = parse_number)]
    blobs: Vec<u64>,
    /// How many snapshots a repository has.
    #[arg(long, default_value = "1000", value_parser = parse_number)]
    snapshots: u64,
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
    Ok(())
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

    #[test]
    fn numbers_may_be_short() {
        assert_eq!([parse_number("5e6"), parse_number("12")], [Ok(5_000_000), Ok(12)]);
        assert!(["", "0", "e", "1e99", "-1", "1.5e3"].iter().all(|text| parse_number(text).is_err()));
    }
}
