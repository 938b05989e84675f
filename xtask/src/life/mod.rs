//! A whole life of a repository of the kernel source, with little memory for all of it.

use crate::group::Group;
use crate::{Result, bench, process, project};
use rustix::fs::Advice;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use tresor_testkit::{Client, compare_trees, fixtures, mutate};

const MIB: f64 = (1_u64 << 20) as f64;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What all processes of a command may hold together, with the page cache, in MiB.
    #[arg(long, default_value_t = 256)]
    limit: u64,
    /// How many backups are made; before each but the first, 1 % of the files change.
    #[arg(long, default_value_t = 30)]
    backups: u64,
    /// What the changes follow from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The work folder, on a disk: what is on a tmpfs counts as memory.
    #[arg(long, default_value = "target/life")]
    dir: PathBuf,
    /// The program to try; built for release if not given.
    #[arg(long)]
    tresor: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    tresor_testkit::peers::restic(); // better missed now than after the whole life
    let limits = Group::of_this_process("life", arguments.limit)?;
    let program = bench::program(arguments.tresor.as_deref())?;
    let below = project::folder().join(&arguments.dir);
    fs::create_dir_all(&below)?;
    let folder = tempfile::tempdir_in(below.canonicalize()?)?;
    let source = folder.path().join("source");
    fs::create_dir(&source)?;
    bench::unpack_kernel(&source)?;
    forget_pages(&source)?;
    let life = Life::new(&program, folder.path(), limits);
    println!("| command | wall, s | peak with page cache, MiB | peak of RssAnon, MiB |");
    println!("| --- | ---: | ---: | ---: |");
    life.live(arguments)?;
    life.is_good(&source)?;
    println!("all of it within {} MiB; the restore is the same, restic's check is clean", arguments.limit);
    Ok(())
}

/// A repository, its copy, and the group that every command of tresor runs in.
struct Life {
    tresor: Client,
    copy: Client,
    folder: PathBuf,
    limits: Group,
}

impl Life {
    fn new(program: &Path, folder: &Path, limits: Group) -> Life {
        let on = |repository: &str| {
            let client = Client::tresor(program, folder.join(repository)).within(folder);
            let client = client.variable("RESTIC_CACHE_DIR", folder.join("cache"));
            client.variable("TMPDIR", folder)
        };
        let from = on("copy").variable("RESTIC_FROM_REPOSITORY", folder.join("repository"));
        let copy = from.variable("RESTIC_FROM_PASSWORD", fixtures::PASSWORD);
        Life { tresor: on("repository"), copy, folder: folder.to_owned(), limits }
    }

    fn live(&self, arguments: &Arguments) -> Result<()> {
        self.step(&self.tresor, &["init"])?;
        for number in 1..=arguments.backups {
            if number > 1 {
                mutate(self.folder.join("source"), arguments.seed + number, 1.0);
            }
            self.step(&self.tresor, &["backup", "source"])?;
        }
        self.step(&self.tresor, &["forget", "--keep-last", "5"])?;
        self.step(&self.tresor, &["prune", "--max-unused", "0"])?;
        self.step(&self.tresor, &["check"])?;
        self.step(&self.tresor, &["check", "--read-data"])?;
        self.step(&self.copy, &["init", "--copy-chunker-params"])?;
        self.step(&self.copy, &["copy"])?;
        self.step(&self.copy, &["restore", "latest", "--target", "target"])
    }

    /// Runs a command with the limit and prints its row; one that fails, or is killed, ends the life.
    fn step(&self, client: &Client, words: &[&str]) -> Result<()> {
        let told = words.join(" ");
        let group = self.limits.within("step")?;
        let (output, errors) = (self.folder.join("stdout"), self.folder.join("stderr"));
        let mut command = group.holding(&client.command(words));
        command.stdin(Stdio::null()).stdout(fs::File::create(output)?).stderr(fs::File::create(&errors)?);
        let start = Instant::now();
        let mut child = command.spawn()?;
        let watch = bench::Watch::start(child.id());
        let status = child.wait();
        let anonymous = watch.end();
        let status = status?;
        let wall = start.elapsed().as_secs_f64();
        let peak = group.peak().map_or("?".to_owned(), |peak| format!("{:.0}", peak as f64 / MIB));
        println!("| `{told}` | {wall:.2} | {peak} | {anonymous:.0} |");
        match (status.success(), group.killed()?) {
            (true, 0) => Ok(()),
            (_, 0) => Err(format!("`{told}` ended with {status}: {}", fs::read_to_string(errors)?).into()),
            _ => Err(format!("`{told}` was killed for want of memory, with {peak} MiB in use").into()),
        }
    }

    /// Without the limit: the newest snapshot came back, and restic finds nothing wrong with either repository.
    fn is_good(&self, source: &Path) -> Result<()> {
        let differences = compare_trees(source, &self.folder.join("target/source"));
        if let Some(difference) = differences.first() {
            return Err(format!("the restored data differ: {difference}").into());
        }
        for repository in [&self.tresor, &self.copy] {
            let restic = Client::restic(repository.repository()).variable("TMPDIR", &self.folder);
            let run = restic.run(["check", "--read-data"]);
            if run.code != Some(0) {
                return Err(run.to_string().into());
            }
        }
        Ok(())
    }
}

/// Lets go of what the system remembers of the files' contents: it would not count for those who read them.
fn forget_pages(folder: &Path) -> Result<()> {
    process::run(Command::new("sync").arg("--file-system").arg(folder))?; // what is not on the disk stays
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                waiting.push(entry.path());
            } else if kind.is_file() {
                rustix::fs::fadvise(fs::File::open(entry.path())?, 0, None, Advice::DontNeed)?;
            }
        }
    }
    Ok(())
}
