//! How many files and blobs of which size: the mode `debug`.

use tresor_repo::handle::Right;
use tresor_repo::{BlobKind, FileKind, Repository};

use crate::exit::Result;
use crate::session::Session;
use crate::ui::table::Table;
use crate::units;

/// Prints a histogram for each kind of file and blob.
pub(super) fn run(session: &Session) -> Result<()> {
    let opened = session.open_to_read()?;
    let ended = print(session, &opened.repository);
    opened.close(session);
    ended
}

fn print<R: Right>(session: &Session, repository: &Repository<R>) -> Result<()> {
    let ui = &session.ui;
    ui.error("Collecting size statistics\n");
    let kinds = [
        ("key", FileKind::Key),
        ("lock", FileKind::Lock),
        ("index", FileKind::Index),
        ("snapshot", FileKind::Snapshot),
        ("data", FileKind::Pack),
    ];
    for (word, kind) in kinds {
        let sizes = repository.list(kind)?.iter().map(|file| file.size).collect();
        ui.error(&format!("File Type: {word}\n{}", histogram(sizes).trim_end()));
    }
    let index = session.load_index(repository)?;
    for kind in [BlobKind::Data, BlobKind::Tree] {
        let of_kind = index.of_kind(kind).map(|entry| Ok(u64::from(entry?.1.length)));
        let sizes = of_kind.collect::<Result<_>>()?;
        ui.error(&format!("Blob Type: {}\n{}\n", kind.word(), histogram(sizes)));
    }
    Ok(())
}

/// Count, sum, and how many have how many digits.
fn histogram(sizes: Vec<u64>) -> String {
    let digits = |size: u64| size.checked_ilog10().unwrap_or(0) as usize;
    let mut buckets = vec![0_u64; sizes.iter().map(|size| digits(*size) + 1).max().unwrap_or(0)];
    sizes.iter().for_each(|size| buckets[digits(*size)] += 1);
    let total = units::bytes(sizes.iter().sum());
    let first = buckets.iter().position(|count| *count > 0).unwrap_or(0);
    let range = |digits: u32| {
        let low = if digits == 0 { 0 } else { 10_u64.pow(digits) };
        format!("{low} - {} Byte", 10_u64.saturating_pow(digits + 1) - 1)
    };
    let width = buckets.len().checked_sub(1).map_or(0, |last| range(last as u32).len());
    let mut table = Table::new(["Size", "Count"]);
    for (digits, count) in (0_u32..).zip(&buckets).skip(first) {
        table.row(vec![vec![format!("{:>width$}", range(digits))], vec![count.to_string()]]);
    }
    format!("Count: {}\nTotal Size: {total}\n{}", sizes.len(), table.render())
}
