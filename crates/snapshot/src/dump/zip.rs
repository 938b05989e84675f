//! A directory as a zip archive, written as a stream.

use super::entry_name;
use super::stream::{Step, stream_tree};
use crate::error::{Error, Result};
use crate::mode::to_chmod;
use crate::node::{Node, NodeKind};
use std::io::{self, Write};
use tresor_repo::handle::Right;
use tresor_repo::index::Index;
use tresor_repo::time::Time;
use tresor_repo::{BlobId, Repository};
use zip::write::FullFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

/// Writes everything below `tree` as a zip archive; names begin with `prefix`.
///
/// Files are compressed, a symbolic link's target is its content. Owners and extended attributes have no
/// place in a zip archive.
///
/// # Errors
/// The first tree or blob that cannot be loaded, [`Error::BadName`], or [`Error::Write`].
pub fn dump_zip<R: Right>(
    repo: &Repository<R>,
    index: &Index,
    tree: BlobId,
    prefix: &[u8],
    out: &mut dyn Write,
) -> Result<()> {
    let failed = |source| Error::Write { source };
    let mut archive = ZipWriter::new_stream(out);
    stream_tree(repo, index, tree, &mut |step| match step {
        Step::Node { path, node, size, .. } => {
            let name = entry_name(prefix, &path, &node)?;
            begin(&mut archive, &name, &node, size).map_err(|error| failed(io::Error::other(error)))
        }
        Step::Blob(bytes) => archive.write_all(&bytes).map_err(failed),
    })?;
    let out = archive.finish().map_err(|error| failed(io::Error::other(error)))?;
    out.into_inner().flush().map_err(failed)
}

fn begin<W: Write + io::Seek>(
    archive: &mut ZipWriter<W>,
    name: &[u8],
    node: &Node,
    size: u64,
) -> zip::result::ZipResult<()> {
    // The kind as in the system's `st_mode`; for a directory DOS has a bit of its own.
    let (kind, dos, method) = match node.kind {
        NodeKind::Dir => (0o040_000, 0x10, CompressionMethod::Stored),
        NodeKind::Symlink => (0o120_000, 0, CompressionMethod::Stored),
        _ => (0o100_000, 0, CompressionMethod::Deflated),
    };
    let options = FullFileOptions::default()
        .system(System::Unix)
        .external_attributes((kind | to_chmod(node.mode)) << 16 | dos)
        .compression_method(method)
        .last_modified_time(clock(&node.mtime))
        .large_file(size >= u64::from(u32::MAX))
        .with_extended_timestamp(u32::try_from(node.mtime.seconds()).ok(), None, None)?;
    if node.kind == NodeKind::Dir {
        // The library takes directories by their text alone: names that are not UTF-8 lose bytes here.
        return archive.add_directory(String::from_utf8_lossy(name), options);
    }
    archive.start_file_with_options(options.name(name))?;
    if node.kind == NodeKind::Symlink {
        archive.write_all(node.link_target())?;
    }
    Ok(())
}

/// The wall clock of the file's own zone; what a zip archive cannot say (years before 1980, after 2107)
/// becomes the next it can.
fn clock(time: &Time) -> DateTime {
    let civil = time.civil();
    let year = u16::try_from(civil.year.clamp(1980, 2107)).unwrap_or(1980);
    DateTime::from_date_and_time(year, civil.month, civil.day, civil.hour, civil.minute, civil.second)
        .unwrap_or_default()
}
