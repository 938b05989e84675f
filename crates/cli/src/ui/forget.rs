//! How it is shown which snapshots a policy keeps, why, and which it removes.

use tresor_repo::SnapshotId;
use tresor_repo::time::Zone;
use tresor_snapshot::policy::Decision;
use tresor_snapshot::select::{GroupKey, Listed};

use super::Ui;
use super::snapshots::{Row, table_with_reasons, write_list};

/// A group of snapshots, and what the policy does to it.
pub(crate) struct Group {
    pub(crate) key: GroupKey,
    pub(crate) decision: Decision,
}

/// Shows a group as tables, the oldest snapshot first.
pub(crate) fn print(ui: &Ui, group: &Group, compact: bool, zone: &Zone) {
    if let Some(header) = group.key.header() {
        ui.verbose(&header);
    }
    let Decision { keep, remove } = &group.decision;
    let keep: Vec<Row<'_>> =
        keep.iter().rev().map(|kept| (&kept.snapshot, Some(kept.reasons.as_slice()))).collect();
    let remove: Vec<Row<'_>> = remove.iter().rev().map(|listed| (listed, None)).collect();
    for (verb, rows) in [("keep", keep), ("remove", remove)] {
        if !rows.is_empty() {
            ui.print(&format!("{verb} {} snapshots:", rows.len()));
            ui.print(&table_with_reasons(&rows, compact, zone));
        }
    }
}

/// All groups as one array, as programs expect it.
pub(crate) fn json(groups: &[Group]) -> Vec<u8> {
    let mut out = vec![b'['];
    for (nr, Group { key, decision }) in groups.iter().enumerate() {
        out.extend_from_slice(if nr > 0 { b",{" } else { b"{" });
        key.write_members(&mut out);
        let keep: Vec<&Listed> = decision.keep.iter().map(|kept| &kept.snapshot).collect();
        out.extend_from_slice(b",\"keep\":");
        write_snapshots(&keep, &mut out);
        out.extend_from_slice(b",\"remove\":");
        write_snapshots(&decision.remove.iter().collect::<Vec<_>>(), &mut out);
        out.extend_from_slice(b",\"reasons\":");
        write_reasons(decision, &mut out);
        out.push(b'}');
    }
    out.extend_from_slice(b"]\n");
    out
}

/// An empty list is `null`.
fn write_snapshots(snapshots: &[&Listed], out: &mut Vec<u8>) {
    if snapshots.is_empty() {
        return out.extend_from_slice(b"null");
    }
    out.push(b'[');
    write_list(snapshots.iter().copied(), out);
    out.push(b']');
}

fn write_reasons(decision: &Decision, out: &mut Vec<u8>) {
    if decision.keep.is_empty() {
        return out.extend_from_slice(b"null");
    }
    for (nr, kept) in decision.keep.iter().enumerate() {
        out.extend_from_slice(if nr > 0 { b",{\"snapshot\":" } else { b"[{\"snapshot\":" });
        write_list([&kept.snapshot], out);
        out.extend_from_slice(b",\"matches\":");
        out.extend_from_slice(&super::json::encode(&kept.reasons));
        out.push(b'}');
    }
    out.push(b']');
}

/// What a dry run would have removed: `{23b21dc8 cb661786}`, in the order of the ids.
pub(crate) fn print_would_remove(ui: &Ui, snapshots: &[SnapshotId]) {
    let mut ids = snapshots.to_vec();
    ids.sort_unstable();
    let short: Vec<String> = ids.iter().map(SnapshotId::short).collect();
    ui.print(&format!("Would have removed the following snapshots:\n{{{}}}\n", short.join(" ")));
}
