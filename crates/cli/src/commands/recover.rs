//! `recover`: a snapshot of what no snapshot refers to.

use schemars::JsonSchema;
use serde::Serialize;
use tresor_backend::Full;
use tresor_repo::lock::ExclusiveLock;
use tresor_repo::{BlobId, Repository, SnapshotId};
use tresor_snapshot::Snapshot;
use tresor_snapshot::recover::{self, Orphans};

use super::repair_index;
use crate::causes::chain;
use crate::exit::Result;
use crate::session::{Opened, Session};
use crate::ui::counters::Counting;
use crate::ui::repair::Teller;
use crate::ui::schema::Id;

/// Make a snapshot of all trees that no snapshot refers to
#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(hide = true)]
    words: Vec<String>,
}

/// What was found, for programs.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Summary {
    message_type: &'static str,
    roots: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Id>")]
    snapshot_id: Option<SnapshotId>,
}

/// Mends the index, looks for roots, and saves a snapshot of them.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    if !session.program.is_restic() {
        super::refuse_arguments(session, "recover", &args.words)?;
    }
    let Opened { repository, lock } = session.open_to_repair()?;
    let ended = run_locked(session, repository, &lock);
    session.release(lock.release());
    ended
}

fn run_locked(session: &Session, repository: Repository<Full>, lock: &ExclusiveLock) -> Result<()> {
    let ui = &session.ui;
    ui.print("ensuring index is complete");
    repair_index::mend(session, &repository, lock, false)?;
    let repository = session.with_cache(repository)?;
    recover(session, &repository)
}

fn recover(session: &Session, repository: &Repository<Full>) -> Result<()> {
    let (ui, teller) = (&session.ui, Teller::new(&session.ui, "recover"));
    ui.print("load index files");
    let index = session.load_whole_index(repository)?;
    ui.print(&format!("load {} trees", Orphans::tree_count(&index)?));
    let (monitor, ticker) = Counting::start(ui);
    let orphans = Orphans::find(repository, &index, &monitor);
    drop(ticker);
    let mut orphans = orphans?;
    for (tree, cause) in &orphans.unreadable {
        let text = format!("unable to load tree {}: {}", tree.short(), chain(cause));
        teller.tell(&format!("tree/{tree}"), &text);
    }
    ui.print("load snapshots");
    for (snapshot, cause) in orphans.without_snapshots(repository)? {
        let text = format!("unable to load snapshot {}: {}", snapshot.short(), chain(&cause));
        teller.tell(&format!("snapshot/{snapshot}"), &text);
    }
    ui.print("done");
    let roots = orphans.roots();
    roots.iter().for_each(|root| ui.verbose(&format!("found root tree {}", root.short())));
    teller.result(&format!("\nfound {} unreferenced roots", roots.len()));
    let saved = match roots.is_empty() {
        true => {
            ui.print("no snapshot to write.");
            None
        }
        false => {
            let saved = recover::save(&repository.append(), &index, &roots, snapshot(session, roots[0]))?;
            teller.result(&format!("saved new snapshot {}", saved.short()));
            Some(saved)
        }
    };
    if ui.json_replaces_text() {
        ui.json(&Summary { message_type: "summary", roots: roots.len() as u64, snapshot_id: saved });
    }
    Ok(())
}

/// What the snapshot says of itself; its tree comes later.
fn snapshot(session: &Session, tree: BlobId) -> Snapshot {
    let (owner, mut snapshot) =
        (session.owner(), Snapshot::new(tree, session.now(), vec!["/recover".into()]));
    (snapshot.hostname, snapshot.username) = (owner.hostname, owner.username);
    (snapshot.uid, snapshot.gid) = (owner.uid, owner.gid);
    snapshot.tags = vec!["recovered".into()];
    snapshot
}
