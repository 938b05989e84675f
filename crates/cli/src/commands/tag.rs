//! `tag`: change the tags of snapshots.

use schemars::JsonSchema;
use serde::Serialize;
use tresor_backend::Full;
use tresor_repo::SnapshotId;
use tresor_repo::lock::ExclusiveLock;
use tresor_snapshot::rewrite::{TagChange, replace};
use tresor_snapshot::select::{flatten_tags, parse_tag_list};

use super::selection::{self, SelectFlags};
use crate::exit::{Failure, Result};
use crate::session::{Opened, Session};
use crate::ui::schema::Id;

/// Change the tags of snapshots
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Add these tags, tag[,tag,…] (repeatable)
    #[arg(long, value_name = "TAGS")]
    add: Vec<String>,
    /// Remove these tags, tag[,tag,…] (repeatable)
    #[arg(long, value_name = "TAGS")]
    remove: Vec<String>,
    /// Replace all tags by these, tag[,tag,…] (repeatable)
    #[arg(long, value_name = "TAGS")]
    set: Vec<String>,
    #[command(flatten)]
    select: SelectFlags,
    /// Ids, beginnings of ids, or `latest` (default: all)
    #[arg(value_name = "SNAPSHOT")]
    ids: Vec<String>,
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct Changed {
    message_type: &'static str,
    #[schemars(with = "Id")]
    old_snapshot_id: SnapshotId,
    #[schemars(with = "Id")]
    new_snapshot_id: SnapshotId,
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct Summary {
    message_type: &'static str,
    changed_snapshots: u64,
}

/// Changes the tags of the snapshots chosen, one after the other.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let change = args.change()?;
    session.ui.print("create exclusive lock for repository");
    let opened = session.open_to_remove()?;
    let changed = change_all(args, session, &opened, &change);
    opened.close(session);
    let (ui, changed_snapshots) = (&session.ui, changed?);
    if ui.is_json() {
        ui.json(&Summary { message_type: "summary", changed_snapshots });
    }
    ui.print(&match changed_snapshots {
        0 => "no snapshots were modified".to_owned(),
        changed => format!("modified {changed} snapshots"),
    });
    Ok(())
}

fn change_all(
    args: &Args,
    session: &Session,
    opened: &Opened<Full, ExclusiveLock>,
    change: &TagChange,
) -> Result<u64> {
    let ignored = &mut |ignored| selection::tell_ignored(session, &ignored);
    let chosen = selection::choose(session, &opened.repository, &args.select, &args.ids, ignored)?;
    let mut changed = 0;
    for (id, mut snapshot) in chosen {
        if !change.apply(&mut snapshot.tags) {
            continue;
        }
        snapshot.original.get_or_insert(id);
        let new = replace(&opened.repository, &id, &snapshot, &opened.lock)?;
        changed += 1;
        session.ui.verbose(&format!("old snapshot ID: {id} -> new snapshot ID: {new}"));
        if session.ui.is_json() {
            let message_type = "changed";
            session.ui.json(&Changed { message_type, old_snapshot_id: id, new_snapshot_id: new });
        }
    }
    Ok(changed)
}

impl Args {
    /// What to do; empty tags do not count.
    fn change(&self) -> Result<TagChange> {
        let flat = |lists: &[String]| {
            flatten_tags(&lists.iter().map(|list| parse_tag_list(list)).collect::<Vec<_>>())
        };
        let adds_or_removes = !self.add.is_empty() || !self.remove.is_empty();
        match (!self.set.is_empty(), adds_or_removes) {
            (false, false) => return Err(Failure::fatal("nothing to do!")),
            (true, true) => {
                return Err(Failure::fatal("--set and --add/--remove cannot be given at the same time"));
            }
            _ => {}
        }
        Ok(TagChange { set: flat(&self.set), add: flat(&self.add), remove: flat(&self.remove) })
    }
}
