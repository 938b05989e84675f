//! `copy`: copy snapshots from another repository.

use std::cell::Cell;
use tresor_repo::Repository;
use tresor_repo::handle::{Append, Read};
use tresor_repo::index::Index;
use tresor_snapshot::copy::{Source, copied, copy_of};
use tresor_snapshot::select::{self, Listed};

use super::secondary::SecondaryFlags;
use super::selection::{self, SelectFlags};
use crate::exit::Result;
use crate::session::Session;
use crate::ui::changes::{Counts, Told};
use crate::ui::counters::Counting;

/// Stored bytes that are copied before the snapshots that need them are saved.
const BATCH: u64 = 1 << 30;

/// Copy snapshots from another repository into this one
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    from: SecondaryFlags,
    #[command(flatten)]
    select: SelectFlags,
    /// Snapshots of the source: ids, beginnings of ids, or `latest` (default: all)
    #[arg(value_name = "SNAPSHOT")]
    ids: Vec<String>,
}

/// Copies the snapshots asked for that are not here yet.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let source_session = args.from.session(session)?;
    let source = source_session.open_to_read()?;
    let ended = session.open_to_add().and_then(|destination| {
        let ended = copy(args, session, &source.repository, &destination.repository);
        destination.close(session);
        ended
    });
    source.close(&source_session);
    ended
}

fn copy(
    args: &Args,
    session: &Session,
    source: &Repository<Read>,
    destination: &Repository<Append>,
) -> Result<()> {
    let ignored = &mut |ignored| selection::tell_ignored(session, &ignored);
    let mut snapshots = selection::choose(session, source, &args.select, &args.ids, ignored)?;
    let present = selection::choose(session, destination, &args.select, &[], ignored)?;
    select::sort_newest_first(&mut snapshots);
    snapshots.reverse();
    let index = session.load_index(source)?;
    let index_here = session.load_index(destination)?;
    let run = Run { session, destination, index: index_here, copied: Cell::new(0) };
    let all = snapshots.len() as u64;
    let mut wanted = snapshots.into_iter().filter(|snapshot| run.is_wanted(snapshot, &present)).peekable();
    let mut source = Source::new(source, &index);
    while wanted.peek().is_some() {
        run.batch(&mut source, &mut wanted)?;
    }
    let copied = run.copied.get();
    let (copied_snapshots, skipped_snapshots) = (Some(copied), Some(all - copied));
    session.ui.tell(&Told::Summary(Counts { copied_snapshots, skipped_snapshots, ..Counts::default() }));
    Ok(())
}

/// What stays the same from batch to batch.
struct Run<'a> {
    session: &'a Session,
    destination: &'a Repository<Append>,
    index: Index,
    copied: Cell<u64>,
}

impl Run<'_> {
    /// Whether a snapshot is to be copied; says why not.
    fn is_wanted(&self, snapshot: &Listed, present: &[Listed]) -> bool {
        let Some((copy, _)) = copy_of(snapshot, present) else { return true };
        let ui = &self.session.ui;
        ui.verbose(&format!("\n{}", snapshot.1.describe(&snapshot.0, &self.session.zone)));
        let (id, present_id, copy) = (snapshot.0.short(), *copy, copy.short());
        ui.verbose(&format!("skipping source snapshot {id}, was already copied to snapshot {copy}"));
        ui.tell(&Told::Skipped { source_snapshot_id: snapshot.0, snapshot_id: present_id });
        false
    }

    /// Copies some snapshots; when all that they need is stored, they are saved.
    fn batch(&self, source: &mut Source<'_, Read>, wanted: &mut impl Iterator<Item = Listed>) -> Result<()> {
        let session = self.session;
        let (copies, _) = self.destination.upload(&self.index, |upload| {
            let (mut copies, mut bytes) = (Vec::new(), 0);
            while bytes < BATCH
                && let Some((id, snapshot)) = wanted.next()
            {
                session.ui.print(&format!("\n{}", snapshot.describe(&id, &session.zone)));
                session.ui.print("  copy started, this may take a while...");
                let missing = source.missing(snapshot.tree, &self.index)?;
                session.ui.verbose(&format!(
                    "  copy {} blobs with disk size {} in {} packfiles",
                    missing.len(),
                    crate::units::bytes(missing.bytes),
                    missing.packs
                ));
                let (monitor, ticker) = Counting::start(&session.ui);
                source.copy(&missing, upload, &monitor)?;
                drop(ticker);
                bytes += missing.bytes;
                copies.push((id, snapshot));
            }
            Ok::<_, tresor_snapshot::Error>(copies)
        })?;
        if copies.len() > 1 {
            session.ui.print("");
        }
        for (id, snapshot) in copies {
            let saved = self.destination.save_snapshot(&copied(id, &snapshot).encode())?;
            session.ui.tell(&Told::Copied { source_snapshot_id: id, snapshot_id: saved });
            self.copied.set(self.copied.get() + 1);
            let (saved, id) = (saved.short(), id.short());
            session.ui.print(&format!("snapshot {saved} saved, copied from source snapshot {id}"));
        }
        Ok(())
    }
}
