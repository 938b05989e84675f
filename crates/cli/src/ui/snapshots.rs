//! How lists of snapshots are shown.

use tresor_repo::time::Zone;
use tresor_snapshot::select::Listed;

use super::table::Table;
use crate::units;

/// The table of these snapshots, in the order given; empty if there are none.
pub(crate) fn table(snapshots: &[Listed], compact: bool, zone: &Zone) -> String {
    if snapshots.is_empty() {
        return String::new();
    }
    let sizes = snapshots.iter().any(|(_, snapshot)| snapshot.summary.is_some());
    let mut titles = vec!["ID", "Time"];
    titles.extend_from_slice(if compact {
        &["Host", "Tags  "]
    } else {
        &["Host      ", "Tags      ", "Paths"]
    });
    titles.extend(sizes.then_some("Size"));
    let mut table = Table::new(titles);
    for (id, snapshot) in snapshots {
        let mut row = vec![
            vec![id.short()],
            vec![snapshot.time.local_text(zone)],
            vec![snapshot.hostname.clone()],
            if compact { snapshot.tags.clone() } else { vec![snapshot.tags.join(",")] },
        ];
        if !compact {
            row.push(snapshot.paths.clone());
        }
        if sizes {
            let size = snapshot.summary.as_ref().map(|summary| units::bytes(summary.total_bytes_processed));
            row.push(size.into_iter().collect());
        }
        table.row(row);
    }
    table.spaced(!compact && snapshots.iter().any(|(_, snapshot)| snapshot.paths.len() > 1));
    table.footer(format!("Timestamps shown in {}", zone.name().unwrap_or("local time")));
    table.footer(format!("{} snapshots", snapshots.len()));
    table.render()
}

/// Appends the objects of these snapshots, separated by commas.
pub(crate) fn write_list(snapshots: &[Listed], out: &mut Vec<u8>) {
    for (nr, (id, snapshot)) in snapshots.iter().enumerate() {
        if nr > 0 {
            out.push(b',');
        }
        snapshot.write_with_id(id, out);
    }
}
