//! `backup`: make a new snapshot of files and folders.

mod settings;
mod sources;
mod stream;

use std::ffi::OsString;
use std::path::PathBuf;
use tresor_repo::handle::Append;
use tresor_repo::lock::SharedLock;
use tresor_snapshot::select::GroupBy;

use super::patterns::ExcludeFlags;
use crate::exit::{Code, Failure, Result};
use crate::gonumber;
use crate::session::{Opened, Session};

/// Make a new snapshot of files and folders
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write nothing, only show what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    patterns: ExcludeFlags,
    /// Exclude the content of folders marked by a CACHEDIR.TAG file
    #[arg(long)]
    exclude_caches: bool,
    /// Exclude the content of folders that hold this file, or one that begins so (repeatable)
    #[arg(long, value_name = "FILENAME[:HEADER]")]
    exclude_if_present: Vec<String>,
    /// Exclude files larger than this (suffixes k, m, g, t)
    #[arg(long, value_name = "SIZE")]
    exclude_larger_than: Option<String>,
    /// Read what to back up from this file, a pattern a line (repeatable)
    #[arg(long, value_name = "FILE")]
    files_from: Vec<PathBuf>,
    /// Read what to back up from this file, names ended by NUL (repeatable)
    #[arg(long, value_name = "FILE")]
    files_from_raw: Vec<PathBuf>,
    /// Read what to back up from this file, a name a line (repeatable)
    #[arg(long, value_name = "FILE")]
    files_from_verbatim: Vec<PathBuf>,
    /// Read every file again, whatever the parent knows
    #[arg(short, long)]
    force: bool,
    /// Take the newest snapshot that agrees in these as parent: host, paths, tags
    #[arg(short, long, value_name = "GROUP", default_value = "host,paths")]
    group_by: GroupBy,
    /// Store this host name (default: $RESTIC_HOST or the machine's)
    #[arg(short = 'H', long, value_name = "HOSTNAME", alias = "hostname")]
    host: Option<String>,
    /// Do not take a changed ctime for a changed file
    #[arg(long)]
    ignore_ctime: bool,
    /// Do not take a changed inode or ctime for a changed file
    #[arg(long)]
    ignore_inode: bool,
    /// Make the repository first if there is none
    #[arg(long)]
    init: bool,
    /// Compare everything with the parent, also folders that look as the last backup saw them
    #[arg(long)]
    no_files_cache: bool,
    /// Do not estimate the size beforehand
    #[arg(long)]
    no_scan: bool,
    /// Stay on the file systems of what was named
    #[arg(short = 'x', long)]
    one_file_system: bool,
    /// Compare with this snapshot (default: the newest of the group)
    #[arg(long, value_name = "SNAPSHOT")]
    parent: Option<String>,
    /// Read so many files at once (default: $RESTIC_READ_CONCURRENCY, or one a core, or eight on a network file system)
    #[arg(long, value_name = "N", value_parser = gonumber::uint)]
    read_concurrency: Option<u64>,
    /// Save no snapshot when nothing changed
    #[arg(long)]
    skip_if_unchanged: bool,
    /// Read one file from stdin
    #[arg(long)]
    stdin: bool,
    /// Name of the file read from stdin
    #[arg(long, value_name = "FILENAME", default_value = "stdin")]
    stdin_filename: OsString,
    /// Run the arguments as a command and store its output
    #[arg(long)]
    stdin_from_command: bool,
    /// Tag the snapshot, tag[,tag,…] (repeatable)
    #[arg(long, value_name = "TAGS")]
    tag: Vec<String>,
    /// Time of the snapshot, like '2012-11-01 22:08:41' (default: now)
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
    /// Store access times
    #[arg(long)]
    with_atime: bool,
    /// Files and folders, or a command and its arguments
    #[arg(value_name = "FILE/DIR")]
    targets: Vec<OsString>,
}

/// Backs up and shows the result; code 3 if some of the source could not be read.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let settings = settings::Settings::new(args, session)?;
    let sources =
        if settings.is_stream() { None } else { Some(sources::collect(&args.named(), &session.ui)?) };
    session.ui.verbose("open repository");
    let opened = open(args, session)?;
    let outcome = settings.back_up(args, session, &opened.repository, sources.as_ref());
    opened.close(session);
    let problems = outcome? + sources.map_or(0, |sources| sources.missing as u64);
    match problems {
        0 => Ok(()),
        _ => {
            Err(Failure::plain("Warning: at least one source file could not be read").code(Code::Incomplete))
        }
    }
}

/// Opens the repository as this backup needs it; with `--init` it is made if there is none.
fn open(args: &Args, session: &Session) -> Result<Opened<Append, Option<SharedLock>>> {
    if args.dry_run {
        return session.open_for_a_dry_run();
    }
    match session.open_to_add() {
        Err(failure) if args.init && failure.code == Code::NoRepository => {
            super::init::make(session, 2, None, false)?;
            session.open_to_add()
        }
        outcome => outcome,
    }
}

impl Args {
    /// Whether what is stored is the output of a program.
    pub(super) fn starts_program(&self) -> bool {
        self.stdin_from_command
    }

    fn named(&self) -> sources::Named<'_> {
        sources::Named {
            globs: &self.files_from,
            verbatim: &self.files_from_verbatim,
            raw: &self.files_from_raw,
            arguments: &self.targets,
        }
    }
}
