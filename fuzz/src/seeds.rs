//! Names every target, and writes its seeds into its folder below the one that is given.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use tresor_fuzz::targets;

fn main() -> io::Result<()> {
    let corpora = std::env::args_os().nth(1).map(PathBuf::from).ok_or(io::ErrorKind::InvalidInput)?;
    for target in targets() {
        let folder = corpora.join(target.name);
        fs::create_dir_all(&folder)?;
        for (number, seed) in target.seeds.iter().enumerate() {
            fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
        writeln!(io::stdout(), "{}", target.name)?;
    }
    Ok(())
}
