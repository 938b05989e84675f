//! `cat`: print one thing of the repository as it is.

use tresor_backend::{FileName, Id};
use tresor_repo::handle::Right;
use tresor_repo::{BlobId, BlobKind, Error as RepoError, FileKind, Repository};
use tresor_snapshot::walk::find_subtree;

use super::selection::{self, One};
use crate::exit::{Failure, Result};
use crate::session::Session;
use crate::ui::json::{compact, indent};

/// Print a file, blob or tree of the repository
#[derive(clap::Args)]
pub(crate) struct Args {
    /// config, index, snapshot, key, masterkey, lock, pack, blob or tree
    #[arg(value_name = "TYPE")]
    kind: Option<String>,
    /// Its id; of a snapshot or tree: SNAPSHOT, or SNAPSHOT:subfolder
    #[arg(value_name = "ID")]
    id: Option<String>,
    #[arg(hide = true)]
    surplus: Vec<String>,
}

/// What can be printed, under the words for it.
const KINDS: [(&str, What); 9] = [
    ("config", What::Config),
    ("index", What::File(FileKind::Index)),
    ("snapshot", What::Snapshot),
    ("key", What::File(FileKind::Key)),
    ("masterkey", What::MasterKey),
    ("lock", What::File(FileKind::Lock)),
    ("pack", What::File(FileKind::Pack)),
    ("blob", What::Blob),
    ("tree", What::Tree),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Config,
    MasterKey,
    Snapshot,
    Blob,
    Tree,
    File(FileKind),
}

/// Prints what was asked for.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let what = what(args)?;
    let opened = session.open_to_read()?;
    let ended = print(what, args.id.as_deref().unwrap_or_default(), session, &opened.repository);
    opened.close(session);
    ended
}

fn what(args: &Args) -> Result<What> {
    let kind = args.kind.as_deref().ok_or_else(|| Failure::fatal("type not specified"))?;
    let Some((_, what)) = KINDS.iter().find(|(word, _)| *word == kind) else {
        let words: Vec<&str> = KINDS.iter().map(|(word, _)| *word).collect();
        return Err(Failure::fatal(format!("invalid type {kind:?}, must be one of [{}]", words.join("|"))));
    };
    if (args.id.is_none() || !args.surplus.is_empty()) && !matches!(what, What::Config | What::MasterKey) {
        return Err(Failure::fatal("ID not specified"));
    }
    Ok(*what)
}

fn print<R: Right>(what: What, id: &str, session: &Session, repository: &Repository<R>) -> Result<()> {
    let ui = &session.ui;
    // What is JSON already becomes one line of it, without blanks.
    let indent = |json: &[u8]| if ui.is_json_only() { compact(json) } else { indent(json) };
    match what {
        What::Config => ui.text(&indent(&repository.config().to_json())),
        What::MasterKey => ui.text(&indent(&repository.master_key_json())),
        What::Snapshot => {
            let One { snapshot, .. } =
                selection::find_unfiltered(session, repository, id).map_err(no_snapshot)?;
            let mut json = Vec::new();
            snapshot.write_without_unknown(&mut json);
            ui.text(&indent(&json));
        }
        What::Tree => ui.text(&tree(id, session, repository)?),
        What::Blob => ui.raw(&blob(BlobId::from_id(parse_id(id)?), session, repository)?),
        What::File(FileKind::Pack) => {
            ui.raw(&pack(FileName::new(FileKind::Pack, parse_id(id)?), session, repository)?)
        }
        What::File(FileKind::Key) => {
            ui.text(&indent(&repository.load_stored(FileName::new(FileKind::Key, parse_id(id)?))?));
        }
        What::File(FileKind::Lock) => ui.text(&indent(&repository.load_file(FileKind::Lock, parse_id(id)?)?)),
        What::File(kind) => ui.text(&repository.load_file(kind, parse_id(id)?)?),
    }
    Ok(())
}

fn parse_id(text: &str) -> Result<Id> {
    let reason = match text.len() {
        64 => "invalid digits in ID",
        _ => "invalid length for ID",
    };
    Id::from_hex(text.as_bytes())
        .ok_or_else(|| Failure::fatal(format!("unable to parse ID: {reason}: {text:?}")))
}

fn no_snapshot(why: Failure) -> Failure {
    Failure { message: format!("Fatal: could not find snapshot: {}", why.message), ..why }
}

fn tree<R: Right>(text: &str, session: &Session, repository: &Repository<R>) -> Result<Vec<u8>> {
    let one = selection::find_unfiltered(session, repository, text).map_err(no_snapshot)?;
    let index = session.load_index(repository)?;
    let subfolder = one.subfolder.unwrap_or_default();
    let tree = find_subtree(repository, &index, one.snapshot.tree, subfolder.as_bytes())?;
    Ok(repository.load_blob(&index, BlobKind::Tree, &tree)?)
}

fn blob<R: Right>(id: BlobId, session: &Session, repository: &Repository<R>) -> Result<Vec<u8>> {
    let index = session.load_index(repository)?;
    for kind in BlobKind::ALL {
        if index.contains(kind, &id)? {
            return Ok(repository.load_blob(&index, kind, &id)?);
        }
    }
    Err(Failure::fatal("blob not found"))
}

/// A pack's bytes, even if they are not those its name promises: whoever asks may want to save what can be saved.
fn pack<R: Right>(file: FileName, session: &Session, repository: &Repository<R>) -> Result<Vec<u8>> {
    match repository.load_stored(file) {
        Err(error @ RepoError::Damaged { .. }) => {
            session.ui.error(&format!("Warning: {}", crate::causes::chain(&error)));
            let handle = session.handle()?.read();
            let (size, mut bytes) = (handle.stat(file)?, Vec::new());
            handle.load_whole(file, size, &mut bytes)?;
            Ok(bytes)
        }
        loaded => Ok(loaded?),
    }
}
