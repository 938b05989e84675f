//! `list`: print the ids of all files or blobs of a kind.

use tresor_repo::handle::Right;
use tresor_repo::{FileKind, Repository};

use crate::exit::{Failure, Result};
use crate::session::Session;

/// List blobs, packs, index files, snapshots, keys or locks by id
#[derive(clap::Args)]
pub(crate) struct Args {
    /// blobs, packs, index, snapshots, keys or locks
    #[arg(value_name = "TYPE")]
    kind: Vec<String>,
}

/// Prints an id a line.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let [kind] = args.kind.as_slice() else {
        return Err(Failure::plain(format!("accepts 1 arg(s), received {}", args.kind.len())));
    };
    let kind = match kind.as_str() {
        "locks" => return print_files(FileKind::Lock, session, &session.open_unlocked()?),
        "blobs" => None,
        "packs" => Some(FileKind::Pack),
        "index" => Some(FileKind::Index),
        "snapshots" => Some(FileKind::Snapshot),
        "keys" => Some(FileKind::Key),
        other => {
            let program = session.program.name();
            return Err(Failure::plain(format!("invalid argument {other:?} for \"{program} list\"")));
        }
    };
    let opened = session.open_to_read()?;
    let ended = match kind {
        Some(kind) => print_files(kind, session, &opened.repository),
        None => print_blobs(session, &opened.repository),
    };
    opened.close(session);
    ended
}

fn print_files<R: Right>(kind: FileKind, session: &Session, repository: &Repository<R>) -> Result<()> {
    for file in repository.list(kind)? {
        session.ui.raw(format!("{}\n", file.id).as_bytes());
    }
    Ok(())
}

fn print_blobs<R: Right>(session: &Session, repository: &Repository<R>) -> Result<()> {
    for (blob, _) in session.load_index(repository)?.iter() {
        session.ui.raw(format!("{} {}\n", blob.kind.word(), blob.id).as_bytes());
    }
    Ok(())
}
