//! The data sets that are backed up.

use crate::{Result, process};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use tresor_testkit::Random;

/// What to back up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Set {
    /// Debian's kernel source 6.1: many small files of text.
    Linux,
    /// Four random files of 512 MiB: nothing to compress, nothing to deduplicate.
    Rand,
    /// Two random files of 512 MiB.
    Gib,
}

impl Set {
    /// Its name in commands and tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Set::Linux => "linux",
            Set::Rand => "rand",
            Set::Gib => "gib",
        }
    }
}

/// Where Debian's package `linux-source-6.1` puts the source.
const KERNEL: &str = "/usr/src/linux-source-6.1.tar.xz";

/// Makes the set below `dir`, from its origin, and returns its folder.
pub(super) fn prepare(set: Set, dir: &Path) -> Result<PathBuf> {
    let folder = dir.join("data").join(set.name());
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    eprintln!("preparing {}", folder.display());
    match set {
        Set::Linux => unpack_kernel(&folder)?,
        Set::Rand => make_random(&folder, 4)?,
        Set::Gib => make_random(&folder, 2)?,
    }
    Ok(folder)
}

fn unpack_kernel(folder: &Path) -> Result<()> {
    if !Path::new(KERNEL).is_file() {
        return Err(format!(
            "{KERNEL} is missing: run `apt-get install --no-install-recommends linux-source-6.1`"
        )
        .into());
    }
    process::run(Command::new("tar").args(["--strip-components=1", "-xf", KERNEL, "-C"]).arg(folder))
}

fn make_random(folder: &Path, files: usize) -> Result<()> {
    const FILE: usize = 512 << 20;
    let mut random = Random::new(512);
    let mut part = vec![0; 1 << 20];
    for number in 1..=files {
        let mut file = BufWriter::new(File::create(folder.join(format!("random-{number}.bin")))?);
        for _ in 0..FILE / part.len() {
            random.fill(&mut part);
            file.write_all(&part)?;
        }
        file.flush()?;
    }
    Ok(())
}
