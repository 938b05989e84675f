//! What `rewrite` and `repair snapshots` share: the repository, and the step to a new snapshot.

use tresor_backend::Full;
use tresor_repo::handle::Append;
use tresor_repo::lock::{ExclusiveLock, SharedLock};
use tresor_repo::time::Time;
use tresor_repo::{BlobId, Repository, SnapshotId};
use tresor_snapshot::rewrite;
use tresor_snapshot::select::Listed;
use tresor_snapshot::snapshot::SnapshotSummary;

use crate::exit::Result;
use crate::session::{Opened, Session};
use crate::ui::changes::{Counts, Told};

/// What may happen to the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nothing, whatever is asked for.
    DryRun,
    /// Snapshots are added.
    Add,
    /// Snapshots are added and removed.
    Remove,
}

/// A repository opened as the mode needs it.
pub(super) struct Rewriting {
    pub(super) repository: Repository<Append>,
    shared: Option<SharedLock>,
    exclusive: Option<Opened<Full, ExclusiveLock>>,
}

impl Rewriting {
    /// Opens the repository: without a lock, under a shared one, or under an exclusive one.
    pub(super) fn open(session: &Session, mode: Mode) -> Result<Rewriting> {
        if mode == Mode::Remove {
            let opened = session.open_to_remove()?;
            let repository = opened.repository.append();
            return Ok(Rewriting { repository, shared: None, exclusive: Some(opened) });
        }
        let opened = if mode == Mode::DryRun { session.open_for_a_dry_run() } else { session.open_to_add() }?;
        Ok(Rewriting { repository: opened.repository, shared: opened.lock, exclusive: None })
    }

    /// Gives the lock back.
    pub(super) fn close(self, session: &Session) {
        if let Some(lock) = self.shared {
            session.release(lock.release());
        }
        if let Some(opened) = self.exclusive {
            opened.close(session);
        }
    }

    /// Removes a snapshot; does nothing where nothing may be removed.
    pub(super) fn remove(&self, id: &SnapshotId) -> Result<()> {
        if let Some(opened) = &self.exclusive {
            rewrite::remove(&opened.repository, id, &opened.lock)?;
        }
        Ok(())
    }
}

/// What a new snapshot has that the old one had not.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) tree: Option<BlobId>,
    pub(super) time: Option<Time>,
    pub(super) hostname: Option<String>,
    pub(super) summary: Option<SnapshotSummary>,
    /// Unless the old one goes.
    pub(super) tag: &'static str,
}

/// Saves the new snapshot, then removes the old one if `forget` says so; a dry run only says it.
pub(super) fn replace(
    session: &Session,
    rewriting: &Rewriting,
    old: &Listed,
    changes: Changes,
    (dry_run, forget): (bool, bool),
) -> Result<()> {
    let ui = &session.ui;
    let time = changes.time.map(|time| time.long_text(&session.zone));
    if dry_run {
        ui.print("would save new snapshot");
        if forget {
            ui.print("would remove old snapshot");
        }
        time.iter().for_each(|time| ui.print(&format!("would set time to {time}")));
        changes.hostname.iter().for_each(|host| ui.print(&format!("would set hostname to {host}")));
        let (old_snapshot_id, new_snapshot_id, removed) = (old.0, None, forget);
        ui.tell(&Told::Changed { old_snapshot_id, new_snapshot_id, removed, dry_run });
        return Ok(());
    }
    time.iter().for_each(|time| ui.print(&format!("setting time to {time}")));
    changes.hostname.iter().for_each(|host| ui.print(&format!("setting host to {host}")));
    let (id, mut snapshot) = old.clone();
    snapshot.original = Some(id);
    snapshot.tree = changes.tree.unwrap_or(snapshot.tree);
    snapshot.time = changes.time.unwrap_or(snapshot.time);
    snapshot.hostname = changes.hostname.unwrap_or(snapshot.hostname);
    snapshot.summary = changes.summary.or(snapshot.summary);
    if !forget && !snapshot.tags.iter().any(|tag| tag == changes.tag) {
        snapshot.tags.push(changes.tag.to_owned());
    }
    let new = rewriting.repository.save_snapshot(&snapshot.encode())?;
    ui.print(&format!("saved new snapshot {}", new.short()));
    if forget {
        rewriting.remove(&id)?;
        ui.print(&format!("removed old snapshot {}", id.short()));
    }
    let (old_snapshot_id, new_snapshot_id, removed) = (id, Some(new), forget);
    ui.tell(&Told::Changed { old_snapshot_id, new_snapshot_id, removed, dry_run });
    Ok(())
}

/// The last line: how many snapshots were modified, or would be.
pub(super) fn conclude(session: &Session, modified: u64, dry_run: bool) {
    let counts = Counts { changed_snapshots: Some(modified), dry_run, ..Counts::default() };
    session.ui.tell(&Told::Summary(counts));
    let verb = if dry_run { "would be modified" } else { "were modified" };
    session.ui.print(&match (modified, dry_run) {
        (0, _) => format!("\nno snapshots {verb}"),
        (count, true) => format!("\nwould modify {count} snapshots"),
        (count, false) => format!("\nmodified {count} snapshots"),
    });
}
