//! Dump: a file's content, or a directory as an archive, written to a stream.

mod acl;
mod stream;
mod tar;
mod zip;

use crate::error::{Error, Result};
use crate::node::{Node, NodeKind, is_entry_name};
use crate::walk::{Descend, load_contents, walk};
use std::collections::BTreeSet;
use std::io::Write;
use stream::{Step, stream_file};
use tresor_repo::handle::Right;
use tresor_repo::index::Index;
use tresor_repo::{BlobId, BlobKind, PackId, Repository};

pub use tar::dump_tar;
pub use zip::dump_zip;

/// What a path in a snapshot names, as far as it can be dumped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A file; its content can be dumped.
    File(Box<Node>),
    /// A directory; it can be dumped as an archive.
    Dir {
        /// Its tree.
        tree: BlobId,
        /// Its path in the snapshot without a slash in front: what the names in the archive begin with.
        prefix: Vec<u8>,
    },
}

/// Finds `path` below the tree `root`; slashes at its ends do not count, and `/` is the root itself.
///
/// # Errors
/// [`Error::NotFound`], or [`Error::WrongKind`] if a part of the path is no directory, or the whole neither
/// file nor directory.
pub fn find<R: Right>(repo: &Repository<R>, index: &Index, root: BlobId, path: &[u8]) -> Result<Found> {
    let mut found = Found::Dir { tree: root, prefix: Vec::new() };
    for component in path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")) {
        let Found::Dir { tree, mut prefix } = found else { return Err(not_found(path)) };
        if !prefix.is_empty() {
            prefix.push(b'/');
        }
        prefix.extend_from_slice(component);
        let node = load_contents(repo, index, &tree)?.find(component)?.ok_or_else(|| not_found(path))?;
        let is_last = path_is(path, &prefix);
        found = match (&node.kind, node.subtree) {
            (NodeKind::Dir, Some(tree)) => Found::Dir { tree, prefix },
            (NodeKind::Dir, None) => return Err(Error::NoSubtree),
            (NodeKind::File, _) if is_last => Found::File(Box::new(node)),
            (kind, _) => {
                let wanted = if is_last { "file" } else { "dir" };
                let path = format!("/{}", String::from_utf8_lossy(&prefix));
                return Err(Error::WrongKind { path, wanted, found: kind.as_str().to_owned() });
            }
        };
    }
    Ok(found)
}

fn not_found(path: &[u8]) -> Error {
    Error::NotFound { path: String::from_utf8_lossy(path).into_owned() }
}

/// Whether `path` is `prefix`, slashes at its ends aside.
fn path_is(path: &[u8], prefix: &[u8]) -> bool {
    let components = path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
    components.eq(prefix.split(|byte| *byte == b'/'))
}

/// The packs that a dump will read, each once; trees are read to find them.
///
/// # Errors
/// A tree that cannot be loaded.
pub fn packs<R: Right>(repo: &Repository<R>, index: &Index, found: &Found) -> Result<Vec<PackId>> {
    let mut packs = BTreeSet::new();
    let mut add = |node: &Node| -> Result<()> {
        for id in node.blobs().iter().filter(|_| node.kind == NodeKind::File) {
            packs.extend(index.find(BlobKind::Data, id)?.map(|place| place.pack));
        }
        Ok(())
    };
    match found {
        Found::File(node) => add(node)?,
        Found::Dir { tree, .. } => walk(repo, index, *tree, &mut |_: &[u8], node: &Node| {
            add(node)?;
            Ok::<_, Error>(Descend::Into)
        })?,
    }
    Ok(packs.into_iter().collect())
}

/// Writes the content of a file; the next blobs are loaded while one is written.
///
/// # Errors
/// The first blob that cannot be loaded, or [`Error::Write`].
pub fn dump_file<R: Right>(
    repo: &Repository<R>,
    index: &Index,
    node: &Node,
    out: &mut dyn Write,
) -> Result<()> {
    stream_file(repo, index, node, &mut |step| {
        let Step::Blob(bytes) = step else { return Ok(()) };
        out.write_all(&bytes).map_err(|source| Error::Write { source })
    })?;
    out.flush().map_err(|source| Error::Write { source })
}

/// The name of an entry in an archive.
///
/// # Errors
/// [`Error::BadName`] for a name that could lead out of where the archive is unpacked.
fn entry_name(prefix: &[u8], path: &[u8], node: &Node) -> Result<Vec<u8>> {
    if !is_entry_name(&node.name) {
        return Err(Error::BadName { name: node.display_name().into_owned() });
    }
    let below = path.strip_prefix(b"/").unwrap_or(path);
    let mut name = prefix.to_vec();
    if !name.is_empty() {
        name.push(b'/');
    }
    name.extend_from_slice(below);
    if node.kind == NodeKind::Dir {
        name.push(b'/');
    }
    Ok(name)
}
