//! `dump`: print a file of a snapshot, or a folder as an archive.

use clap::ValueEnum;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use tresor_repo::Repository;
use tresor_repo::handle::Right;
use tresor_snapshot::dump::{Found, dump_file, dump_tar, dump_zip, find, packs};
use tresor_snapshot::walk::find_subtree;

use super::selection::{self, One, SelectFlags};
use crate::exit::{Failure, Result};
use crate::session::Session;
use crate::ui::Ui;
use crate::ui::notes::Notes;

/// Print a file of a snapshot, or a folder as an archive
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Form of archives: tar or zip
    #[arg(short, long, value_name = "FORMAT", default_value = "tar")]
    archive: String,
    #[command(flatten)]
    select: SelectFlags,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    target: Option<PathBuf>,
    /// A snapshot (its id, the beginning of one, or `latest`; perhaps with `:subfolder`), and a path in it
    #[arg(value_names = ["SNAPSHOT", "PATH"])]
    words: Vec<String>,
}

/// The values of `--archive`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Tar,
    Zip,
}

/// Dumps what was asked for.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let [snapshot, path] = args.words.as_slice() else {
        return Err(Failure::fatal("no file and no snapshot ID specified"));
    };
    let format = Format::from_str(&args.archive, false)
        .map_err(|_| Failure::plain(format!("unknown archive format {:?}", args.archive)))?;
    let is_named = !path.is_empty();
    let path = selection::clean(path);
    let opened = session.open_to_read()?;
    let ended = selection::find_one(session, &opened.repository, &args.select, snapshot)
        .map_err(|why| Failure { message: format!("Fatal: failed to find snapshot: {}", why.message), ..why })
        .and_then(|one| match is_named {
            true => Ok(one),
            false => Err(Failure::fatal("cannot dump file: path \"/\" not found in snapshot")),
        })
        .and_then(|one| dump(args, format, &path, session, &opened.repository, &one));
    opened.close(session);
    ended
}

fn dump<R: Right>(
    args: &Args,
    format: Format,
    path: &str,
    session: &Session,
    repository: &Repository<R>,
    one: &One,
) -> Result<()> {
    let failed = |error| Failure::while_doing("cannot dump file", error);
    let index = session.load_index(repository)?;
    let subfolder = one.subfolder.as_deref().unwrap_or_default();
    let root = find_subtree(repository, &index, one.snapshot.tree, subfolder.as_bytes())?;
    let found = find(repository, &index, root, path.as_bytes()).map_err(failed)?;
    let to_terminal = args.target.is_none() && session.ui.style.stdout_is_terminal;
    if to_terminal && matches!(found, Found::Dir { .. }) {
        return Err(Failure::fatal("cannot dump file: stdout is the terminal, please redirect output"));
    }
    if repository.has_archive() {
        let packs = packs(repository, &index, &found).map_err(failed)?;
        repository.bring_back(&packs, &Notes::new(Arc::clone(&session.ui)))?;
    }
    let mut out = target(args, &session.ui)?;
    let written = match &found {
        Found::File(node) => dump_file(repository, &index, node, &mut *out),
        Found::Dir { tree, prefix } => match format {
            Format::Tar => dump_tar(repository, &index, *tree, prefix, &mut *out),
            Format::Zip => dump_zip(repository, &index, *tree, prefix, &mut *out),
        },
    };
    let flushed = out.flush().map_err(|source| tresor_snapshot::Error::Write { source });
    written.and(flushed).map_err(failed)
}

/// Where the bytes go. A target is only emptied once it is known that there is something to write.
fn target<'a>(args: &Args, ui: &'a Ui) -> Result<Box<dyn Write + 'a>> {
    let Some(path) = &args.target else { return Ok(Box::new(Stdout(ui))) };
    let file = File::create(path).map_err(|error| {
        let (path, cause) = (path.display(), crate::causes::chain(&error));
        Failure::plain(format!("cannot dump to file: open {path}: {cause}"))
    })?;
    Ok(Box::new(BufWriter::with_capacity(1 << 20, file)))
}

/// Standard output by way of the program's voice, which notices when nobody reads any more.
struct Stdout<'a>(&'a Ui);

impl Write for Stdout<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.raw(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush();
        Ok(())
    }
}
