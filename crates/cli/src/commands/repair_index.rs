//! `repair index`: an index that agrees with the packs.

use schemars::JsonSchema;
use serde::Serialize;
use tresor_backend::{FileKind, Full};
use tresor_repo::check::Finding;
use tresor_repo::index::Index;
use tresor_repo::lock::ExclusiveLock;
use tresor_repo::repair_index::{Disagreement, Headless, Misnamed};
use tresor_repo::{IndexId, Repository};

use crate::causes::chain;
use crate::exit::Result;
use crate::session::Session;
use crate::ui::counters::Counting;
use crate::ui::repair::{RepairView, Teller};

/// Make the index agree with the packs
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Believe no index file, and read the header of every pack
    #[arg(long)]
    read_all_packs: bool,
    #[arg(hide = true)]
    words: Vec<String>,
}

/// What was mended, for programs.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Summary {
    message_type: &'static str,
    index_files_unreadable: u64,
    packs_added: u64,
    packs_reread: u64,
    packs_missing: u64,
    packs_unreadable: u64,
}

/// Mends the index.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    if !session.program.is_restic() {
        super::refuse_arguments(session, "repair index", &args.words)?;
    }
    let opened = session.open_to_repair()?;
    let ended = mend(session, &opened.repository, &opened.lock, args.read_all_packs);
    opened.close(session);
    let summary = ended?;
    session.ui.print("done");
    if session.ui.json_replaces_text() {
        session.ui.json(&summary);
    }
    Ok(())
}

/// Mends the index of an open repository, which must see what the backend has and not a cache.
pub(super) fn mend(
    session: &Session,
    repository: &Repository<Full>,
    lock: &ExclusiveLock,
    read_all: bool,
) -> Result<Summary> {
    let (ui, teller) = (&session.ui, Teller::new(&session.ui, "repair index"));
    if !read_all {
        ui.print("loading indexes...");
    }
    let (index, invalid) = load(session, repository, (!read_all).then_some(&teller))?;
    ui.print("getting pack files to read...");
    let nothing = Index::default();
    let disagreement = repository.compare_packs(if read_all { &nothing } else { &index })?;
    tell(&teller, &disagreement);
    let unread = if read_all { index_files(repository)? } else { invalid.clone() };
    let (view, ticker) = RepairView::start(ui, "repair index");
    let repair = repository.plan_index_repair(&index, &disagreement, unread, &view);
    drop(ticker);
    let repair = repair?;
    repair.headless.iter().for_each(|headless| tell_headless(session, &teller, headless));
    let (view, ticker) = RepairView::start(ui, "repair index");
    let unreadable = repair.headless.len() as u64;
    let ended = repository.reindex(repair.reindex, lock, &view, &|file, ended| view.removed(file, ended));
    drop(ticker);
    ended?;
    let added = disagreement.misnamed.iter().filter(|misnamed| misnamed.expected.is_none()).count();
    Ok(Summary {
        message_type: "summary",
        index_files_unreadable: invalid.len() as u64,
        packs_added: added as u64,
        packs_reread: (disagreement.misnamed.len() - added) as u64,
        packs_missing: disagreement.missing.len() as u64,
        packs_unreadable: unreadable,
    })
}

/// What the index files say, and those that cannot be read.
fn load(
    session: &Session,
    repository: &Repository<Full>,
    teller: Option<&Teller>,
) -> Result<(Index, Vec<IndexId>)> {
    let (monitor, ticker) = Counting::start(&session.ui);
    let checked = repository.check_index(&monitor);
    drop(ticker);
    let (index, findings) = checked?;
    let mut invalid = Vec::new();
    for finding in findings {
        let Finding::IndexUnreadable { index, cause } = finding else { continue };
        if !cause.is_damage() {
            return Err(cause.into()); // it may be good, and must not go
        }
        if let Some(teller) = teller {
            teller.tell(
                &format!("index/{index}"),
                &format!("removing invalid index {index}: {}", chain(&cause)),
            );
        }
        invalid.push(index);
    }
    Ok((index, invalid))
}

fn index_files(repository: &Repository<Full>) -> Result<Vec<IndexId>> {
    Ok(repository.list(FileKind::Index)?.iter().map(|listed| IndexId::from_id(listed.id)).collect())
}

fn tell(teller: &Teller, disagreement: &Disagreement) {
    for Misnamed { pack, size, expected } in &disagreement.misnamed {
        let text = match expected {
            None => format!("adding pack file to index {pack}"),
            Some(expected) if expected == size => {
                format!("reindexing pack file {pack}, whose blobs cannot lie where the index says")
            }
            Some(expected) => {
                format!("reindexing pack file {pack} with unexpected size {size} instead of {expected}")
            }
        };
        teller.tell(&format!("data/{pack}"), &text);
    }
    for pack in &disagreement.missing {
        teller.tell(&format!("data/{pack}"), &format!("removing not found pack file {pack}"));
    }
}

fn tell_headless(session: &Session, teller: &Teller, headless: &Headless) {
    let Headless { pack, cause, is_kept } = headless;
    let program = session.program.name();
    match is_kept {
        false => session.ui.verbose(&format!("skipped incomplete pack file: {pack}")),
        true => teller.tell(
            &format!("data/{pack}"),
            &format!(
                "pack file {pack} says nothing of itself ({}); `{program} repair packs {pack}` saves what is left of it",
                chain(cause)
            ),
        ),
    }
}
