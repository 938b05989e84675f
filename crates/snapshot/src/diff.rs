//! What differs between two trees: walked in step, equal subtrees skipped.

use crate::error::Result;
use crate::node::{Node, NodeKind};
use crate::tree::{Contents, Nodes, StoredTree};
use crate::trees::for_each_tree;
use crate::walk::load_contents;
use hashbrown::HashSet;
use std::sync::{Mutex, PoisonError};
use tresor_repo::handle::Right;
use tresor_repo::index::Index;
use tresor_repo::{BlobHandle, BlobId, BlobKind, Repository};

/// What became of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is only in the second tree.
    Added,
    /// It is only in the first tree.
    Removed,
    /// A file's content is another.
    Content,
    /// A file's content is another although nothing else is: a sign of damage.
    ContentAlone,
    /// Something is another, but no file's content; looked for only if asked.
    Metadata,
    /// It is of another kind.
    Kind,
    /// It is of another kind, and metadata were looked at: they always differ then.
    KindAndMetadata,
}

impl Change {
    /// The letters for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Change::Added => "+",
            Change::Removed => "-",
            Change::Content => "M",
            Change::ContentAlone => "M?",
            Change::Metadata => "U",
            Change::Kind => "T",
            Change::KindAndMetadata => "TU",
        }
    }
}

/// What is only on one side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say what is counted")]
pub struct OneSided {
    pub files: u64,
    pub dirs: u64,
    pub others: u64,
    pub data_blobs: u64,
    pub tree_blobs: u64,
    /// Plaintext bytes of these blobs.
    pub bytes: u64,
}

/// The difference in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiffSummary {
    /// Files in both trees with another content.
    pub changed_files: u64,
    /// What only the second tree has.
    pub added: OneSided,
    /// What only the first tree has.
    pub removed: OneSided,
}

/// Takes each change with its path; that of a folder ends with `/`.
pub type Each<'f> = dyn FnMut(&[u8], Change) + 'f;

/// Hands every difference between two trees to `each`, in the order of the paths, and sums up.
///
/// Metadata are compared if `metadata` says so. Of what is only in one tree everything below is named; below
/// what changed its kind nothing is.
///
/// # Errors
/// The first tree that cannot be loaded, or that the operation was cancelled.
pub fn diff<R: Right>(
    repo: &Repository<R>,
    index: &Index,
    [first, second]: [BlobId; 2],
    metadata: bool,
    each: &mut Each<'_>,
) -> Result<DiffSummary> {
    let sides = [Side::default(), Side::default()];
    let mut diff = Diff { repo, index, metadata, each, changed_files: 0, sides, common: Vec::new() };
    diff.sides[0].blobs.insert(tree_blob(first));
    diff.sides[1].blobs.insert(tree_blob(second));
    if first == second {
        return Ok(DiffSummary::default());
    }
    diff.trees(&mut Vec::new(), first, second)?;
    diff.summary()
}

/// What was met of one tree where it differs from the other.
#[derive(Default)]
struct Side {
    counts: OneSided,
    blobs: HashSet<BlobHandle>,
}

struct Diff<'a, R: Right> {
    repo: &'a Repository<R>,
    index: &'a Index,
    metadata: bool,
    each: &'a mut Each<'a>,
    changed_files: u64,
    /// Of the first tree, of the second.
    sides: [Side; 2],
    /// Subtrees that both trees have at the same path.
    common: Vec<BlobId>,
}

impl<R: Right> Diff<'_, R> {
    fn load(&self, tree: &BlobId) -> Result<Contents> {
        if self.repo.cancel().is_set() {
            return Err(tresor_repo::Error::Cancelled.into());
        }
        load_contents(self.repo, self.index, tree)
    }

    /// Compares two trees at `path`, which is given back as it was.
    fn trees(&mut self, path: &mut Vec<u8>, first: BlobId, second: BlobId) -> Result<()> {
        let mut sides = [Sorted::new(self.load(&first)?)?, Sorted::new(self.load(&second)?)?];
        let length = path.len();
        while let Some(name) = sides.iter().filter_map(Sorted::name).min() {
            path.push(b'/');
            path.extend_from_slice(name);
            let [first, second] = &mut sides;
            let name = &path[length + 1..];
            match [first.take(name)?, second.take(name)?] {
                [Some(first), Some(second)] => self.both(path, &first, &second)?,
                [Some(first), None] => self.one(path, &first, 0)?,
                [None, Some(second)] => self.one(path, &second, 1)?,
                [None, None] => {}
            }
            path.truncate(length);
        }
        Ok(())
    }

    /// Compares two nodes of one path.
    fn both(&mut self, path: &mut Vec<u8>, first: &Node, second: &Node) -> Result<()> {
        self.note_blobs(first, 0);
        self.note_blobs(second, 1);
        let change = self.change(first, second);
        if let Some(change) = change {
            self.tell(path, second, change);
        }
        if let (Some(first), Some(second)) = (subtree(first), subtree(second)) {
            match first == second {
                true => self.common.push(first),
                false => self.trees(path, first, second)?,
            }
        }
        Ok(())
    }

    fn change(&mut self, first: &Node, second: &Node) -> Option<Change> {
        let metadata = self.metadata && !first.same_as(second);
        if first.kind != second.kind {
            return Some(if metadata { Change::KindAndMetadata } else { Change::Kind });
        }
        if first.kind == NodeKind::File && first.content != second.content {
            self.changed_files += 1;
            let alone = Node { content: second.content.clone(), ..first.clone() }.same_as(second);
            return Some(if alone { Change::ContentAlone } else { Change::Content });
        }
        metadata.then_some(Change::Metadata)
    }

    /// Names and counts a node, and everything below, that only one tree has.
    fn one(&mut self, path: &mut Vec<u8>, node: &Node, side: usize) -> Result<()> {
        self.tell(path, node, [Change::Removed, Change::Added][side]);
        let counts = &mut self.sides[side].counts;
        match node.kind {
            NodeKind::File => counts.files += 1,
            NodeKind::Dir => counts.dirs += 1,
            _ => counts.others += 1,
        }
        self.note_blobs(node, side);
        let Some(subtree) = subtree(node) else { return Ok(()) };
        let (mut nodes, length) = (self.load(&subtree)?.into_nodes(), path.len());
        while let Some(node) = nodes.next_node()? {
            path.push(b'/');
            path.extend_from_slice(&node.name);
            self.one(path, &node, side)?;
            path.truncate(length);
        }
        Ok(())
    }

    fn tell(&mut self, path: &mut Vec<u8>, node: &Node, change: Change) {
        let length = path.len();
        if node.kind == NodeKind::Dir {
            path.push(b'/');
        }
        (self.each)(path, change);
        path.truncate(length);
    }

    fn note_blobs(&mut self, node: &Node, side: usize) {
        let blobs = &mut self.sides[side].blobs;
        match node.kind {
            NodeKind::File => blobs.extend(node.blobs().iter().copied().map(data_blob)),
            NodeKind::Dir => blobs.extend(node.subtree.map(tree_blob)),
            _ => {}
        }
    }

    /// A blob counts for its side if neither the other side nor a common subtree has it.
    fn summary(self) -> Result<DiffSummary> {
        let [mut first, mut second] = self.sides;
        let shared: Vec<BlobHandle> = first.blobs.intersection(&second.blobs).copied().collect();
        for blob in shared {
            first.blobs.remove(&blob);
            second.blobs.remove(&blob);
        }
        let one_sided = Mutex::new([&mut first.blobs, &mut second.blobs]);
        let drop_common = |blobs: &[BlobHandle]| {
            let mut sides = one_sided.lock().unwrap_or_else(PoisonError::into_inner);
            sides.iter_mut().for_each(|side| blobs.iter().for_each(|blob| _ = side.remove(blob)));
        };
        for_each_common(self.repo, self.index, &self.common, &drop_common)?;
        let count = |mut side: Side| -> Result<_> {
            for blob in &side.blobs {
                match blob.kind {
                    BlobKind::Data => side.counts.data_blobs += 1,
                    BlobKind::Tree => side.counts.tree_blobs += 1,
                }
                let length = self.index.plain_length(blob.kind, &blob.id)?;
                side.counts.bytes += u64::from(length.unwrap_or(0));
            }
            Ok(side.counts)
        };
        Ok(DiffSummary { changed_files: self.changed_files, added: count(second)?, removed: count(first)? })
    }
}

/// The nodes of a tree in the order of their names; of several with one name, the last.
struct Sorted {
    nodes: Nodes,
    next: Option<Node>,
}

impl Sorted {
    fn new(contents: Contents) -> Result<Self> {
        let mut nodes = match contents {
            Contents::Whole(mut tree) => {
                tree.nodes.sort_by(|one, other| one.name.cmp(&other.name));
                Nodes::Whole(tree.nodes.into_iter())
            }
            Contents::Long(tree) if is_sorted(tree.nodes())? => Nodes::Long(Box::new(tree.nodes())),
            Contents::Long(tree) => {
                let (mut all, mut nodes) = (Vec::new(), tree.nodes());
                while let Some(node) = nodes.next_node()? {
                    all.push(node);
                }
                all.sort_by(|one, other| one.name.cmp(&other.name));
                Nodes::Whole(all.into_iter())
            }
        };
        let next = nodes.next_node()?;
        Ok(Sorted { nodes, next })
    }

    /// The name of the next node.
    fn name(&self) -> Option<&[u8]> {
        self.next.as_ref().map(|node| &*node.name)
    }

    /// Takes the next node if that is its name.
    fn take(&mut self, name: &[u8]) -> Result<Option<Node>> {
        let mut taken = None;
        while self.name() == Some(name) {
            taken = std::mem::replace(&mut self.next, self.nodes.next_node()?);
        }
        Ok(taken)
    }
}

/// Whether a long tree, which others may have written, is in order.
fn is_sorted(mut nodes: crate::tree::LongNodes) -> Result<bool> {
    let mut last: Option<Node> = None;
    while let Some(node) = nodes.next_node()? {
        if last.is_some_and(|last| last.name > node.name) {
            return Ok(false);
        }
        last = Some(node);
    }
    Ok(true)
}

/// Hands the blobs of each distinct tree below `roots` to `take`.
fn for_each_common<R: Right>(
    repo: &Repository<R>,
    index: &Index,
    roots: &[BlobId],
    take: &(dyn Fn(&[BlobHandle]) + Sync),
) -> Result<()> {
    let visit = |tree: &BlobId, stored: Result<StoredTree<'_>>| {
        let (mut blobs, mut subtrees) = (vec![tree_blob(*tree)], Vec::new());
        stored?.for_each_node(|node| {
            match node.kind {
                NodeKind::File => blobs.extend(node.blobs().iter().copied().map(data_blob)),
                NodeKind::Dir => subtrees.extend(node.subtree),
                _ => {}
            }
            Ok::<(), crate::Error>(())
        })?;
        take(&blobs);
        Ok(subtrees)
    };
    for_each_tree(repo, index, roots, &visit, &|| ())
}

fn subtree(node: &Node) -> Option<BlobId> {
    node.subtree.filter(|_| node.kind == NodeKind::Dir)
}

const fn tree_blob(id: BlobId) -> BlobHandle {
    BlobHandle { kind: BlobKind::Tree, id }
}

const fn data_blob(id: BlobId) -> BlobHandle {
    BlobHandle { kind: BlobKind::Data, id }
}
