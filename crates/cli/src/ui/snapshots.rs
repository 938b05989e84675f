//! How lists of snapshots are shown.

use tresor_repo::time::Zone;
use tresor_snapshot::select::Listed;

use super::table::Table;
use crate::units;

/// The table of these snapshots, in the order given; empty if there are none.
pub(crate) fn table(snapshots: &[Listed], compact: bool, zone: &Zone) -> String {
    let rows: Vec<Row<'_>> = snapshots.iter().map(|listed| (listed, None)).collect();
    table_with_reasons(&rows, compact, zone)
}

/// A snapshot, and why it is kept where that is to be shown.
pub(crate) type Row<'a> = (&'a Listed, Option<&'a [String]>);

/// The same with a column of reasons, if any row has them and the table is not compact.
pub(crate) fn table_with_reasons(rows: &[Row<'_>], compact: bool, zone: &Zone) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let snapshots = || rows.iter().map(|((_, snapshot), _)| snapshot);
    let sizes = snapshots().any(|snapshot| snapshot.summary.is_some());
    let with_reasons = !compact && rows.iter().any(|(_, reasons)| reasons.is_some());
    let mut titles = vec!["ID", "Time"];
    titles.extend_from_slice(if compact { &["Host", "Tags  "] } else { &["Host      ", "Tags      "] });
    titles.extend(with_reasons.then_some("Reasons"));
    titles.extend((!compact).then_some("Paths"));
    titles.extend(sizes.then_some("Size"));
    let mut table = Table::new(titles);
    for ((id, snapshot), reasons) in rows {
        let mut row = vec![
            vec![id.short()],
            vec![snapshot.time.local_text(zone)],
            vec![snapshot.hostname.clone()],
            if compact { snapshot.tags.clone() } else { vec![snapshot.tags.join(",")] },
        ];
        if with_reasons {
            row.push(reasons.unwrap_or_default().to_vec());
        }
        if !compact {
            row.push(snapshot.paths.clone());
        }
        if sizes {
            let size = snapshot.summary.as_ref().map(|summary| units::bytes(summary.total_bytes_processed));
            row.push(size.into_iter().collect());
        }
        table.row(row);
    }
    table.spaced(!compact && snapshots().any(|snapshot| snapshot.paths.len() > 1));
    table.footer(format!("Timestamps shown in {}", zone.name().unwrap_or("local time")));
    table.footer(format!("{} snapshots", rows.len()));
    table.render()
}

/// Appends the objects of these snapshots, separated by commas.
pub(crate) fn write_list<'a>(snapshots: impl IntoIterator<Item = &'a Listed>, out: &mut Vec<u8>) {
    for (nr, (id, snapshot)) in snapshots.into_iter().enumerate() {
        if nr > 0 {
            out.push(b',');
        }
        snapshot.write_with_id(id, out);
    }
}
