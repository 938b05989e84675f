//! `repair packs`: what is good of damaged packs, in new packs.

use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use tresor_backend::Full;
use tresor_repo::lock::ExclusiveLock;
use tresor_repo::salvage::{CopyFailed, Damaged, Salvage};
use tresor_repo::{PackId, Repository};

use crate::causes::chain;
use crate::exit::{Failure, Result};
use crate::session::Session;
use crate::ui::repair::{RepairView, Teller};

/// Save what is good of damaged packs, and let go of the packs
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Full ids of packs, as `check` names them; copies of the packs are left in the working folder
    #[arg(value_name = "ID")]
    ids: Vec<String>,
}

/// What was saved, for programs.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Summary {
    message_type: &'static str,
    packs: u64,
    packs_missing: u64,
    blobs_saved: u64,
    blobs_lost: u64,
}

/// Copies the packs to the working folder, then salvages them.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let packs = args.ids.iter().map(|text| parse(text)).collect::<Result<BTreeSet<PackId>>>()?;
    if packs.is_empty() {
        return Err(
            Failure::fatal("no ids specified").hint("`check --read-data` names packs that are damaged")
        );
    }
    let opened = session.open_to_remove()?;
    let ended = repair(session, &opened.repository, &opened.lock, &packs);
    opened.close(session);
    ended
}

fn parse(text: &str) -> Result<PackId> {
    if text.len() != 64 {
        return Err(Failure::plain(format!("invalid length for ID: {text:?}")));
    }
    PackId::from_hex(text.to_ascii_lowercase().as_bytes()).ok_or_else(|| {
        let bad = text.chars().find(|letter| !letter.is_ascii_hexdigit()).unwrap_or_default();
        let code = bad as u32;
        Failure::plain(format!("invalid ID: encoding/hex: invalid byte: U+{code:04X} '{bad}'"))
    })
}

fn repair(
    session: &Session,
    repository: &Repository<Full>,
    lock: &ExclusiveLock,
    packs: &BTreeSet<PackId>,
) -> Result<()> {
    let (ui, teller) = (&session.ui, Teller::new(&session.ui, "repair packs"));
    let index = session.load_whole_index(repository)?;
    ui.print("saving backup copies of pack files to current folder");
    let packs = packs.iter().map(|&pack| Ok(repository.look_at_pack(pack)?)).collect::<Result<Vec<_>>>()?;
    for damaged in packs.iter().filter(|damaged| damaged.size.is_none()) {
        if !index.contains_pack(&damaged.pack)? {
            let why = format!("pack {} is not stored and no index file names it", damaged.pack);
            return Err(Failure::plain(why));
        }
    }
    for damaged in &packs {
        match damaged.size {
            Some(size) => copy(repository, damaged.pack, size)?,
            None => teller
                .tell(&format!("data/{}", damaged.pack), &format!("pack file {} is missing", damaged.pack)),
        }
    }
    let mut lost = 0;
    let tell = &mut |salvage| lost += tell(&teller, &salvage);
    let (view, ticker) = RepairView::start(ui, "repair packs");
    let saved =
        repository.salvage(&index, &packs, lock, &view, tell, &|file, ended| view.removed(file, ended));
    drop(ticker);
    let saved = saved.map_err(|error| Failure::fatal(chain(&error)))?;
    if ui.json_replaces_text() {
        ui.json(&Summary {
            message_type: "summary",
            packs: packs.len() as u64,
            packs_missing: packs.iter().filter(|Damaged { size, .. }| size.is_none()).count() as u64,
            blobs_saved: saved.data_blobs + saved.tree_blobs,
            blobs_lost: lost,
        });
    }
    let program = session.program.name();
    teller.advise(&format!(
        "\nUse `{program} repair snapshots --forget` to remove the corrupted data blobs from all snapshots"
    ));
    Ok(())
}

/// Copies a pack to a new file in the working folder, durably: the pack itself will go.
fn copy(repository: &Repository<Full>, pack: PackId, size: u64) -> Result<()> {
    let name = format!("pack-{pack}");
    let failed = |error: std::io::Error| Failure::plain(format!("open {name}: {}", reason(&error)));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&name).map_err(failed)?;
    repository.copy_pack(pack, size, &mut file).map_err(|error| match error {
        CopyFailed::Load(error) => error.into(),
        CopyFailed::Write(error) => Failure::plain(format!("write {name}: {}", reason(&error))),
    })?;
    file.sync_all().map_err(|error| Failure::plain(format!("sync {name}: {}", reason(&error))))
}

/// As restic words it.
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AlreadyExists => "file exists".into(),
        _ => chain(error),
    }
}

/// What is wrong with a blob, as restic words it.
fn why(cause: &tresor_repo::Error) -> String {
    match cause {
        tresor_repo::Error::DamagedBlob { blob, pack, what } => {
            let (kind, short) = (blob.kind.word(), blob.id.short());
            format!("decrypting blob <{kind}/{short}> from pack {pack} failed: {what}")
        }
        cause => chain(cause),
    }
}

/// Tells what is not as it should be; how many blobs that costs.
fn tell(teller: &Teller, salvage: &Salvage) -> u64 {
    match salvage {
        Salvage::NoBlobs(pack) => {
            teller.tell(&format!("data/{pack}"), &format!("no blobs found for pack {pack}"));
            0
        }
        Salvage::Lost { blob, cause } => {
            let id = blob.id;
            teller.tell(&blob.to_string(), &format!("failed to load blob {id}: {}", why(cause)));
            1
        }
    }
}
