//! `list`: print the ids of all files or blobs of a kind.

use tresor_repo::handle::Right;
use tresor_repo::{FileKind, Repository};
use tresor_snapshot::check::used_packs;

use super::selection;
use crate::exit::{Failure, Result};
use crate::session::Session;
use crate::ui::changes::Told;

/// List blobs, packs, index files, snapshots, keys or locks by id
#[derive(clap::Args)]
pub(crate) struct Args {
    /// blobs, packs, index, snapshots, keys or locks; `packs SNAPSHOT` lists those that a snapshot needs
    #[arg(value_name = "TYPE")]
    kind: Vec<String>,
}

/// Prints an id a line.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let (kind, snapshot) = match args.kind.as_slice() {
        [kind] => (kind, None),
        // What the next restic understands; the one we stand in for refuses it.
        [kind, snapshot] if kind == "packs" && !session.program.is_restic() => (kind, Some(snapshot)),
        words => return Err(Failure::plain(format!("accepts 1 arg(s), received {}", words.len()))),
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
    let ended = match (kind, snapshot) {
        (_, Some(snapshot)) => print_used_packs(snapshot, session, &opened.repository),
        (Some(kind), None) => print_files(kind, session, &opened.repository),
        (None, None) => print_blobs(session, &opened.repository),
    };
    opened.close(session);
    ended
}

fn print_files<R: Right>(kind: FileKind, session: &Session, repository: &Repository<R>) -> Result<()> {
    for file in repository.list(kind)? {
        object(session, kind.word(), file.id.to_string(), false);
    }
    Ok(())
}

/// The packs that a snapshot needs.
fn print_used_packs<R: Right>(snapshot: &str, session: &Session, repository: &Repository<R>) -> Result<()> {
    let one = selection::find_unfiltered(session, repository, snapshot)?;
    let index = session.load_index(repository)?;
    let packs = used_packs(repository, &index, &[(one.id, one.snapshot)])?;
    let mut packs: Vec<_> = packs.into_iter().collect();
    packs.sort_unstable();
    packs.iter().for_each(|pack| object(session, FileKind::Pack.word(), pack.to_string(), false));
    Ok(())
}

fn print_blobs<R: Right>(session: &Session, repository: &Repository<R>) -> Result<()> {
    for entry in session.load_index(repository)?.iter() {
        let (blob, _) = entry?;
        object(session, blob.kind.word(), blob.id.to_string(), true);
    }
    Ok(())
}

/// A line for one object; restic has only text for it.
fn object(session: &Session, kind: &str, id: String, named: bool) {
    match session.ui.is_json_only() {
        true => session.ui.json(&Told::Object { kind, id }),
        false if named => session.ui.text(format!("{kind} {id}\n").as_bytes()),
        false => session.ui.text(format!("{id}\n").as_bytes()),
    }
}
